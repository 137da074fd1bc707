//! Keys that take over a unique index that is there, and so need none to be built.

use super::nodes::Builder;
use crate::catalog::{Fact, Identity, Kind};
use crate::ddl::{self, Piece};

impl Builder<'_> {
    /// Lets new keys adopt indexes that would be dropped. Postgres gives the index the key's name.
    pub(super) fn adopt_indexes(&mut self) {
        let mut free: Vec<(&Fact, usize)> = self
            .from
            .iter()
            .filter(|fact| fact.kind == Kind::Index && fact.flag("unique") && !self.to.contains(&fact.identity))
            .filter(|index| self.stays_put(index))
            .filter_map(|index| Some((index, *self.dropping.get(&index.identity)?)))
            .collect();
        if free.is_empty() {
            return;
        }
        let keys: Vec<(&Fact, usize)> = self
            .to
            .iter()
            .filter(|fact| fact.kind == Kind::Constraint && matches!(fact.text("type"), "primary" | "unique"))
            .filter_map(|key| Some((key, *self.creating.get(&key.identity)?)))
            .collect();
        for (key, creating) in keys {
            // An index of the key's own name before any other.
            let own = |index: &Fact| index.identity.last() == key.identity.last();
            let fitting = |(index, _): &(&Fact, usize)| index.parent == key.parent && adoptable(index, key);
            let found =
                free.iter().position(|entry| fitting(entry) && own(entry.0)).or_else(|| free.iter().position(fitting));
            let Some((index, dropping)) = found.map(|at| free.remove(at)) else { continue };
            self.nodes[dropping].pieces.clear();
            self.nodes[creating].pieces = vec![Piece::after_data(ddl::adopt_index(key, index))];
        }
    }

    /// True when the index would be there still if no statement dropped it.
    fn stays_put(&self, index: &Fact) -> bool {
        let stays = |needed: &Identity| !self.closure.gone.contains(needed);
        // A comment would stay with the index.
        !self.from.contains(&Identity::about(Kind::Comment, &index.identity, ""))
            && index.optional("of").is_none()
            && index.parent.as_ref().is_some_and(stays)
            && index.depends_on.iter().all(stays)
            && index
                .parent
                .as_ref()
                .and_then(|table| self.from.get(table))
                .is_some_and(|table| table.optional("partition_key").is_none())
    }
}

/// True when the index is over the very columns of the key, in their default order, and neither has settings.
fn adoptable(index: &Fact, key: &Fact) -> bool {
    let columns = index.text("definition").split_once(" USING btree (").map(|(_, columns)| columns);
    let wanted = ["PRIMARY KEY (", "UNIQUE ("].iter().find_map(|word| key.text("definition").strip_prefix(word));
    columns.is_some()
        && columns == wanted
        && !key.flag("deferrable")
        && key.optional("of").is_none()
        && key.list("options").is_empty()
        && index.fields.get("statistics").is_none()
}
