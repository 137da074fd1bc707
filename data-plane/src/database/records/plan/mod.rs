//! A request resolved against the schema cache: a tree of relations, each with what is selected, tested and ordered there.

mod embedding;

use std::sync::Arc;

use super::{
    error::Error,
    query::{Condition, OrderTerm, Query, SelectItem, Window},
};
use crate::database::schema_cache::{Link, Relation, SchemaCache};

/// One relation of the request.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The relation itself.
    pub(crate) relation: Arc<Relation>,
    /// Its alias in the statement; unique.
    pub(crate) alias: String,
    /// Selected columns; embeds are apart.
    pub(crate) items: Vec<SelectItem>,
    /// Embedded relations.
    pub(crate) embeds: Vec<Embed>,
    /// Conditions, all of which hold.
    pub(crate) conditions: Vec<Condition>,
    /// Ordering.
    pub(crate) order: Vec<OrderTerm>,
    /// Limit and offset.
    pub(crate) window: Window,
}

/// A relation embedded in another.
#[derive(Clone, Debug)]
pub(crate) struct Embed {
    /// Its key in the result and in filters.
    pub(crate) name: String,
    /// Name of the relation as written; filters may use it too.
    pub(crate) written: String,
    /// How the two are connected.
    pub(crate) link: Link,
    /// True when at most one row is embedded.
    pub(crate) to_one: bool,
    /// Rows without a counterpart are left out.
    pub(crate) inner: bool,
    /// Its columns become columns of the outer row.
    pub(crate) spread: bool,
    /// Alias of the joined subquery.
    pub(crate) alias: String,
    /// The embedded relation.
    pub(crate) node: Node,
}

impl Node {
    /// Resolves the query for a relation.
    pub(crate) fn build(cache: &SchemaCache, relation: &Arc<Relation>, query: &Query) -> Result<Self, Error> {
        let mut count = 0;
        let mut root = Self::select(cache, relation, &query.select, &mut count)?;
        for (path, condition) in &query.filters {
            root.descend(path)?.conditions.push(condition.clone());
        }
        for (path, terms) in &query.order {
            root.descend(path)?.order.clone_from(terms);
        }
        for (path, window) in &query.windows {
            root.descend(path)?.window = *window;
        }
        Ok(root)
    }

    fn select(
        cache: &SchemaCache,
        relation: &Arc<Relation>,
        items: &[SelectItem],
        count: &mut usize,
    ) -> Result<Self, Error> {
        let mut node = Self {
            relation: Arc::clone(relation),
            alias: format!("r{count}"),
            items: Vec::new(),
            embeds: Vec::new(),
            conditions: Vec::new(),
            order: Vec::new(),
            window: Window::default(),
        };
        for item in items {
            match item {
                SelectItem::Aggregate => {
                    return Err(Error::new(400, "PGRST123", "Use of aggregate functions is not allowed"));
                }
                SelectItem::Embed(request) => {
                    let relationship = embedding::resolve(cache, relation, request)?;
                    let target = cache
                        .relation(&relationship.foreign_schema, &relationship.foreign_name)
                        .ok_or_else(|| Error::no_relation(&relationship.foreign_schema, &relationship.foreign_name))?;
                    *count += 1;
                    let alias = format!("e{count}");
                    let to_one = relationship.to_one();
                    if request.spread && !to_one {
                        return Err(spread_of_many(&relation.name, &request.relation));
                    }
                    node.embeds.push(Embed {
                        name: request.alias.clone().unwrap_or_else(|| request.relation.clone()),
                        written: request.relation.clone(),
                        link: relationship.link,
                        to_one,
                        inner: request.inner,
                        spread: request.spread,
                        alias,
                        node: Self::select(cache, target, &request.items, count)?,
                    });
                }
                column => node.items.push(column.clone()),
            }
        }
        Ok(node)
    }

    /// The embed a filter or ordering means by `name`.
    pub(crate) fn embed(&self, name: &str) -> Option<&Embed> {
        let by_name = self.embeds.iter().find(|embed| embed.name == name);
        by_name.or_else(|| self.embeds.iter().find(|embed| embed.written == name))
    }

    fn descend(&mut self, path: &[String]) -> Result<&mut Self, Error> {
        let Some((name, rest)) = path.split_first() else { return Ok(self) };
        let position = self
            .embeds
            .iter()
            .position(|embed| embed.name == *name)
            .or_else(|| self.embeds.iter().position(|embed| embed.written == *name));
        match position {
            Some(position) => self.embeds[position].node.descend(rest),
            None => Err(not_embedded(name)),
        }
    }
}

/// The error for a parameter about a relation that `select` does not embed.
pub(crate) fn not_embedded(name: &str) -> Error {
    Error::new(400, "PGRST108", format!("'{name}' is not an embedded resource in this request"))
        .hint(format!("Verify that '{name}' is included in the 'select' query parameter."))
}

fn spread_of_many(origin: &str, target: &str) -> Error {
    Error::new(400, "PGRST119", format!("A spread operation on '{target}' is not possible"))
        .details(format!("'{origin}' and '{target}' do not form a many-to-one or one-to-one relationship"))
}
