//! Selects, with embedded relations as lateral joins.

use super::super::{
    error::Error,
    plan::{Embed, Node},
    query::{Field, SelectItem, Window},
};
use super::{
    BodyForm, RESPONSE_SETTINGS, Statement,
    columns::{Columns, Origin},
};
use crate::database::{
    quoting::{identifier, qualified},
    schema_cache::{Link, Relation, SchemaCache},
};

/// A whole read; `counted` adds the exact total without the window.
pub(crate) fn read(cache: &SchemaCache, node: &Node, form: BodyForm, counted: bool) -> Result<Statement, Error> {
    let columns = Columns { cache, origin: Origin::Relation };
    let source = qualified(&node.relation.schema, &node.relation.name);
    let mut statement = Statement::default();
    let rows = columns.select(&mut statement, node, &source, None)?;
    let total = if counted { columns.count(&mut statement, node, &source)? } else { "null::bigint".to_owned() };
    statement.push(&projection(&form.sql(), &total, "null::bigint", "null::text"));
    statement.push(&format!(" from ({rows}) as \"rows\""));
    Ok(statement)
}

/// Asks the planner how many rows a read would have without its window.
pub(crate) fn plan_count(cache: &SchemaCache, node: &Node) -> Result<Statement, Error> {
    let columns = Columns { cache, origin: Origin::Relation };
    let source = qualified(&node.relation.schema, &node.relation.name);
    let mut statement = Statement::default();
    let rows = columns.unwindowed(&mut statement, node, &source)?;
    statement.push(&format!("explain (format json) {rows}"));
    Ok(statement)
}

/// The one row every statement yields.
pub(super) fn projection(body: &str, total: &str, overwritten: &str, location: &str) -> String {
    format!(
        "select count(*) as page, {body} as body, {RESPONSE_SETTINGS}, {total} as total, {overwritten} as overwritten, {location} as location"
    )
}

impl Columns<'_> {
    /// One node as a select; `joined` ties it to the outer row.
    pub(super) fn select(
        &self,
        statement: &mut Statement,
        node: &Node,
        source: &str,
        joined: Option<&str>,
    ) -> Result<String, Error> {
        let mut list = Vec::new();
        for item in &node.items {
            list.push(self.item(statement, node, item));
        }
        for embed in &node.embeds {
            list.extend(embedded_columns(embed));
        }
        if list.is_empty() && joined.is_some() {
            // A row without columns could not be told from no row.
            list.push("true as \"present\"".to_owned());
        }
        self.listed(statement, node, &list, source, joined)
    }

    /// One node as a select with this list.
    pub(super) fn listed(
        &self,
        statement: &mut Statement,
        node: &Node,
        list: &[String],
        source: &str,
        joined: Option<&str>,
    ) -> Result<String, Error> {
        let tail = self.source_and_filters(statement, node, source, joined)?;
        let ordering = self.ordering(statement, node)?.map(|terms| format!(" order by {terms}")).unwrap_or_default();
        let window = window(statement, node.window);
        Ok(format!("select {} {tail}{ordering}{window}", list.join(", ")))
    }

    pub(super) fn count(&self, statement: &mut Statement, node: &Node, source: &str) -> Result<String, Error> {
        let rows = self.unwindowed(statement, node, source)?;
        Ok(format!("(select count(*) from ({rows}) as \"counted\")"))
    }

    fn unwindowed(&self, statement: &mut Statement, node: &Node, source: &str) -> Result<String, Error> {
        let mut whole = node.clone();
        whole.open_windows();
        Ok(format!("select 1 {}", self.source_and_filters(statement, &whole, source, None)?))
    }

    fn source_and_filters(
        &self,
        statement: &mut Statement,
        node: &Node,
        source: &str,
        joined: Option<&str>,
    ) -> Result<String, Error> {
        let mut sql = format!("from {source} as {}", identifier(&node.alias));
        for embed in &node.embeds {
            sql.push_str(&self.join(statement, node, embed)?);
        }
        let own = self.conditions(statement, node)?;
        let conditions: Vec<&str> = joined.into_iter().chain(own.as_deref()).collect();
        if !conditions.is_empty() {
            sql.push_str(&format!(" where {}", conditions.join(" and ")));
        }
        Ok(sql)
    }

    fn join(&self, statement: &mut Statement, outer: &Node, embed: &Embed) -> Result<String, Error> {
        let inner = Columns { cache: self.cache, origin: Origin::Relation };
        let node = &embed.node;
        let (source, joined) = tie(outer, embed, self.origin);
        let rows = match ordering_columns(outer, embed) {
            Some(ordering) => inner.select(statement, &ordering, &source, Some(&joined))?,
            None => inner.select(statement, node, &source, Some(&joined))?,
        };
        let alias = identifier(&embed.alias);
        if embed.to_one {
            let kind = if embed.inner { "inner" } else { "left" };
            return Ok(format!(" {kind} join lateral ({rows}) as {alias} on true"));
        }
        let each = if bare(node) { "'{}'::json" } else { "\"each\".*" };
        Ok(format!(
            " left join lateral (select json_agg({each}) as \"rows\" from ({rows}) as \"each\") as {alias} on true"
        ))
    }
}

/// An embed that shows nothing, with the columns that the outer rows are ordered by.
fn ordering_columns(outer: &Node, embed: &Embed) -> Option<Node> {
    let by = |name: &String| outer.embed(name).is_some_and(|found| found.alias == embed.alias);
    let terms = outer.order.iter().filter(|term| term.relation.as_ref().is_some_and(by));
    let items: Vec<SelectItem> = terms
        .map(|term| SelectItem::Column {
            alias: Some(term.field.name.clone()),
            field: Field { path: Vec::new(), ..term.field.clone() },
            cast: None,
        })
        .collect();
    let shown = !embed.node.items.is_empty() || !embed.node.embeds.is_empty();
    (!shown && !items.is_empty()).then(|| Node { items, ..embed.node.clone() })
}

/// Whether a node's rows have no columns.
fn bare(node: &Node) -> bool {
    node.items.is_empty() && node.embeds.iter().all(|embed| embedded_columns(embed).is_empty())
}

/// What the outer select list takes from an embed.
pub(super) fn embedded_columns(embed: &Embed) -> Vec<String> {
    let alias = identifier(&embed.alias);
    let bare = bare(&embed.node);
    if bare && (embed.spread || embed.node.embeds.is_empty()) {
        return Vec::new();
    }
    if embed.spread {
        return vec![format!("{alias}.*")];
    }
    let name = identifier(&embed.name);
    if embed.to_one && bare {
        vec![format!("case when {alias}.\"present\" then '{{}}'::json end as {name}")]
    } else if embed.to_one {
        vec![format!("row_to_json({alias}.*) as {name}")]
    } else {
        vec![format!("coalesce({alias}.\"rows\", '[]') as {name}")]
    }
}

/// The source of an embedded node, and the condition that ties it to the outer row.
fn tie(outer: &Node, embed: &Embed, origin: Origin) -> (String, String) {
    let node = &embed.node;
    let (near, far) = (identifier(&outer.alias), identifier(&node.alias));
    let source = qualified(&node.relation.schema, &node.relation.name);
    match &embed.link {
        Link::ToOne { columns, .. } | Link::FromMany { columns, .. } => (source, equalities(&near, &far, columns)),
        Link::Through { junction_schema, junction_name, near: near_columns, far: far_columns, .. } => {
            // A row is there as often as the junction leads to it.
            let junction = identifier(&embed.junction);
            let both = format!(
                "{} and {}",
                equalities(&near, &junction, near_columns),
                equalities(&junction, &far, far_columns)
            );
            (format!("{} as {junction}, {source}", qualified(junction_schema, junction_name)), both)
        }
        Link::Computed { function_schema, function_name, .. } => {
            let row = match origin {
                Origin::Relation => format!("{near}.*"),
                Origin::Written => written_row(&outer.relation, &near),
            };
            (format!("{}({row})", qualified(function_schema, function_name)), "true".to_owned())
        }
    }
}

/// A written row as one of its relation, which a function can take.
fn written_row(relation: &Relation, alias: &str) -> String {
    let columns: Vec<String> = relation.columns.keys().map(|name| format!("{alias}.{}", identifier(name))).collect();
    format!("row({})::{}", columns.join(", "), qualified(&relation.schema, &relation.name))
}

fn equalities(left: &str, right: &str, columns: &[(String, String)]) -> String {
    let pairs: Vec<String> = columns
        .iter()
        .map(|(near, far)| format!("{left}.{} = {right}.{}", identifier(near), identifier(far)))
        .collect();
    pairs.join(" and ")
}

/// `limit` as a number, so that Postgres plans for it and plans once: a bound one looks as if it could be anything. `offset`, which changes
/// from page to page, is bound.
pub(super) fn window(statement: &mut Statement, window: Window) -> String {
    let mut sql = String::new();
    if let Some(limit) = window.limit {
        sql.push_str(&format!(" limit {limit}"));
    }
    if window.offset > 0 {
        sql.push_str(&format!(" offset {}::bigint", statement.bind(window.offset.to_string())));
    }
    sql
}

/// Columns of the root that a select list over written rows needs.
pub(super) fn needed_columns(node: &Node) -> Vec<String> {
    let mut needed: Vec<String> = Vec::new();
    let mut add = |name: &str| {
        if !needed.iter().any(|known| known == name) {
            needed.push(name.to_owned());
        }
    };
    for item in &node.items {
        match item {
            SelectItem::Column { field, .. } => add(&field.name),
            _ => node.relation.columns.keys().for_each(|name| add(name)),
        }
    }
    node.order.iter().filter(|term| term.relation.is_none()).for_each(|term| add(&term.field.name));
    for embed in &node.embeds {
        match &embed.link {
            Link::ToOne { columns, .. } | Link::FromMany { columns, .. } => {
                columns.iter().for_each(|(near, _)| add(near))
            }
            Link::Through { near, .. } => near.iter().for_each(|(near, _)| add(near)),
            Link::Computed { .. } => node.relation.columns.keys().for_each(|name| add(name)),
        }
    }
    needed
}
