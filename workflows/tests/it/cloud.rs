//! A small cloud for tests: control database, provider in memory, gateway and data planes, and workers on demand.

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use clock::SystemClock;
use ids::{AppKey, OperationId, OrganizationId, ProjectId};
use model::{
    instances::InstanceType,
    limits::Plan,
    organizations::OrganizationType,
    projects::{Intent, Observed},
    regions::Region,
    sealing::MasterKey,
    secrets::ProjectSecrets,
};
use providers::fake::Fake;
use saga::{
    OperationKind,
    operations::{BranchCreateInput, BranchMode, ProjectInput},
};
use secrecy::SecretString;
use serde::Serialize;
use sqlx::{PgConnection, PgPool};
use store::{
    operations::{NewOperation, Operation, OperationState},
    projects::Project,
};
use workflows::{
    GatewayAddresses, Settings, WorkerHandle, World,
    engine::{Definition, embedded::Worker},
    registry,
};

use crate::{
    postgres::Postgres,
    server::{self, INTERNAL_TOKEN, Outside},
};

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Everything a saga touches, and what stands behind it.
pub(crate) struct Cloud {
    pub(crate) world: World,
    pub(crate) fake: Arc<Fake>,
    pub(crate) outside: Arc<Outside>,
    address: std::net::SocketAddr,
    organization_id: OrganizationId,
    _postgres: Postgres,
}

/// Impatient settings.
pub(crate) fn settings() -> Settings {
    Settings {
        lease: Duration::from_secs(10),
        poll: Duration::from_millis(100),
        stuck_retry: Duration::from_millis(20),
        stuck_retry_max: Duration::from_millis(100),
        undo_attempts: 3,
        ..Settings::default()
    }
}

/// Calls to receivers on this machine are what the tests are about.
fn outbound() -> outbound::Outbound {
    let allowed = vec!["127.0.0.0/8".parse().expect("a network")];
    outbound::Outbound::new(outbound::Settings { allowed, extra_roots_pem: None }).expect("no certificates")
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        let postgres = Postgres::start().await;
        let pool = postgres.pool().await;
        let outside = Arc::new(Outside::default());
        let address = server::start(outside.clone()).await;
        let fake = Fake::shared();
        let world = World {
            pool,
            database: fake.clone(),
            compute: fake.clone(),
            gateway: GatewayAddresses {
                admin_url: format!("http://{address}/admin"),
                http_url: format!("http://{address}"),
            },
            http: workflows::http_client().expect("an HTTP client"),
            outbound: Arc::new(outbound()),
            internal_token: SecretString::from(INTERNAL_TOKEN),
            master_key: MasterKey::new(&MasterKey::generate(), None).expect("own output"),
            clock: SystemClock::shared(),
            base_domain: "localhost".to_owned(),
            shared_clients: String::new(),
            control_plane_url: "http://127.0.0.1:1".to_owned(),
            merge_undo: Duration::from_secs(1800),
            public_url: "https://{host}".to_owned(),
        };
        let mut cloud =
            Self { world, fake, outside, address, organization_id: OrganizationId::generate(), _postgres: postgres };
        cloud.reset().await;
        cloud
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.world.pool
    }

    /// An empty cloud again.
    pub(crate) async fn reset(&mut self) {
        for table in ["operations", "projects where parent_id is not null", "projects", "organizations"] {
            sqlx::query(&format!("delete from {table}")).execute(self.pool()).await.expect("deleted");
        }
        self.fake = Fake::shared();
        self.fake.serve_all_at(self.address);
        self.world.database = self.fake.clone();
        self.world.compute = self.fake.clone();
        self.outside.reset(self.fake.clone());
        let organization = store::organizations::Organization {
            id: self.organization_id,
            name: "Tests".to_owned(),
            kind: OrganizationType::ALL[0],
            plan: Plan::ALL[0],
            created_at: Utc::now(),
            updated_at: Utc::now(),
        };
        let mut conn = self.pool().acquire().await.expect("a connection");
        store::organizations::insert(&mut conn, &organization).await.expect("inserted");
    }

    /// Writes the row of a new project or branch, with its secrets.
    pub(crate) async fn insert_project(&self, parent: Option<(ProjectId, BranchMode)>) -> ProjectId {
        let mut transaction = self.pool().begin().await.expect("a transaction");
        let id = self.insert_project_in(&mut transaction, parent).await;
        transaction.commit().await.expect("committed");
        id
    }

    /// The same within a transaction of the caller's.
    pub(crate) async fn insert_project_in(
        &self,
        conn: &mut PgConnection,
        parent: Option<(ProjectId, BranchMode)>,
    ) -> ProjectId {
        let id = ProjectId::generate();
        let mut secrets = ProjectSecrets::generate();
        let mut app_key = AppKey::generate();
        if let Some((parent_id, _)) = parent {
            let row = store::projects::find_for_operation(conn, parent_id).await.expect("read").expect("there");
            let sealed = store::project_secrets::find(conn, parent_id).await.expect("read").expect("there");
            let parent = ProjectSecrets::open(&sealed, &self.world.master_key, parent_id).expect("own seal");
            secrets = ProjectSecrets::for_branch(&parent);
            app_key = row.app_key.generate_branch();
        }
        let project = Project {
            id,
            organization_id: self.organization_id,
            parent_id: parent.map(|(parent_id, _)| parent_id),
            name: format!("p{id}"),
            app_key,
            region: Region::UsEast,
            instance_type: InstanceType::Nano,
            service_version: "2.2.2".to_owned(),
            customized_domain: None,
            sleep_after_seconds: None,
            intent: Intent::Active,
            observed: Observed::Absent,
            address: None,
            last_operation_error: None,
            created_by: None,
            partner_id: None,
            partner_user_id: None,
            created_at: Utc::now(),
            updated_at: Utc::now(),
            paused_at: None,
            pause_reason: None,
            deleted_at: None,
        };
        store::projects::insert(conn, &project).await.expect("inserted");
        let sealed = secrets.seal(&self.world.master_key, id);
        store::project_secrets::insert(conn, id, &sealed).await.expect("inserted");
        if let Some((_, mode)) = parent {
            store::branches::insert(conn, id, mode, Utc::now()).await.expect("inserted");
        }
        id
    }

    /// An operation on a project, not yet recorded.
    pub(crate) fn operation(&self, kind: OperationKind, project_id: ProjectId, input: &impl Serialize) -> NewOperation {
        NewOperation {
            id: OperationId::generate(),
            kind,
            organization_id: Some(self.organization_id),
            project_id: Some(project_id),
            input: serde_json::to_value(input).expect("plain data"),
            started_by: None,
            request_id: None,
            deadline_at: None,
        }
    }

    pub(crate) async fn insert_operation(&self, operation: &NewOperation) {
        let mut conn = self.pool().acquire().await.expect("a connection");
        store::operations::insert(&mut conn, operation).await.expect("inserted");
    }

    pub(crate) fn worker(&self, definitions: Vec<Arc<dyn Definition<World>>>) -> WorkerHandle {
        self.worker_with(definitions, settings())
    }

    pub(crate) fn worker_with(&self, definitions: Vec<Arc<dyn Definition<World>>>, settings: Settings) -> WorkerHandle {
        Worker::start(self.pool().clone(), Arc::new(self.world.clone()), definitions, settings)
    }

    pub(crate) async fn find(&self, id: OperationId) -> Operation {
        let mut conn = self.pool().acquire().await.expect("a connection");
        store::operations::find(&mut conn, id).await.expect("read").expect("recorded")
    }

    pub(crate) async fn project(&self, id: ProjectId) -> Project {
        let mut conn = self.pool().acquire().await.expect("a connection");
        store::projects::find_for_operation(&mut conn, id).await.expect("read").expect("there")
    }

    /// Waits until the operation satisfies `ready`.
    pub(crate) async fn wait(&self, id: OperationId, what: &str, ready: impl Fn(&Operation) -> bool) -> Operation {
        let waiting = async {
            loop {
                let operation = self.find(id).await;
                if ready(&operation) {
                    return operation;
                }
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(operation) => operation,
            Err(_) => panic!("{what} did not come: {:?}", self.find(id).await),
        }
    }

    pub(crate) async fn wait_end(&self, id: OperationId) -> Operation {
        self.wait(id, "the end", |operation| operation.state.finished()).await
    }

    /// Records an operation and carries it out with all sagas.
    pub(crate) async fn carry_out(&self, operation: &NewOperation) -> Operation {
        self.insert_operation(operation).await;
        let worker = self.worker(registry());
        let ended = self.wait_end(operation.id).await;
        worker.shutdown().await;
        ended
    }

    /// A project that serves.
    pub(crate) async fn serving_project(&self) -> ProjectId {
        let project_id = self.insert_project(None).await;
        let operation = self.operation(OperationKind::ProjectCreate, project_id, &ProjectInput { project_id });
        assert_eq!(self.carry_out(&operation).await.state, OperationState::Succeeded);
        project_id
    }

    /// A branch that serves.
    pub(crate) async fn serving_branch(&self, parent_id: ProjectId) -> ProjectId {
        let mode = BranchMode::Full;
        let branch_id = self.insert_project(Some((parent_id, mode))).await;
        let input = BranchCreateInput { branch_id, parent_id, mode };
        let operation = self.operation(OperationKind::BranchCreate, branch_id, &input);
        assert_eq!(self.carry_out(&operation).await.state, OperationState::Succeeded);
        branch_id
    }

    /// Lets the lease of an operation run out now.
    pub(crate) async fn expire_lease(&self, id: OperationId) {
        sqlx::query("update operations set lease_expires_at = now() - interval '1 second' where id = $1")
            .bind(id.as_uuid())
            .execute(self.pool())
            .await
            .expect("updated");
    }

    /// All that is left of anything, with `names` in place of ids.
    pub(crate) async fn remains(&self, names: &[(ProjectId, &str)]) -> Vec<String> {
        let mut lines = self.fake.remains();
        for (id, _) in names {
            let marks = self.fake.marks(*id).unwrap_or_default();
            lines.extend(marks.iter().map(|mark| {
                let mark = if mark.starts_with("merged ") { "merged" } else { mark };
                format!("mark {id} {mark}")
            }));
        }
        lines.extend(
            self.outside
                .routes
                .lock()
                .expect("test lock")
                .values()
                .map(|route| format!("route {} {:?}", route.project_id, route.state)),
        );
        let mut conn = self.pool().acquire().await.expect("a connection");
        for row in store::projects::page_not_deleted(&mut conn, uuid::Uuid::nil().into(), 10_000).await.expect("read") {
            lines.push(format!(
                "row {} {} {} address={} {} {} secrets={}",
                row.id,
                row.intent,
                row.observed,
                row.address.is_some(),
                row.service_version,
                row.instance_type.as_str(),
                store::project_secrets::find(&mut conn, row.id).await.expect("read").is_some(),
            ));
            if let Some(branch) = store::branches::find(&mut conn, row.id).await.expect("read") {
                let base =
                    store::branches::base(&mut conn, row.id).await.expect("read").map(|(base, _)| functions_of(&base));
                lines.push(format!("branch {} merged={} base={base:?}", row.id, branch.merged));
                let open = store::merges::open(&mut conn, row.id, Utc::now()).await.expect("read");
                lines.extend(open.map(|_| format!("merge of {} can be undone", row.id)));
            }
        }
        let mut text = lines.join("\n");
        for (id, name) in names {
            text = text.replace(&id.to_string(), name);
        }
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

/// The edge functions in a base, of both its sides where they differ.
fn functions_of(base: &serde_json::value::RawValue) -> String {
    let base: schema_merge::Base = serde_json::from_str(base.get()).expect("a base");
    let functions = |side: &schema_merge::Snapshot| {
        side.edge_functions.iter().map(|it| format!("{} {}", it.slug, it.code)).collect::<Vec<_>>().join(", ")
    };
    let (target, source) = (functions(&base.target), functions(base.of_source()));
    if target == source { target } else { format!("{target} | {source}") }
}
