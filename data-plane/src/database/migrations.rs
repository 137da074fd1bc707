//! Developers' migrations: run in one transaction, recorded with their statements.

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse as _, Response},
};
use chrono::{DateTime, SecondsFormat, Utc};
use http::StatusCode;
use pg_query::{
    NodeEnum,
    protobuf::{AlterTableType, ObjectType},
};
use serde_json::{Value, json};

use super::{
    Database,
    raw_sql::{self, Session, SessionRole},
};
use crate::{
    audit::Audit,
    authentication::RequireAdmin,
    events::Resource,
    http::{ClientAddress, Error, JsonBody, Result, validation::Form},
    state::App,
};

const LONGEST_VERSION: usize = 64;

/// `GET /migrations`
pub(super) async fn list(State(app): State<Arc<App>>, _admin: RequireAdmin) -> Result<Json<Value>> {
    let client = app.pools.internal().await?;
    let rows = client
        .query(
            "select version, name, statements, created_at from system.custom_migrations order by version::numeric desc",
            &[],
        )
        .await?;
    let mut migrations = Vec::new();
    for row in rows {
        migrations.push(json!({
            "version": row.try_get::<_, &str>(0)?,
            "name": row.try_get::<_, &str>(1)?,
            "statements": row.try_get::<_, Vec<String>>(2)?,
            "createdAt": iso(row.try_get(3)?),
        }));
    }
    Ok(Json(json!({ "migrations": migrations })))
}

/// `POST /migrations`
pub(super) async fn create(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Value>)> {
    let migration = Migration::read(&body)?;
    let statements = raw_sql::split(&migration.sql);
    if statements.is_empty() {
        return Err(Error::invalid_input("Migration SQL must contain at least one statement."));
    }
    let parsed = raw_sql::check(&migration.sql).map_err(|message| Error::forbidden("FORBIDDEN", message))?;
    let session = Session::open(&app, SessionRole::ProjectAdmin).await?;
    let created_at = session.apply_migration(&migration, &statements).await?;
    drop(session);
    Database::schema_changed(&app).await?;
    let details = json!({"name": migration.name, "version": migration.version, "statementCount": statements.len()});
    audit.record(&caller, "DATABASE", "CREATE_CUSTOM_MIGRATION", details).await?;
    let changes: Vec<Value> = std::iter::once(json!({"type": "migration"})).chain(raw_sql::changes(&parsed)).collect();
    app.events.changed(Resource::Database, Some(json!({ "changes": changes })));
    let answer = json!({
        "version": migration.version,
        "name": migration.name,
        "statements": statements,
        "createdAt": iso(created_at),
        "message": "Migration executed successfully",
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

/// `POST /migrations/dry-run`
pub(super) async fn dry_run(
    State(app): State<Arc<App>>,
    _admin: RequireAdmin,
    client: ClientAddress,
    JsonBody(body): JsonBody,
) -> Response {
    let limiter = &app.limits.migration_dry_runs;
    limiter
        .around(&app, client, async { rehearse(&app, &body).await.map(|verdict| Json(verdict).into_response()) })
        .await
}

/// What a migration would do.
async fn rehearse(app: &App, body: &Value) -> Result<Value> {
    let mut form = Form::new(body);
    let sql = form.string("sql").trim().to_owned();
    if form.issues().is_empty() && sql.is_empty() {
        form.issue("sql", "Migration SQL is required");
    }
    single_issue(form)?;
    let statements = raw_sql::split(&sql);
    if statements.is_empty() {
        let error = "Migration SQL must contain at least one statement.";
        return Ok(verdict(&[], vec![factor("EMPTY_SQL", error, "DANGER", None)], Some(error)));
    }
    let parsed = match raw_sql::check(&sql) {
        Ok(parsed) => parsed,
        Err(message) => {
            return Ok(verdict(&statements, vec![factor("GUARD_VIOLATION", message, "DANGER", None)], Some(message)));
        }
    };
    let mut factors = risks(&parsed.statements, &statements);
    let session = Session::open(app, SessionRole::ProjectAdmin).await?;
    let tried = session.try_migration(&sql).await;
    let error = tried.err().map(|error| error.message().to_owned());
    if let Some(error) = &error {
        factors.push(factor("SYNTAX_OR_EXECUTION_ERROR", error, "DANGER", None));
    }
    Ok(verdict(&statements, factors, error.as_deref()))
}

struct Migration {
    version: String,
    name: String,
    sql: String,
}

impl Migration {
    fn read(body: &Value) -> Result<Self> {
        let mut form = Form::new(body);
        let version = form.string("version").to_owned();
        let name = form.string("name").trim().to_owned();
        let sql = form.string("sql").trim().to_owned();
        if form.issues().is_empty() {
            if version.is_empty()
                || version.len() > LONGEST_VERSION
                || !version.bytes().all(|byte| byte.is_ascii_digit())
            {
                form.issue(
                    "version",
                    "Migration version must be a numeric string of at most 64 digits (e.g. 0001 or 20260418091500).",
                );
            }
            if name.is_empty() {
                form.issue("name", "Migration name is required");
            } else if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
                form.issue("name", "Use lowercase letters, numbers, and hyphens only.");
            }
            if sql.is_empty() {
                form.issue("sql", "Migration SQL is required");
            }
        }
        single_issue(form)?;
        Ok(Self { version, name, sql })
    }
}

/// One issue is told without its path.
fn single_issue(form: Form<'_>) -> Result<()> {
    match form.issues() {
        [only] => Err(Error::invalid_input(only.message.clone())),
        _ => form.finish(),
    }
}

impl Session {
    async fn apply_migration(&self, migration: &Migration, statements: &[String]) -> Result<DateTime<Utc>> {
        self.begin_migration().await?;
        self.run_script("select pg_advisory_xact_lock(hashtext('system.custom_migrations'))").await?;
        self.check_version(&migration.version).await?;
        self.run_script(&migration.sql).await?;
        // Back to the session's own user, whose only right on the platform's tables is to record this.
        self.run_script("set constraints all immediate; reset role; set local search_path = pg_catalog").await?;
        let created_at = self.record_migration(&migration.version, &migration.name, statements).await?;
        self.run_script("notify pgrst, 'reload schema'; commit").await?;
        Ok(created_at)
    }

    async fn try_migration(&self, sql: &str) -> Result<()> {
        self.begin_migration().await?;
        self.run_script(sql).await?;
        self.run_script("set constraints all immediate").await?;
        self.run_script("rollback").await
    }

    async fn begin_migration(&self) -> Result<()> {
        self.run_script("begin; set local search_path = public; set local statement_timeout = 0").await
    }

    async fn check_version(&self, version: &str) -> Result<()> {
        let sql = "select coalesce(bool_or(version = $1), false) as taken, coalesce(max(version::numeric) >= $1::numeric, false) as older \
                   from system.custom_migrations";
        let answer = self.run_statement(sql, &[version.into()]).await?;
        let row = answer.rows.first().cloned().unwrap_or_default();
        let conflict = |message: &str| Err(Error::conflict("DATABASE_MIGRATION_ALREADY_EXISTS", message));
        if row["older"] == true {
            return conflict("Migration version must be newer than the latest applied migration.");
        }
        if row["taken"] == true { conflict("Migration version already exists.") } else { Ok(()) }
    }
}

fn risks(nodes: &[NodeEnum], statements: &[String]) -> Vec<Value> {
    let mut factors = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let statement = statements.get(index).map(String::as_str);
        match node {
            NodeEnum::DropStmt(drop) => {
                let name = match drop.remove_type() {
                    ObjectType::ObjectTable => "OBJECT_TABLE",
                    ObjectType::ObjectSchema => "OBJECT_SCHEMA",
                    _ => continue,
                };
                let text =
                    format!("Statement drops database object ({name}) permanently resulting in potential data loss.");
                factors.push(factor("DESTRUCTIVE_DATA_LOSS", &text, "DANGER", statement));
            }
            NodeEnum::TruncateStmt(_) => {
                let text = "TRUNCATE statement clears all records from targeted table(s).";
                factors.push(factor("DESTRUCTIVE_DATA_LOSS", text, "DANGER", statement));
            }
            NodeEnum::AlterTableStmt(alter) => {
                let commands = alter.cmds.iter().filter_map(|command| match &command.node {
                    Some(NodeEnum::AlterTableCmd(command)) => breaking(command.subtype()),
                    _ => None,
                });
                for name in commands {
                    let text = format!("ALTER TABLE statement contains destructive command: {name}.");
                    factors.push(factor("SCHEMA_BREAKING_CHANGE", &text, "WARNING", statement));
                }
            }
            _ => {}
        }
    }
    factors
}

fn breaking(kind: AlterTableType) -> Option<&'static str> {
    match kind {
        AlterTableType::AtDropColumn => Some("AT_DropColumn"),
        AlterTableType::AtDropConstraint => Some("AT_DropConstraint"),
        AlterTableType::AtAlterColumnType => Some("AT_AlterColumnType"),
        _ => None,
    }
}

fn factor(code: &str, description: &str, level: &str, statement: Option<&str>) -> Value {
    let mut factor = json!({"code": code, "description": description, "level": level});
    if let Some(statement) = statement {
        factor["statement"] = statement.into();
    }
    factor
}

fn verdict(statements: &[String], factors: Vec<Value>, error: Option<&str>) -> Value {
    let has = |level: &str| factors.iter().any(|factor| factor["level"] == level);
    let level = if has("DANGER") {
        "DANGER"
    } else if has("WARNING") {
        "WARNING"
    } else {
        "SAFE"
    };
    let mut answer = json!({
        "valid": error.is_none(),
        "statementCount": statements.len(),
        "statements": statements,
        "riskLevel": level,
        "riskFactors": factors,
    });
    if let Some(error) = error {
        answer["error"] = error.into();
    }
    answer
}

fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
