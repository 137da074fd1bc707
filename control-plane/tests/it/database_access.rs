//! How a database is reached: told to who may see the project and to its own data plane, with an audit row for every reading of the password.

use http::Method;
use ids::ProjectId;
use model::secrets::{ProjectSecrets, database_password};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::harness::App;

const READ: &str = "project.read_database_password";

async fn secrets(app: &App, id: &str) -> ProjectSecrets {
    let id: ProjectId = id.parse().expect("an id");
    let mut conn = app.pool.acquire().await.expect("a connection");
    let sealed = store::project_secrets::find(&mut conn, id).await.expect("reads").expect("it has secrets");
    ProjectSecrets::open(&sealed, app.master_key(), id).expect("the same key")
}

fn sign(secrets: &ProjectSecrets, claims: &Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(secrets.jwt_secret.expose_secret().as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), claims, &key).expect("plain claims")
}

#[tokio::test]
async fn owners_and_the_projects_own_data_plane_are_told_and_the_password_is_audited() {
    let app = App::start().await;
    let (id, other) = (app.admin.project("own").await, app.admin.project("other").await);
    let secrets = secrets(&app, &id).await;
    let (where_, password) =
        (format!("/projects/v1/{id}/database-connection-string"), format!("/projects/v1/{id}/database-password"));

    let told = app.admin.get(&where_).await.expect(200);
    let parameters = &told["parameters"];
    let appkey = app.admin.get(&format!("/projects/v1/{id}")).await.expect(200)["project"]["appkey"].clone();
    let appkey = appkey.as_str().expect("a text").to_owned();
    assert_eq!(parameters["host"], format!("{appkey}.us-east.localhost"));
    assert_eq!(
        (&parameters["port"], &parameters["user"], &parameters["database"], &parameters["sslmode"]),
        (&json!(7132), &json!("project_admin"), &json!("insforge"), &json!("require"))
    );
    assert_eq!(parameters["password"], "********");
    assert!(told["connectionURL"].as_str().expect("a text").starts_with("postgresql://project_admin:********@"));
    let audited = format!("audit_log where action = '{READ}' and project_id = '{id}'");
    assert_eq!(app.count(&audited).await, 0);

    let expected = database_password(&secrets.platform_token);
    let own = json!({ "databasePassword": expected.expose_secret() });
    assert_eq!(app.admin.get(&password).await.expect(200), own);
    assert_eq!(app.count(&format!("{audited} and actor is not null and outcome = 'done'")).await, 1);

    let exp = app.now().timestamp() + 600;
    let nobody = app.admin.with_token(None);
    let signed = async |path: &str, claims: Value| {
        nobody.send(Method::GET, path, &[("sign", &sign(&secrets, &claims))], None).await
    };
    assert_eq!(signed(&password, json!({ "sub": id, "iat": exp - 600, "exp": exp })).await.expect(200), own);
    assert_eq!(signed(&where_, json!({ "sub": id, "exp": exp })).await.expect(200), told);
    assert_eq!(app.count(&format!("{audited} and actor is null and outcome = 'done'")).await, 1);

    // A branch signs with its parent's secret, so the subject decides.
    assert_eq!(signed(&password, json!({ "sub": other, "exp": exp })).await.refusal().0, 403);
    assert_eq!(signed(&password, json!({ "sub": id, "exp": app.now().timestamp() - 1 })).await.refusal().0, 401);
    assert_eq!(signed(&password, json!({ "sub": id })).await.refusal().0, 401);
    let of_a_user = json!({ "sub": id, "exp": exp, "role": "authenticated" });
    assert_eq!(signed(&password, of_a_user).await.refusal().0, 401, "the secret signs users' tokens too");
    let foreign = format!("/projects/v1/{other}/database-password");
    assert_eq!(signed(&foreign, json!({ "sub": id, "exp": exp })).await.refusal().0, 401);
    assert_eq!(nobody.send(Method::GET, &password, &[("sign", "nonsense")], None).await.refusal().0, 401);
    assert_eq!(nobody.get(&password).await.refusal().0, 401);
    assert_eq!(app.count(&audited).await, 2, "only what was read");
}
