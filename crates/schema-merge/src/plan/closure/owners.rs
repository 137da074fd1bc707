//! Tables of different roles, of which one is under the other.

use hashbrown::HashMap;

use super::Search;
use crate::catalog::{Fact, Identity, Kind};
use crate::plan::Unsupported;

impl Search<'_> {
    /// What reaches a child with its parent's change is refused where another role owns the child.
    pub(super) fn children_of_others(&mut self) {
        let owner = |table: &Identity| {
            [self.from, self.to].map(|catalog| catalog.get(table).map(|fact| fact.text("owner").to_owned()))
        };
        let others = self.families.kept().filter(|(child, parent)| owner(child) != owner(parent));
        let others: HashMap<&Identity, &Identity> = others.map(|(child, parent)| (parent, child)).collect();
        if others.is_empty() {
            return;
        }
        let changes = |fact: &Fact| {
            self.found.altered.contains(&fact.identity)
                || self.found.gone.contains(&fact.identity)
                || !self.from.contains(&fact.identity)
        };
        let mut refused = Vec::new();
        for fact in self.from.iter().chain(self.to.iter()).filter(|fact| changes(fact)) {
            let table = match fact.kind {
                Kind::Column | Kind::Constraint => fact.parent.as_ref(),
                Kind::Default => fact.parent.as_ref().and_then(|column| self.from.get(column)?.parent.as_ref()),
                _ => None,
            };
            let Some((child, table)) = table.and_then(|table| Some((others.get(table)?, table))) else { continue };
            if !self.found.gone.contains(table) {
                let reason = format!("it changes {child} too, which belongs to another role");
                refused.push(Unsupported::about(&fact.identity, reason));
            }
        }
        self.found.unsupported.extend(refused);
    }

    /// Who puts one table under another must own both.
    pub(super) fn links_to_others(&mut self) {
        let owner = |table: &Identity| self.to.get(table).map(|table| table.text("owner"));
        let mut refused = Vec::new();
        for link in self.to.iter().filter(|fact| matches!(fact.kind, Kind::Partition | Kind::Inheritance)) {
            let there = |identity: &Identity| self.from.contains(identity) && !self.found.gone.contains(identity);
            let Some(child) = &link.parent else { continue };
            let with_table = link.kind == Kind::Inheritance && !there(child);
            if there(&link.identity) || with_table {
                continue;
            }
            if let Some(parent) = link.depends_on.iter().find(|table| owner(table) != owner(child)) {
                let reason =
                    format!("only who owns both tables may put it under {parent}, which belongs to another role");
                refused.push(Unsupported::about(child, reason));
            }
        }
        self.found.unsupported.extend(refused);
    }
}
