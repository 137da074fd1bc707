//! Raw SQL for administrators: as `project_admin`, or unrestricted as the internal user.

mod guard;
mod session;
mod values;

use std::sync::Arc;

use axum::{Json, extract::State};
use pg_query::NodeEnum;
use serde_json::{Map, Value, json};

pub(crate) use guard::{Parsed, check, may_change_schema, split};
pub(crate) use session::{Session, SessionRole};

use super::{Database, quoting::literal};
use crate::{
    audit::Audit,
    authentication::{Caller, RequireAdmin},
    events::Resource,
    http::{Error, JsonBody, Result, validation::Form},
    state::App,
};

/// `POST /advance/rawsql`
pub(super) async fn run_restricted(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    run(&app, &caller, &audit, &body, SessionRole::ProjectAdmin).await.map(Json)
}

/// `POST /advance/rawsql/unrestricted`
pub(super) async fn run_unrestricted(
    State(app): State<Arc<App>>,
    RequireAdmin(caller): RequireAdmin,
    audit: Audit,
    JsonBody(body): JsonBody,
) -> Result<Json<Value>> {
    run(&app, &caller, &audit, &body, SessionRole::Internal).await.map(Json)
}

/// A validated request body.
struct Input<'a> {
    query: &'a str,
    parameters: Vec<Value>,
    explain: bool,
}

impl<'a> Input<'a> {
    fn read(body: &'a Value) -> Result<Self> {
        let mut form = Form::new(body);
        let query = form.string("query");
        if form.issues().is_empty() && query.is_empty() {
            form.issue("query", "Query is required");
        }
        let parameters = match form.get("params") {
            None => Vec::new(),
            Some(Value::Array(values)) => values.clone(),
            Some(other) => {
                form.issue("params", format!("Expected array, received {}", crate::http::validation::type_name(other)));
                Vec::new()
            }
        };
        let explain = form.optional_bool("explain").unwrap_or_default();
        form.finish()?;
        Ok(Self { query, parameters, explain })
    }
}

async fn run(app: &App, caller: &Caller, audit: &Audit, body: &Value, role: SessionRole) -> Result<Value> {
    let input = Input::read(body)?;
    let parsed = check(input.query).map_err(|message| Error::forbidden("FORBIDDEN", message))?;
    let session = Session::open(app, role).await?;
    let result = if input.explain {
        explain(&session, &parsed, &input).await?
    } else {
        execute(&session, &parsed, &input).await?
    };
    if may_change_schema(input.query) && !input.explain {
        if role == SessionRole::Internal {
            app.pools
                .internal()
                .await?
                .batch_execute("select system.reassign_public_objects_to_project_admin()")
                .await?;
        }
        app.pools.internal().await?.batch_execute("notify pgrst, 'reload schema'").await?;
        Database::schema_changed(app).await?;
    }
    let (action, execution_role) = match role {
        SessionRole::ProjectAdmin => ("EXECUTE_RAW_SQL", "project_admin"),
        SessionRole::Internal => ("EXECUTE_RAW_SQL_UNRESTRICTED", "root"),
    };
    let mut details = json!({
        "query": input.query.chars().take(300).collect::<String>(),
        "paramCount": input.parameters.len(),
        "executionRole": execution_role,
        "explain": input.explain,
    });
    if let Some(count) = result.get("rowCount").filter(|count| !count.is_null()) {
        details["rowsAffected"] = count.clone();
    }
    audit.record(caller, "DATABASE", action, details).await?;
    publish(app, &parsed);
    Ok(result)
}

async fn execute(session: &Session, parsed: &Parsed, input: &Input<'_>) -> Result<Value> {
    if parsed.statements.len() != 1 {
        if !input.parameters.is_empty() {
            return Err(Error::new(
                http::StatusCode::INTERNAL_SERVER_ERROR,
                "INTERNAL_ERROR",
                "cannot insert multiple commands into a prepared statement",
            ));
        }
        session.run_script(input.query).await?;
        return Ok(json!({"rows": []}));
    }
    let answer = session.run_statement(input.query, &input.parameters).await?;
    let counted = counts_rows(&parsed.statements[0]);
    let fields: Vec<Value> =
        answer.fields.iter().map(|field| json!({"name": field.name, "dataTypeID": field.type_oid})).collect();
    let row_count = if counted { json!(answer.count) } else { Value::Null };
    Ok(json!({"rows": answer.rows, "rowCount": row_count, "fields": fields}))
}

async fn explain(session: &Session, parsed: &Parsed, input: &Input<'_>) -> Result<Value> {
    match parsed.statements.as_slice() {
        [] => return Err(Error::invalid_input("Query contains no executable statements.")),
        statements if statements.iter().all(|statement| matches!(statement, NodeEnum::SelectStmt(_))) => {}
        _ => return Err(Error::invalid_input("Only SELECT statements are allowed in EXPLAIN mode.")),
    }
    session.run_script("begin").await?;
    let query = format!("explain (format json, analyze, buffers) {}", input.query);
    let answer = session.run_statement(&query, &input.parameters).await?;
    session.run_script("rollback").await?;
    let rows: Vec<Value> = answer.rows;
    let count = rows.len();
    Ok(json!({"rows": rows, "rowCount": count, "fields": [{"name": "QUERY PLAN", "dataTypeID": 114}]}))
}

/// Statements whose completion carries a number of rows.
fn counts_rows(statement: &NodeEnum) -> bool {
    matches!(
        statement,
        NodeEnum::SelectStmt(_)
            | NodeEnum::InsertStmt(_)
            | NodeEnum::UpdateStmt(_)
            | NodeEnum::DeleteStmt(_)
            | NodeEnum::MergeStmt(_)
            | NodeEnum::CopyStmt(_)
            | NodeEnum::FetchStmt(_)
            | NodeEnum::CreateTableAsStmt(_)
    )
}

/// Tells dashboards what kinds of things the statements changed.
fn publish(app: &App, parsed: &Parsed) {
    let changes: Vec<Value> = changes(parsed).collect();
    if !changes.is_empty() {
        app.events.changed(Resource::Database, Some(json!({ "changes": changes })));
    }
}

/// What kinds of things the statements change, for dashboards.
pub(crate) fn changes(parsed: &Parsed) -> impl Iterator<Item = Value> {
    parsed.statements.iter().filter_map(change)
}

fn change(statement: &NodeEnum) -> Option<Value> {
    let named = |kind: &str, relation: &Option<pg_query::protobuf::RangeVar>| {
        let name = relation.as_ref().map(|relation| relation.relname.clone());
        let mut change = Map::new();
        change.insert("type".into(), kind.into());
        if let Some(name) = name {
            change.insert("name".into(), name.into());
        }
        Some(Value::Object(change))
    };
    match statement {
        NodeEnum::InsertStmt(insert) => named("records", &insert.relation),
        NodeEnum::UpdateStmt(update) => named("records", &update.relation),
        NodeEnum::DeleteStmt(delete) => named("records", &delete.relation),
        NodeEnum::CreateStmt(_) => Some(json!({"type": "tables"})),
        NodeEnum::AlterTableStmt(alter) => named("table", &alter.relation),
        NodeEnum::RenameStmt(rename) => named("table", &rename.relation),
        NodeEnum::IndexStmt(_) => Some(json!({"type": "index"})),
        NodeEnum::CreateTrigStmt(_) => Some(json!({"type": "trigger"})),
        NodeEnum::CreatePolicyStmt(_) | NodeEnum::AlterPolicyStmt(_) => Some(json!({"type": "policy"})),
        NodeEnum::CreateFunctionStmt(_) => Some(json!({"type": "function"})),
        NodeEnum::CreateExtensionStmt(_) => Some(json!({"type": "extension"})),
        NodeEnum::DropStmt(drop) => dropped(drop.remove_type()).map(|kind| json!({"type": kind})),
        _ => None,
    }
}

fn dropped(kind: pg_query::protobuf::ObjectType) -> Option<&'static str> {
    use pg_query::protobuf::ObjectType;
    match kind {
        ObjectType::ObjectTable => Some("tables"),
        ObjectType::ObjectIndex => Some("index"),
        ObjectType::ObjectTrigger => Some("trigger"),
        ObjectType::ObjectPolicy => Some("policy"),
        ObjectType::ObjectFunction | ObjectType::ObjectProcedure | ObjectType::ObjectRoutine => Some("function"),
        ObjectType::ObjectExtension => Some("extension"),
        _ => None,
    }
}

/// A JSON value as an SQL literal whose type Postgres infers.
pub(crate) fn parameter_literal(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => literal(text),
        Value::Array(values) => literal(&array_text(values)),
        Value::Object(_) => literal(&value.to_string()),
        other => literal(&other.to_string()),
    }
}

/// An array parameter as the platform's SQL client writes it: a Postgres array, objects in it as JSON.
fn array_text(values: &[Value]) -> String {
    let elements: Vec<String> = values
        .iter()
        .map(|value| match value {
            Value::Null => "NULL".to_owned(),
            Value::Array(inner) => array_text(inner),
            other => {
                let text = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
                format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
        })
        .collect();
    format!("{{{}}}", elements.join(","))
}
