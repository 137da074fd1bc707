//! What a branch has and has not, and merges that must not happen.

use serde_json::json;
use tests::{Cloud, DataPlane, writer::Writer};

#[tokio::test]
async fn a_schema_only_branch_has_no_rows_and_shares_sign_ins_with_its_parent() {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), "Trunk").await;
    let parent = DataPlane::of(&cloud, &project.id).await;
    parent.sql("create table notes (id int primary key, text text); create sequence tickets start 7; insert into notes values (1, 'a')").await;
    parent.create_bucket("papers", false).await;
    assert_eq!(parent.upload("papers", "a.txt", b"paper".to_vec()).await.status, 200);
    let account = json!({ "email": "ada@example.com", "password": "correct horse" });
    let signed_up = parent.post("/api/auth/users?client_type=server", &account).await.expect(200);
    let session = parent.post("/api/auth/sessions?client_type=server", &account).await.expect(200);
    assert_eq!(session["user"]["id"], signed_up["user"]["id"]);
    let token = session["accessToken"].as_str().expect("a token");

    let empty = api.new_branch(&project.id, "empty", "schema-only").await;
    let on_empty = DataPlane::of(&cloud, &empty.id).await;
    for table in ["public.notes", "auth.users", "storage.objects"] {
        assert_eq!(on_empty.sql_count(&format!("select count(*) from {table}")).await, 0, "{table}");
    }
    assert_eq!(on_empty.sql_value("select nextval('tickets')::int").await, 7);
    assert_eq!(on_empty.buckets().await, ["papers"], "configuration is there");
    assert_eq!(on_empty.sql_value("select current_setting('fsync')").await, "on", "what it keeps outlives the machine");

    let full = api.new_branch(&project.id, "full", "full").await;
    let as_ada = DataPlane::through_gateway(&cloud, &full.appkey, &full.region).with_token(token);
    let current = as_ada.get("/api/auth/sessions/current").await.expect(200);
    assert_eq!(current["user"]["email"], "ada@example.com", "the parent's tokens hold on a branch");
    let parents_key = DataPlane::through_gateway(&cloud, &full.appkey, &full.region)
        .with_token(&api.access_api_key(&project.id).await);
    assert_eq!(parents_key.get("/api/metadata/project-id").await.status, 401, "its keys do not");
    let on_full = DataPlane::of(&cloud, &full.id).await;
    assert_eq!(on_full.get("/api/metadata/project-id").await.expect(200)["projectId"], full.id.as_str());
    assert_eq!(on_full.download("papers", "a.txt").await.text, "paper");
    assert_eq!(on_full.upload("papers", "a.txt", b"draft".to_vec()).await.status, 200);
    assert_eq!(parent.download("papers", "a.txt").await.text, "paper", "what is written on a branch stays there");
    cloud.finish().await;
}

#[tokio::test]
async fn a_merge_that_the_parents_rows_forbid_is_refused_and_changes_nothing() {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), "Strict").await;
    let parent = DataPlane::of(&cloud, &project.id).await;
    parent.sql("create table notes (id int generated always as identity primary key, text text)").await;
    parent.sql("insert into notes (text) values ('a'), (null)").await;
    let branch = api.new_branch(&project.id, "strict", "full").await;
    let on_branch = DataPlane::of(&cloud, &branch.id).await;
    on_branch.sql("delete from notes where text is null").await;
    on_branch.sql("create table first_of_all (id int)").await;
    on_branch.sql("alter table notes alter column text set not null").await;

    let writer = Writer::start(parent.clone(), "notes", |number| json!({ "text": format!("{number}") }));
    let refused = api.merge(&branch.id).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert!(refused.code().starts_with("branch.merge_"), "{}", refused.text);
    assert_eq!(writer.stop().await.failures, Vec::<String>::new(), "the parent did not notice");
    assert_eq!(
        parent.sql_count("select count(*) from pg_class where relname = 'first_of_all'").await,
        0,
        "nothing was applied"
    );
    assert_eq!(api.wait_branch(&branch.id, &["ready"]).await.branch_state, "ready");
    assert_eq!(cloud.project_folders().len(), 2, "no rehearsal is left");

    // Once the rows allow it, the same branch merges.
    parent.sql("update notes set text = '' where text is null").await;
    let merged = api.merge(&branch.id).await.expect(200);
    assert_eq!(merged["status"], "merged");
    assert_eq!(parent.sql_count("select count(*) from pg_class where relname = 'first_of_all'").await, 1);
    cloud.finish().await;
}

#[tokio::test]
async fn drops_and_renames_are_merged_and_counted() {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), "Tidy").await;
    let parent = DataPlane::of(&cloud, &project.id).await;
    parent.sql("create table kept (id int primary key, old text, other text); create table gone (id int); create view seen as select id from kept").await;
    parent.sql("insert into kept values (1, 'x', 'y')").await;
    let branch = api.new_branch(&project.id, "tidy", "full").await;
    let on_branch = DataPlane::of(&cloud, &branch.id).await;
    on_branch.sql("drop table gone; alter table kept drop column old; drop view seen").await;

    let dry = api.merge_dry_run(&branch.id).await;
    assert!(dry["summary"]["dropped"].as_i64() >= Some(2), "{dry:#}");
    assert!(dry["plan_hash"].is_string(), "{dry:#}");
    let changes = dry["changes"].as_array().expect("a list");
    assert!(changes.iter().any(|change| change["destructive"] == true), "losing data is marked: {dry:#}");

    let _ = api.merge(&branch.id).await.expect(200);
    // What is dropped is kept elsewhere for an undo.
    let left =
        "select count(*) from pg_class where relname in ('gone', 'seen') and relnamespace = 'public'::regnamespace";
    assert_eq!(parent.sql_count(left).await, 0);
    assert_eq!(parent.sql("select * from kept").await, [json!({ "id": 1, "other": "y" })]);
    cloud.finish().await;
}
