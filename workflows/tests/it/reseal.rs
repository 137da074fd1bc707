//! After the master key was replaced, everything is sealed with the new one, and the old one can go.

use chrono::Utc;
use ids::{WebhookEndpointId, WebhookSecretId};
use model::{
    events::Owner,
    sealing::MasterKey,
    secrets::{ProjectSecrets, signing_key_context, webhook_context, webhook_secret},
};
use secrecy::ExposeSecret as _;
use store::webhook_endpoints::{self, WebhookEndpoint};
use workflows::reseal::{self, Resealed};

use crate::cloud::Cloud;

#[tokio::test]
async fn nothing_needs_the_previous_master_key_once_everything_is_sealed_anew() {
    let mut cloud = Cloud::start().await;
    let [first, second] = [MasterKey::generate(), MasterKey::generate()];
    cloud.world.master_key = MasterKey::new(&first, None).expect("own output");
    let project_id = cloud.insert_project(None).await;
    let owner = Owner::Organization(cloud.project(project_id).await.organization_id);
    let (endpoint_id, secret_id) = (WebhookEndpointId::generate(), WebhookSecretId::generate());
    let (key, _) = webhook_secret();
    let mut conn = cloud.pool().acquire().await.expect("a connection");
    let endpoint = WebhookEndpoint {
        id: endpoint_id,
        url: "https://example.com/hook".to_owned(),
        description: None,
        types: None,
        disabled_at: None,
        disabled_reason: None,
        created_at: Utc::now(),
    };
    webhook_endpoints::insert(&mut conn, owner, &endpoint).await.expect("inserted");
    let sealed = cloud.world.master_key.seal(&webhook_context(secret_id), &key);
    webhook_endpoints::insert_secret(&mut conn, secret_id, endpoint_id, &sealed, Utc::now()).await.expect("inserted");
    let sealed = cloud.world.master_key.seal(&signing_key_context("k1"), b"private");
    store::signing_keys::insert(&mut conn, "k1", &sealed, Utc::now()).await.expect("inserted");
    let before = store::project_secrets::find(&mut conn, project_id).await.expect("read").expect("there");
    let before = ProjectSecrets::open(&before, &cloud.world.master_key, project_id).expect("own seal");

    cloud.world.master_key = MasterKey::new(&second, Some(&first)).expect("own output");
    assert_eq!(reseal::everything(&cloud.world).await.expect("seals"), Resealed { changed: 3, lost: 0 });
    assert_eq!(reseal::everything(&cloud.world).await.expect("seals"), Resealed::default());

    let alone = MasterKey::new(&second, None).expect("own output");
    let secrets = store::project_secrets::find(&mut conn, project_id).await.expect("read").expect("there");
    let secrets = ProjectSecrets::open(&secrets, &alone, project_id).expect("the new key opens it");
    assert_eq!(secrets.jwt_secret.expose_secret(), before.jwt_secret.expose_secret());
    let live = webhook_endpoints::live_secrets(&mut conn, endpoint_id, Utc::now()).await.expect("read");
    assert_eq!(alone.open(&webhook_context(secret_id), &live[0].1).expect("the new key opens it"), key);
    let signing = store::signing_keys::list(&mut conn).await.expect("read");
    let signing = signing.iter().find(|key| key.id == "k1").expect("there");
    let opened = alone.open(&signing_key_context("k1"), &signing.sealed_private_key).expect("the new key opens it");
    assert_eq!(opened, b"private");

    // What neither key opens is told of and left as it is.
    cloud.world.master_key = MasterKey::new(&MasterKey::generate(), Some(&MasterKey::generate())).expect("own output");
    assert_eq!(reseal::everything(&cloud.world).await.expect("seals"), Resealed { changed: 0, lost: 3 });
}
