//! Builds an index of a plan while writers go on: outside any transaction, noted before and after, and found again after an interruption.
//! Takes back what came before the merge itself when that is refused.

use std::time::{Duration, Instant};

use data_plane_contract::schema::ApplyRefused;
use deadpool_postgres::ClientWrapper;
use schema_merge::Statement;
use tokio_postgres::error::SqlState;

use super::{
    runner::{Completed, Failure, Onlooker, Result, Runner, begin, reached_by},
    snapshot,
};
use crate::{database::quoted_identifier, http::Error};

/// How long a build waits for transactions that are older than it. Nobody waits for the build but changes of the schema.
const PATIENCE: Duration = Duration::from_secs(60);

/// Written down for a segment that was begun; what a segment led to is never empty.
pub(super) const BEGUN: &str = "";

/// An index as the statement that builds it names it.
struct Built {
    table: String,
    index: String,
}

impl Runner<'_> {
    /// Builds the index of a concurrent segment, or goes on with a build that was begun. Where that fails, no half of it is left.
    pub(super) async fn concurrent(
        &self,
        client: &ClientWrapper,
        position: usize,
        resumed: bool,
        completed: &mut Completed,
        mut onlooker: Option<&mut Onlooker<'_>>,
    ) -> Result<()> {
        let (index, statement) = self.only_statement(position)?;
        let built = Built::of(&statement.sql)?;
        let there = if resumed {
            built.finished(client).await?
        } else {
            self.begin_concurrent(client, position, completed, onlooker.as_deref_mut()).await?;
            false
        };
        if !there {
            built.drop(client, statement).await?;
            let started = Instant::now();
            if let Err(error) = alone(client, statement, PATIENCE).await {
                built.drop(client, statement).await?;
                return self.not_built(client, position, index, &error).await;
            }
            if let Some(onlooker) = onlooker.as_deref_mut() {
                onlooker.meter.statement_ends(client, index, &statement.sql, started.elapsed()).await?;
            }
        }
        self.end_concurrent(client, position, completed, onlooker).await
    }

    fn only_statement(&self, position: usize) -> Result<(usize, &Statement)> {
        let number = self.segments[position].number;
        let mut own = self.statements.iter().enumerate().filter(|(_, statement)| statement.segment == number);
        match (own.next(), own.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(Error::invalid_input(format!("segment {number} is concurrent and has not one statement")).into()),
        }
    }

    /// Compares the catalog with what the segment starts from and notes the beginning. What comes after the merge itself is not held up by
    /// changes made since.
    async fn begin_concurrent(
        &self,
        client: &ClientWrapper,
        position: usize,
        completed: &mut Completed,
        onlooker: Option<&mut Onlooker<'_>>,
    ) -> Result<()> {
        begin(client, self.plan.lock_timeout_ms).await?;
        let before = snapshot::catalog(client).await?;
        let catalog_hash = before.hash();
        if position < self.main()
            && (catalog_hash != self.segments[position].expected_hash
                || (position == 0 && !self.rows_stand(client).await?))
        {
            return Err(Failure::Refused(ApplyRefused::TargetChanged { catalog_hash }));
        }
        completed.before.get_or_insert(before);
        self.note(client, position, BEGUN).await?;
        client.batch_execute("commit").await?;
        if let Some(may_change) = onlooker.and_then(|onlooker| onlooker.may_change.take()) {
            // Whoever was waited for may have gone.
            may_change.await.unwrap_or(());
        }
        Ok(())
    }

    async fn end_concurrent(
        &self,
        client: &ClientWrapper,
        position: usize,
        completed: &mut Completed,
        onlooker: Option<&mut Onlooker<'_>>,
    ) -> Result<()> {
        let (last, rehearsed) = (position + 1 == self.segments.len(), onlooker.is_some());
        if let Some(changed) = onlooker.filter(|_| last).and_then(|onlooker| onlooker.changed.take()) {
            changed.send(()).unwrap_or(());
        }
        begin(client, self.plan.lock_timeout_ms).await?;
        let after = snapshot::catalog(client).await?;
        let (catalog_hash, segment) = (after.hash(), &self.segments[position]);
        if self.exact && !segment.leads_to(&after) && (rehearsed || position < self.main()) {
            let before = completed.before.as_ref().filter(|_| rehearsed);
            return Err(Failure::Refused(match before {
                Some(before) => self.mispredicted(position, before, &after),
                None => ApplyRefused::TargetChanged { catalog_hash },
            }));
        }
        self.record(client, position, &catalog_hash).await?;
        if last {
            completed.after = Some(snapshot::with_rows(client, after).await?);
        }
        client.batch_execute("commit").await?;
        completed.segments.push(reached_by(segment, catalog_hash.clone()));
        completed.catalog_hash = catalog_hash;
        Ok(())
    }

    /// What a failed build means. Later segments are not held up by what was dropped since the merge.
    async fn not_built(
        &self,
        client: &ClientWrapper,
        position: usize,
        index: usize,
        error: &tokio_postgres::Error,
    ) -> Result<()> {
        let gone = [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN, SqlState::UNDEFINED_OBJECT];
        let missing = error.code().is_some_and(|code| gone.contains(code));
        let busy = [SqlState::LOCK_NOT_AVAILABLE, SqlState::T_R_DEADLOCK_DETECTED];
        if position < self.main() {
            let catalog_hash = snapshot::read_hash(client).await?;
            if catalog_hash != self.segments[position].expected_hash {
                return Err(Failure::Refused(ApplyRefused::TargetChanged { catalog_hash }));
            }
        } else if error.code().is_some_and(|code| busy.contains(code)) {
            // Everything else is committed, so this is only asked for again.
            return Err(Failure::Answered(Error::unavailable("build an index of a merge", error)));
        }
        if missing { Ok(()) } else { Err(self.refused(position, index, error)) }
    }

    /// Removes what was built and added before the merge itself, unless that is committed.
    pub(super) async fn give_up(&self, client: &ClientWrapper) -> Result<()> {
        client.batch_execute("rollback").await?;
        if self.committed(client).await?.is_some() || self.noted(client, self.main()).await?.is_some() {
            return Ok(());
        }
        for position in 0..self.main() {
            if self.noted(client, position).await?.is_none() {
                continue;
            }
            if self.segments[position].concurrent {
                let (_, statement) = self.only_statement(position)?;
                Built::of(&statement.sql)?.drop(client, statement).await?;
            } else {
                self.drop_constraints(client, position).await?;
            }
            let sql = "delete from system.merge_segments where operation_id = $1 and plan_hash = $2 and segment = $3";
            let key = (self.plan.operation_id.as_uuid(), self.number(position));
            client.execute(sql, &[&key.0, &self.plan.plan_hash, &key.1]).await?;
        }
        Ok(())
    }

    /// Writers wait for each of these no longer than for the plan itself.
    async fn drop_constraints(&self, client: &ClientWrapper, position: usize) -> Result<()> {
        let patience = Duration::from_millis(u64::from(self.plan.lock_timeout_ms));
        let number = self.segments[position].number;
        for statement in self.statements.iter().filter(|statement| statement.segment == number) {
            if let Some(sql) = without_constraint(&statement.sql)? {
                let dropped = alone(client, &Statement { sql, ..statement.clone() }, patience).await;
                dropped.map_err(|error| Error::unavailable("remove a constraint", &error))?;
            }
        }
        Ok(())
    }
}

/// What takes back `alter table … add constraint …`; validating needs no such thing.
fn without_constraint(sql: &str) -> Result<Option<String>> {
    let unreadable = || Error::invalid_input(format!("no constraint is added or validated by: {sql}"));
    let parsed = pg_query::parse(sql).map_err(|_unreadable| unreadable())?;
    let statement = parsed.protobuf.stmts.into_iter().next().and_then(|raw| raw.stmt).and_then(|node| node.node);
    let Some(pg_query::NodeEnum::AlterTableStmt(statement)) = statement else { return Err(unreadable().into()) };
    let (Some(table), [command]) = (statement.relation, statement.cmds.as_slice()) else {
        return Err(unreadable().into());
    };
    let Some(pg_query::NodeEnum::AlterTableCmd(command)) = &command.node else { return Err(unreadable().into()) };
    let added = match command.def.as_ref().and_then(|definition| definition.node.as_ref()) {
        Some(pg_query::NodeEnum::Constraint(constraint)) => constraint,
        _ => return Ok(None),
    };
    let names = [&table.schemaname, &table.relname, &added.conname].map(|name| quoted_identifier(name));
    let [schema, table, name] = names;
    Ok(Some(format!("alter table {schema}.{table} drop constraint if exists {name}")))
}

impl Built {
    /// Reads `create [unique] index concurrently <index> on [only] <schema>.<table> …`, as Postgres prints it.
    fn of(sql: &str) -> Result<Self> {
        let unreadable = || Error::invalid_input(format!("no index is built by: {sql}"));
        let parsed = pg_query::parse(sql).map_err(|_unreadable| unreadable())?;
        let statement = parsed.protobuf.stmts.into_iter().next().and_then(|raw| raw.stmt).and_then(|node| node.node);
        let Some(pg_query::NodeEnum::IndexStmt(statement)) = statement else { return Err(unreadable().into()) };
        let table = statement.relation.filter(|_| statement.concurrent).ok_or_else(unreadable)?;
        let qualified = |name: &str| format!("{}.{}", quoted_identifier(&table.schemaname), quoted_identifier(name));
        Ok(Self { table: qualified(&table.relname), index: qualified(&statement.idxname) })
    }

    /// Whether an earlier build came to its end, once nobody builds any more: a server goes on when its client has gone.
    async fn finished(&self, client: &ClientWrapper) -> Result<bool> {
        let lock = format!(
            "begin; set local lock_timeout = {}; do $$ begin lock table {} in share update exclusive mode; \
             exception when undefined_table then null; end $$; commit",
            PATIENCE.as_millis(),
            self.table
        );
        client.batch_execute(&lock).await.map_err(|error| Error::unavailable("wait for an index", &error))?;
        let sql = "select indisvalid from pg_catalog.pg_index where indexrelid = pg_catalog.to_regclass($1)";
        Ok(client.query_opt(sql, &[&self.index]).await?.is_some_and(|row| row.get(0)))
    }

    async fn drop(&self, client: &ClientWrapper, statement: &Statement) -> Result<()> {
        let drop = format!("drop index concurrently if exists {}", self.index);
        let sql = Statement { sql: drop, ..statement.clone() };
        alone(client, &sql, PATIENCE).await.map_err(|error| Error::unavailable("remove an index", &error).into())
    }
}

/// Runs a statement outside any transaction as its role. What a developer's expression does, Postgres runs with the rights of the table's
/// owner and keeps from changing the session.
async fn alone(
    client: &ClientWrapper,
    statement: &Statement,
    patience: Duration,
) -> std::result::Result<(), tokio_postgres::Error> {
    let role = statement.role_hint.as_deref().map_or("none".to_owned(), quoted_identifier);
    client.batch_execute(&format!("set lock_timeout = {}", patience.as_millis())).await?;
    client.batch_execute(&format!("set role {role}")).await?;
    let outcome = client.batch_execute(&statement.sql).await;
    client.batch_execute("reset role").await?;
    client.batch_execute("reset lock_timeout").await?;
    outcome
}
