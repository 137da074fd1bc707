//! Organizations: who sees, changes and deletes them.

use model::{limits::Plan, organizations::Role};
use serde_json::json;

use crate::harness::App;

#[tokio::test]
async fn organizations_are_made_renamed_and_deleted_with_their_projects() {
    let app = App::start().await;
    let user = app.user("ann", Plan::Free).await;
    let made = user.post("/organizations/v1", json!({ "name": " Workshop " })).await.expect(201);
    let organization = &made["organization"];
    assert_eq!((&organization["name"], &organization["type"]), (&json!("Workshop"), &json!("team")));
    let id = organization["id"].as_str().expect("an id");
    let path = format!("/organizations/v1/{id}");
    let renamed = user.put(&path, json!({ "name": "Studio", "type": "company" })).await.expect(200);
    assert_eq!(
        (&renamed["organization"]["name"], &renamed["organization"]["type"]),
        (&json!("Studio"), &json!("company"))
    );
    assert_eq!(
        user.get(&format!("{path}/subscription-status")).await.expect(200),
        json!({ "status": "active", "plan": "free" })
    );
    assert!(user.get(&format!("{path}/billing-cycles")).await.expect(200)["current"]["start_date"].is_string());

    let project = user.post(&format!("{path}/projects"), json!({ "name": "inside" })).await.expect(201);
    let deleted = user.delete(&path).await.expect(200);
    assert_eq!(deleted["organizationId"], id);
    assert_eq!(user.get(&format!("{path}/projects")).await.refusal(), (404, "organization.not_found"));
    let project_path = format!("/projects/v1/{}", project["project"]["id"].as_str().expect("an id"));
    assert_eq!(user.get(&project_path).await.refusal(), (404, "project.not_found"));
    assert_eq!(user.get("/organizations/v1").await.expect(200)["organizations"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn roles_decide_who_changes_and_who_deletes() {
    let app = App::start().await;
    let owner = app.user("owner", Plan::Pro).await;
    let path = format!("/organizations/v1/{}", owner.organization);
    let project = owner.project("shared").await;
    for (name, role, update, delete) in [("dev", Role::Developer, 403, 403), ("boss", Role::Administrator, 200, 403)] {
        let member = app.user(name, Plan::Free).await;
        app.join(&member, &owner.organization, role).await;
        assert_eq!(member.put(&path, json!({ "name": "Renamed" })).await.status, update, "{name}");
        assert_eq!(member.delete(&path).await.status, delete, "{name}");
        assert_eq!(member.get(&format!("/projects/v1/{project}")).await.status, 200, "{name}");
    }
    let stranger = app.user("stranger", Plan::Free).await;
    assert_eq!(stranger.put(&path, json!({ "name": "Mine" })).await.refusal(), (404, "organization.not_found"));
    assert_eq!(stranger.delete(&path).await.status, 404);
    assert_eq!(app.admin.get(&format!("{path}/projects")).await.status, 200, "operators see every organization");
    owner.delete(&path).await.expect(200);
}
