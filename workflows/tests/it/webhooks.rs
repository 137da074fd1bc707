//! Events reach their receivers: signed, at least once, under one id, and for each project in order.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
    routing::post,
};
use chrono::{TimeDelta, Utc};
use clock::{Clock as _, ManualClock};
use http::{HeaderMap, StatusCode};
use ids::{OrganizationId, ProjectId, WebhookEndpointId, WebhookSecretId};
use model::{
    events::{EventType, Owner},
    secrets::{webhook_context, webhook_secret},
};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use store::{
    events::NewEvent,
    webhook_deliveries::{self, Attempt, Delivery, Next},
    webhook_endpoints::{self, WebhookEndpoint},
};
use test_ports::free_address;
use tokio::net::TcpListener;
use workflows::{World, reconciler::Reconciler, webhook_delivery};

use crate::cloud::{Cloud, PATIENCE};

/// How a receiver answers once.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Status(u16),
    Redirect,
    Silence,
}

#[derive(Clone, Debug, PartialEq)]
struct Received {
    id: String,
    number: i64,
    project: String,
    /// Which of the known secrets it is signed with.
    signed_with: Vec<usize>,
}

/// A receiver on this machine.
#[derive(Clone, Default)]
struct Receiver {
    secrets: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    /// Projects whose events are refused.
    refused: Arc<Mutex<Vec<String>>>,
    taken: Arc<Mutex<Vec<Received>>>,
}

async fn receive(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> Response {
    let event: Value = serde_json::from_str(&body).expect("an event is JSON");
    let secrets = receiver.secrets.lock().expect("test lock").clone();
    let verifies =
        |secret: &String| Webhook::new(secret).is_ok_and(|webhook| webhook.verify(body.as_bytes(), &headers).is_ok());
    let signed_with = (0..secrets.len()).filter(|index| verifies(&secrets[*index])).collect();
    let id = headers["webhook-id"].to_str().expect("an id").to_owned();
    assert_eq!(event["id"], json!(id));
    let project = event["data"]["project_id"].as_str().expect("a project").to_owned();
    let answer = receiver.answers.lock().expect("test lock").pop_front();
    if receiver.refused.lock().expect("test lock").contains(&project) {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match answer {
        Some(Answer::Status(status)) => StatusCode::from_u16(status).expect("a status").into_response(),
        Some(Answer::Redirect) => Redirect::temporary("http://127.0.0.1:9/elsewhere").into_response(),
        Some(Answer::Silence) => std::future::pending().await,
        None => {
            let number = event["data"]["number"].as_i64().expect("a number");
            receiver.taken.lock().expect("test lock").push(Received { id, number, project, signed_with });
            StatusCode::NO_CONTENT.into_response()
        }
    }
}

impl Receiver {
    async fn listen(&self, address: SocketAddr) -> SocketAddr {
        let listener = TcpListener::bind(address).await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let router = Router::new().route("/hook", post(receive)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.expect("serves") });
        address
    }

    fn taken(&self) -> Vec<Received> {
        self.taken.lock().expect("test lock").clone()
    }

    /// What was taken of one project, in order.
    fn numbers(&self, project: ProjectId) -> Vec<i64> {
        let project = project.to_string();
        self.taken().iter().filter(|one| one.project == project).map(|one| one.number).collect()
    }
}

/// A cloud whose clock stands still, a receiver, and its endpoint.
struct Stage {
    cloud: Cloud,
    clock: Arc<ManualClock>,
    receiver: Receiver,
    address: SocketAddr,
    endpoint_id: WebhookEndpointId,
    owner: Owner,
    organization_id: OrganizationId,
}

impl Stage {
    async fn set() -> Self {
        let mut cloud = Cloud::start().await;
        let clock = Arc::new(ManualClock::new(Utc::now()));
        cloud.world.clock = clock.clone();
        let receiver = Receiver::default();
        let address = receiver.listen(([127, 0, 0, 1], 0).into()).await;
        let id = cloud.insert_project(None).await;
        let organization_id = cloud.project(id).await.organization_id;
        let owner = Owner::Organization(organization_id);
        let endpoint_id = WebhookEndpointId::generate();
        let stage = Self { cloud, clock, receiver, address, endpoint_id, owner, organization_id };
        let endpoint = WebhookEndpoint {
            id: endpoint_id,
            url: format!("http://{address}/hook"),
            description: None,
            types: Some(vec![EventType::ProjectUpdated]),
            disabled_at: None,
            disabled_reason: None,
            created_at: stage.clock.now(),
        };
        let mut conn = stage.cloud.pool().acquire().await.expect("a connection");
        webhook_endpoints::insert(&mut conn, owner, &endpoint).await.expect("inserted");
        stage.add_secret().await;
        stage
    }

    async fn add_secret(&self) {
        let (key, text) = webhook_secret();
        let id = WebhookSecretId::generate();
        let sealed = self.cloud.world.master_key.seal(&webhook_context(id), &key);
        let mut conn = self.cloud.pool().acquire().await.expect("a connection");
        webhook_endpoints::insert_secret(&mut conn, id, self.endpoint_id, &sealed, Utc::now()).await.expect("inserted");
        self.receiver.secrets.lock().expect("test lock").push(text.expose_secret().to_owned());
    }

    async fn tell(&self, project_id: ProjectId, numbers: std::ops::Range<i64>) {
        let mut conn = self.cloud.pool().acquire().await.expect("a connection");
        for number in numbers {
            let event = NewEvent {
                kind: EventType::ProjectUpdated,
                organization_id: self.organization_id,
                partner_id: None,
                project_id: Some(project_id),
                data: json!({ "project_id": project_id, "number": number }),
            };
            store::events::insert(&mut conn, &event, self.clock.now()).await.expect("inserted");
        }
    }

    fn world(&self) -> World {
        self.cloud.world.clone()
    }

    fn deliver(&self) -> Reconciler {
        deliver(self.world())
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        let mut conn = self.cloud.pool().acquire().await.expect("a connection");
        webhook_deliveries::list(&mut conn, self.endpoint_id, i64::MAX, 100).await.expect("read")
    }

    /// Waits until the deliveries are as they should be.
    async fn wait(&self, what: &str, ready: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let waiting = async {
            loop {
                let deliveries = self.deliveries().await;
                if ready(&deliveries) {
                    return deliveries;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(deliveries) => deliveries,
            Err(_) => panic!("{what} did not come: {:#?}", self.deliveries().await),
        }
    }

    /// Waits until so many events have their place.
    async fn wait_published(&self, count: usize) {
        let waiting = async {
            loop {
                let mut conn = self.cloud.pool().acquire().await.expect("a connection");
                if store::events::list(&mut conn, self.owner, 0, 100).await.expect("read").len() == count {
                    return;
                }
                drop(conn);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("they are published in time");
    }

    async fn wait_delivered(&self, count: usize) -> Vec<Delivery> {
        let all = |deliveries: &[Delivery]| {
            deliveries.len() == count && deliveries.iter().all(|delivery| delivery.state == "delivered")
        };
        self.wait("the end of all deliveries", all).await
    }
}

fn deliver(world: World) -> Reconciler {
    let settings = webhook_delivery::Settings {
        every: Duration::from_millis(10),
        answer_within: Duration::from_millis(300),
        grace: Duration::from_millis(100),
        ..webhook_delivery::Settings::default()
    };
    webhook_delivery::start(Arc::new(world), settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_deliver_each_event_once_and_each_project_in_order() {
    let stage = Stage::set().await;
    stage.add_secret().await;
    let projects: Vec<ProjectId> = (0..4).map(|_| ProjectId::generate()).collect();
    let workers = [stage.deliver(), stage.deliver()];
    for round in 0..3 {
        for project in &projects {
            stage.tell(*project, round * 5..round * 5 + 5).await;
        }
    }
    stage.wait_delivered(60).await;
    for project in projects {
        assert_eq!(stage.receiver.numbers(project), (0..15).collect::<Vec<_>>());
    }
    let taken = stage.receiver.taken();
    let ids: std::collections::BTreeSet<_> = taken.iter().map(|one| &one.id).collect();
    assert_eq!((taken.len(), ids.len()), (60, 60));
    assert!(taken.iter().all(|one| one.signed_with == [0, 1]), "both live secrets sign");
    for worker in workers {
        worker.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_receiver_does_it_is_tried_again_until_it_takes_the_event() {
    let stage = Stage::set().await;
    let project = ProjectId::generate();
    let answers = [Answer::Status(500), Answer::Redirect, Answer::Silence];
    stage.receiver.answers.lock().expect("test lock").extend(answers);
    stage.tell(project, 0..2).await;
    let worker = stage.deliver();
    for attempt in 1..=3_i32 {
        let failed = |deliveries: &[Delivery]| {
            deliveries.last().is_some_and(|first| first.attempts == attempt && first.next_try_at.is_some())
        };
        let deliveries = stage.wait("a failed attempt", failed).await;
        assert_eq!(deliveries[0].attempts, 0, "the second event waits for the first");
        stage.clock.advance(TimeDelta::seconds(5 * 5_i64.pow(attempt.unsigned_abs() - 1)));
    }
    let deliveries = stage.wait_delivered(2).await;
    assert_eq!(stage.receiver.numbers(project), [0, 1]);
    let mut conn = stage.cloud.pool().acquire().await.expect("a connection");
    let log = webhook_deliveries::attempts(&mut conn, stage.endpoint_id, deliveries[1].id).await.expect("read");
    let log: Vec<_> = log.into_iter().map(|attempt| (attempt.status, attempt.error)).collect();
    assert_eq!(
        log,
        [
            (Some(500), Some("The receiver answers 500".to_owned())),
            (Some(307), Some("The receiver answers with a redirect, which is not followed".to_owned())),
            (None, Some("The receiver's URL does not answer in time".to_owned())),
            (Some(204), None),
        ]
    );
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_is_refused_holds_up_no_other_and_is_given_up_after_a_day() {
    let stage = Stage::set().await;
    let (bad, good) = (ProjectId::generate(), ProjectId::generate());
    stage.receiver.refused.lock().expect("test lock").push(bad.to_string());
    stage.tell(bad, 0..2).await;
    stage.tell(good, 0..3).await;
    let worker = stage.deliver();
    stage
        .wait("the other project's events", |all| all.iter().filter(|one| one.state == "delivered").count() == 3)
        .await;
    assert_eq!(stage.receiver.numbers(good), [0, 1, 2]);
    // Every pause is shorter than this; the last attempt is made when the day is over, and then the next event has its turn.
    let given_up = |all: &[Delivery]| all.iter().filter(|one| one.state == "failed").count() == 2;
    // One that is under way has no time for the next.
    let at_rest = |all: &[Delivery]| {
        all.iter().all(|one| one.state != "pending" || one.next_try_at.is_some() || one.attempts == 0)
    };
    for _ in 0..6 {
        let seen = stage.wait("the end of what is under way", at_rest).await;
        if given_up(&seen) {
            // The next event's turn came within the round in which the first was given up.
            break;
        }
        let before = seen.iter().map(|one| one.attempts).sum::<i32>();
        stage.clock.advance(TimeDelta::hours(5));
        stage.wait("another attempt", |all| all.iter().map(|one| one.attempts).sum::<i32>() > before).await;
    }
    let all = stage.wait("both to be given up", given_up).await;
    assert!(all.iter().filter(|one| one.state == "failed").all(|one| one.attempts >= 1));

    stage.receiver.refused.lock().expect("test lock").clear();
    let mut conn = stage.cloud.pool().acquire().await.expect("a connection");
    let lost = all.iter().rfind(|one| one.state == "failed").expect("one was given up");
    let asked = webhook_deliveries::redeliver(&mut conn, stage.endpoint_id, lost.id, stage.clock.now()).await;
    assert_eq!(asked.expect("asked"), webhook_deliveries::Redelivery::Due);
    stage.wait("the second try by hand", |_| stage.receiver.numbers(bad) == [0]).await;
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_down_gets_everything_when_it_is_back() {
    let stage = Stage::set().await;
    let late = Receiver { secrets: Arc::clone(&stage.receiver.secrets), ..Receiver::default() };
    let address = free_address();
    sqlx::query("update webhook_endpoints set url = $1")
        .bind(format!("http://{address}/hook"))
        .execute(stage.cloud.pool())
        .await
        .expect("moved");
    let project = ProjectId::generate();
    stage.tell(project, 0..5).await;
    let worker = stage.deliver();
    stage.wait("a failed attempt", |all| all.iter().any(|one| one.newest.is_some())).await;
    late.listen(address).await;
    stage.clock.advance(TimeDelta::seconds(5));
    stage.wait_delivered(5).await;
    assert_eq!(late.numbers(project), [0, 1, 2, 3, 4]);
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_after_sending_leaves_it_to_another_and_changes_nothing_any_more() {
    let stage = Stage::set().await;
    let project = ProjectId::generate();
    stage.tell(project, 0..1).await;
    webhook_delivery::publish(&stage.world()).await.expect("published");
    let mut conn = stage.cloud.pool().acquire().await.expect("a connection");
    let now = stage.clock.now();
    let lost_at = now + TimeDelta::seconds(60);
    let due = webhook_deliveries::claim(&mut conn, now, lost_at, 10, 4).await.expect("claimed").remove(0);
    assert!(webhook_deliveries::claim(&mut conn, now, lost_at, 10, 4).await.expect("claimed").is_empty());
    // The first worker has sent it and dies here. What it sent is sent again, under the same id.
    stage.clock.advance(TimeDelta::seconds(60));
    let worker = stage.deliver();
    stage.wait_delivered(1).await;
    assert_eq!(stage.receiver.taken()[0].id, due.event.id.to_string());
    let attempt = Attempt { status: Some(500), error: Some("late".to_owned()), duration_ms: 1, at: stage.clock.now() };
    let written = webhook_deliveries::finish(&mut conn, &due, &attempt, Next::GiveUp).await.expect("asked");
    assert!(!written, "whoever was given up for lost changes nothing");
    assert_eq!(stage.deliveries().await[0].state, "delivered");
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_called_only_where_the_operator_allows_it() {
    let stage = Stage::set().await;
    let outbound = outbound::Outbound::new(outbound::Settings::default()).expect("no certificates");
    let world = World { outbound: Arc::new(outbound), ..stage.world() };
    stage.tell(ProjectId::generate(), 0..1).await;
    let worker = deliver(world);
    let all = stage.wait("a refusal", |all| all.iter().any(|one| one.newest.is_some())).await;
    let newest = all[0].newest.as_ref().expect("an attempt");
    assert_eq!(newest.status, None);
    assert!(newest.error.as_ref().is_some_and(|text| text.contains("private or loopback")), "{newest:?}");
    assert!(newest.error.as_ref().is_some_and(|text| !text.contains(&stage.address.to_string())));
    assert_eq!(stage.receiver.taken(), []);
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_endpoint_is_told_nothing_and_goes_on_where_it_was() {
    let stage = Stage::set().await;
    let project = ProjectId::generate();
    stage.receiver.answers.lock().expect("test lock").push_back(Answer::Status(500));
    stage.tell(project, 0..2).await;
    let worker = stage.deliver();
    stage.wait("a failed attempt", |all| all.iter().any(|one| one.newest.is_some())).await;
    let set = async |reason: Option<&str>| {
        let mut tx = stage.cloud.pool().begin().await.expect("a transaction");
        let (id, now) = (stage.endpoint_id, stage.clock.now());
        webhook_endpoints::lock(&mut tx, id).await.expect("locked");
        webhook_endpoints::set_disabled(&mut tx, id, reason, now).await.expect("set");
        match reason {
            Some(_) => webhook_deliveries::suspend(&mut tx, id).await.expect("suspended"),
            None => webhook_deliveries::advance_lanes(&mut tx, id, None, now).await.expect("due"),
        }
        tx.commit().await.expect("committed");
    };
    set(Some("moving house")).await;
    stage.clock.advance(TimeDelta::hours(1));
    stage.tell(project, 2..3).await;
    stage.wait_published(3).await;
    assert_eq!(stage.receiver.taken(), []);
    assert_eq!(stage.deliveries().await.len(), 2, "what happens meanwhile can be listed, and is not delivered");
    set(None).await;
    stage.wait_delivered(2).await;
    assert_eq!(stage.receiver.numbers(project), [0, 1]);
    worker.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ends_of_operations_are_told_in_order() {
    let stage = Stage::set().await;
    let project_id = stage.cloud.serving_project().await;
    let branch_id = stage.cloud.serving_branch(project_id).await;
    webhook_delivery::publish(&stage.world()).await.expect("published");
    let mut conn = stage.cloud.pool().acquire().await.expect("a connection");
    let events = store::events::list(&mut conn, stage.owner, 0, 100).await.expect("read");
    let told: Vec<_> = events.iter().map(|event| (event.kind, event.data["project_id"].clone())).collect();
    assert_eq!(told, [(EventType::ProjectCreated, json!(project_id)), (EventType::BranchCreated, json!(branch_id))]);
    assert_eq!(events[1].data["parent_project_id"], json!(project_id));
    let later = store::events::list(&mut conn, stage.owner, events[0].position, 100).await.expect("read");
    assert_eq!(later.len(), 1, "a cursor begins after what it names");
}
