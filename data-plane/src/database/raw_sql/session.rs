//! A connection of its own for developers' SQL, closed afterwards: whatever the SQL left in the session ends with it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use chrono::{DateTime, Utc};
use deadpool_postgres::{ClientWrapper, Object};
use futures::{StreamExt as _, pin_mut};
use http::StatusCode;
use serde_json::{Map, Value};
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::{parameter_literal, values::to_json};
use crate::{
    http::{Error, Result},
    state::App,
};

/// Longest time a statement may take.
const STATEMENT_TIMEOUT: &str = "30s";

/// Rows held for one answer; a query that yields more is refused rather than held in memory.
const MAX_ROWS: usize = 1_000_000;

/// Whom the SQL runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionRole {
    /// `project_admin`, in a session that can become nothing more.
    ProjectAdmin,
    /// The internal user, no superuser in a managed cluster.
    Internal,
}

/// An open session; dropped, its connection closes and a statement still running is cancelled.
pub(crate) struct Session {
    client: Option<ClientWrapper>,
    busy: AtomicBool,
    /// Statements prepared so far, for their names.
    prepared: AtomicU32,
}

/// A column of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    /// Its name.
    pub(crate) name: String,
    /// OID of its type.
    pub(crate) type_oid: u32,
}

/// What a statement answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// Rows as objects.
    pub(crate) rows: Vec<Value>,
    /// Rows returned or changed.
    pub(crate) count: u64,
    /// Columns.
    pub(crate) fields: Vec<Field>,
}

impl Session {
    /// Opens a session with the administrator's claims and the time limit.
    pub(crate) async fn open(app: &App, role: SessionRole) -> Result<Self> {
        let pool = match role {
            SessionRole::ProjectAdmin => &app.pools.tenant,
            SessionRole::Internal => &app.pools.internal,
        };
        let client = Object::take(pool.get().await?);
        let mut settings = format!(
            "set statement_timeout = '{STATEMENT_TIMEOUT}'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; \
             select set_config('request.jwt.claims', '{{\"role\":\"project_admin\"}}', false)"
        );
        settings.push_str(match role {
            SessionRole::ProjectAdmin => "; set role project_admin",
            SessionRole::Internal => "; set search_path = \"$user\", public",
        });
        client.batch_execute(&settings).await?;
        Ok(Self { client: Some(client), busy: AtomicBool::new(false), prepared: AtomicU32::new(0) })
    }

    /// Runs a text of any number of statements, without their answers.
    pub(crate) async fn run_script(&self, sql: &str) -> Result<()> {
        self.set_busy(true);
        let result = self.client().batch_execute(sql).await;
        self.set_busy(false);
        result.map_err(refused)
    }

    /// Runs one statement and reads its answer.
    pub(crate) async fn run_statement(&self, sql: &str, parameters: &[Value]) -> Result<Answer> {
        self.set_busy(true);
        let result = self.statement(sql, parameters).await;
        self.set_busy(false);
        result
    }

    /// Runs one statement of any kind, without its rows; how many it returned or changed.
    pub(crate) async fn run_counted(&self, sql: &str) -> Result<u64, tokio_postgres::Error> {
        self.set_busy(true);
        let result = self.counted(sql).await;
        self.set_busy(false);
        result
    }

    async fn counted(&self, sql: &str) -> Result<u64, tokio_postgres::Error> {
        let stream = self.client().simple_query_raw(sql).await?;
        pin_mut!(stream);
        let mut count = 0;
        while let Some(message) = stream.next().await {
            if let SimpleQueryMessage::CommandComplete(rows) = message? {
                count = rows;
            }
        }
        Ok(count)
    }

    /// Writes the row of a migration, as the session's own user.
    pub(crate) async fn record_migration(
        &self,
        version: &str,
        name: &str,
        statements: &[String],
    ) -> Result<DateTime<Utc>> {
        let sql =
            "insert into system.custom_migrations (version, name, statements) values ($1, $2, $3) returning created_at";
        let row = self.client().query_one(sql, &[&version, &name, &statements]).await.map_err(refused)?;
        Ok(row.try_get(0)?)
    }

    async fn statement(&self, sql: &str, parameters: &[Value]) -> Result<Answer> {
        let client = self.client();
        // Preparing tells the columns' types; running by text gives values in the text form that is converted from.
        let prepared = client.prepare(sql).await.map_err(refused)?;
        let fields: Vec<Field> = prepared
            .columns()
            .iter()
            .map(|column| Field { name: column.name().to_owned(), type_oid: column.type_().oid() })
            .collect();
        if parameters.len() != prepared.params().len() {
            let message = format!(
                "bind message supplies {} parameters, but prepared statement \"\" requires {}",
                parameters.len(),
                prepared.params().len()
            );
            return Err(Error::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", message));
        }
        if parameters.is_empty() {
            return self.collect(sql, fields).await;
        }
        let literals: Vec<String> = parameters.iter().map(parameter_literal).collect();
        let name = format!("hearth_{}", self.prepared.fetch_add(1, Ordering::Relaxed));
        client.batch_execute(&format!("prepare {name} as {sql}")).await.map_err(refused)?;
        self.collect(&format!("execute {name}({})", literals.join(", ")), fields).await
    }

    async fn collect(&self, sql: &str, fields: Vec<Field>) -> Result<Answer> {
        let stream = self.client().simple_query_raw(sql).await.map_err(refused)?;
        pin_mut!(stream);
        let mut answer = Answer { rows: Vec::new(), count: 0, fields };
        while let Some(message) = stream.next().await {
            match message.map_err(refused)? {
                SimpleQueryMessage::Row(row) => {
                    if answer.rows.len() == MAX_ROWS {
                        return Err(Error::bad_request(
                            "INVALID_INPUT",
                            format!("The query returns more than {MAX_ROWS} rows"),
                        ));
                    }
                    let values = answer
                        .fields
                        .iter()
                        .enumerate()
                        .map(|(index, field)| (field.name.clone(), to_json(field.type_oid, row.get(index))));
                    answer.rows.push(Value::Object(values.collect::<Map<_, _>>()));
                }
                SimpleQueryMessage::CommandComplete(count) => answer.count = count,
                _ => {}
            }
        }
        Ok(answer)
    }

    fn client(&self) -> &ClientWrapper {
        self.client.as_ref().expect("the client is taken only when the session is dropped")
    }

    fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Relaxed);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        if self.busy.load(Ordering::Relaxed)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let cancel = client.cancel_token();
            runtime.spawn(async move { cancel.cancel_query(NoTls).await.ok() });
        }
    }
}

/// A statement's error; a timeout is told in words.
pub(crate) fn refused(error: tokio_postgres::Error) -> Error {
    if error.code() == Some(&tokio_postgres::error::SqlState::QUERY_CANCELED) {
        return Error::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_ERROR",
            "Query timeout: The query took longer than 30 seconds to execute",
        );
    }
    error.into()
}
