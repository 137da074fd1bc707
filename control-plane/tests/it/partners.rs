//! Partners: what they make and run, whom they see, and who is let in.

use chrono::{DateTime, Duration, Utc};
use http::Method;
use model::limits::Plan;
use serde_json::{Value, json};

use crate::harness::{App, INTERNAL_TOKEN, Reply, User};

/// A partner as a caller.
pub(crate) struct Partner {
    caller: User,
    pub(crate) id: String,
    secret: String,
}

impl Partner {
    pub(crate) async fn create(app: &App, input: Value) -> Self {
        let made = app.admin.post("/partners/v1", input).await.expect(201);
        Self {
            caller: app.admin.with_token(None),
            id: made["partner"]["id"].as_str().expect("an id").to_owned(),
            secret: made["secret"].as_str().expect("a secret").to_owned(),
        }
    }

    pub(crate) async fn white_label(app: &App) -> Self {
        Self::create(app, json!({ "name": "Builder", "kind": "white-label" })).await
    }

    pub(crate) async fn co_branded(app: &App) -> Self {
        Self::create(app, json!({ "name": "Friends", "kind": "co-branded" })).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        self.send_with(&self.secret, method, path, body).await
    }

    async fn send_with(&self, secret: &str, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let path = format!("/partnership/v1/{}{path}", self.id);
        self.caller.send(method, &path, &[("x-partnership-secret", secret)], body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, Some(&body)).await
    }

    pub(crate) async fn user(&self, email: &str) -> String {
        let body = json!({ "name": "Ada", "email": email });
        self.post("/connect-user", body).await.expect(200)["account"]["id"].as_str().expect("an id").to_owned()
    }

    /// A project of the partner itself.
    pub(crate) async fn embedded(&self, name: &str) -> String {
        let body = json!({ "project_name": name });
        let made = self.post("/sync-embedded-project", body).await.expect(200);
        made["project"]["id"].as_str().expect("an id").to_owned()
    }
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16) {
    assert_eq!(reply.status, status, "{}", reply.text);
    assert_eq!(reply.body["success"], false, "{}", reply.text);
    assert!(reply.body["message"].as_str().is_some_and(|text| !text.is_empty()), "{}", reply.text);
}

#[tokio::test]
async fn a_white_label_partner_runs_a_project_from_beginning_to_end() {
    let app = App::start().await;
    let partner = Partner::white_label(&app).await;
    let wanted = json!({ "project_name": "shop", "region": "eu-west", "instance_type": "small" });
    let made = partner.post("/sync-embedded-project", wanted.clone()).await.expect(200);
    assert_eq!((&made["success"], &made["project"]["status"]), (&json!(true), &json!("active")));
    let id = made["project"]["id"].as_str().expect("an id").to_owned();
    assert!(made["project"]["api_key"].as_str().is_some_and(|key| key.starts_with("ik_")));
    assert!(made["project"]["access_host"].as_str().is_some_and(|host| host.contains(".eu-central.")));
    let again = partner.post("/sync-embedded-project", wanted).await.expect(200);
    assert_eq!(again["project"], made["project"], "the same name is the same project");

    let metadata = partner.get(&format!("/{id}/metadata")).await.expect(200);
    assert_eq!(metadata["project"]["region"], "eu-central");
    assert_eq!(metadata["project"]["instance_type"], "small");
    assert_eq!(metadata["project"]["last_activity_at"], Value::Null, "nobody has asked it anything");

    let wait = json!({ "wait_for_completion": true });
    let paused = partner.post(&format!("/{id}/pause"), wait.clone()).await.expect(200);
    assert_eq!(paused, json!({ "project": { "id": id, "status": "paused" } }));
    assert_eq!(partner.post(&format!("/{id}/pause"), json!({})).await.expect(200), paused, "paused stays paused");
    let restored = partner.post(&format!("/{id}/restore"), wait.clone()).await.expect(200);
    assert_eq!(restored["project"]["status"], "active");

    let upgrade = json!({ "instance_type": "medium", "volume_size_gib": 20, "wait_for_completion": true });
    let upgraded = partner.post(&format!("/{id}/upgrade"), upgrade).await.expect(200);
    assert_eq!((&upgraded["previousInstanceType"], &upgraded["newInstanceType"]), (&json!("small"), &json!("medium")));
    assert_eq!((&upgraded["previousVolumeSizeGiB"], &upgraded["newVolumeSizeGiB"]), (&json!(8), &json!(20)));
    let restarted = partner.post(&format!("/{id}/restart"), wait).await.expect(200);
    assert_eq!(restarted["insforgeOssVersion"], "v2.2.2");

    let deleted = partner.send(Method::DELETE, &format!("/{id}"), None).await.expect(200);
    assert_eq!(deleted["message"], "Project deleted successfully");
    assert!(deleted["requestId"].is_string());
    assert_refused(&partner.get(&format!("/{id}/metadata")).await, 404);
}

#[tokio::test]
async fn co_branded_projects_are_their_users_own_and_white_label_ones_nobodys() {
    let app = App::start().await;
    let (friends, builder) = (Partner::co_branded(&app).await, Partner::white_label(&app).await);
    let ada = app.user("ada", Plan::Free).await;

    let account = friends.user("Ada@Example.com").await;
    assert_eq!(friends.user("ada@example.com").await, account, "addresses have no case");
    let body = json!({ "project_name": "shared" });
    let made = friends.post(&format!("/{account}/sync-project"), body.clone()).await.expect(200);
    let shared = made["project"]["id"].as_str().expect("an id");
    let listed = ada.get(&ada.projects_path()).await.expect(200);
    assert_eq!(listed["projects"][0]["id"], shared, "it is in the user's own organization");
    let through = friends.get(&format!("/{account}/{shared}/metadata")).await.expect(200);
    assert_eq!(through["project"], made["project"]);

    let unknown = builder.user("ada@example.com").await;
    assert_ne!(unknown, account, "partners do not learn who knows whom");
    let made = builder.post(&format!("/{unknown}/sync-project"), body).await.expect(200);
    let hidden = made["project"]["id"].as_str().expect("an id");
    assert_eq!(ada.get(&ada.projects_path()).await.expect(200)["projects"].as_array().map(Vec::len), Some(1));
    assert_eq!(ada.get(&format!("/projects/v1/{hidden}")).await.status, 404);

    assert_refused(&friends.post("/sync-embedded-project", json!({ "project_name": "own" })).await, 403);
    assert_refused(&friends.get(&format!("/{account}/{hidden}/metadata")).await, 404);
    assert_refused(&builder.get(&format!("/{account}/{hidden}/metadata")).await, 404);
}

#[tokio::test]
async fn a_reached_limit_names_the_projects_there_are() {
    let app = App::start().await;
    let friends = Partner::co_branded(&app).await;
    let account = friends.user("grace@example.com").await;
    let path = format!("/{account}/sync-project");
    for name in ["one", "two"] {
        friends.post(&path, json!({ "project_name": name })).await.expect(200);
    }
    let refused = friends.post(&path, json!({ "project_name": "three" })).await;
    assert_refused(&refused, 403);
    assert_eq!(
        refused.body["message"],
        "Free plan allows up to 2 active projects. Please upgrade your plan to create more projects."
    );
    let candidates = refused.body["candidate_projects"].as_array().expect("a list");
    assert_eq!(candidates.len(), 2);
    assert!(candidates.iter().all(|candidate| candidate["api_key"].is_string()));

    let small = Partner::create(
        &app,
        json!({ "name": "Small", "kind": "white-label", "project_limit": 1, "regions": ["us-east"], "instance_types": ["nano"] }),
    )
    .await;
    small.embedded("only").await;
    assert_refused(&small.post("/sync-embedded-project", json!({ "project_name": "more" })).await, 403);
    let elsewhere = json!({ "project_name": "x2", "region": "us-west" });
    assert_refused(&small.post("/sync-embedded-project", elsewhere).await, 403);
    let larger = json!({ "project_name": "x3", "instance_type": "xl" });
    assert_refused(&small.post("/sync-embedded-project", larger).await, 403);
}

#[tokio::test]
async fn one_name_asked_for_ten_times_at_once_is_one_project() {
    let app = App::start().await;
    let partner = Partner::white_label(&app).await;
    let ids = futures::future::join_all((0..10).map(|_| partner.embedded("same"))).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(app.count("projects").await, 1);
}

#[tokio::test]
async fn secrets_rotate_with_an_overlap_and_disabled_partners_are_refused() {
    let app = App::start().await;
    let partner = Partner::white_label(&app).await;
    let path = format!("/partners/v1/{}", partner.id);
    let rotated = app.admin.post(&format!("{path}/rotate-secret"), json!({ "grace_hours": 2 })).await.expect(200);
    let new = rotated["secret"].as_str().expect("a secret").to_owned();
    let list = async |secret: &str| partner.send_with(secret, Method::GET, "/projects", None).await.status;
    assert_eq!((list(&new).await, list(&partner.secret).await), (200, 200));
    let shown = app.admin.get(&path).await.expect(200);
    assert_eq!(shown["secrets"].as_array().map(Vec::len), Some(2));
    assert!(shown["secrets"][0]["last_used_at"].is_string());
    app.clock.advance(Duration::hours(2) + Duration::seconds(1));
    assert_eq!((list(&new).await, list(&partner.secret).await), (200, 401));

    app.admin.post_empty(&format!("{path}/disable")).await.expect(200);
    assert_eq!((list(&new).await, list("wrong").await), (403, 401));
    app.admin.post_empty(&format!("{path}/enable")).await.expect(200);
    assert_eq!(list(&new).await, 200);

    let user = app.user("nosy", Plan::Pro).await;
    assert_eq!(user.get("/partners/v1").await.status, 404, "partners are the operator's");
    for (hours, status) in [(-1, 400), (169, 400), (0, 200)] {
        let reply = app.admin.post(&format!("{path}/rotate-secret"), json!({ "grace_hours": hours })).await;
        assert_eq!(reply.status, status, "{}", reply.text);
    }
    assert_eq!(list(&new).await, 401, "without an overlap the old one ends at once");
}

/// Every endpoint for partners, with `:user`, `:project`, `:endpoint` and `:delivery` for ids.
pub(crate) const ENDPOINTS: &[(&str, &str)] = &[
    ("POST", "/connect-user"),
    ("POST", "/sync-embedded-project"),
    ("GET", "/projects"),
    ("POST", "/:user/sync-project"),
    ("GET", "/:user/:project/metadata"),
    ("GET", "/:project/metadata"),
    ("POST", "/:project/pause"),
    ("POST", "/:project/restore"),
    ("POST", "/:project/authorization"),
    ("POST", "/:project/upgrade"),
    ("POST", "/:project/restart"),
    ("GET", "/usage"),
    ("GET", "/usage/daily"),
    ("GET", "/invoice-preview"),
    ("GET", "/:project/usage"),
    ("GET", "/events"),
    ("GET", "/webhook-endpoints"),
    ("POST", "/webhook-endpoints"),
    ("GET", "/webhook-endpoints/:endpoint"),
    ("PUT", "/webhook-endpoints/:endpoint"),
    ("POST", "/webhook-endpoints/:endpoint/rotate-secret"),
    ("POST", "/webhook-endpoints/:endpoint/disable"),
    ("POST", "/webhook-endpoints/:endpoint/enable"),
    ("GET", "/webhook-endpoints/:endpoint/deliveries"),
    ("GET", "/webhook-endpoints/:endpoint/deliveries/:delivery/attempts"),
    ("POST", "/webhook-endpoints/:endpoint/deliveries/:delivery/redeliver"),
    ("DELETE", "/webhook-endpoints/:endpoint"),
    ("DELETE", "/:project"),
];

/// The right partner with its new secret and with the one before, a wrong secret, another partner, a disabled one, a user, nobody, and the secret
/// before after its time.
const ACCESS: &str = "\
POST /connect-user: 400 400 401 400 403 401 401 401
POST /sync-embedded-project: 400 400 401 400 403 401 401 401
GET /projects: 200 200 401 200 403 401 401 401
POST /:user/sync-project: 400 400 401 400 403 401 401 401
GET /:user/:project/metadata: 200 200 401 404 403 401 401 401
GET /:project/metadata: 200 200 401 404 403 401 401 401
POST /:project/pause: 400 400 401 400 403 401 401 401
POST /:project/restore: 400 400 401 400 403 401 401 401
POST /:project/authorization: 200 200 401 404 403 401 401 401
POST /:project/upgrade: 400 400 401 400 403 401 401 401
POST /:project/restart: 400 400 401 400 403 401 401 401
GET /usage: 200 200 401 200 403 401 401 401
GET /usage/daily: 200 200 401 200 403 401 401 401
GET /invoice-preview: 200 200 401 200 403 401 401 401
GET /:project/usage: 200 200 401 404 403 401 401 401
GET /events: 200 200 401 200 403 401 401 401
GET /webhook-endpoints: 200 200 401 200 403 401 401 401
POST /webhook-endpoints: 400 400 401 400 403 401 401 401
GET /webhook-endpoints/:endpoint: 200 200 401 404 403 401 401 401
PUT /webhook-endpoints/:endpoint: 400 400 401 400 403 401 401 401
POST /webhook-endpoints/:endpoint/rotate-secret: 400 400 401 400 403 401 401 401
POST /webhook-endpoints/:endpoint/disable: 400 400 401 400 403 401 401 401
POST /webhook-endpoints/:endpoint/enable: 200 200 401 404 403 401 401 401
GET /webhook-endpoints/:endpoint/deliveries: 200 200 401 404 403 401 401 401
GET /webhook-endpoints/:endpoint/deliveries/:delivery/attempts: 200 200 401 404 403 401 401 401
POST /webhook-endpoints/:endpoint/deliveries/:delivery/redeliver: 202 202 401 404 403 401 401 401
DELETE /webhook-endpoints/:endpoint: 204 404 401 404 403 401 401 401
DELETE /:project: 200 404 401 404 403 401 401 401
";

/// What stands for the ids in [`ENDPOINTS`].
pub(crate) struct Names {
    user: String,
    project: String,
    endpoint: String,
    delivery: String,
}

impl Names {
    /// Things of this partner, one of each.
    pub(crate) async fn of(app: &App, partner: &Partner) -> Self {
        let hook = json!({ "url": "https://hooks.example.com/in" });
        let made = partner.post("/webhook-endpoints", hook).await.expect(201);
        let endpoint = made["webhook_endpoint"]["id"].as_str().expect("an id").to_owned();
        let user = partner.user("own@example.com").await;
        let wanted = json!({ "project_name": "own" });
        let made = partner.post(&format!("/{user}/sync-project"), wanted).await.expect(200);
        let project = made["project"]["id"].as_str().expect("an id").to_owned();
        let mut tx = app.pool.begin().await.expect("a transaction");
        store::events::publish(&mut tx, app.now()).await.expect("published");
        tx.commit().await.expect("commits");
        let listed = partner.get(&format!("/webhook-endpoints/{endpoint}/deliveries")).await.expect(200);
        let delivery = listed["deliveries"][0]["id"].as_str().expect("an id").to_owned();
        Self { user, project, endpoint, delivery }
    }

    pub(crate) fn nobody() -> Self {
        let id = || "00000000-0000-4000-8000-00000000dead".to_owned();
        Self { user: id(), project: id(), endpoint: id(), delivery: id() }
    }

    pub(crate) fn fill(&self, pattern: &str) -> String {
        let Self { user, project, endpoint, delivery } = self;
        [(":user", user), (":project", project), (":endpoint", endpoint), (":delivery", delivery)]
            .into_iter()
            .fold(pattern.to_owned(), |path, (name, id)| path.replace(name, id))
    }
}

#[tokio::test]
async fn who_is_let_in_and_what_is_found() {
    let app = App::start().await;
    let (owner, other, disabled) =
        (Partner::white_label(&app).await, Partner::white_label(&app).await, Partner::white_label(&app).await);
    let own = Names::of(&app, &owner).await;
    app.admin.post_empty(&format!("/partners/v1/{}/disable", disabled.id)).await.expect(200);
    let old = owner.secret.clone();
    let rotate = format!("/partners/v1/{}/rotate-secret", owner.id);
    let rotated = app.admin.post(&rotate, json!({ "grace_hours": 1 })).await.expect(200);
    let new = rotated["secret"].as_str().expect("a secret").to_owned();

    let mut rows = Vec::new();
    for (method, pattern) in ENDPOINTS {
        // Guesses are limited per minute.
        app.clock.advance(Duration::minutes(1));
        let method: Method = method.parse().expect("a method");
        // A body that cannot be read shows that the caller was let in, and changes nothing.
        let broken = json!({
            "name": 7, "project_name": 7, "wait_for_completion": 7, "url": 7, "reason": 7, "grace_hours": "x",
        });
        let path = own.fill(pattern);
        let mut row = vec![
            owner.send_with(&new, method.clone(), &path, Some(&broken)).await.status,
            owner.send_with(&old, method.clone(), &path, Some(&broken)).await.status,
            owner.send_with("wrong", method.clone(), &path, Some(&broken)).await.status,
            other.send(method.clone(), &path, Some(&broken)).await.status,
            disabled.send(method.clone(), &path, Some(&broken)).await.status,
        ];
        let whole_path = format!("/partnership/v1/{}{path}", owner.id);
        row.push(app.admin.send(method.clone(), &whole_path, &[], Some(&broken)).await.status);
        row.push(app.admin.with_token(None).send(method.clone(), &whole_path, &[], Some(&broken)).await.status);
        rows.push(row);
    }
    let mut table = String::new();
    app.clock.advance(Duration::hours(1));
    for ((method, pattern), mut row) in ENDPOINTS.iter().zip(rows) {
        app.clock.advance(Duration::minutes(1));
        let verb: Method = method.parse().expect("a method");
        row.push(owner.send_with(&old, verb, &own.fill(pattern), None).await.status);
        let row: Vec<String> = row.iter().map(u16::to_string).collect();
        table.push_str(&format!("{method} {pattern}: {}\n", row.join(" ")));
    }
    assert_eq!(table, ACCESS);
}

#[tokio::test]
async fn guesses_are_limited_and_lock_nobody_out() {
    let app = App::start().await;
    let partner = Partner::white_label(&app).await;
    let list = async |secret: &str| partner.send_with(secret, Method::GET, "/projects", None).await;
    assert_eq!(list(&partner.secret).await.status, 200);
    let limit = model::limits::PARTNER_GUESSES_PER_ADDRESS;
    for number in 0..limit {
        assert_eq!(list(&format!("guess {number}")).await.status, 401);
    }
    let refused = list("one more").await;
    assert_refused(&refused, 429);
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    assert_eq!(list(&partner.secret).await.status, 200, "who has proved the secret before goes on");
    app.clock.advance(Duration::minutes(1));
    assert_eq!(list("later").await.status, 401);
}

#[tokio::test]
async fn pages_hold_every_project_once() {
    let app = App::start().await;
    let partner = Partner::white_label(&app).await;
    let mut made = Vec::new();
    for number in 0..7 {
        made.push(partner.embedded(&format!("project {number}")).await);
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = partner.get(&format!("/projects?limit=3{after}")).await.expect(200);
        seen.extend(page["projects"].as_array().expect("a list").iter().map(|row| row["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(json!(made), json!(seen));
    for query in ["?limit=0", "?limit=101", "?limit=x"] {
        assert_refused(&partner.get(&format!("/projects{query}")).await, 400);
    }
    assert_refused(&partner.get("/projects?after=nothing").await, 404);
}

#[tokio::test]
async fn a_code_lets_its_bearer_into_one_project_for_ten_minutes() {
    let app = App::start().await;
    let partner = Partner::white_label(&app).await;
    let id = partner.embedded("entered").await;
    let reply = partner.post(&format!("/{id}/authorization"), json!({})).await.expect(200);
    assert_eq!((&reply["expires_in"], &reply["type"]), (&json!(600), &json!("Bearer")));
    let code = reply["code"].as_str().expect("a code");
    let header = jsonwebtoken::decode_header(code).expect("a token");
    let keys = app.admin.with_token(None).get("/.well-known/jwks.json").await.expect(200);
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(keys).expect("a key set");
    let key = set.find(&header.kid.expect("names its key")).expect("is published");
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.validate_aud = false;
    let key = jsonwebtoken::DecodingKey::from_jwk(key).expect("an RSA key");
    let claims = jsonwebtoken::decode::<Value>(code, &key, &validation).expect("is signed").claims;
    assert_eq!((&claims["projectId"], &claims["type"]), (&json!(id), &json!("project_authorization")));
    assert!(claims["userId"].as_str().is_some_and(|user| !user.is_empty()));
    assert_eq!(claims["exp"].as_i64().expect("a time") - claims["iat"].as_i64().expect("a time"), 600);
}

/// Sends records of one source, numbered from `first`.
async fn report(app: &App, source: &str, first: i64, records: &[(&str, &str, DateTime<Utc>, i64)]) {
    let cloud = app.admin.with_token(Some(INTERNAL_TOKEN));
    let records: Vec<Value> = (first..)
        .zip(records)
        .map(|(sequence, (project, metric, at, amount))| {
            json!({ "project_id": project, "metric": metric, "from": at, "to": at, "amount": amount, "sequence": sequence })
        })
        .collect();
    cloud.post("/internal/v1/usage-records", json!({ "source": source, "records": records })).await.expect(200);
}

#[tokio::test]
async fn usage_adds_up_over_days_and_projects() {
    let app = App::start().await;
    let noon = app.now().date_naive().and_hms_opt(12, 0, 0).expect("a time").and_utc();
    app.clock.advance(noon + Duration::days(7) - app.now());
    let partner = Partner::white_label(&app).await;
    let (one, two) = (partner.embedded("one").await, partner.embedded("two").await);
    let day = |number: i64| noon + Duration::days(number);
    let records = [
        (&*one, "database_bytes", day(1), 100),
        (&*two, "database_bytes", day(1), 10),
        (&*one, "database_bytes", day(3), 300),
        (&*one, "database_bytes", day(3) + Duration::hours(1), 50),
        (&*two, "database_bytes", day(5), 70),
        (&*one, "egress_bytes", day(2), 5),
        (&*two, "egress_bytes", day(4), 6),
        (&*one, "compute_seconds", day(4), 60),
        (&*one, "requests", day(4), 1),
    ];
    // The last one late and out of order.
    report(&app, "gateway:a", 1, &records[1..]).await;
    report(&app, "gateway:b", 1, &records[..1]).await;

    let date = |number: i64| day(number).date_naive().to_string();
    let total = async |start: i64, end: i64| {
        let path = format!("/usage?start_date={}&end_date={}", date(start), date(end));
        partner.get(&path).await.expect(200)["summary"].clone()
    };
    let peaks = [(1, 110), (2, 110), (3, 310), (4, 60), (5, 120), (6, 120), (7, 120)];
    for (number, expected) in peaks {
        assert_eq!(total(number, number).await["database_bytes"], expected, "day {number}");
    }
    assert_eq!(total(0, 7).await["database_bytes"], 310);
    assert_eq!(total(0, 7).await["egress_bytes"], 11);
    assert_eq!(total(3, 7).await["egress_bytes"], 6);
    assert_eq!(total(0, 7).await["ec2_compute"], 60);

    let path = format!("/{one}/usage?start_date={}&end_date={}", date(1), date(4));
    let report_of_one = partner.get(&path).await.expect(200);
    assert_eq!(report_of_one["summary"]["max_database_size_bytes"], 300);
    let daily: Vec<_> = report_of_one["daily_usage"].as_array().expect("a list").iter().collect();
    let sizes: Vec<_> = daily.iter().map(|day| day["database_size_bytes"].as_i64().unwrap_or(-1)).collect();
    assert_eq!(sizes, [100, 100, 300, 50]);
    assert_eq!(report_of_one["period"]["start"], format!("{}T00:00:00Z", date(1)));
    assert!(report_of_one["project"]["last_activity_at"].is_string());

    let mut conn = app.pool.acquire().await.expect("a connection");
    let id = one.parse().expect("an id");
    store::usage_totals::end_gauges(&mut conn, id, day(6)).await.expect("ends");
    store::usage_totals::end_gauges(&mut conn, id, day(6)).await.expect("ends once");
    partner.send(Method::DELETE, &format!("/{one}"), None).await.expect(200);
    assert_eq!(total(6, 6).await["database_bytes"], 120, "it was there on its last day");
    assert_eq!(total(7, 7).await["database_bytes"], 70);
    assert_eq!(total(0, 7).await["egress_bytes"], 11, "what a deleted project used was used");

    for query in [
        "?start_date=2026-13-01",
        "?start_date=yesterday",
        "?end_date=2999-01-01",
        "?start_date=2020-01-01",
        "?start_date=2026-01-31&end_date=2026-01-01",
        "?start_date=2026-1-1",
    ] {
        assert_refused(&partner.get(&format!("/usage{query}")).await, 400);
    }
}

#[tokio::test]
async fn totals_do_not_depend_on_the_order_of_records() {
    let app = App::start().await;
    let start = app.now();
    // All that is told below has happened by then, and not too long ago.
    app.clock.advance(Duration::days(7));
    let scope = |id: &str| store::usage_totals::Scope::Organization(id.parse().expect("an id"));
    let period = model::usage::Period { start: start.date_naive(), end: (start + Duration::days(9)).date_naive() };
    let mut seen = Vec::new();
    for round in 0..6_u64 {
        let user = app.user(&format!("u{round}"), Plan::Pro).await;
        let projects = [user.project("one").await, user.project("two").await];
        let mut records: Vec<_> = (0..40_i64)
            .map(|number| {
                let at = start + Duration::hours(number * 37 % 160) + Duration::minutes(number);
                let metric =
                    ["database_bytes", "storage_bytes", "egress_bytes"][usize::try_from(number % 3).expect("small")];
                (&*projects[usize::try_from(number % 2).expect("small")], metric, at, number * 7919 % 1000)
            })
            .collect();
        // A different order for everyone, and different batches.
        let mut random = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for index in (1..records.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            records.swap(index, usize::try_from(random >> 33).expect("small") % (index + 1));
        }
        for (number, batch) in records.chunks(3 + usize::try_from(round).expect("small") * 5).enumerate() {
            report(&app, &format!("gateway:{round}-{number}"), 1, batch).await;
        }
        let mut conn = app.pool.acquire().await.expect("a connection");
        let mut totals = Vec::new();
        for &metric in model::usage::Metric::ALL.iter().filter(|metric| metric.peak()) {
            let (carried, changes) =
                store::usage_totals::gauge(&mut conn, scope(&user.organization), metric, period).await.expect("reads");
            totals.push(model::usage::gauge_series(carried, &changes, period));
        }
        let counters =
            store::usage_totals::counters(&mut conn, scope(&user.organization), period).await.expect("reads");
        seen.push((totals, counters));
    }
    assert!(seen[0].0[0].iter().any(|(_, amount)| *amount > 0));
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
}

#[tokio::test]
async fn bad_input_makes_nothing() {
    let app = App::start().await;
    let partner = Partner::white_label(&app).await;
    let account = partner.user("someone@example.com").await;
    let sync = format!("/{account}/sync-project");
    let long = "x".repeat(65);
    for (path, body) in [
        ("/connect-user", json!({})),
        ("/connect-user", json!({ "name": "A", "email": "a@b.co" })),
        ("/connect-user", json!({ "name": "Ada", "email": "nobody" })),
        ("/connect-user", json!({ "name": "Ada", "email": "a b@c.de" })),
        ("/connect-user", json!({ "name": "Ada", "email": format!("{}@b.co", "x".repeat(260)) })),
        ("/sync-embedded-project", json!({})),
        ("/sync-embedded-project", json!({ "project_name": "" })),
        ("/sync-embedded-project", json!({ "project_name": long })),
        ("/sync-embedded-project", json!({ "project_name": 7 })),
        ("/sync-embedded-project", json!({ "project_name": "ok", "region": "moon" })),
        (&sync, json!({ "project_name": "ok", "instance_type": "huge" })),
        (&sync, json!({ "project_name": "a\u{0}b" })),
    ] {
        assert_refused(&partner.post(path, body).await, 400);
    }
    assert_refused(&partner.post("/nobody/sync-project", json!({ "project_name": "ok" })).await, 404);
    let id = partner.embedded("whole").await;
    for body in [json!({}), json!({ "volume_size_gib": 1 }), json!({ "instance_type": "huge" })] {
        assert_refused(&partner.post(&format!("/{id}/upgrade"), body).await, 400);
    }
    let version = json!({ "insforge_oss_version": "new" });
    assert_refused(&partner.post(&format!("/{id}/restart"), version).await, 400);
    assert_eq!(app.count("projects").await, 1);
    for input in [
        json!({ "name": "P", "kind": "white-label" }),
        json!({ "name": "Partner", "kind": "blue" }),
        json!({ "name": "Partner", "kind": "white-label", "project_limit": 0 }),
        json!({ "name": "Partner", "kind": "white-label", "regions": [] }),
    ] {
        assert_eq!(app.admin.post("/partners/v1", input).await.status, 400);
    }
    assert_eq!(app.count("partners").await, 1);
}
