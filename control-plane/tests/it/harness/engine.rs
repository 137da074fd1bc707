//! An engine that records what it is asked to start and, unless told to wait, finishes it at once by writing to the store.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use ids::{OperationId, ProjectId};
use model::projects::{Intent, Observed};
use saga::{
    Engine, EngineError, OperationKind, StartOperation,
    operations::{BranchMergeInput, MergeDirection, ProjectRestartInput},
};
use serde_json::{Value, json, value::RawValue};
use sqlx::{PgConnection, PgPool};
use store::{
    operation_steps::{Failure, Transition, advance},
    operations::{OperationState, find},
};

/// How the next merges end.
#[derive(Clone, Debug)]
pub(crate) enum MergeScript {
    Clean,
    /// With this error code, and the diff.
    Fails(&'static str),
}

pub(crate) struct FakeEngine {
    pool: PgPool,
    starts: Mutex<Vec<StartOperation>>,
    holding: AtomicBool,
    merge: Mutex<MergeScript>,
}

/// A diff as the merge saga reports it.
pub(crate) fn diff() -> Value {
    json!({
        "summary": { "added": 1, "modified": 0, "conflicts": 0, "dropped": 0 },
        "rendered_sql": "BEGIN;\nCOMMIT;",
        "changes": [{ "schema": "public", "object": "notes", "type": "table", "action": "add", "sql": "create table notes ()" }],
        "conflicts": [],
        "plan_hash": "p1",
    })
}

impl FakeEngine {
    pub(crate) fn new(pool: PgPool) -> Arc<Self> {
        let (starts, merge) = (Mutex::new(Vec::new()), Mutex::new(MergeScript::Clean));
        Arc::new(Self { pool, starts, holding: AtomicBool::new(false), merge })
    }

    /// From now on operations stay as they are until [`Self::finish`].
    pub(crate) fn hold(&self) {
        self.holding.store(true, Ordering::SeqCst);
    }

    pub(crate) fn release(&self) {
        self.holding.store(false, Ordering::SeqCst);
    }

    pub(crate) fn script_merge(&self, script: MergeScript) {
        *self.merge.lock().expect("no holder panics") = script;
    }

    pub(crate) fn starts(&self) -> Vec<StartOperation> {
        self.starts.lock().expect("no holder panics").clone()
    }

    /// Finishes an operation with success.
    pub(crate) async fn finish(&self, id: OperationId) {
        let mut tx = self.pool.begin().await.expect("a transaction");
        let operation = find(&mut tx, id).await.expect("reads").expect("an operation is recorded before it is started");
        let kind: OperationKind = operation.kind.parse().expect("a known kind");
        let project_id = operation.project_id.expect("all have a project");
        let script = self.merge.lock().expect("no holder panics").clone();
        let report = json!({ "diff": diff(), "applied": true, "plan_hash": "p1" });
        let (state, result, failure) = match (kind, script) {
            (_, MergeScript::Fails(code)) if is_merge(kind) => {
                let failure = Failure {
                    code: Some(code.to_owned()),
                    public: Some("It cannot be merged".to_owned()),
                    detail: None,
                };
                (OperationState::Failed, Some(&report), failure)
            }
            (_, MergeScript::Clean) if is_merge(kind) => {
                effect(&mut tx, kind, id, project_id, operation.input).await;
                (OperationState::Succeeded, Some(&report), Failure::default())
            }
            _ => {
                effect(&mut tx, kind, id, project_id, operation.input).await;
                (OperationState::Succeeded, None, Failure::default())
            }
        };
        let transition = Transition { state, saga_state: None, result, failure, steps: &[] };
        advance(&mut tx, id, operation.fence, &transition).await.expect("writes");
        tx.commit().await.expect("commits");
    }

    /// Fails an operation that left nothing behind.
    pub(crate) async fn fail(&self, id: OperationId, code: &str, public: &str) {
        let mut tx = self.pool.begin().await.expect("a transaction");
        let operation = find(&mut tx, id).await.expect("reads").expect("it is there");
        let failure = Failure { code: Some(code.to_owned()), public: Some(public.to_owned()), detail: None };
        let transition =
            Transition { state: OperationState::Failed, saga_state: None, result: None, failure, steps: &[] };
        advance(&mut tx, id, operation.fence, &transition).await.expect("writes");
        tx.commit().await.expect("commits");
    }
}

async fn effect(conn: &mut PgConnection, kind: OperationKind, operation_id: OperationId, id: ProjectId, input: Value) {
    use store::{branches, projects};
    let done = match kind {
        OperationKind::ProjectCreate | OperationKind::ProjectRestore => {
            projects::set_observed(conn, id, Observed::Serving, Some("127.0.0.1:20001")).await
        }
        OperationKind::BranchCreate => {
            branches::set_base(conn, id, RawValue::NULL, "h0").await.expect("writes");
            projects::set_observed(conn, id, Observed::Serving, Some("127.0.0.1:20002")).await
        }
        OperationKind::ProjectDelete | OperationKind::BranchDelete => {
            for branch in projects::live_branches(conn, id).await.expect("reads") {
                projects::mark_deleted(conn, branch.id, chrono::Utc::now()).await.expect("writes");
            }
            projects::mark_deleted(conn, id, chrono::Utc::now()).await
        }
        OperationKind::ProjectPause => {
            projects::set_intent(conn, id, Intent::Paused).await.expect("writes");
            projects::set_observed(conn, id, Observed::Stopped, None).await
        }
        OperationKind::ProjectRestart => {
            let input: ProjectRestartInput = serde_json::from_value(input).expect("its own input");
            if let Some(version) = input.service_version {
                projects::set_service_version(conn, id, &version).await.expect("writes");
            }
            match input.instance_type {
                Some(size) => projects::set_instance_type(conn, id, size.parse().expect("checked")).await,
                None => Ok(()),
            }
        }
        OperationKind::BranchReset => branches::reset_base(conn, id).await,
        OperationKind::BranchMerge | OperationKind::BranchUpdate | OperationKind::BranchMergeUndo => {
            let input: BranchMergeInput = serde_json::from_value(input).expect("its own input");
            if input.dry_run { Ok(()) } else { merged(conn, operation_id, &input).await }
        }
    };
    done.expect("writes");
}

/// What the sagas record.
async fn merged(conn: &mut PgConnection, operation_id: OperationId, input: &BranchMergeInput) -> sqlx::Result<()> {
    use store::{branches, merges};
    let (branch_id, now) = (input.branch_id, chrono::Utc::now());
    match input.direction {
        MergeDirection::IntoParent => {
            let (parent_id, undo_until) = (input.parent_id, now + chrono::Duration::minutes(30));
            let merge =
                merges::NewMerge { operation_id, branch_id, parent_id, merged_at: now, undo_until, shadow: None };
            merges::insert(conn, &merge).await?;
            branches::set_merged(conn, branch_id, true).await
        }
        MergeDirection::IntoBranch => {
            merges::supersede(conn, branch_id).await?;
            branches::set_merged(conn, branch_id, false).await
        }
        MergeDirection::Undo => merges::undo(conn, input.undoes.expect("it names the merge"), None, now).await,
    }
}

fn is_merge(kind: OperationKind) -> bool {
    matches!(kind, OperationKind::BranchMerge | OperationKind::BranchUpdate | OperationKind::BranchMergeUndo)
}

#[async_trait]
impl Engine for FakeEngine {
    async fn start(&self, operation: StartOperation) -> Result<(), EngineError> {
        self.starts.lock().expect("no holder panics").push(operation.clone());
        if !self.holding.load(Ordering::SeqCst) {
            self.finish(operation.id).await;
        }
        Ok(())
    }
}
