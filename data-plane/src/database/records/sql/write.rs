//! Inserts, updates and deletes. The body arrives as one bound JSON document that Postgres turns into rows.

use indexmap::IndexSet;

use super::super::{error::Error, plan::Node};
use super::{
    BodyForm, OVERWRITTEN, Shape, Statement,
    columns::{Columns, Origin},
    read::{needed_columns, projection, window},
};
use crate::database::{
    quoting::{identifier, literal, qualified},
    schema_cache::{Relation, SchemaCache},
};

/// What an insert writes and how it treats rows that are there.
pub(crate) struct Insert<'a> {
    /// JSON array of objects.
    pub(crate) body: &'a str,
    /// Number of objects in it.
    pub(crate) rows: usize,
    /// Columns written.
    pub(crate) columns: &'a [String],
    /// Whether a missing member means the column's default rather than null.
    pub(crate) missing_default: bool,
    /// Conflict target and whether to overwrite; absent for a plain insert.
    pub(crate) conflict: Option<(&'a [String], bool)>,
    /// True when the node's conditions must hold for the new row, as PUT demands.
    pub(crate) conditional: bool,
    /// True when the key of the first row is wanted.
    pub(crate) located: bool,
}

/// What an update writes.
pub(crate) struct Change<'a> {
    /// JSON array of one object.
    pub(crate) body: &'a str,
    /// Columns written; none means that nothing is updated.
    pub(crate) columns: &'a [String],
    /// Whether a missing member means the column's default rather than null.
    pub(crate) missing_default: bool,
}

/// An insert or upsert.
pub(crate) fn insert(
    cache: &SchemaCache,
    node: &Node,
    request: &Insert<'_>,
    form: BodyForm,
    counted: bool,
) -> Result<Statement, Error> {
    let mut statement = Statement::default();
    let relation = &node.relation;
    let columns = Columns { cache, origin: Origin::Relation };
    let target = format!("{} as {}", qualified(&relation.schema, &relation.name), identifier(&node.alias));
    let returning = returning(&columns, node, form, request.located)?;
    let conflict =
        request.conflict.map(|(target, merge)| on_conflict(request.columns, target, merge)).unwrap_or_default();
    let source = if request.rows == 0 {
        nothing(node, form, request.located)
    } else if request.columns.is_empty() && request.rows == 1 {
        format!("insert into {target} default values{conflict} returning {returning}")
    } else {
        let (list, rows) = new_rows(&mut statement, node, request, &columns)?;
        let list = if list.is_empty() { String::new() } else { format!("({list}) ") };
        format!("insert into {target} {list}{rows}{conflict} returning {returning}")
    };
    let location = if request.located { location(relation) } else { "null::text".to_owned() };
    let overwritten = format!("nullif(current_setting('{OVERWRITTEN}', true), '')::bigint");
    written(cache, statement, node, &source, form, &Extras { counted, overwritten: &overwritten, location: &location })
}

/// An update of the rows that the node's conditions, ordering and window choose.
pub(crate) fn update(
    cache: &SchemaCache,
    node: &Node,
    change: &Change<'_>,
    form: BodyForm,
    counted: bool,
) -> Result<Statement, Error> {
    let mut statement = Statement::default();
    let columns = Columns { cache, origin: Origin::Relation };
    let relation = &node.relation;
    let returning = returning(&columns, node, form, false)?;
    let source = if change.columns.is_empty() {
        nothing(node, form, false)
    } else {
        let body = statement.bind(change.body);
        let definitions = definitions(relation, change.columns);
        let body_alias = "\"pgrst_body\"";
        let element = format!(
            "(select * from json_array_elements({body}::json) limit 1) as \"pgrst_element\" (\"value\"), \
             json_to_record(\"pgrst_element\".\"value\") as {body_alias} ({definitions})"
        );
        let assignment = |name: &String| {
            let value = match change.missing_default {
                true => value_or_default(relation, body_alias, name),
                false => format!("{body_alias}.{}", identifier(name)),
            };
            format!("{} = {value}", identifier(name))
        };
        let assignments: Vec<String> = change.columns.iter().map(assignment).collect();
        let rest = chosen(&mut statement, &columns, node)?;
        format!(
            "update {} as {} set {} from {element}{}{} returning {returning}",
            qualified(&relation.schema, &relation.name),
            identifier(&node.alias),
            assignments.join(", "),
            rest.source.map(|source| format!(", {source}")).unwrap_or_default(),
            rest.condition.map(|condition| format!(" where {condition}")).unwrap_or_default(),
        )
    };
    written(cache, statement, node, &source, form, &Extras::counted(counted))
}

/// A delete of the rows that the node's conditions, ordering and window choose.
pub(crate) fn delete(cache: &SchemaCache, node: &Node, form: BodyForm, counted: bool) -> Result<Statement, Error> {
    let mut statement = Statement::default();
    let columns = Columns { cache, origin: Origin::Relation };
    let rest = chosen(&mut statement, &columns, node)?;
    let source = format!(
        "delete from {} as {}{}{} returning {}",
        qualified(&node.relation.schema, &node.relation.name),
        identifier(&node.alias),
        rest.source.map(|source| format!(" using {source}")).unwrap_or_default(),
        rest.condition.map(|condition| format!(" where {condition}")).unwrap_or_default(),
        returning(&columns, node, form, false)?,
    );
    written(cache, statement, node, &source, form, &Extras::counted(counted))
}

/// Columns of the answer besides page and body.
struct Extras<'a> {
    counted: bool,
    overwritten: &'a str,
    location: &'a str,
}

impl Extras<'_> {
    fn counted(counted: bool) -> Self {
        Self { counted, overwritten: "null::bigint", location: "null::text" }
    }
}

fn written(
    cache: &SchemaCache,
    mut statement: Statement,
    node: &Node,
    source: &str,
    form: BodyForm,
    extras: &Extras<'_>,
) -> Result<Statement, Error> {
    let rows = if form.shape == Shape::Nothing {
        "select 1 from \"pgrst_source\"".to_owned()
    } else {
        // Conditions and window chose what to write; what was written is shown whole, in the order of writing.
        let mut shown = node.clone();
        shown.conditions.clear();
        shown.order.clear();
        shown.window = super::super::query::Window::default();
        let columns = Columns { cache, origin: Origin::Written };
        columns.select(&mut statement, &shown, "\"pgrst_source\"", None)?
    };
    let total = if extras.counted { "(select count(*) from \"pgrst_source\")" } else { "null::bigint" };
    statement.push(&format!("with \"pgrst_source\" as ({source}) "));
    statement.push(&projection(&form.sql(), total, extras.overwritten, extras.location));
    statement.push(&format!(" from ({rows}) as \"rows\""));
    Ok(statement)
}

/// Returning a column takes the right to read it, so only what is shown is returned.
fn returning(columns: &Columns<'_>, node: &Node, form: BodyForm, located: bool) -> Result<String, Error> {
    let mut names = if form.shape == Shape::Nothing { Vec::new() } else { needed_columns(node) };
    if located {
        names
            .extend(node.relation.primary_key.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
    }
    let mut list = Vec::new();
    for name in &names {
        list.push(format!("{} as {}", columns.column(node, name), identifier(name)));
    }
    Ok(if list.is_empty() { "1".to_owned() } else { list.join(", ") })
}

fn nothing(node: &Node, form: BodyForm, located: bool) -> String {
    if form.shape == Shape::Nothing && !located {
        return "select where false".to_owned();
    }
    format!("select * from {} where false", qualified(&node.relation.schema, &node.relation.name))
}

/// The insert's column list and the select that feeds it.
fn new_rows(
    statement: &mut Statement,
    node: &Node,
    request: &Insert<'_>,
    columns: &Columns<'_>,
) -> Result<(String, String), Error> {
    let relation = &node.relation;
    let body = statement.bind(request.body);
    if request.columns.is_empty() {
        // As many rows of defaults as there are objects.
        return Ok((String::new(), format!("select from json_array_elements({body}::json)")));
    }
    // Conditions refer to the node's alias; in PUT they are about the row in the body.
    let alias = if request.conditional { identifier(&node.alias) } else { "\"pgrst_body\"".to_owned() };
    let list: Vec<String> = request.columns.iter().map(|name| identifier(name)).collect();
    let definitions = definitions(relation, request.columns);
    let (values, source, order) = if request.missing_default {
        let values: Vec<String> = request.columns.iter().map(|name| value_or_default(relation, &alias, name)).collect();
        let elements =
            format!("json_array_elements({body}::json) with ordinality as \"pgrst_element\" (\"value\", \"position\")");
        let source = format!("{elements}, json_to_record(\"pgrst_element\".\"value\") as {alias} ({definitions})");
        // Sorting reads every row before the first is written, as without defaults: a value that is none is told of before a conflict.
        // Postgres knows the plain position to be in order already and would not sort by it.
        (values, source, " order by \"pgrst_element\".\"position\" + 0")
    } else {
        let values = list.iter().map(|name| format!("{alias}.{name}")).collect();
        (values, format!("json_to_recordset({body}::json) as {alias} ({definitions})"), "")
    };
    let conditions = if request.conditional { columns.conditions(statement, node)? } else { None };
    let conditions = conditions.map(|conditions| format!(" where {conditions}")).unwrap_or_default();
    Ok((list.join(", "), format!("select {} from {source}{conditions}{order}", values.join(", "))))
}

fn value_or_default(relation: &Relation, alias: &str, name: &str) -> String {
    let value = format!("{alias}.{}", identifier(name));
    match relation.columns.get(name).and_then(|column| column.default.as_deref()) {
        Some(default) => {
            format!(
                "case when (\"pgrst_element\".\"value\" -> {}) is null then {default} else {value} end",
                literal(name)
            )
        }
        None => value,
    }
}

fn definitions(relation: &Relation, columns: &[String]) -> String {
    let typed = columns.iter().filter_map(|name| {
        relation.columns.get(name).map(|column| format!("{} {}", identifier(name), column.type_name))
    });
    typed.collect::<Vec<_>>().join(", ")
}

fn on_conflict(columns: &[String], target: &[String], merge: bool) -> String {
    if target.is_empty() {
        return String::new();
    }
    let target: Vec<String> = target.iter().map(|name| identifier(name)).collect();
    let target = target.join(", ");
    if !merge || columns.is_empty() {
        return format!(" on conflict ({target}) do nothing");
    }
    let assignments: Vec<String> =
        columns.iter().map(|name| format!("{name} = excluded.{name}", name = identifier(name))).collect();
    // The condition always holds; it counts the rows that were there already, without reading any column.
    format!(
        " on conflict ({target}) do update set {} where set_config('{OVERWRITTEN}', \
         (coalesce(nullif(current_setting('{OVERWRITTEN}', true), ''), '0')::bigint + 1)::text, true) <> ''",
        assignments.join(", ")
    )
}

fn location(relation: &Relation) -> String {
    if relation.primary_key.is_empty() {
        return "null::text".to_owned();
    }
    let members: Vec<String> = relation
        .primary_key
        .iter()
        .map(|name| format!("{}, \"pgrst_source\".{}::text", literal(name), identifier(name)))
        .collect();
    format!("(select json_build_object({})::text from \"pgrst_source\" limit 1)", members.join(", "))
}

/// Which rows a change is about: a condition, and with a limit a subquery of keys to join with.
struct Chosen {
    source: Option<String>,
    condition: Option<String>,
}

fn chosen(statement: &mut Statement, columns: &Columns<'_>, node: &Node) -> Result<Chosen, Error> {
    // Embedded relations are joined only when the result is shown, so conditions on them cannot choose rows.
    let mut bare = node.clone();
    bare.embeds.clear();
    let condition = columns.conditions(statement, &bare)?;
    if node.window.limit.is_none() && node.window.offset == 0 {
        return Ok(Chosen { source: None, condition });
    }
    let relation = &node.relation;
    if node.order.is_empty() {
        return Err(Error::new(400, "PGRST109", "A 'limit' was applied without an explicit 'order'")
            .hint("Apply an 'order' using unique column(s)"));
    }
    let alias = identifier(&node.alias);
    let key = distinguishing(node);
    let keys: Vec<String> = key.iter().map(|name| format!("{alias}.{}", identifier(name))).collect();
    let ordering = columns.ordering(statement, &bare)?.unwrap_or_default();
    let window = window(statement, node.window);
    let source = format!(
        "(select {} from {} as {alias}{} order by {ordering}{window}) as \"pgrst_chosen\"",
        keys.join(", "),
        qualified(&relation.schema, &relation.name),
        condition.map(|condition| format!(" where {condition}")).unwrap_or_default(),
    );
    let equals = if relation.view && relation.primary_key.is_empty() { "is not distinct from" } else { "=" };
    let pairs: Vec<String> = key
        .iter()
        .map(|name| format!("{alias}.{name} {equals} \"pgrst_chosen\".{name}", name = identifier(name)))
        .collect();
    Ok(Chosen { source: Some(source), condition: Some(pairs.join(" and ")) })
}

/// The columns that tell a relation's rows apart.
fn distinguishing(node: &Node) -> Vec<String> {
    let relation = &node.relation;
    if !relation.primary_key.is_empty() {
        return relation.primary_key.clone();
    }
    if relation.view {
        // By what they are ordered by, which a client chooses to be unique.
        let names: IndexSet<&String> = node.order.iter().map(|term| &term.field.name).collect();
        return names.into_iter().cloned().collect();
    }
    // By their place, which is one of a partition.
    vec!["tableoid".to_owned(), "ctid".to_owned()]
}
