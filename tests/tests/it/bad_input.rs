//! Bad input for every route of the control plane: the contract's error shape, a client's status, and nothing created.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Api, Cloud, DataPlane, Reply};

const NOBODY: &str = "00000000-0000-4000-8000-00000000dead";

/// Routes that need no credential.
const PUBLIC: &[&str] = &[
    "/auth/v1/login",
    "/api/oauth/v1/token",
    "/health",
    "/platform/insforge/latest-version",
    "/.well-known/jwks.json",
    "/openapi.json",
    "/auth/v1/shared/{provider}",
    "/auth/v1/shared/{provider}/callback",
    "/oauth/twitter",
];

/// Every route that needs one, as `(method, path)`, from the document that the control plane serves about itself.
async fn routes(api: &Api) -> Vec<(String, String)> {
    let document = api.anonymous().get("/openapi.json").await.expect(200);
    let paths = document["paths"].as_object().expect("a document has paths");
    let routes: Vec<_> = paths
        .iter()
        .filter(|(path, _)| !PUBLIC.contains(&path.as_str()))
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("a path has methods");
            methods.keys().map(|name| (name.to_uppercase(), path.clone())).collect::<Vec<_>>()
        })
        .collect();
    assert!(routes.len() > 20, "{routes:?}");
    routes
}

fn method(name: &str) -> Method {
    name.parse().expect("a method")
}

fn filled(path: &str, organization: &str, other: &str) -> String {
    ["{id}", "{partner}", "{project}", "{endpoint}", "{delivery}"]
        .iter()
        .fold(path.replace("{org}", organization), |path, name| path.replace(name, other))
}

/// `{error, …}` with text that names no internals.
#[track_caller]
fn assert_error(reply: &Reply, statuses: &[u16], what: &str) {
    assert!(statuses.contains(&reply.status), "{what}: {} instead of {statuses:?}: {}", reply.status, reply.text);
    let text = reply.body["error"].as_str().unwrap_or_else(|| panic!("{what}: no error text in {}", reply.text));
    assert!(!text.is_empty());
    for internal in ["sqlx", "postgres", "constraint \"", "panicked", "src/", "/home", "serde"] {
        assert!(!reply.text.to_lowercase().contains(internal), "{what} names internals: {}", reply.text);
    }
}

#[tokio::test]
async fn no_route_answers_a_stranger_and_none_answers_for_foreign_ids() {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let organization = cloud.organization();
    let project = api.new_project(organization, "Present").await;
    for (verb, route) in routes(&api).await {
        let what = format!("{verb} {route}");
        let path = filled(&route, organization, &project.id);
        // To a partner's routes a user is a stranger, whatever is asked for; who guesses there too often has to wait.
        let of_partners = route.starts_with("/partnership/");
        let refused: &[u16] = if of_partners { &[401, 429] } else { &[401] };
        for (name, caller) in strangers(&api) {
            let reply = caller.send(method(&verb), &path, Some(&json!({}))).await;
            assert_error(&reply, refused, &format!("{what} {name}"));
        }
        if route.contains('{') {
            let (unknown, unreadable): (&[u16], &[u16]) =
                if of_partners { (refused, refused) } else { (&[404], &[400, 404]) };
            let foreign = filled(&route, NOBODY, NOBODY);
            let body = json!({
                "name": "Name", "mode": "full", "type": "team", "instanceType": "small", "url": "https://example.com/hook",
                "reason": "Moved", "caps": {},
            });
            let body = (verb != "GET").then_some(&body);
            assert_error(&api.send(method(&verb), &foreign, body).await, unknown, &format!("{what} with a foreign id"));
            let garbage = filled(&route, "not-an-id", "not-an-id");
            assert_error(
                &api.send(method(&verb), &garbage, body).await,
                unreadable,
                &format!("{what} with garbage for an id"),
            );
        }
    }
    assert_error(&api.get("/nothing/here").await, &[404], "an unknown route");
    assert_eq!(api.projects(organization).await.len(), 1);
    assert_eq!(api.project(&project.id).await.expect("untouched").status, "active");
    cloud.finish().await;
}

fn strangers(api: &Api) -> Vec<(&'static str, Api)> {
    vec![
        ("without a token", api.anonymous()),
        ("with a key nobody has", api.with_token("uak_0000000000000000000000000000000000000000")),
        ("with a broken token", api.with_token("eyJhbGciOiJub25lIn0.e30.")),
        ("with an empty token", api.with_token("")),
    ]
}

#[tokio::test]
async fn bodies_that_are_wrong_create_nothing() {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let organization = cloud.organization();
    let projects = format!("/organizations/v1/{organization}/projects");
    let long = "x".repeat(100_000);
    let cases: Vec<(&str, String, Value)> = vec![
        ("POST", projects.clone(), json!({})),
        ("POST", projects.clone(), json!([])),
        ("POST", projects.clone(), json!({ "name": 7 })),
        ("POST", projects.clone(), json!({ "name": null })),
        ("POST", projects.clone(), json!({ "name": "" })),
        ("POST", projects.clone(), json!({ "name": " x " })),
        ("POST", projects.clone(), json!({ "name": long })),
        ("POST", projects.clone(), json!({ "name": "nul\u{0}l" })),
        ("POST", projects.clone(), json!({ "name": "Fine", "region": "mars-north" })),
        ("POST", projects.clone(), json!({ "name": "Fine", "region": 3 })),
        ("POST", "/organizations/v1".to_owned(), json!({ "name": "x", "type": "team" })),
        ("POST", "/organizations/v1".to_owned(), json!({ "name": "Fine", "type": "cult" })),
        ("POST", "/organizations/v1".to_owned(), json!({ "type": "team" })),
        ("PUT", format!("/organizations/v1/{organization}"), json!({ "name": 1 })),
        ("POST", "/auth/v1/api-keys".to_owned(), json!({ "name": 12 })),
        ("POST", "/auth/v1/login".to_owned(), json!({ "email": "x" })),
        ("POST", "/auth/v1/login".to_owned(), json!("text")),
    ];
    for (verb, path, body) in &cases {
        let shown: String = body.to_string().chars().take(80).collect();
        assert_error(
            &api.send(method(verb), path, Some(body)).await,
            &[400, 413, 422],
            &format!("{verb} {path} {shown}"),
        );
    }
    for text in ["", "{", "nonsense", "{\"name\":\"a\",}"] {
        let request = api.request(Method::POST, &projects).header("content-type", "application/json").body(text);
        let response = request.send().await.expect("a response comes");
        let status = response.status().as_u16();
        let body: Value = response.json().await.expect("errors are JSON");
        assert!(status == 400 && body["error"].is_string(), "{text:?}: {status} {body}");
    }
    let long_key = "k".repeat(10_000);
    let request =
        api.request(Method::POST, &projects).header("Idempotency-Key", long_key).json(&json!({ "name": "Fine" }));
    assert_eq!(request.send().await.expect("a response comes").status().as_u16(), 400);

    assert!(api.projects(organization).await.is_empty(), "nothing was created");
    assert!(cloud.project_folders().is_empty());
    cloud.finish().await;
}

#[tokio::test]
async fn branches_obey_the_rules_of_the_contract() {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), "Trunk").await;
    let path = format!("/projects/v1/{}/branches", project.id);
    for body in [
        json!({}),
        json!({ "name": "ok" }),
        json!({ "mode": "full" }),
        json!({ "mode": "half", "name": "ok" }),
        json!({ "mode": "full", "name": "-leading" }),
        json!({ "mode": "full", "name": "under_score" }),
        json!({ "mode": "full", "name": "sp ace" }),
        json!({ "mode": "full", "name": "x".repeat(65) }),
        json!({ "mode": "full", "name": "" }),
    ] {
        assert_error(&api.post(&path, &body).await, &[400, 422], &body.to_string());
    }
    let branch = api.new_branch(&project.id, "first", "schema-only").await;
    assert_code(&api.post(&path, &json!({ "mode": "full", "name": "first" })).await, 409, "branch.name_conflict");
    let nested = format!("/projects/v1/{}/branches", branch.id);
    assert_code(
        &api.post(&nested, &json!({ "mode": "full", "name": "nested" })).await,
        422,
        "branch.parent_not_branchable",
    );
    api.new_branch(&project.id, "second", "full").await;
    assert_code(&api.post(&path, &json!({ "mode": "full", "name": "third" })).await, 403, "branch.quota_exceeded");

    let _ = api.post_empty(&format!("/projects/v1/{}/pause", project.id)).await.ok();
    api.wait_project(&project.id, "paused").await;
    assert_code(
        &api.post(&path, &json!({ "mode": "full", "name": "of-paused" })).await,
        422,
        "branch.parent_not_branchable",
    );
    let listed = api.get(&path).await.expect(200);
    let names: Vec<_> =
        listed["data"].as_array().expect("a list").iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!((names.len(), names.contains(&"first"), names.contains(&"second")), (2, true, true), "{listed}");
    assert_eq!(api.projects(cloud.organization()).await.len(), 1, "branches are not listed among projects");
    cloud.finish().await;
}

#[track_caller]
fn assert_code(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code()), (status, code), "{}", reply.text);
    assert!(reply.body["error"].is_string());
}

#[tokio::test]
async fn the_data_plane_tells_wrong_credentials_apart() {
    let cloud = Cloud::start().await;
    let project = cloud.api().new_project(cloud.organization(), "Guarded").await;
    let admin = DataPlane::of(&cloud, &project.id).await;
    admin.sql("create table notes (id int primary key)").await;
    let open = DataPlane::through_gateway(&cloud, &project.appkey, &project.region);
    let read = "/api/database/records/notes";
    let cases = [
        (open.clone(), 401, "AUTH_INVALID_CREDENTIALS"),
        (open.with_token("ik_0000"), 401, "AUTH_INVALID_API_KEY"),
        (open.with_token("anon_0000"), 401, "AUTH_INVALID_CREDENTIALS"),
        (open.with_token("e.y.J"), 401, "AUTH_UNAUTHORIZED"),
    ];
    for (caller, status, error) in cases {
        let reply = caller.get(read).await;
        assert_eq!((reply.status, reply.body["error"].as_str()), (status, Some(error)), "{}", reply.text);
        assert_eq!(reply.body["statusCode"], status);
    }
    let anonymous = open.with_token(&admin.anon_key().await);
    assert_eq!(
        anonymous.get(read).await.status,
        200,
        "tables of the administrator are open to all until row-level security is on"
    );
    assert_eq!(anonymous.post("/api/database/advance/rawsql", &json!({ "query": "select 1" })).await.status, 401);
    let forbidden = admin.post("/api/database/advance/rawsql", &json!({ "query": "set role postgres" })).await;
    assert_eq!((forbidden.status, forbidden.body["error"].as_str()), (403, Some("FORBIDDEN")), "{}", forbidden.text);
    let escape = json!({ "query": "do $$ begin reset role; execute 'alter role anon superuser'; end $$" });
    assert!(admin.post("/api/database/advance/rawsql", &escape).await.status >= 400, "nobody escapes through a block");
    assert_eq!(admin.sql_value("select rolsuper from pg_roles where rolname = 'anon'").await, json!(false));
    cloud.finish().await;
}
