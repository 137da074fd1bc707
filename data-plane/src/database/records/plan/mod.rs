//! A request resolved against the schema cache: a tree of relations, each with what is selected, tested and ordered there.

mod embedding;

use std::sync::Arc;

use super::{
    error::Error,
    query::{Condition, OrderTerm, Query, SelectItem, Window},
};
use crate::database::schema_cache::{Link, Relation, SchemaCache};

/// Bytes of a name that Postgres keeps.
const MAX_IDENTIFIER: usize = 63;

/// One relation of the request.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// The relation itself.
    pub(crate) relation: Arc<Relation>,
    /// Its alias in the statement. Postgres' messages name it, so it says which relation is meant.
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
    /// Alias of the junction between the two, where there is one.
    pub(crate) junction: String,
    /// The embedded relation.
    pub(crate) node: Node,
}

impl Node {
    /// Resolves the query for a relation, which has this alias in the statement.
    pub(crate) fn build(
        cache: &SchemaCache,
        relation: &Arc<Relation>,
        alias: &str,
        query: &Query,
    ) -> Result<Self, Error> {
        let mut naming = Naming { root: alias.to_owned(), count: 0 };
        let mut root = Self::select(cache, relation, alias.to_owned(), &query.select, &mut naming, 1)?;
        for (path, condition) in &query.filters {
            root.descend(path)?.conditions.push(condition.clone());
        }
        for (path, terms) in &query.order {
            root.descend(path)?.order.extend_from_slice(terms);
        }
        for (path, window) in &query.windows {
            root.descend(path)?.window = *window;
        }
        Ok(root)
    }

    fn select(
        cache: &SchemaCache,
        relation: &Arc<Relation>,
        alias: String,
        items: &[SelectItem],
        naming: &mut Naming,
        depth: usize,
    ) -> Result<Self, Error> {
        let mut node = Self {
            relation: Arc::clone(relation),
            alias,
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
                    let name = request.alias.as_ref().unwrap_or(&request.relation);
                    naming.count += 1;
                    let own = naming.alias('r', format!("{}_{depth}", target.name));
                    let alias = naming.alias('e', format!("{}_{name}_{depth}", relation.name));
                    let junction = naming.alias('j', format!("j{}", naming.count));
                    let to_one = relationship.to_one();
                    if request.spread && !to_one {
                        return Err(spread_of_many(&relation.name, &request.relation));
                    }
                    node.embeds.push(Embed {
                        name: name.clone(),
                        written: request.relation.clone(),
                        link: relationship.link,
                        to_one,
                        inner: request.inner,
                        spread: request.spread,
                        alias,
                        junction,
                        node: Self::select(cache, target, own, &request.items, naming, depth + 1)?,
                    });
                }
                column => node.items.push(column.clone()),
            }
        }
        Ok(node)
    }

    /// Takes the limits off its embeds: a total counts rows whose counterparts no page shows.
    pub(crate) fn open_windows(&mut self) {
        for embed in &mut self.embeds {
            embed.node.window = Window::default();
            embed.node.open_windows();
        }
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

/// Gives aliases that cannot be mistaken for the root relation.
struct Naming {
    root: String,
    count: usize,
}

impl Naming {
    /// The alias wanted; a short one of its own when Postgres would cut it or when it is the root's.
    fn alias(&self, kind: char, wanted: String) -> String {
        if wanted.len() <= MAX_IDENTIFIER && wanted != self.root {
            return wanted;
        }
        let short = format!("{kind}{}", self.count);
        if short == self.root { format!("{short}_") } else { short }
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
