//! The control plane under test and its callers.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use axum::{Router, body::Body, http::Request};
use chrono::{DateTime, Utc};
use clock::{Clock as _, ManualClock};
use control_plane::{Bootstrapped, Config, Gateway, Seams, SharedClient, SharedClients};
use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use identity_providers::{Endpoints, Provider};
use ids::{MemberId, OperationId, OrganizationId, UserId};
use model::{limits::Plan, organizations::Role, sealing::MasterKey};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sqlx::PgPool;
use tower::ServiceExt as _;

use super::{engine::FakeEngine, logs::Watch, postgres};

pub(crate) const INTERNAL_TOKEN: &str = "internal-token-of-the-tests";

fn master_key() -> &'static MasterKey {
    static KEY: OnceLock<MasterKey> = OnceLock::new();
    KEY.get_or_init(|| MasterKey::new(&MasterKey::generate(), None).expect("own output"))
}

/// One client, of a provider that does not answer.
fn shared_clients() -> SharedClients {
    let endpoints = Endpoints { token: Some("http://127.0.0.1:9/token".to_owned()), ..Endpoints::default() };
    let client = SharedClient {
        client_id: "google-client".to_owned(),
        client_secret: SecretString::from("google-secret"),
        scopes: Vec::new(),
        endpoints,
    };
    [(Provider::Google, client)].into()
}

fn config() -> Config {
    Config {
        base_domain: "localhost".to_owned(),
        gateway: Gateway { https_port: Some(7143), http_port: 7180, postgres_port: Some(7132) },
        latest_version: "2.2.2".parse().expect("a version"),
        sleep_after_seconds: Some(900),
        public_url: "http://127.0.0.1:7100".to_owned(),
        shared_clients: shared_clients(),
        internal_token: SecretString::from(INTERNAL_TOKEN),
    }
}

/// Names of the tests: `internal…` leads to a private address, everything else to a public one.
struct Names;

#[async_trait]
impl outbound::Lookup for Names {
    async fn lookup(&self, host: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        let address: [u8; 4] = if host.starts_with("internal") { [10, 0, 0, 1] } else { [1, 1, 1, 1] };
        Ok(vec![address.into()])
    }
}

fn outbound() -> outbound::Outbound {
    let settings = outbound::Settings::default();
    outbound::Outbound::with_lookup(settings, Arc::new(Names)).expect("no certificates")
}

async fn state(
    pool: PgPool,
    engine: Arc<FakeEngine>,
    clock: Arc<ManualClock>,
    master: &MasterKey,
) -> control_plane::State {
    let seams = Seams { pool, engine, clock, master_key: master.clone(), outbound: Arc::new(outbound()) };
    control_plane::state(config(), seams).await.expect("the control plane starts")
}

pub(super) async fn make_signing_key(pool: &PgPool, master: &MasterKey) {
    let _state =
        state(pool.clone(), FakeEngine::new(pool.clone()), Arc::new(ManualClock::new(Utc::now())), master).await;
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Reply {
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.body
    }

    /// Status and code of an error body, which must be of the contract's shape.
    #[track_caller]
    pub(crate) fn refusal(&self) -> (u16, &str) {
        let text = self.body["error"].as_str().unwrap_or_else(|| panic!("no error text: {}", self.text));
        assert!(!text.is_empty() && self.body["requestId"].is_string(), "{}", self.text);
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    #[track_caller]
    pub(crate) fn operation(&self) -> OperationId {
        self.header("hearth-operation").expect("the operation is named").parse().expect("an id")
    }
}

/// A caller.
#[derive(Clone)]
pub(crate) struct User {
    router: Router,
    token: Option<String>,
    pub(crate) id: Option<UserId>,
    pub(crate) organization: String,
}

impl User {
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Reply {
        let text = body.map_or_else(String::new, Value::to_string);
        self.send_text(method, path, headers, text).await
    }

    /// Sends a request as it is.
    pub(crate) async fn send_raw(&self, request: Request<String>) -> Reply {
        let response = self.router.clone().oneshot(request.map(Body::from)).await.expect("infallible");
        Self::read(response).await
    }

    pub(crate) async fn send_text(&self, method: Method, path: &str, headers: &[(&str, &str)], text: String) -> Reply {
        let mut request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response =
            self.router.clone().oneshot(request.body(Body::from(text)).expect("a request")).await.expect("infallible");
        Self::read(response).await
    }

    async fn read(response: axum::response::Response) -> Reply {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Reply { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null), text }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, &[], Some(&body)).await
    }

    /// A POST without body, as the command-line client sends it.
    pub(crate) async fn post_empty(&self, path: &str) -> Reply {
        self.send(Method::POST, path, &[], None).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PUT, path, &[], Some(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, &[], None).await
    }

    pub(crate) fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    pub(crate) fn projects_path(&self) -> String {
        format!("/organizations/v1/{}/projects", self.organization)
    }

    /// A new project's id.
    pub(crate) async fn project(&self, name: &str) -> String {
        let body = self.post(&self.projects_path(), json!({ "name": name })).await.expect(201);
        body["project"]["id"].as_str().expect("an id").to_owned()
    }

    /// A new branch's id.
    pub(crate) async fn branch(&self, parent: &str, name: &str) -> String {
        let body = json!({ "name": name, "mode": "full" });
        let reply = self.post(&format!("/projects/v1/{parent}/branches"), body).await.expect(202);
        reply["branch"]["id"].as_str().expect("an id").to_owned()
    }

    pub(crate) async fn project_field(&self, id: &str, field: &str) -> Value {
        self.get(&format!("/projects/v1/{id}")).await.expect(200)["project"][field].clone()
    }
}

/// The control plane, its first user, and what stands behind it.
pub(crate) struct App {
    pub(crate) admin: User,
    pub(crate) bootstrapped: Bootstrapped,
    pub(crate) engine: Arc<FakeEngine>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) pool: PgPool,
    watch: Watch,
}

impl App {
    pub(crate) async fn start() -> Self {
        let watch = Watch::start();
        let master = master_key();
        let pool = postgres::database(master).await;
        let clock = Arc::new(ManualClock::new(Utc::now()));
        let engine = FakeEngine::new(pool.clone());
        let mut tx = pool.begin().await.expect("a transaction");
        let bootstrapped =
            control_plane::bootstrap(&mut tx, &*clock).await.expect("it starts").expect("for the first time");
        tx.commit().await.expect("commits");
        let state = state(pool.clone(), Arc::clone(&engine), Arc::clone(&clock), master).await;
        let admin = User {
            router: control_plane::router(state),
            token: Some(bootstrapped.user_api_key.expose_secret().to_owned()),
            id: None,
            organization: bootstrapped.organization_id.to_string(),
        };
        Self { admin, bootstrapped, engine, clock, pool, watch }
    }

    pub(crate) fn master_key(&self) -> &'static MasterKey {
        master_key()
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Another user, no operator, with an organization of their own on this plan.
    pub(crate) async fn user(&self, name: &str, plan: Plan) -> User {
        let now = self.now();
        let mut conn = self.pool.acquire().await.expect("a connection");
        let id = UserId::generate();
        let user = store::users::User {
            id,
            email: format!("{name}@example.com"),
            name: name.to_owned(),
            avatar_url: None,
            email_verified: true,
            operator: false,
            created_at: now,
        };
        store::users::insert(&mut conn, &user, None).await.expect("inserts");
        let token = format!("uak_{name}_{id}");
        let key = store::api_keys::ApiKey {
            id: ids::ApiKeyId::generate(),
            name: "test".to_owned(),
            prefix: "uak_".to_owned(),
            expires_at: None,
            last_used_at: None,
            created_at: now,
        };
        use sha2::Digest as _;
        let hash = sha2::Sha256::digest(token.as_bytes());
        store::api_keys::insert(&mut conn, id, &key, &hash).await.expect("inserts");
        let organization = store::organizations::Organization {
            id: OrganizationId::generate(),
            name: format!("{name}'s"),
            kind: model::organizations::OrganizationType::Team,
            plan,
            created_at: now,
            updated_at: now,
        };
        store::organizations::insert(&mut conn, &organization).await.expect("inserts");
        store::members::insert(&mut conn, MemberId::generate(), organization.id, id, Role::Owner, now)
            .await
            .expect("inserts");
        User { token: Some(token), id: Some(id), organization: organization.id.to_string(), ..self.admin.clone() }
    }

    /// Makes a user a member of another's organization.
    pub(crate) async fn join(&self, user: &User, organization: &str, role: Role) {
        let mut conn = self.pool.acquire().await.expect("a connection");
        let (id, user_id) = (MemberId::generate(), user.id.expect("made by this test"));
        let organization_id = organization.parse().expect("an id");
        store::members::insert(&mut conn, id, organization_id, user_id, role, self.now()).await.expect("inserts");
    }

    /// What the control database was asked since this was last called.
    pub(crate) fn statements(&self) -> Vec<String> {
        self.watch.statements()
    }

    pub(crate) async fn count(&self, table: &str) -> i64 {
        let sql = format!("select count(*) from {table}");
        sqlx::query_scalar(&sql).fetch_one(&self.pool).await.expect("counts")
    }
}

/// Waits, for ten seconds at most, until `look` sees something.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(mut look: impl FnMut() -> F) -> T {
    let search = async {
        loop {
            if let Some(seen) = look().await {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), search).await.expect("it is seen in time")
}
