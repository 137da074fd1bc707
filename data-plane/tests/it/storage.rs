//! Stored objects over HTTP: what is good, and much that is bad.

use std::path::Path;

use reqwest::Method;
use serde_json::json;

use crate::database_harness::{ANON_KEY, API_KEY, Project, Reply, eventually, form_body, user_token};

const OBJECTS: &str = "/api/storage/buckets/b/objects";

async fn with_bucket() -> Project {
    let project = Project::start().await;
    project
        .admin(Method::POST, "/api/storage/buckets", Some(json!({"bucketName": "b", "isPublic": false})))
        .await
        .expect(201);
    project
}

async fn put(project: &Project, key: &str, content: &[u8]) -> Reply {
    let (content_type, body) = form_body(Some(("f.bin", content)), &[]);
    project.send(Method::PUT, &format!("{OBJECTS}/{key}"), API_KEY, &content_type, body).await
}

/// Files below a folder, their names and sizes.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path.display().to_string()) }
    }
    found
}

#[tokio::test]
async fn objects_are_stored_read_listed_and_deleted() {
    let project = with_bucket().await;
    let content: Vec<u8> = (0..=255_u8).cycle().take(300_000).collect();
    let stored = put(&project, "folder%2F%C3%A4%20b.bin", &content).await.expect(200);
    assert_eq!((&stored["key"], &stored["size"]), (&json!("folder/ä b.bin"), &json!(300_000)));
    assert!(stored["url"].as_str().is_some_and(|url| url.contains("/objects/folder%2F%C3%A4%20b.bin?v=")), "{stored}");
    for path in ["folder%2F%C3%A4%20b.bin", "folder/%C3%A4%20b.bin"] {
        let read = project.get(&format!("{OBJECTS}/{path}")).await;
        assert_eq!(
            (read.status, read.header("content-length"), read.header("x-content-type-options")),
            (200, "300000", "nosniff")
        );
    }
    put(&project, "folder%2F%C3%A4%20b.bin", b"second").await.expect(200);
    assert_eq!(project.get(&format!("{OBJECTS}/folder%2F%C3%A4%20b.bin")).await.text, "second");
    put(&project, "100%25_.txt", b"x").await.expect(200);
    let listed = |query: &str| format!("{OBJECTS}?{query}");
    let page = project.get(&listed("limit=1")).await.expect(200);
    assert_eq!((&page["pagination"]["total"], &page["data"][0]["key"]), (&json!(2), &json!("100%_.txt")));
    assert_eq!(project.get(&listed("search=%25_")).await.expect(200)["pagination"]["total"], 1);
    assert_eq!(
        project.get(&listed("prefix=folder/")).await.expect(200)["data"][0]["mimeType"],
        "application/octet-stream"
    );
    let gone = project
        .admin(Method::DELETE, OBJECTS, Some(json!({"keys": ["100%_.txt", "100%_.txt", "nothing"]})))
        .await
        .expect(200);
    assert_eq!(
        gone["results"],
        json!([{"key": "100%_.txt", "status": "deleted"}, {"key": "nothing", "status": "notFound"}])
    );
    project.admin(Method::DELETE, &format!("{OBJECTS}/folder%2F%C3%A4%20b.bin"), None).await.expect(200);
    assert_eq!(project.admin(Method::DELETE, &format!("{OBJECTS}/folder%2F%C3%A4%20b.bin"), None).await.status, 404);
    eventually("no bytes are left", async || files(&project.folder().join("storage")).is_empty().then_some(())).await;
}

#[tokio::test]
async fn keys_never_become_paths() {
    let project = with_bucket().await;
    let outside = project.folder().join("outside");
    std::fs::write(&outside, "not yours").expect("written");
    for key in [
        "..%2F..%2Foutside",
        "%2e%2e%2f%2e%2e%2foutside",
        "a%2F..%2F..%2F..%2Foutside",
        "%2Fetc%2Fpasswd",
        "..",
        "a%00b",
        "....%2F%2F....%2F%2Foutside",
        "..%5C..%5Coutside",
    ] {
        let refused = put(&project, key, b"mine now").await;
        assert!([400, 404].contains(&refused.status), "{key}: {} {}", refused.status, refused.text);
        for method in [Method::GET, Method::DELETE] {
            let refused = project.admin(method.clone(), &format!("{OBJECTS}/{key}"), None).await;
            assert!([400, 404].contains(&refused.status), "{method} {key}: {} {}", refused.status, refused.text);
            assert!(!refused.text.contains("root:") && !refused.text.contains("not yours"), "{key}");
        }
    }
    let long = "x".repeat(1025);
    assert_eq!(put(&project, &long, b"x").await.status, 400);
    // Odd, but a key like any other.
    for key in ["~", "-rf", "a%0Ab", "%F0%9F%90%88", "CON", "a%3Fb%23c", "%25%32%65", "*"] {
        let stored = put(&project, key, key.as_bytes()).await;
        assert_eq!(stored.status, 200, "{key}: {}", stored.text);
        assert_eq!(project.get(&format!("{OBJECTS}/{key}")).await.text, key);
    }
    assert_eq!(std::fs::read_to_string(&outside).expect("there"), "not yours");
    let stray: Vec<String> = files(project.folder())
        .into_iter()
        .filter(|path| {
            !["/data/", "/run/", "/storage/b/", "/logs/", "/state/", "/outside"]
                .iter()
                .any(|known| path.contains(known))
        })
        .collect();
    assert!(stray.is_empty(), "{stray:?}");
    for bucket in ["..", ".", "a/b", "a%2Fb", "", " ", "b%00", "ä", "_database_backups"] {
        let body = json!({"bucketName": bucket});
        assert_eq!(
            project.admin(Method::POST, "/api/storage/buckets", Some(body)).await.expect(400)["error"],
            "STORAGE_INVALID_PARAMETER",
            "{bucket:?}"
        );
    }
    assert!([400, 404].contains(&project.admin(Method::DELETE, "/api/storage/buckets/..%2F..", None).await.status));
}

#[tokio::test]
async fn hostile_forms_are_refused_and_leave_nothing() {
    let project = with_bucket().await;
    let path = format!("{OBJECTS}/a.txt");
    let form = "multipart/form-data; boundary=x";
    let cases: Vec<(&str, Vec<u8>)> = vec![
        (form, Vec::new()),
        (form, b"--x--\r\n".to_vec()),
        (form, b"not a form at all".to_vec()),
        (form, b"--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nnever ends".to_vec()),
        (form, b"--x\r\ncontent-disposition: form-data; name=\"other\"; filename=\"a\"\r\n\r\nx\r\n--x--\r\n".to_vec()),
        (form, b"--x\r\n\r\nno headers\r\n--x--\r\n".to_vec()),
        (
            form,
            [
                b"--x\r\ncontent-disposition: form-data; name=\"".as_slice(),
                &[b'a'; 100_000],
                b"\"\r\n\r\nx\r\n--x--\r\n",
            ]
            .concat(),
        ),
        (form, [b"--x\r\n".as_slice(), &b"a: b\r\n".repeat(5000), b"\r\nx\r\n--x--\r\n"].concat()),
        ("multipart/form-data", b"--x--".to_vec()),
        ("multipart/form-data; boundary=", b"----".to_vec()),
        ("multipart/mixed; boundary=x", b"--x--".to_vec()),
        ("application/json", b"{}".to_vec()),
        ("text/plain", b"hello".to_vec()),
        ("multipart/form-data; boundary=\"", b"--\"--".to_vec()),
    ];
    for (content_type, body) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let refused = project.send(Method::PUT, &path, API_KEY, content_type, body).await;
        assert!((400..500).contains(&refused.status), "{content_type} {shown}: {} {}", refused.status, refused.text);
        assert!(refused.json()["error"].is_string(), "{content_type} {shown}: {}", refused.text);
    }
    assert_eq!(project.get(&path).await.status, 404);
    // A file name is not trusted either.
    let (content_type, body) = form_body(Some(("../../../etc/cron.d/x", b"x")), &[]);
    let stored = project.send(Method::POST, OBJECTS, API_KEY, &content_type, body).await.expect(201);
    assert!(stored["key"].as_str().is_some_and(|key| !key.contains('/') && !key.contains("..")), "{stored}");
    // What a browser would run is not called so.
    let body = b"--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\ncontent-type: image/png\r\n\r\n<svg onload=alert(1)>\r\n--x--\r\n".to_vec();
    assert_eq!(
        project.send(Method::PUT, &path, API_KEY, form, body).await.expect(200)["mimeType"],
        "application/octet-stream"
    );
    project.admin(Method::PUT, "/api/storage/config", Some(json!({"maxFileSizeMb": 1}))).await.expect(200);
    let large = put(&project, "large.bin", &vec![0; 1024 * 1024 + 1]).await;
    assert_eq!(large.expect(413)["message"], "File too large. Maximum upload size is 1 MB.");
    assert_eq!(put(&project, "fits.bin", &vec![0; 1024 * 1024]).await.status, 200);
    eventually("no drafts are left", async || {
        files(&project.folder().join("storage/.uploads")).is_empty().then_some(())
    })
    .await;
    for body in [
        json!({}),
        json!({"keys": []}),
        json!({"keys": "a"}),
        json!({"keys": [1]}),
        json!({"keys": vec!["a"; 1001]}),
        json!([]),
    ] {
        assert_eq!(project.admin(Method::DELETE, OBJECTS, Some(body.clone())).await.status, 400, "{body}");
    }
    for query in ["limit=0", "limit=x", "offset=-1"] {
        assert_eq!(project.get(&format!("{OBJECTS}?{query}")).await.status, 400, "{query}");
    }
    let ada = user_token("aaaaaaaa-0000-4000-8000-000000000001");
    let (content_type, body) = form_body(Some(("a", b"x")), &[]);
    assert_eq!(project.send(Method::PUT, &path, ANON_KEY, &content_type, body.clone()).await.status, 403);
    let nowhere = project.send(Method::PUT, "/api/storage/buckets/nowhere/objects/a", &ada, &content_type, body).await;
    assert_eq!(nowhere.expect(400)["error"], "DATABASE_CONSTRAINT_VIOLATION");
}

#[tokio::test]
async fn an_upload_overtaken_by_the_deletion_of_its_bucket_leaves_nothing() {
    let project = with_bucket().await;
    for round in 0..6 {
        let uploads = (0..6).map(|number| {
            let key = format!("r{round}-{number}");
            let project = &project;
            async move { put(project, &key, &vec![b'x'; 200_000]).await }
        });
        let deletion = async {
            // Somewhere among the uploads, a little later each time.
            for _ in 0..round {
                tokio::task::yield_now().await;
                project.get("/api/health").await.expect(200);
            }
            project.admin(Method::DELETE, "/api/storage/buckets/b", None).await
        };
        let (replies, deleted) = tokio::join!(futures::future::join_all(uploads), deletion);
        assert_eq!(deleted.status, 200, "{}", deleted.text);
        for reply in &replies {
            assert!([200, 400].contains(&reply.status), "{} {}", reply.status, reply.text);
            if reply.status == 400 {
                assert_eq!(reply.json()["error"], "DATABASE_CONSTRAINT_VIOLATION");
            }
        }
        let rows = project.sql("select count(*)::int as n from storage.objects").await.expect(200);
        assert_eq!(rows["rows"], json!([{"n": 0}]));
        project
            .admin(Method::POST, "/api/storage/buckets", Some(json!({"bucketName": "b", "isPublic": false})))
            .await
            .expect(201);
        // A new bucket of the old name begins empty, for readers and on disk.
        assert_eq!(project.get(OBJECTS).await.expect(200)["pagination"]["total"], 0);
        let left = files(&project.folder().join("storage/b"));
        assert!(left.is_empty(), "round {round}: {left:?}");
    }
}
