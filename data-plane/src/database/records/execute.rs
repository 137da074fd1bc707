//! Runs one statement as one transaction under the caller's role. Settings and statement are sent together: one round trip, and a
//! second one where what happened is looked at before it is committed.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;

use super::{
    error::Error,
    sql::{ASKED_BY_SQL, Statement},
};
use crate::database::{
    quoting::{identifier, literal},
    schema_cache::{Isolation, Settings},
    wire::{Answer, Connection, Failure, Given, Lease, Pool, PoolError, Question, Reuse, Row},
};

/// Longest time a request may take in Postgres.
const TIMEOUT: Duration = Duration::from_secs(10);

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
    /// What the role has been given.
    pub(super) role_settings: Option<Arc<Settings>>,
    /// What the called function has been given.
    pub(super) call_settings: Option<Arc<Settings>>,
}

impl Scope {
    /// A function's isolation level counts more than its caller's.
    fn isolation(&self) -> Option<Isolation> {
        let both = [&self.call_settings, &self.role_settings];
        both.into_iter().flatten().find_map(|settings| settings.isolation)
    }
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
    scope: Scope,
    statement: Statement,
    planned: Option<Statement>,
    approve: Option<Approval<'_>>,
) -> Result<Outcome, Error> {
    let run = Run { pool, work: Arc::new(Work { scope, statement, planned, held: approve.is_some() }), approve };
    match run.once().await {
        // A read can be asked again; a write may have happened.
        Err(Failed { lost: true, .. }) if run.work.scope.read_only => run.once().await,
        Err(Failed { unknown_timezone: true, .. }) => {
            let work = Work::clone(&run.work);
            let work = Arc::new(Work { scope: Scope { timezone: None, ..work.scope }, ..work });
            let outcome = Run { work, ..run }.once().await;
            outcome.map(|outcome| Outcome { timezone_refused: true, ..outcome })
        }
        outcome => outcome,
    }
    .map_err(|failed| failed.error)
}

struct Run<'a> {
    pool: &'a Pool,
    work: Arc<Work>,
    approve: Option<Approval<'a>>,
}

/// All that Postgres is told.
#[derive(Clone, Debug)]
struct Work {
    scope: Scope,
    statement: Statement,
    planned: Option<Statement>,
    /// Whether the transaction stays open until its outcome has been looked at.
    held: bool,
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
        let shared = self.work.shareable().then(|| Arc::clone(&self.work) as Arc<dyn Question>);
        match self.pool.take(shared.as_ref()).await {
            Ok(Given::Lease(lease)) => self.alone(lease).await,
            Ok(Given::Answer(Answer::Rows(answer))) => {
                answer.map(|rows| self.work.outcome(rows)).map_err(|failure| self.failed(failure))
            }
            Ok(Given::Answer(Answer::Late)) => Err(Error::timed_out().into()),
            Ok(Given::Answer(Answer::Unconnected(error))) | Err(error) => Err(unconnected(&error).into()),
        }
    }

    async fn alone(&self, mut lease: Lease) -> Result<Outcome, Failed> {
        if !self.work.scope.read_only {
            lease.let_go_on(TIMEOUT);
        }
        match tokio::time::timeout(TIMEOUT, self.transact(&mut lease)).await {
            Ok(Err(failed)) if failed.lost => Err(failed),
            Ok(outcome) => {
                lease.give_back();
                outcome
            }
            Err(_) => {
                lease.let_go_on(Duration::ZERO);
                Err(Error::timed_out().into())
            }
        }
    }

    async fn transact(&self, connection: &mut Connection) -> Result<Outcome, Failed> {
        let work = &self.work;
        let exchanged = match work.add_to(connection) {
            Ok(()) => connection.exchange(work.reuse(), work.sql()).await,
            Err(error) => Err(Failure::Broken(error, None)),
        };
        let rows = match exchanged {
            Ok(rows) => rows,
            Err(failure) => {
                if matches!(failure, Failure::Refused(_)) && work.begun() {
                    connection.command("rollback").await.map_err(|failure| self.failed(failure))?;
                }
                return Err(self.failed(failure));
            }
        };
        let outcome = work.outcome(rows);
        if let Some(approve) = self.approve {
            if let Err(refusal) = approve(&outcome) {
                connection.command("rollback").await.map_err(|failure| self.failed(failure))?;
                return Err(refusal.into());
            }
            connection.command("commit").await.map_err(|failure| self.failed(failure))?;
        }
        Ok(outcome)
    }

    fn failed(&self, failure: Failure) -> Failed {
        let lost = matches!(failure, Failure::Broken(..));
        let unknown_timezone = matches!(&failure, Failure::Refused(refusal)
            if self.work.scope.timezone.is_some() && refusal.state == "22023" && refusal.message.contains("\"TimeZone\""));
        let error = match &self.work.scope.timezone {
            Some(zone) if unknown_timezone && self.work.scope.strict => {
                Error::invalid_preference(&format!("timezone={zone}"))
            }
            _ => Error::database(&failure, self.work.scope.role == "anon"),
        };
        Failed { error, lost, unknown_timezone: unknown_timezone && !self.work.scope.strict }
    }
}

impl Work {
    /// Whether it is one exchange that changes nothing, so that it can share a round trip with others and be asked again.
    fn shareable(&self) -> bool {
        self.scope.read_only && self.planned.is_none() && !self.begun()
    }

    /// Whether the transaction is begun and ended by statements of its own.
    fn begun(&self) -> bool {
        self.beginning().is_some()
    }

    /// Statements sent together are one transaction anyway, which begins with words only when it is to be held or isolated: the level
    /// cannot be chosen by a query.
    fn beginning(&self) -> Option<&'static str> {
        match self.scope.isolation() {
            Some(Isolation::Serializable) => Some("begin isolation level serializable"),
            Some(Isolation::RepeatableRead) => Some("begin isolation level repeatable read"),
            None => self.held.then_some("begin"),
        }
    }

    fn outcome(&self, rows: Vec<Option<Row>>) -> Outcome {
        // The settings come first, and before them the beginning.
        let rows = rows.into_iter().skip(1 + usize::from(self.begun()));
        outcome(rows, self.statement.gathered, self.planned.is_some())
    }
}

impl Question for Work {
    fn reuse(&self) -> Reuse {
        Reuse { role: self.scope.role, generation: self.scope.generation, at_once: false }
    }

    fn sql(&self) -> &str {
        &self.statement.sql
    }

    fn size(&self) -> usize {
        let Scope { claims, path, headers, cookies, .. } = &self.scope;
        let values = self.statement.parameters.iter().chain([claims, path, headers, cookies]);
        values.map(String::len).sum()
    }

    fn limit(&self) -> Duration {
        TIMEOUT
    }

    fn add_to(&self, connection: &mut Connection) -> io::Result<()> {
        let ours = Reuse { role: "", generation: 0, at_once: true };
        let scope = &self.scope;
        if let Some(begin) = self.beginning() {
            connection.add(ours, begin, std::iter::empty())?;
        }
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
        connection.add(ours, &settings(scope), values.iter().take(count).map(|value| value.as_bytes()))?;
        for statement in std::iter::once(&self.statement).chain(&self.planned) {
            let values = statement.parameters.iter().map(String::as_bytes);
            if statement.gathered {
                connection.add_gathered(self.reuse(), &statement.sql, values)?;
                connection.add(ours, &ASKED_BY_SQL, std::iter::empty())?;
            } else {
                connection.add(self.reuse(), &statement.sql, values)?;
            }
        }
        if self.begun() && !self.held {
            connection.add(ours, "commit", std::iter::empty())?;
        }
        Ok(())
    }
}

fn unconnected(error: &PoolError) -> Error {
    tracing::warn!(error = error as &dyn std::error::Error, "no connection for a records request");
    match error {
        PoolError::Connect(_) => Error::unreachable(),
        PoolError::Busy | PoolError::Closed => {
            Error::new(504, "PGRST003", "Timed out acquiring connection from connection pool.")
        }
    }
}

/// Sets what SQL sees of the request, role last so that nothing after it runs with other rights. One text for each of: writing,
/// reading, and either with the time zone that the client prefers; and one more for each role that has settings of its own.
fn settings(scope: &Scope) -> Cow<'static, str> {
    let text = common_settings(scope);
    if scope.role_settings.is_none() && scope.call_settings.is_none() {
        return Cow::Borrowed(text);
    }
    // A role's time zone gives way to the request's, and its search path comes after the request's so that it counts.
    let (search_path, others) = text.split_once(SEARCH_PATH).expect("the path is in each text");
    let mut own = format!("{search_path}{SEARCH_PATH}");
    push_settings(&mut own, scope.role_settings.as_deref());
    own.push_str(others);
    push_settings(&mut own, scope.call_settings.as_deref());
    Cow::Owned(own)
}

fn push_settings(sql: &mut String, settings: Option<&Settings>) {
    for (name, value) in settings.iter().flat_map(|settings| &settings.values) {
        let _infallible = write!(sql, ", set_config({}, {}, true)", literal(name), literal(value));
    }
}

const SEARCH_PATH: &str = "set_config('search_path', $1, true)";

fn common_settings(scope: &Scope) -> &'static str {
    static TEXTS: LazyLock<[String; 4]> = LazyLock::new(|| {
        [(false, false), (false, true), (true, false), (true, true)].map(|(read_only, timezone)| {
            format!(
                "select {}{SEARCH_PATH}, set_config('request.jwt.claims', $2, true), \
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

fn outcome(mut rows: impl Iterator<Item = Option<Row>>, gathered: bool, planned: bool) -> Outcome {
    let row =
        rows.next().flatten().expect("an aggregate without grouping yields one row, and so does what is gathered");
    let asked = if gathered { rows.next().flatten() } else { None };
    let (asked, first) = asked.as_ref().map_or((&row, 2), |asked| (asked, 0));
    let planned = if planned { rows.next().flatten() } else { None };
    Outcome {
        page: row.number(0).unwrap_or_default(),
        body: row.bytes(1).unwrap_or_default(),
        response_headers: asked.text(first).map(str::to_owned),
        response_status: asked.text(first + 1).map(str::to_owned),
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
