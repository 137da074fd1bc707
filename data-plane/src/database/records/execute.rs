//! Runs one statement as one transaction under the caller's role. Settings and statement are sent together: one round trip, and a
//! second one where what happened is looked at before it is committed.

use std::{
    ops::{Deref, DerefMut},
    sync::LazyLock,
    time::Duration,
};

use backon::Retryable as _;
use bytes::Bytes;
use deadpool::managed::Object;

use super::{error::Error, sql::Statement};
use crate::database::{
    quoting::identifier,
    wire::{self, Connection, Failure, Pool, PoolError, Reuse, Row},
};

/// Longest time a request may take in Postgres.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Waits before connecting again when Postgres cannot be reached.
const CONNECT_AGAIN_AFTER: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(500), Duration::from_millis(500)];

/// What the transaction runs as and sees.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    /// `anon`, `authenticated` or `project_admin`.
    pub(super) role: &'static str,
    /// JSON object.
    pub(super) claims: String,
    /// Schema that unqualified names in SQL resolve to.
    pub(super) schema: String,
    /// HTTP method.
    pub(super) method: String,
    /// `/table` or `/rpc/fn`.
    pub(super) path: String,
    /// JSON object of the request headers.
    pub(super) headers: String,
    /// JSON object of the cookies.
    pub(super) cookies: String,
    /// `Prefer: timezone=`
    pub(super) timezone: Option<String>,
    /// Whether a time zone that Postgres does not know is an error.
    pub(super) strict: bool,
    /// Whether writes are refused.
    pub(super) read_only: bool,
    /// Generation of the schema cache the statement was made from.
    pub(super) generation: u64,
}

/// What a statement answered.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Rows on the page.
    pub(super) page: i64,
    /// Body text.
    pub(super) body: Bytes,
    /// `response.headers`
    pub(super) response_headers: Option<String>,
    /// `response.status`
    pub(super) response_status: Option<String>,
    /// Total, when counted.
    pub(super) total: Option<i64>,
    /// Rows an upsert overwrote.
    pub(super) overwritten: i64,
    /// JSON object with the key of the first written row.
    pub(super) location: Option<String>,
    /// Rows the planner expects, when asked.
    pub(super) planned: Option<i64>,
    /// Whether Postgres does not know the time zone asked for, so that the statement ran without it.
    pub(super) timezone_refused: bool,
}

/// Looks at what a statement did before it is committed; an error rolls it back.
pub(super) type Approval<'a> = &'a (dyn Fn(&Outcome) -> Result<(), Error> + Sync);

/// Runs a statement. `approve` sees the outcome before the commit and can refuse it; without it the statement commits by itself.
pub(super) async fn run(
    pool: &Pool,
    scope: &Scope,
    statement: &Statement,
    planned: Option<&Statement>,
    approve: Option<Approval<'_>>,
) -> Result<Outcome, Error> {
    let run = Run { pool, scope, statement, planned, approve };
    match run.once().await {
        // A read can be asked again; a write may have happened.
        Err(Failed { lost: true, .. }) if scope.read_only => run.once().await,
        Err(Failed { unknown_timezone: true, .. }) => {
            let scope = Scope { timezone: None, ..scope.clone() };
            let outcome = Run { scope: &scope, ..run }.once().await;
            outcome.map(|outcome| Outcome { timezone_refused: true, ..outcome })
        }
        outcome => outcome,
    }
    .map_err(|failed| failed.error)
}

#[derive(Clone, Copy)]
struct Run<'a> {
    pool: &'a Pool,
    scope: &'a Scope,
    statement: &'a Statement,
    planned: Option<&'a Statement>,
    approve: Option<Approval<'a>>,
}

/// Why a request failed, and whether the connection broke meanwhile.
struct Failed {
    error: Error,
    lost: bool,
    unknown_timezone: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, lost: false, unknown_timezone: false }
    }
}

impl Run<'_> {
    async fn once(&self) -> Result<Outcome, Failed> {
        let mut lease = Lease::take(self.pool).await?;
        let identity = lease.identity();
        match tokio::time::timeout(TIMEOUT, self.transact(&mut lease)).await {
            Ok(Err(failed)) if failed.lost => Err(failed),
            Ok(outcome) => {
                lease.give_back();
                outcome
            }
            Err(_) => {
                drop(lease);
                let config = self.pool.manager().config().clone();
                // The connection is given up either way; a cancel request that fails leaves the statement to notice that.
                tokio::spawn(async move { wire::cancel(&config, identity).await.ok() });
                Err(Error::timed_out().into())
            }
        }
    }

    async fn transact(&self, connection: &mut Connection) -> Result<Outcome, Failed> {
        let held = self.approve.is_some();
        let reuse = Reuse { role: self.scope.role, generation: self.scope.generation, at_once: false };
        let exchanged = match self.send(connection, reuse, held) {
            Ok(()) => connection.exchange().await,
            Err(error) => Err(Failure::Broken(error, None)),
        };
        let rows = match exchanged {
            Ok(rows) => rows,
            Err(failure) => {
                if let Failure::Refused(refusal) = &failure {
                    if refusal.state.starts_with("42") || refusal.state == "0A000" {
                        connection.forget(reuse, &self.statement.sql);
                    }
                    if held {
                        connection.command("rollback").await.map_err(|failure| self.failed(failure))?;
                    }
                }
                return Err(self.failed(failure));
            }
        };
        let outcome = outcome(rows, held, self.planned.is_some());
        if let Some(approve) = self.approve {
            if let Err(refusal) = approve(&outcome) {
                connection.command("rollback").await.map_err(|failure| self.failed(failure))?;
                return Err(refusal.into());
            }
            connection.command("commit").await.map_err(|failure| self.failed(failure))?;
        }
        Ok(outcome)
    }

    /// Statements sent together are one transaction of their own, unless it is to be held open.
    fn send(&self, connection: &mut Connection, reuse: Reuse, held: bool) -> std::io::Result<()> {
        let ours = Reuse { role: "", generation: 0, at_once: true };
        if held {
            connection.add(ours, "begin", std::iter::empty())?;
        }
        let scope = self.scope;
        let search_path = search_path(&scope.schema);
        let values = [
            search_path.as_str(),
            &scope.claims,
            &scope.method,
            &scope.path,
            &scope.headers,
            &scope.cookies,
            scope.role,
            scope.timezone.as_deref().unwrap_or_default(),
        ];
        let count = values.len() - usize::from(scope.timezone.is_none());
        connection.add(ours, settings(scope), values.iter().take(count).map(|value| value.as_bytes()))?;
        connection.add(reuse, &self.statement.sql, self.statement.parameters.iter().map(String::as_bytes))?;
        if let Some(planned) = self.planned {
            connection.add(reuse, &planned.sql, planned.parameters.iter().map(String::as_bytes))?;
        }
        Ok(())
    }

    fn failed(&self, failure: Failure) -> Failed {
        let lost = matches!(failure, Failure::Broken(..));
        let unknown_timezone = matches!(&failure, Failure::Refused(refusal)
            if self.scope.timezone.is_some() && refusal.state == "22023" && refusal.message.contains("\"TimeZone\""));
        let error = match &self.scope.timezone {
            Some(zone) if unknown_timezone && self.scope.strict => {
                Error::invalid_preference(&format!("timezone={zone}"))
            }
            _ => Error::database(&failure, self.scope.role == "anon"),
        };
        Failed { error, lost, unknown_timezone: unknown_timezone && !self.scope.strict }
    }
}

/// A pooled connection that is closed, not returned, when its request ends half-way: its transaction may still be open.
struct Lease {
    connection: Option<Object<wire::Manager>>,
}

impl Lease {
    async fn take(pool: &Pool) -> Result<Self, Error> {
        let unreachable = |error: &PoolError| matches!(error, PoolError::Backend(_));
        let connection =
            (|| pool.get()).retry(CONNECT_AGAIN_AFTER.into_iter()).when(unreachable).await.map_err(|error| {
                tracing::warn!(error = &error as &dyn std::error::Error, "no connection for a records request");
                match error {
                    PoolError::Backend(_) => Error::unreachable(),
                    _ => Error::new(504, "PGRST003", "Timed out acquiring connection from connection pool."),
                }
            })?;
        Ok(Self { connection: Some(connection) })
    }

    fn give_back(mut self) {
        drop(self.connection.take());
    }
}

impl Deref for Lease {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("the connection is taken only at the end")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("the connection is taken only at the end")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            drop(Object::take(connection));
        }
    }
}

/// Sets what SQL sees of the request, role last so that nothing after it runs with other rights. One text for each of: writing,
/// reading, and either with the time zone that the client prefers.
fn settings(scope: &Scope) -> &'static str {
    static TEXTS: LazyLock<[String; 4]> = LazyLock::new(|| {
        [(false, false), (false, true), (true, false), (true, true)].map(|(read_only, timezone)| {
            format!(
                "select {}set_config('search_path', $1, true), set_config('request.jwt.claims', $2, true), \
                 set_config('request.method', $3, true), set_config('request.path', $4, true), \
                 set_config('request.headers', $5, true), set_config('request.cookies', $6, true), \
                 {}set_config('role', $7, true)",
                if read_only { "set_config('transaction_read_only', 'on', true), " } else { "" },
                if timezone { "set_config('timezone', $8, true), " } else { "" },
            )
        })
    });
    &TEXTS[usize::from(scope.read_only) * 2 + usize::from(scope.timezone.is_some())]
}

fn search_path(schema: &str) -> String {
    format!("{}, \"public\"", identifier(schema))
}

fn outcome(rows: Vec<Option<Row>>, held: bool, planned: bool) -> Outcome {
    // The settings come first, and before them the beginning of a transaction that is held.
    let mut rows = rows.into_iter().skip(1 + usize::from(held));
    let row = rows.next().flatten().expect("an aggregate without grouping yields one row");
    let planned = if planned { rows.next().flatten() } else { None };
    Outcome {
        page: row.number(0).unwrap_or_default(),
        body: row.bytes(1).unwrap_or_default(),
        response_headers: row.text(2).map(str::to_owned),
        response_status: row.text(3).map(str::to_owned),
        total: row.number(4),
        overwritten: row.number(5).unwrap_or_default(),
        location: row.text(6).map(str::to_owned),
        planned: planned.and_then(|row| expected_rows(row.text(0)?)),
        timezone_refused: false,
    }
}

/// The planner's estimate in `explain (format json)`.
fn expected_rows(plan: &str) -> Option<i64> {
    let plan: serde_json::Value = serde_json::from_str(plan).ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "an estimate beyond 2^63 rows does not happen")]
    plan.pointer("/0/Plan/Plan Rows").and_then(serde_json::Value::as_f64).map(|rows| rows as i64)
}
