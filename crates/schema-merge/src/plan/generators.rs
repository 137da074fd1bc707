//! Columns that keep their next value when a serial becomes an identity, or an identity a serial.

use hashbrown::HashMap;

use super::nodes::{BUILD, Builder, free_name};
use crate::catalog::{Catalog, Fact, Identity, Kind};
use crate::ddl::{self, Piece};

impl Builder<'_> {
    /// Carries the next value over from the old sequence to the new one, which may have the same name.
    pub(super) fn carry_generators(&mut self) {
        let (owned_before, owned_after) = (owned(self.from), owned(self.to));
        let columns: Vec<(Identity, usize)> = self
            .altering
            .iter()
            .filter(|(identity, _)| identity.as_str().starts_with("column:"))
            .map(|(identity, node)| (identity.clone(), *node))
            .collect();
        for (column, node) in columns {
            let (Some(old), Some(new)) = (self.from.get(&column), self.to.get(&column)) else { continue };
            match (sequence_of(old), sequence_of(new)) {
                (None, Some(identity)) => {
                    let serial = owned_before.get(&column).filter(|sequence| self.dropping.contains_key(*sequence));
                    if let Some(serial) = serial.cloned() {
                        self.becomes_identity(&serial, &identity, new, node);
                    }
                }
                (Some(identity), None) => {
                    let serial = owned_after.get(&column).filter(|sequence| self.creating.contains_key(*sequence));
                    if let Some(serial) = serial.cloned() {
                        self.becomes_serial(&identity, &serial, node);
                    }
                }
                _ => {}
            }
        }
    }

    fn becomes_identity(&mut self, serial: &Identity, identity: &str, column: &Fact, node: usize) {
        let Some(dropping) = self.dropping.get(serial).copied() else { return };
        let aside = free_name(self.from, serial);
        let gone = format!("{}.{aside}", serial.prefix());
        self.nodes[dropping].pieces = vec![Piece::new(format!("alter sequence {} rename to {aside}", serial.path()))];
        self.nodes[dropping].destructive = false;
        let bounds = column.fields.get("identity").cloned().unwrap_or_default();
        let carry = carry(identity, &gone, &bounds["minimum"], &bounds["maximum"]);
        let pieces = &mut self.nodes[node].pieces;
        let place =
            pieces.iter().position(|piece| piece.sql.contains(" add generated ")).map_or(pieces.len(), |at| at + 1);
        pieces.insert(place, carry);
        let role = self.nodes[dropping].role.clone();
        let last = self.push(column, BUILD, role, vec![Piece::new(format!("drop sequence {gone}"))], false);
        self.edges.extend([(dropping, node), (node, last)]);
    }

    fn becomes_serial(&mut self, identity: &str, serial: &Identity, node: usize) {
        let (Some(creating), Some(sequence)) = (self.creating.get(serial).copied(), self.to.get(serial)) else {
            return;
        };
        let old = Identity::new(Kind::Sequence, identity);
        let aside = free_name(self.from, &old);
        let gone = format!("{}.{aside}", old.prefix());
        let null = serde_json::Value::Null;
        let bound = |field: &str| sequence.fields.get(field).unwrap_or(&null);
        let carry = carry(serial.path(), &gone, bound("minimum"), bound("maximum"));
        let pieces = &mut self.nodes[creating].pieces;
        pieces.insert(0, Piece::new(format!("alter sequence {identity} rename to {aside}")));
        pieces.push(carry);
        self.edges.push((creating, node));
    }
}

/// Sequences by the column that owns them.
fn owned(catalog: &Catalog) -> HashMap<Identity, Identity> {
    catalog
        .iter()
        .filter(|fact| fact.kind == Kind::OwnedBy)
        .filter_map(|fact| Some((Identity::new(Kind::Column, fact.text("column")), fact.parent.clone()?)))
        .collect()
}

fn sequence_of(column: &Fact) -> Option<String> {
    Some(column.fields.get("identity")?.get("sequence")?.as_str()?.to_owned())
}

fn carry(to: &str, from: &str, minimum: &serde_json::Value, maximum: &serde_json::Value) -> Piece {
    Piece::new(format!(
        "select pg_catalog.setval({}, least(greatest(old.last_value, {minimum}), {maximum}), old.is_called) from {from} old",
        ddl::literal(to)
    ))
}
