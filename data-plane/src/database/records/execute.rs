//! Runs one statement as one transaction: begin, role and settings, statement, commit, sent together in one round trip.

use std::{ops::Deref, time::Duration};

use bytes::BytesMut;
use deadpool_postgres::{Object, Pool};
use futures::join;
use postgres_types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{NoTls, Row};

use super::{
    error::Error,
    sql::Statement,
    statements::{Connection, Known, Statements},
};
use crate::database::quoting::identifier;

/// Longest time a request may take in Postgres.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sets what SQL sees of the request, role last so that nothing after it runs with other rights.
const SETTINGS: &str = "select set_config('search_path', $1, true), set_config('request.jwt.claims', $2, true), \
    set_config('request.method', $3, true), set_config('request.path', $4, true), set_config('request.headers', $5, true), \
    set_config('request.cookies', $6, true), set_config('role', $7, true)";

/// As [`SETTINGS`], with the time zone that the client prefers.
const SETTINGS_WITH_TIMEZONE: &str = "select set_config('search_path', $1, true), set_config('request.jwt.claims', $2, true), \
    set_config('request.method', $3, true), set_config('request.path', $4, true), set_config('request.headers', $5, true), \
    set_config('request.cookies', $6, true), set_config('timezone', $8, true), set_config('role', $7, true)";

/// What the transaction runs as and sees.
#[derive(Debug)]
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
    pub(super) body: String,
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
}

/// A parameter sent as text; Postgres infers its type and reads it as it would read a literal.
#[derive(Debug)]
struct Text<'a>(&'a str);

impl ToSql for Text<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// Looks at what a statement did before it is committed; an error rolls it back.
pub(super) type Approval<'a> = &'a (dyn Fn(&Outcome) -> Result<(), Error> + Sync);

/// Runs a statement. `approve` sees the outcome before the commit and can refuse it; without it the commit is sent along.
pub(super) async fn run(
    pool: &Pool,
    statements: &Statements,
    scope: &Scope,
    statement: &Statement,
    planned: Option<&Statement>,
    approve: Option<Approval<'_>>,
) -> Result<Outcome, Error> {
    let client = pool.get().await.map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "no connection for a records request");
        Error::new(504, "PGRST003", "Timed out acquiring connection from connection pool.")
    })?;
    let connection = statements.of(&client);
    let mut lease = Lease { client: Some(client) };
    let transaction = Transaction { client: &lease, connection: &connection, scope };
    let cancel = lease.cancel_token();
    match tokio::time::timeout(TIMEOUT, transaction.run(statement, planned, approve)).await {
        Ok(outcome) => {
            lease.return_to_pool();
            outcome
        }
        Err(_) => {
            drop(lease);
            // The connection is given up either way; a cancel request that fails leaves the statement to notice that.
            tokio::spawn(async move { cancel.cancel_query(NoTls).await.ok() });
            Err(Error::timed_out())
        }
    }
}

/// A pooled connection that is closed, not returned, when its request ends half-way: its transaction may still be open.
struct Lease {
    client: Option<Object>,
}

impl Lease {
    fn return_to_pool(&mut self) {
        drop(self.client.take());
    }
}

impl Deref for Lease {
    type Target = Object;

    fn deref(&self) -> &Object {
        self.client.as_ref().expect("the client is taken only at the end")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            drop(Object::take(client));
        }
    }
}

type Approve<'a> = Option<&'a (dyn Fn(&Outcome) -> Result<(), Error> + Sync)>;

struct Transaction<'a> {
    client: &'a Object,
    connection: &'a Connection,
    scope: &'a Scope,
}

impl Transaction<'_> {
    async fn run(
        &self,
        statement: &Statement,
        planned: Option<&Statement>,
        approve: Approve<'_>,
    ) -> Result<Outcome, Error> {
        let key = format!("/*{}*/ {}", self.scope.role, statement.sql);
        let result = self.pipeline(&key, statement, planned, approve.is_some()).await;
        let (row, planned) = match result {
            Ok(rows) => rows,
            Err(error) => {
                if error.code().is_some_and(|state| state.code().starts_with("42") || state.code() == "0A000") {
                    self.connection.forget(&key);
                }
                if approve.is_some() {
                    self.end("rollback").await?;
                }
                return Err(self.refused(&error));
            }
        };
        let outcome = outcome(&row, planned).map_err(|error| self.refused(&error))?;
        if let Some(approve) = approve {
            if let Err(refusal) = approve(&outcome) {
                self.end("rollback").await?;
                return Err(refusal);
            }
            self.end("commit").await?;
        }
        Ok(outcome)
    }

    /// Everything up to the commit, or with it unless it is held back. The futures are polled in order, so the messages leave in order.
    async fn pipeline(
        &self,
        key: &str,
        statement: &Statement,
        planned: Option<&Statement>,
        hold: bool,
    ) -> Result<(Row, Option<i64>), tokio_postgres::Error> {
        let scope = self.scope;
        let settings = self.settings().await?;
        let values = self.setting_values();
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let begin = self.client.batch_execute(if scope.read_only { "begin read only" } else { "begin" });
        let set = self.client.query(&settings, &values);
        let texts: Vec<Text<'_>> = statement.parameters.iter().map(|value| Text(value)).collect();
        let parameters: Vec<&(dyn ToSql + Sync)> = texts.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let plan = self.plan(planned);
        match self.connection.look_up(key, scope.generation) {
            Known::Prepared(prepared) => {
                let query = self.client.query(&prepared, &parameters);
                let (begun, set, rows, planned, ended) = join!(begin, set, query, plan, self.commit_unless(hold));
                begun?;
                set?;
                first(rows?, planned?, ended)
            }
            Known::New => {
                let typed: Vec<(&(dyn ToSql + Sync), Type)> =
                    parameters.iter().map(|value| (*value, Type::UNKNOWN)).collect();
                let query = self.client.query_typed(&statement.sql, &typed);
                let (begun, set, rows, planned, ended) = join!(begin, set, query, plan, self.commit_unless(hold));
                begun?;
                set?;
                first(rows?, planned?, ended)
            }
            Known::Repeated => {
                let (begun, set, prepared) = join!(begin, set, self.client.prepare(&statement.sql));
                begun?;
                let prepared = match set.and(prepared) {
                    Ok(prepared) => prepared,
                    Err(error) => {
                        if !hold {
                            self.client.batch_execute("rollback").await?;
                        }
                        return Err(error);
                    }
                };
                self.connection.keep(key, scope.generation, prepared.clone());
                let query = self.client.query(&prepared, &parameters);
                let (rows, planned, ended) = join!(query, plan, self.commit_unless(hold));
                first(rows?, planned?, ended)
            }
        }
    }

    async fn settings(&self) -> Result<tokio_postgres::Statement, tokio_postgres::Error> {
        let sql = if self.scope.timezone.is_some() { SETTINGS_WITH_TIMEZONE } else { SETTINGS };
        if let Known::Prepared(prepared) = self.connection.look_up(sql, 0) {
            return Ok(prepared);
        }
        let prepared = self.client.prepare(sql).await?;
        self.connection.keep(sql, 0, prepared.clone());
        Ok(prepared)
    }

    fn setting_values(&self) -> Vec<String> {
        let scope = self.scope;
        let mut search_path = identifier(&scope.schema);
        if scope.schema != "public" {
            search_path.push_str(", \"public\"");
        }
        let mut values = vec![
            search_path,
            scope.claims.clone(),
            scope.method.clone(),
            scope.path.clone(),
            scope.headers.clone(),
            scope.cookies.clone(),
            scope.role.to_owned(),
        ];
        values.extend(scope.timezone.clone());
        values
    }

    async fn plan(&self, planned: Option<&Statement>) -> Result<Option<i64>, tokio_postgres::Error> {
        let Some(statement) = planned else { return Ok(None) };
        let texts: Vec<Text<'_>> = statement.parameters.iter().map(|value| Text(value)).collect();
        let typed: Vec<(&(dyn ToSql + Sync), Type)> =
            texts.iter().map(|value| (value as &(dyn ToSql + Sync), Type::UNKNOWN)).collect();
        let rows = self.client.query_typed(&statement.sql, &typed).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let plan: serde_json::Value = row.try_get(0)?;
        #[expect(clippy::cast_possible_truncation, reason = "an estimate beyond 2^63 rows does not happen")]
        Ok(plan.pointer("/0/Plan/Plan Rows").and_then(serde_json::Value::as_f64).map(|rows| rows as i64))
    }

    async fn commit_unless(&self, held: bool) -> Result<(), tokio_postgres::Error> {
        if held { Ok(()) } else { self.client.batch_execute("commit").await }
    }

    async fn end(&self, word: &str) -> Result<(), Error> {
        self.client.batch_execute(word).await.map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &tokio_postgres::Error) -> Error {
        Error::database(error, self.scope.role == "anon")
    }
}

fn first(
    rows: Vec<Row>,
    planned: Option<i64>,
    ended: Result<(), tokio_postgres::Error>,
) -> Result<(Row, Option<i64>), tokio_postgres::Error> {
    // A deferred constraint speaks up at the commit.
    ended?;
    let row = rows.into_iter().next().expect("an aggregate without grouping yields one row");
    Ok((row, planned))
}

fn outcome(row: &Row, planned: Option<i64>) -> Result<Outcome, tokio_postgres::Error> {
    Ok(Outcome {
        page: row.try_get(0)?,
        body: row.try_get(1)?,
        response_headers: row.try_get(2)?,
        response_status: row.try_get(3)?,
        total: row.try_get(4)?,
        overwritten: row.try_get::<_, Option<i64>>(5)?.unwrap_or_default(),
        location: row.try_get(6)?,
        planned,
    })
}
