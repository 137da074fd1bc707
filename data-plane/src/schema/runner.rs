//! Runs a plan segment by segment: one transaction each, bound to the catalog it starts from and to the one it must lead to; or one index
//! that is built while writers go on ([`concurrent`]).

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use data_plane_contract::schema::{ApplyPlan, ApplyRefused};
use deadpool_postgres::ClientWrapper;
use schema_merge::{Catalog, Origin, Segment, Snapshot, Statement};
use tokio::sync::oneshot;
use tokio_postgres::error::SqlState;

use super::{
    concurrent::BEGUN,
    confinement::{self, Confinement},
    meter::Meter,
    snapshot,
};
use crate::http::Error;

/// Differing facts reported at most.
const MOST_DIFFERENCES: usize = 20;

/// However much has been waited already, every lock is asked for at least this long.
const LEAST_LOCK_TIMEOUT: Duration = Duration::from_millis(50);

/// Why nothing was applied.
pub(super) enum Failure {
    /// Answered in the contract's form.
    Refused(ApplyRefused),
    /// Something else went wrong.
    Answered(Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Answered(error.into())
    }
}

pub(super) type Result<T> = std::result::Result<T, Failure>;

/// A plan that was run to its end.
pub(super) struct Completed {
    /// The catalog it started from, absent when an earlier call had committed it.
    pub(super) before: Option<Catalog>,
    /// Everything after it, absent when an earlier call had committed it.
    pub(super) after: Option<Snapshot>,
    pub(super) catalog_hash: String,
    /// The segments with the hashes they led to.
    pub(super) segments: Vec<Segment>,
    /// From the first statement of a segment to its end, all segments together.
    pub(super) blocked: Duration,
}

/// Who looks on while a plan is rehearsed.
pub(super) struct Onlooker<'a> {
    pub(super) meter: &'a mut Meter,
    /// Comes when the first statement may be run.
    pub(super) may_change: Option<oneshot::Receiver<()>>,
    /// Is told when everything is committed, which is before it is looked at: nobody else uses a throw-away clone.
    pub(super) changed: Option<oneshot::Sender<()>>,
}

/// A plan in the form it is run in.
pub(super) struct Runner<'a> {
    pub(super) plan: &'a ApplyPlan,
    pub(super) statements: Vec<Statement>,
    pub(super) segments: Vec<Segment>,
    /// Whether the foretold hashes must be reached.
    pub(super) exact: bool,
}

impl<'a> Runner<'a> {
    pub(super) fn new(plan: &'a ApplyPlan, exact: bool) -> std::result::Result<Self, Error> {
        let unreadable = |what: &str, error| Error::invalid_input(format!("{what}: {error}"));
        let statements: Vec<Statement> =
            serde_json::from_value(plan.statements.clone()).map_err(|error| unreadable("statements", error))?;
        let segments: Option<Vec<Segment>> =
            serde_json::from_value(plan.segments.clone()).map_err(|error| unreadable("segments", error))?;
        let segments = segments.filter(|segments| !segments.is_empty()).unwrap_or_else(|| {
            let (expected_hash, predicted_hash) = (plan.expected_hash.clone(), plan.predicted_hash.clone());
            vec![Segment {
                number: 0,
                expected_hash,
                predicted_hash,
                concurrent: false,
                early: false,
                restated: BTreeSet::new(),
            }]
        });
        Ok(Self { plan, statements, segments, exact })
    }

    /// The first segment of the merge itself. Once it is committed the merge is not given up.
    pub(super) fn main(&self) -> usize {
        let apart = |segment: &Segment| segment.concurrent || segment.early;
        self.segments.iter().position(|segment| !apart(segment)).unwrap_or(self.segments.len())
    }

    /// How many statements there are.
    pub(super) fn len(&self) -> usize {
        self.statements.len()
    }

    /// Runs what is not committed yet. The connection is not to be used for anything else afterwards: statements may have left anything in
    /// the session, and an unfinished transaction ends with it.
    pub(super) async fn run(&self, client: &ClientWrapper, onlooker: Option<&mut Onlooker<'_>>) -> Result<Completed> {
        let mut completed = Completed {
            before: None,
            after: None,
            catalog_hash: String::new(),
            segments: Vec::new(),
            blocked: Duration::ZERO,
        };
        let rehearsed = onlooker.is_some();
        let outcome = self.run_segments(client, &mut completed, onlooker).await;
        if let (Err(Failure::Refused(_)), false) = (&outcome, rehearsed) {
            self.give_up(client).await?;
        }
        outcome.map(|()| completed)
    }

    async fn run_segments(
        &self,
        client: &ClientWrapper,
        completed: &mut Completed,
        mut onlooker: Option<&mut Onlooker<'_>>,
    ) -> Result<()> {
        for position in 0..self.segments.len() {
            begin(client, self.plan.lock_timeout_ms).await?;
            if let Some(catalog_hash) = self.committed(client).await? {
                client.batch_execute("rollback").await?;
                (completed.catalog_hash, completed.before, completed.after) = (catalog_hash, None, None);
                return Ok(());
            }
            match self.noted(client, position).await? {
                Some(predicted_hash) if predicted_hash != BEGUN => {
                    client.batch_execute("rollback").await?;
                    completed.segments.push(reached_by(&self.segments[position], predicted_hash));
                }
                begun if self.segments[position].concurrent => {
                    client.batch_execute("rollback").await?;
                    let resumed = begun.is_some();
                    self.concurrent(client, position, resumed, completed, onlooker.as_deref_mut()).await?;
                }
                _ => {
                    self.segment(client, position, completed, onlooker.as_deref_mut()).await?;
                }
            }
        }
        Ok(())
    }

    async fn segment(
        &self,
        client: &ClientWrapper,
        position: usize,
        completed: &mut Completed,
        mut onlooker: Option<&mut Onlooker<'_>>,
    ) -> Result<()> {
        let segment = &self.segments[position];
        let before = snapshot::catalog(client).await?;
        let expected = match completed.segments.last() {
            // The segment before led wherever it led, which was looked at then.
            Some(previous) => &previous.predicted_hash,
            None => &segment.expected_hash,
        };
        let catalog_hash = before.hash();
        let row_bound = position == self.main() || position == 0;
        if catalog_hash != *expected || (row_bound && !self.rows_stand(client).await?) {
            return Err(Failure::Refused(ApplyRefused::TargetChanged { catalog_hash }));
        }
        if let Some(onlooker) = onlooker.as_deref_mut() {
            if let Some(may_change) = onlooker.may_change.take() {
                // Whoever was waited for may have gone.
                may_change.await.unwrap_or(());
            }
            onlooker.meter.segment_begins(client).await?;
        }
        let started = Instant::now();
        if position == self.main() {
            for sql in &self.plan.forget {
                client.batch_execute(sql).await.map_err(|error| self.refused(position, 0, &error))?;
            }
        }
        let (mut last, mut confinement) = (0, Confinement::default());
        let own_role = confinement::own_role(client).await?;
        confinement::leave(client).await?;
        for (index, statement) in self.statements.iter().enumerate() {
            if statement.segment != segment.number {
                continue;
            }
            last = index;
            let took = self
                .execute(client, &mut confinement, statement, &own_role, started)
                .await
                .map_err(|error| self.refused(position, index, &error))?;
            if let Some(onlooker) = onlooker.as_deref_mut() {
                onlooker.meter.statement_ends(client, index, &statement.sql, took).await?;
            }
        }
        let settled = confinement.settle(client, self.lock_timeout(started)).await;
        settled.map_err(|error| self.refused(position, last, &error))?;
        if let Some(onlooker) = onlooker.as_deref_mut()
            && position + 1 == self.segments.len()
        {
            onlooker.meter.look_at_locks(client, None).await?;
            client.batch_execute("commit").await?;
            if let Some(changed) = onlooker.changed.take() {
                changed.send(()).unwrap_or(());
            }
            begin(client, self.plan.lock_timeout_ms).await?;
        }
        let after = snapshot::catalog(client).await?;
        let reached = after.hash();
        if self.exact && !segment.leads_to(&after) {
            return Err(Failure::Refused(self.mispredicted(position, &before, &after)));
        }
        self.record(client, position, &reached).await?;
        if position + 1 == self.segments.len() {
            completed.after = Some(snapshot::with_rows(client, after).await?);
        }
        if let Some(onlooker) = onlooker {
            onlooker.meter.segment_ends(client).await?;
        }
        client.batch_execute("notify pgrst, 'reload schema'; commit").await?;
        if self.blocks_writers(segment) {
            completed.blocked += started.elapsed();
        }
        completed.before.get_or_insert(before);
        completed.segments.push(reached_by(segment, reached.clone()));
        completed.catalog_hash = reached;
        Ok(())
    }

    /// A segment that only validates takes no lock that a writer waits for.
    fn blocks_writers(&self, segment: &Segment) -> bool {
        let mut own = self.statements.iter().filter(|statement| statement.segment == segment.number);
        !segment.early || own.any(|statement| statement.lock.as_deref() != Some("share update exclusive"))
    }

    /// Whether configuration, edge functions and migrations are what the plan was made for.
    pub(super) async fn rows_stand(&self, client: &ClientWrapper) -> Result<bool> {
        let Some(expected) = &self.plan.rows_hash else { return Ok(true) };
        Ok(snapshot::with_rows(client, Catalog::default()).await?.rows_hash() == *expected)
    }

    async fn execute(
        &self,
        client: &ClientWrapper,
        confinement: &mut Confinement,
        statement: &Statement,
        own_role: &str,
        started: Instant,
    ) -> std::result::Result<Duration, tokio_postgres::Error> {
        let lock_timeout = self.lock_timeout(started);
        // Statements that developers wrote read unqualified names as their migration did; ours are qualified.
        let path = if statement.origin == Origin::Data { "public" } else { "pg_catalog, pg_temp" };
        match statement.role_hint.as_deref().filter(|role| *role != own_role) {
            Some(role) => confinement.run(client, role, path, &statement.sql, lock_timeout).await,
            None => confinement::run_own(client, &statement.sql, lock_timeout).await,
        }
    }

    /// Locks taken before are held while later ones are waited for, so all waiting together is bounded.
    fn lock_timeout(&self, started: Instant) -> Duration {
        let budget = Duration::from_millis(u64::from(self.plan.lock_timeout_ms));
        budget.saturating_sub(started.elapsed()).max(LEAST_LOCK_TIMEOUT)
    }

    pub(super) async fn committed(&self, client: &ClientWrapper) -> Result<Option<String>> {
        let sql = "select catalog_hash from system.branch_merges where operation_id = $1";
        let row = client.query_opt(sql, &[&self.plan.operation_id.as_uuid()]).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// What is written down of a segment: the hash it led to, or [`BEGUN`].
    pub(super) async fn noted(&self, client: &ClientWrapper, position: usize) -> Result<Option<String>> {
        if self.segments.len() == 1 && !self.segments[position].concurrent {
            return Ok(None);
        }
        let sql = "select catalog_hash from system.merge_segments where operation_id = $1 and plan_hash = $2 and segment = $3";
        let row = client
            .query_opt(sql, &[&self.plan.operation_id.as_uuid(), &self.plan.plan_hash, &self.number(position)])
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub(super) async fn record(&self, client: &ClientWrapper, position: usize, catalog_hash: &str) -> Result<()> {
        let operation_id = self.plan.operation_id.as_uuid();
        if position + 1 == self.segments.len() {
            let sql = "insert into system.branch_merges (operation_id, catalog_hash) values ($1, $2)";
            client.execute(sql, &[&operation_id, &catalog_hash]).await?;
        } else {
            self.note(client, position, catalog_hash).await?;
        }
        Ok(())
    }

    /// Writes down how far a segment is.
    pub(super) async fn note(&self, client: &ClientWrapper, position: usize, catalog_hash: &str) -> Result<()> {
        let sql =
            "insert into system.merge_segments (operation_id, plan_hash, segment, catalog_hash) values ($1, $2, $3, $4)
            on conflict (operation_id, plan_hash, segment) do update set catalog_hash = excluded.catalog_hash";
        let key = (self.plan.operation_id.as_uuid(), self.number(position));
        client.execute(sql, &[&key.0, &self.plan.plan_hash, &key.1, &catalog_hash]).await?;
        Ok(())
    }

    pub(super) fn number(&self, position: usize) -> i32 {
        i32::try_from(self.segments[position].number).unwrap_or(i32::MAX)
    }

    pub(super) fn mispredicted(&self, position: usize, before: &Catalog, after: &Catalog) -> ApplyRefused {
        let predicted = &self.segments[position].predicted_hash;
        let mut differences = vec![format!("the plan leads to {} instead of {predicted}", after.hash())];
        differences.extend(before.differences(after).into_iter().take(MOST_DIFFERENCES - 1));
        ApplyRefused::PredictionFailed { differences, committed_segments: count(position) }
    }

    pub(super) fn refused(&self, position: usize, index: usize, error: &tokio_postgres::Error) -> Failure {
        refused(count(position), index, error)
    }
}

/// A segment with what it led to, texts and all.
pub(super) fn reached_by(segment: &Segment, predicted_hash: String) -> Segment {
    Segment { predicted_hash, restated: BTreeSet::new(), ..segment.clone() }
}

fn count(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

/// What an error of a statement means.
pub(super) fn refused(committed_segments: u32, index: usize, error: &tokio_postgres::Error) -> Failure {
    let Some(database) = error.as_db_error() else {
        return Failure::Answered(Error::unavailable("apply a merge plan", error));
    };
    if [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED].contains(database.code()) {
        return Failure::Refused(ApplyRefused::Locked);
    }
    Failure::Refused(ApplyRefused::StatementFailed {
        index,
        sqlstate: database.code().code().to_owned(),
        message: database.message().to_owned(),
        committed_segments,
    })
}

/// Opens a transaction. Merges and developers' migrations exclude each other.
pub(super) async fn begin(client: &ClientWrapper, lock_timeout_ms: u32) -> Result<()> {
    let sql = format!(
        "begin; set local lock_timeout = {lock_timeout_ms}; set local jit = off; set local search_path = pg_catalog, pg_temp; \
         set local check_function_bodies = off; \
         select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('system.custom_migrations'))"
    );
    client.batch_execute(&sql).await.map_err(|error| refused(0, 0, &error))
}
