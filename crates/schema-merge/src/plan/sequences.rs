//! Sequences that begin to number a column that has rows start behind the highest value there.

use serde_json::Value;

use super::nodes::{BUILD, Builder, LATE};
use crate::catalog::{Fact, Kind};
use crate::ddl::{self, Piece};

impl Builder<'_> {
    /// A sequence that a column owns changes hands with the column's table, and not by itself; what else changes on it does so before.
    pub(super) fn leave_owned_sequences(&mut self) {
        let (from, to) = (self.from, self.to);
        let links =
            from.iter().filter(|link| link.kind == Kind::OwnedBy && !self.closure.gone.contains(&link.identity));
        for link in links.filter(|link| to.contains(&link.identity)) {
            let Some(sequence) = link.parent.as_ref().and_then(|sequence| self.altering.get(sequence)).copied() else {
                continue;
            };
            let table = link.depends_on.iter().filter_map(|needed| from.get(needed)?.parent.as_ref()).next();
            let Some(table) = table.and_then(|table| self.altering.get(table)).copied() else { continue };
            self.nodes[sequence].pieces.retain(|piece| !(piece.session && piece.sql.contains(" owner to ")));
            self.edges.push((sequence, table));
        }
    }

    /// New generators of old columns: identities that were added, and new sequences that a column owns.
    pub(super) fn raise_sequences(&mut self) {
        let (from, to) = (self.from, self.to);
        let kept = |column: &Fact| from.contains(&column.identity) && !self.is_created(&column.identity);
        let mut found: Vec<(&Fact, String, &Fact, usize)> = Vec::new();
        for fact in to.iter() {
            match fact.kind {
                Kind::Column if kept(fact) => {
                    let before = from.get(&fact.identity).and_then(sequence_of);
                    let (Some(node), Some(name), None) = (self.altering.get(&fact.identity), sequence_of(fact), before)
                    else {
                        continue;
                    };
                    found.push((fact, name, fact, *node));
                }
                Kind::OwnedBy => {
                    let column = fact
                        .depends_on
                        .iter()
                        .find_map(|needed| to.get(needed).filter(|column| column.kind == Kind::Column && kept(column)));
                    let sequence = fact.parent.as_ref().filter(|sequence| self.is_created(sequence));
                    let sequence = sequence.and_then(|sequence| to.get(sequence));
                    if let (Some(column), Some(sequence), Some(node)) =
                        (column, sequence, self.creating.get(&fact.identity))
                    {
                        found.push((column, sequence.identity.path().to_owned(), sequence, *node));
                    }
                }
                _ => {}
            }
        }
        for (column, name, options, after) in found {
            let Some(sql) = raise(column, &name, options) else { continue };
            let phase = if self.with_data { LATE } else { BUILD };
            let node = self.push(column, phase, None, vec![Piece { after_data: true, ..Piece::session(sql) }], false);
            self.edges.push((after, node));
        }
    }
}

fn sequence_of(column: &Fact) -> Option<String> {
    Some(column.fields.get("identity")?.get("sequence")?.as_str()?.to_owned())
}

/// `setval` to the value furthest in the sequence's direction, where the sequence is not beyond it already.
fn raise(column: &Fact, sequence: &str, options: &Fact) -> Option<String> {
    if !matches!(column.text("type"), "smallint" | "integer" | "bigint") {
        return None;
    }
    let within = options.fields.get("identity").filter(|value| value.is_object());
    let number = |field: &str| {
        let value = within.map_or_else(|| options.fields.get(field), |identity| identity.get(field));
        value.and_then(Value::as_i64)
    };
    let (minimum, maximum) = (number("minimum")?, number("maximum")?);
    let (edge, beyond) = if number("increment")? < 0 { ("min", "<") } else { ("max", ">") };
    Some(format!(
        "select pg_catalog.setval({}, edge) from (select {edge}({}) as edge from {}) as held, {sequence} \
         where (edge {beyond} last_value or edge = last_value and not is_called) and edge between {minimum} and {maximum}",
        ddl::literal(sequence),
        column.identity.last(),
        column.identity.prefix()
    ))
}
