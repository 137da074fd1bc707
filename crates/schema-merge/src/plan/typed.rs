//! Tables of a composite type. Postgres changes neither their columns nor the type's attributes while they are tied together, so the
//! tie is undone before either changes and made again afterwards. Nothing cascades from the type to its tables.

use super::nodes::Builder;
use crate::catalog::{Catalog, Fact, Identity, Kind};

/// Parts of a table or type, in the order of their names.
fn parts<'c>(catalog: &'c Catalog, kind: Kind, whole: &str) -> impl Iterator<Item = &'c Fact> {
    let prefix = format!("{}:{whole}.", kind.word());
    let start = Identity::from_text(prefix.clone());
    catalog.range_from(&start).take_while(move |fact| fact.identity.as_str().starts_with(&prefix))
}

/// The columns and attributes that a tie is between.
fn tied<'c>(tie: &'c Fact, catalog: &'c Catalog) -> impl Iterator<Item = &'c Fact> {
    parts(catalog, Kind::Column, tie.identity.path()).chain(parts(catalog, Kind::Attribute, tie.text("of")))
}

/// True when a column of the table or an attribute of the type comes, goes or gets another type.
pub(super) fn reshaped(tie: &Fact, from: &Catalog, to: &Catalog) -> bool {
    let shape = |catalog| {
        tied(tie, catalog)
            .map(|part| (&part.identity, part.text("type"), part.optional("collation")))
            .collect::<Vec<_>>()
    };
    shape(from) != shape(to)
}

impl Builder<'_> {
    /// Ties are undone before, and made after, everything that happens to what they tie.
    pub(super) fn typed_edges(&mut self) {
        let mut edges = Vec::new();
        for (ties, others, first) in [(self.from, self.to, true), (self.to, self.from, false)] {
            for tie in ties.iter().filter(|fact| fact.kind == Kind::TypedTable) {
                let nodes = if first { &self.dropping } else { &self.creating };
                let Some(node) = nodes.get(&tie.identity).copied() else { continue };
                for part in tied(tie, ties).chain(tied(tie, others)) {
                    let touched = [&self.dropping, &self.altering, &self.creating];
                    let work = touched.into_iter().filter_map(|nodes| nodes.get(&part.identity)).copied();
                    edges.extend(work.map(|other| if first { (node, other) } else { (other, node) }));
                }
            }
        }
        self.edges.extend(edges.into_iter().filter(|(first, then)| first != then));
    }
}
