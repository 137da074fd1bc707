//! From one catalog to another: the statements in an order in which each can run.
//!
//! What must be dropped and made again is found first ([`closure`]), then every fact that changes becomes a node with its
//! statements ([`nodes`], [`grants`]), and one graph orders them ([`graph`]): tear-down follows the dependencies of the old state,
//! building those of the new one. Nothing cascades; dependents come back with owner, grants and comments because those are facts.

mod adopting;
mod attaching;
mod closure;
mod conversion;
mod creating;
mod cycles;
mod families;
mod following;
mod generators;
mod grants;
mod graph;
mod keeping;
mod moved;
mod nodes;
mod overloads;
mod persistence;
mod sequences;
mod typed;
mod types;

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Identity};
use crate::shadow::Shadow;

/// What a plan cannot do; a plan with any of these must not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsupported {
    /// Kind of the object, such as `materialized_view`.
    pub kind: String,
    /// Its schema, empty when it lives in none.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Why, for a person.
    pub reason: String,
}

impl Unsupported {
    /// About a fact.
    pub(crate) fn about(identity: &Identity, reason: impl Into<String>) -> Self {
        let (kind, path) = match identity.as_str().split_once(':') {
            Some(("unmodelled", rest)) => rest.split_once(':').unwrap_or(("unmodelled", rest)),
            Some(parts) => parts,
            None => ("object", identity.as_str()),
        };
        let names = crate::catalog::split_path(path);
        let (schema, name) = match names.as_slice() {
            [schema, rest @ ..] if !rest.is_empty() => (crate::catalog::unquote_identifier(schema), rest.join(".")),
            _ => (String::new(), path.to_owned()),
        };
        Self { kind: kind.to_owned(), schema, name, reason: reason.into() }
    }
}

/// One statement of a plan with the fact it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// SQL without a semicolon.
    pub sql: String,
    /// The role to take on, `None` for the session's own.
    pub role: Option<String>,
    /// The fact it creates, changes or drops.
    pub subject: Identity,
    /// True when rows or values are lost by it.
    pub destructive: bool,
    /// True for the data statements the plan was given.
    pub data: bool,
}

/// Statements in execution order, and what is in their way.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In execution order.
    pub steps: Vec<Step>,
    /// When not empty the steps do not lead to the wanted catalog.
    pub unsupported: Vec<Unsupported>,
    /// What is kept for an undo, where the plan was asked to keep.
    pub shadow: Option<Shadow>,
}

/// Plans the way from one catalog to another. Running the steps in one transaction leads to a catalog that says what `to` says.
pub fn two_way(from: &Catalog, to: &Catalog) -> Plan {
    with_data(from, to, &[])
}

/// Like [`two_way`], with data statements run after new structure is there and before old structure goes and constraints close.
pub fn with_data(from: &Catalog, to: &Catalog, data: &[Step]) -> Plan {
    let (from, to) = (families::spelled_out(from), families::spelled_out(to));
    let from = moved::followed(from, &to);
    let mut families = families::Families::of(&from, &to);
    let mut closure = closure::compute(&from, &to, &families, data);
    if families.lose(&closure.gone) {
        closure = closure::compute(&from, &to, &families, data);
    }
    let mut builder = nodes::Builder::new(&from, &to, families, closure, !data.is_empty());
    builder.drops();
    builder.creates();
    builder.alters();
    builder.adopt_indexes();
    builder.leave_owned_sequences();
    builder.raise_sequences();
    builder.attach_indexes();
    builder.carry_generators();
    grants::plan(&mut builder);
    builder.edges();
    builder.link_edges();
    builder.typed_edges();
    builder.persistence_edges();
    builder.overload_edges();
    builder.break_circles();
    builder.data(data);
    builder.finish()
}

/// Like [`with_data`], with what would be dropped moved into a shadow schema of this name instead.
pub(crate) fn keeping(from: &Catalog, to: &Catalog, data: &[Step], keep_in: Option<&str>) -> Plan {
    let plan = with_data(from, to, data);
    let Some(name) = keep_in else { return plan };
    let (steps, shadow) = keeping::keep(from, to, plan.steps, name);
    Plan { steps, shadow: Some(shadow), ..plan }
}

pub(crate) use families::spelled_out;
pub(crate) use keeping::{lend, take_back};
pub(crate) use nodes::{relation_name, widens};
