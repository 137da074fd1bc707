//! Backups of a process that no platform runs.

use reqwest::Method;
use serde_json::{Value, json};

use crate::database_harness::{Options, Project, eventually};

const BACKUPS: &str = "/api/database/backups";

async fn completed(project: &Project, id: &Value) -> Value {
    eventually("the backup ends", async || {
        let listed = project.get(BACKUPS).await.expect(200);
        let backups = listed["backups"].as_array().cloned().unwrap_or_default();
        backups.into_iter().find(|backup| backup["id"] == *id && backup["status"] != "running")
    })
    .await
}

#[tokio::test]
async fn a_backup_brings_the_database_back() {
    let project = Project::start_with(&Options { standalone: true, ..Options::default() }).await;
    project.migrate("1", "create table kept (id int primary key, name text); insert into kept values (1, 'one')").await;
    assert_eq!(project.get(BACKUPS).await.expect(200), json!({"backups": []}));
    let made = project.admin(Method::POST, BACKUPS, Some(json!({"name": " first "}))).await.expect(201);
    assert_eq!(
        (&made["name"], &made["status"], &made["triggerSource"], &made["createdBy"]),
        (&json!("first"), &json!("running"), &json!("manual"), &json!("api-key"))
    );
    let backup = completed(&project, &made["id"]).await;
    assert_eq!((&backup["status"], &backup["errorMessage"]), (&json!("completed"), &Value::Null));
    assert!(backup["sizeBytes"].as_i64().is_some_and(|size| size > 10_000), "{backup}");

    project.sql("drop table kept; create table late (id int)").await.expect(200);
    let path = format!("{BACKUPS}/{}", made["id"].as_str().expect("an id"));
    let restored = project.admin(Method::POST, &format!("{path}/restore"), None).await.expect(200);
    assert_eq!(restored["message"], "Database restored successfully");
    assert_eq!(project.rows("kept").await, json!([{"id": 1, "name": "one"}]));
    // What the backup does not know stays.
    assert_eq!(project.rows("late").await, json!([]));
    // The catalogue is of now, and the triggers that guard the schema are back.
    assert_eq!(project.get(BACKUPS).await.expect(200)["backups"][0]["status"], "completed");
    assert_eq!(project.sql("alter table storage.objects drop column etag").await.status, 403);

    let renamed = project.admin(Method::PATCH, &path, Some(json!({"name": null}))).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["expiresAt"]), (&Value::Null, &Value::Null));
    let other = project.admin(Method::POST, BACKUPS, Some(json!({"name": "other"}))).await.expect(201);
    completed(&project, &other["id"]).await;
    let clash = project.admin(Method::PATCH, &path, Some(json!({"name": "other"}))).await;
    assert_eq!((clash.status, &clash.json()["error"]), (409, &json!("DATABASE_DUPLICATE")));
    assert_eq!(clash.json()["message"], "A backup with this name already exists.");
    assert_eq!(project.admin(Method::DELETE, &path, None).await.expect(200)["message"], "Backup deleted successfully");
    assert_eq!(project.admin(Method::DELETE, &path, None).await.expect(404)["message"], "Backup not found.");
    assert_eq!(
        project.admin(Method::PATCH, &format!("{BACKUPS}/x"), Some(json!({"name": null}))).await.expect(400)["message"],
        "Invalid backup ID"
    );
    let folder = project.folder().join("storage/_database_backups");
    assert_eq!(std::fs::read_dir(folder).expect("the folder").count(), 1);
    // The folder of backups is no bucket.
    let bucket =
        project.admin(Method::POST, "/api/storage/buckets", Some(json!({"bucketName": "_database_backups"}))).await;
    assert_eq!(bucket.status, 400);
    let audits = project.get("/api/logs/audits?module=DATABASE").await.json();
    for action in
        ["CREATE_DATABASE_BACKUP", "RESTORE_DATABASE_BACKUP", "RENAME_DATABASE_BACKUP", "DELETE_DATABASE_BACKUP"]
    {
        assert!(audits.as_array().expect("rows").iter().any(|row| row["action"] == action), "{action}: {audits}");
    }
}

#[tokio::test]
async fn backups_are_scheduled_by_cron() {
    let project = Project::start_with(&Options { standalone: true, ..Options::default() }).await;
    let config = "/api/database/config";
    assert_eq!(
        project.get(config).await.expect(200),
        json!({"backup": {"enabled": false, "cronSchedule": "0 0 * * *", "retentionDays": 7, "nextBackupAt": null}})
    );
    let change = json!({"backup": {"enabled": true, "cronSchedule": "30 2 * * *", "retentionDays": null}});
    let changed = project.admin(Method::PATCH, config, Some(change)).await.expect(200);
    assert_eq!(changed["backup"]["retentionDays"], Value::Null);
    assert!(changed["backup"]["nextBackupAt"].as_str().is_some_and(|at| at.ends_with("T02:30:00.000Z")), "{changed}");
    for (bad, message) in [
        (
            json!({"backup": {"cronSchedule": "0 0"}}),
            "cronSchedule must be a standard 5-field cron expression (minute, hour, day of month, month, day of week).",
        ),
        (
            json!({"backup": {"cronSchedule": "*/5 * * * *"}}),
            "Scheduled backups can run at most once per hour: the minute field must be a single value (e.g. \"30 2 * * *\").",
        ),
        (json!({"backup": {"cronSchedule": "70 * * * *"}}), "cronSchedule is not a valid cron expression."),
        (json!({"backup": {"retentionDays": 0}}), "backup.retentionDays: Number must be greater than or equal to 1"),
        (json!({}), "backup: Required"),
        (json!([]), "(root): Expected object, received array"),
    ] {
        assert_eq!(project.admin(Method::PATCH, config, Some(bad)).await.expect(400)["message"], message);
    }
}

#[tokio::test]
async fn where_a_platform_runs_the_project_these_routes_are_absent() {
    let project = Project::start().await;
    for path in ["/api/database/backups", "/api/database/config"] {
        assert_eq!(project.get(path).await.expect(404)["message"], format!("Endpoint {path} not found"));
    }
}
