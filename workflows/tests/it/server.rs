//! One server that stands for the gateway's admin interface, its public side, and every data plane.
//!
//! Data planes are told apart by their platform tokens. What is in a project's database is what marks the fake provider holds for it, so
//! clones, resets and swaps carry it along: `fn <slug> <code>` is an edge function, the last mark of a slug counts, and `merged <operation>`
//! is an applied plan.

use std::{
    collections::{BTreeMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use data_plane_contract::{
    PLATFORM_TOKEN_VARIABLE,
    heartbeat::Status,
    identity::{AssumeIdentity, IdentityAssumed},
    routes::Route,
    schema::{
        ApplyPlan, ApplyRefused, ForgetKept, KeptForgotten, Observation, PlanApplied, RehearsalReport, RehearsePlan,
        Rehearsed, SchemaSnapshot,
    },
};
use ids::ProjectId;
use providers::{ComputeReader as _, DatabaseReader as _, fake::Fake};
use schema_merge::{EdgeFunction, Snapshot};
use secrecy::ExposeSecret as _;
use serde_json::value::to_raw_value;

/// The token of the gateway's admin interface.
pub(crate) const INTERNAL_TOKEN: &str = "internal";

/// What the server knows.
#[derive(Default)]
pub(crate) struct Outside {
    /// The gateway's route table.
    pub(crate) routes: Mutex<BTreeMap<ProjectId, Route>>,
    /// What the next applications of a plan to a project are answered.
    pub(crate) refusals: Mutex<BTreeMap<ProjectId, VecDeque<ApplyRefused>>>,
    /// What the second observer says of the next rehearsals; it agrees with the others.
    pub(crate) observations: Mutex<VecDeque<Observation>>,
    /// What was asked to be removed, and where.
    pub(crate) forgotten: Mutex<Vec<(ProjectId, Vec<String>)>>,
    /// Says of every project whether it answers requests.
    pub(crate) mute: Mutex<bool>,
    provider: Mutex<Arc<Fake>>,
}

impl Outside {
    /// A world with this provider and nothing else.
    pub(crate) fn reset(&self, provider: Arc<Fake>) {
        *self.provider.lock().expect("test lock") = provider;
        self.routes.lock().expect("test lock").clear();
        self.refusals.lock().expect("test lock").clear();
        self.observations.lock().expect("test lock").clear();
        self.forgotten.lock().expect("test lock").clear();
        *self.mute.lock().expect("test lock") = false;
    }

    fn provider(&self) -> Arc<Fake> {
        self.provider.lock().expect("test lock").clone()
    }

    /// The project whose platform token this is, if its processes run.
    async fn project(&self, headers: &HeaderMap) -> Option<ProjectId> {
        let bearer = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        let provider = self.provider();
        for id in provider.list_data_planes().await.ok()? {
            let environment = provider.environment(id)?;
            let token = environment.iter().find(|(name, _)| name == PLATFORM_TOKEN_VARIABLE)?;
            if token.1.expose_secret() == bearer {
                return self.runs(id).await.then_some(id);
            }
        }
        None
    }

    async fn runs(&self, id: ProjectId) -> bool {
        let provider = self.provider();
        let process = provider.describe_data_plane(id).await.ok().flatten().is_some_and(|it| it.running);
        let database = provider.describe_database(id).await.ok().flatten().is_some_and(|it| it.running);
        process && database && !*self.mute.lock().expect("test lock")
    }
}

type Shared = State<Arc<Outside>>;

/// Starts the server for as long as the runtime lives.
pub(crate) async fn start(outside: Arc<Outside>) -> SocketAddr {
    let router = Router::new()
        .route("/admin/routes/{id}", put(put_route).delete(delete_route))
        .route("/admin/routes", get(list_routes))
        .route("/api/health", get(health))
        .route("/_hearth/v1/status", get(status))
        .route("/_hearth/v1/identity", post(identity))
        .route("/_hearth/v1/schema", get(schema))
        .route("/_hearth/v1/schema/apply", post(apply))
        .route("/_hearth/v1/schema/rehearse", post(rehearse))
        .route("/_hearth/v1/schema/forget", post(forget))
        .with_state(outside);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn internal(headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|value| value == format!("Bearer {INTERNAL_TOKEN}").as_str())
}

async fn put_route(
    State(outside): Shared,
    Path(id): Path<ProjectId>,
    headers: HeaderMap,
    Json(route): Json<Route>,
) -> StatusCode {
    if !internal(&headers) {
        return StatusCode::UNAUTHORIZED;
    }
    outside.routes.lock().expect("test lock").insert(id, route);
    StatusCode::NO_CONTENT
}

async fn delete_route(State(outside): Shared, Path(id): Path<ProjectId>, headers: HeaderMap) -> StatusCode {
    if !internal(&headers) {
        return StatusCode::UNAUTHORIZED;
    }
    outside.routes.lock().expect("test lock").remove(&id);
    StatusCode::NO_CONTENT
}

async fn list_routes(State(outside): Shared) -> Json<Vec<Route>> {
    Json(outside.routes.lock().expect("test lock").values().cloned().collect())
}

async fn health(State(outside): Shared, headers: HeaderMap) -> StatusCode {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let route = outside.routes.lock().expect("test lock").values().find(|route| route.hosts.contains(&host)).cloned();
    let Some(route) = route else { return StatusCode::NOT_FOUND };
    let serving =
        route.state == data_plane_contract::routes::RouteState::Serving && outside.runs(route.project_id).await;
    if serving { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn status(State(outside): Shared, headers: HeaderMap) -> Response {
    let Some(project_id) = outside.project(&headers).await else { return StatusCode::UNAUTHORIZED.into_response() };
    let started_at = chrono::Utc::now();
    let version = "2.2.2".to_owned();
    Json(Status { project_id, version, started_at, last_request_at: None, open_requests: 0, migration: 1 })
        .into_response()
}

async fn identity(State(outside): Shared, headers: HeaderMap, Json(assume): Json<AssumeIdentity>) -> Response {
    let Some(id) = outside.project(&headers).await else { return StatusCode::UNAUTHORIZED.into_response() };
    let mark = format!("identity {:?}", assume.mode);
    let provider = outside.provider();
    if !provider.marks(id).unwrap_or_default().contains(&mark) {
        provider.put_mark(id, &mark);
    }
    Json(IdentityAssumed { tables_emptied: 0 }).into_response()
}

fn snapshot(marks: &[String]) -> Snapshot {
    let mut functions = BTreeMap::new();
    for mark in marks {
        if let [_, slug, code] = mark.splitn(3, ' ').collect::<Vec<_>>()[..]
            && mark.starts_with("fn ")
        {
            let (slug, code) = (slug.to_owned(), code.to_owned());
            functions
                .insert(slug.clone(), EdgeFunction { name: slug.clone(), slug, description: None, code, status: None });
        }
    }
    Snapshot { edge_functions: functions.into_values().collect(), ..Snapshot::default() }
}

async fn schema(State(outside): Shared, headers: HeaderMap) -> Response {
    let Some(id) = outside.project(&headers).await else { return StatusCode::UNAUTHORIZED.into_response() };
    let snapshot = snapshot(&outside.provider().marks(id).unwrap_or_default());
    let catalog_hash = snapshot.catalog.hash();
    Json(SchemaSnapshot { snapshot: to_raw_value(&snapshot).expect("plain data"), catalog_hash, large_tables: vec![] })
        .into_response()
}

async fn apply(State(outside): Shared, headers: HeaderMap, Json(plan): Json<ApplyPlan>) -> Response {
    let Some(id) = outside.project(&headers).await else { return StatusCode::UNAUTHORIZED.into_response() };
    if let Some(refusal) = outside.refusal(id) {
        let status = if matches!(refusal, ApplyRefused::Locked) { StatusCode::LOCKED } else { StatusCode::CONFLICT };
        return (status, Json(refusal)).into_response();
    }
    let applied_now = outside.run(id, &plan);
    let snapshot = snapshot(&outside.provider().marks(id).unwrap_or_default());
    let snapshot = to_raw_value(&snapshot).expect("plain data");
    let (catalog_hash, duration_ms, blocked_ms) = (plan.predicted_hash, 1, 1);
    Json(PlanApplied { catalog_hash, applied_now, duration_ms, blocked_ms, snapshot }).into_response()
}

async fn rehearse(State(outside): Shared, headers: HeaderMap, Json(request): Json<RehearsePlan>) -> Response {
    let Some(id) = outside.project(&headers).await else { return StatusCode::UNAUTHORIZED.into_response() };
    let refused = outside.refusal(id);
    let observer = outside.observations.lock().expect("test lock").pop_front();
    let observer = observer.unwrap_or_else(|| Observation { verdict: "agrees".to_owned(), ..Observation::default() });
    if refused.is_none() {
        outside.run(id, &request.plan);
    }
    let report = RehearsalReport { observer, ..RehearsalReport::default() };
    Json(Rehearsed { refused, segments: request.plan.segments, report }).into_response()
}

async fn forget(State(outside): Shared, headers: HeaderMap, Json(kept): Json<ForgetKept>) -> Response {
    let Some(id) = outside.project(&headers).await else { return StatusCode::UNAUTHORIZED.into_response() };
    outside.forgotten.lock().expect("test lock").push((id, kept.statements));
    Json(KeptForgotten { duration_ms: 1 }).into_response()
}

impl Outside {
    fn refusal(&self, id: ProjectId) -> Option<ApplyRefused> {
        self.refusals.lock().expect("test lock").get_mut(&id).and_then(VecDeque::pop_front)
    }

    /// What a plan does to edge functions: each code that one of its statements names is the code from then on.
    fn run(&self, id: ProjectId, plan: &ApplyPlan) -> bool {
        let provider = self.provider();
        let mark = format!("merged {}", plan.operation_id);
        if provider.marks(id).unwrap_or_default().contains(&mark) {
            return false;
        }
        let statements = plan.statements.to_string();
        for slug in ["hello", "other", "own"] {
            for code in ["v1", "v2", "v3"] {
                if statements.contains(&format!("'{slug}'")) && statements.contains(&format!("'{code}'")) {
                    provider.put_mark(id, &format!("fn {slug} {code}"));
                }
            }
        }
        provider.put_mark(id, &mark);
        true
    }
}
