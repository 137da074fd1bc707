//! Indexes that are built while writers go on.
//!
//! Postgres builds those in no transaction, so each is a segment of its own. What stands on the target as it is comes first, while the
//! merge can still be given up and the index dropped again. What needs something that the merge itself makes comes last, and only where no
//! row can be in its way.

use super::renames::Aligned;
use super::segments::original;
use crate::catalog::{Catalog, Fact, Identity, Kind};
use crate::plan::Step;

/// What is built apart from the rest.
#[derive(Default)]
pub(super) struct Concurrent {
    /// Before the rest.
    pub(super) early: Vec<Fact>,
    /// After it.
    pub(super) late: Vec<Fact>,
}

impl Concurrent {
    /// Chooses among the new indexes of these tables of the target.
    pub(super) fn choose(target: &Catalog, aligned: &Aligned, merged: &Catalog, large_tables: &[String]) -> Self {
        let mut chosen = Self::default();
        if large_tables.is_empty() {
            return chosen;
        }
        for index in merged.iter().filter(|fact| fact.kind == Kind::Index && !aligned.target.contains(&fact.identity)) {
            let Some(table) = index.parent.as_ref().and_then(|table| aligned.target.get(table)) else { continue };
            let large = original(aligned, &table.identity).path().to_owned();
            if !large_tables.contains(&large) || !can_be_concurrent(index, table) {
                continue;
            }
            if stands_on(target, aligned, merged, index) {
                chosen.early.push(index.clone());
            } else if !index.flag("unique") && nothing_needs(merged, index) {
                chosen.late.push(index.clone());
            }
        }
        chosen
    }
}

/// Statements that build an index; the roles they run as own its table.
pub(super) fn step(index: &Fact) -> Step {
    let sql = index.text("definition").replacen(" INDEX ", " INDEX CONCURRENTLY ", 1);
    Step { sql, role: index.lineage.role.clone(), subject: index.identity.clone(), destructive: false, data: false }
}

/// Not on a partitioned table, as part of such an index, or with settings that follow in statements of their own.
fn can_be_concurrent(index: &Fact, table: &Fact) -> bool {
    matches!(table.kind, Kind::Table | Kind::MaterializedView)
        && table.optional("partition_key").is_none()
        && index.optional("of").is_none()
        && !index.flag("incomplete")
        && !index.fields.contains_key("statistics")
        && index.text("definition").contains(" INDEX ")
}

/// Whether everything that the index needs is there before the merge, under its final name, and stays as it is.
fn stands_on(target: &Catalog, aligned: &Aligned, merged: &Catalog, index: &Fact) -> bool {
    let named = |identity: &Identity| {
        aligned.target_names.iter().any(|(before, after)| before == identity || after == identity)
    };
    let same = |identity: &Identity| {
        let (now, then) = (target.get(identity), merged.get(identity));
        now.zip(then).is_some_and(|(now, then)| now.says_the_same(then)) && !named(identity)
    };
    let there = |identity: &Identity| target.contains(identity) && !named(identity);
    let free = !target.iter().any(|fact| {
        fact.identity.last() == index.identity.last() && fact.identity.names().first() == index.identity.names().first()
    });
    free && index.parent.as_ref().is_some_and(there)
        && index.depends_on.iter().all(|needed| {
            // The table itself may change in ways that its columns do not.
            index.parent.as_ref() == Some(needed) || same(needed)
        })
}

fn nothing_needs(merged: &Catalog, index: &Fact) -> bool {
    !merged
        .iter()
        .any(|fact| fact.depends_on.contains(&index.identity) || fact.parent.as_ref() == Some(&index.identity))
}
