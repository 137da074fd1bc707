//! Indexes that are built, and constraints that are validated, while writers go on.
//!
//! Postgres builds such indexes in no transaction, so each is a segment of its own. What stands on the target as it is comes first, while
//! the merge can still be given up and the index dropped again. What needs something that the merge itself makes comes last, and only where
//! no row can be in its way. Checks and foreign keys are added without a look at the rows there are, and validated in a second segment, which
//! nobody waits for; only ever before the rest, since rows may be in its way.

use super::renames::Aligned;
use super::segments::original;
use crate::catalog::{Catalog, Fact, Identity, Inherited, Kind};
use crate::ddl;
use crate::plan::Step;

/// What is built apart from the rest.
#[derive(Default)]
pub(super) struct Concurrent {
    /// Indexes before the rest.
    pub(super) early: Vec<Fact>,
    /// Constraints before the rest.
    pub(super) constraints: Vec<Fact>,
    /// Indexes after it.
    pub(super) late: Vec<Fact>,
}

impl Concurrent {
    /// Chooses among the new indexes of these tables of the target, and among their constraints unless data statements may only fit these
    /// when they have all run.
    pub(super) fn choose(
        target: &Catalog,
        aligned: &Aligned,
        merged: &Catalog,
        large_tables: &[String],
        with_data: bool,
    ) -> Self {
        let mut chosen = Self::default();
        if large_tables.is_empty() {
            return chosen;
        }
        let large = |fact: &Fact| {
            let table = fact.parent.as_ref().and_then(|table| aligned.target.get(table));
            table.filter(|table| large_tables.iter().any(|large| large == original(aligned, &table.identity).path()))
        };
        let new = |kind: Kind| {
            let new = move |fact: &&Fact| fact.kind == kind && !aligned.target.contains(&fact.identity);
            merged.iter().filter(new).filter_map(|fact| Some((fact, large(fact)?)))
        };
        for (constraint, table) in new(Kind::Constraint).filter(|_| !with_data) {
            if can_be_validated_apart(constraint, table, merged) && stands_on(target, aligned, merged, constraint) {
                chosen.constraints.push(constraint.clone());
            }
        }
        for (index, table) in new(Kind::Index) {
            if !can_be_concurrent(index, table) {
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

/// The constraint before it is validated.
pub(super) fn not_valid(constraint: &Fact) -> Fact {
    let mut added = constraint.clone();
    added.fields.insert("validated".to_owned(), false.into());
    added
}

/// The statements that add constraints without a look at the rows, and those that validate them. Two segments for all of them: writers
/// wait for the first, and only once.
pub(super) fn constraint_steps(constraints: &[Fact]) -> [Vec<Step>; 2] {
    let step = |constraint: &Fact, sql: String| Step {
        sql,
        role: constraint.lineage.role.clone(),
        subject: constraint.identity.clone(),
        destructive: false,
        data: false,
    };
    let added = constraints.iter().flat_map(|constraint| {
        ddl::create(&not_valid(constraint)).into_iter().map(move |piece| step(constraint, piece.sql))
    });
    let validated = constraints.iter().map(|constraint| {
        let (table, name) = (constraint.identity.prefix(), constraint.identity.last());
        step(constraint, format!("alter table {table} validate constraint {name}"))
    });
    [added.collect(), validated.collect()]
}

/// A valid check or foreign key of one table, which reaches no other table and refers to nothing of another role's.
fn can_be_validated_apart(constraint: &Fact, table: &Fact, merged: &Catalog) -> bool {
    let plain = |table: &Fact| table.kind == Kind::Table && table.optional("partition_key").is_none();
    let mut tables = constraint.depends_on.iter().filter_map(|needed| merged.table_of(needed));
    matches!(constraint.text("type"), "check" | "foreign")
        && constraint.flag("validated")
        && !constraint.flag("not_enforced")
        && constraint.optional("of").is_none()
        && constraint.lineage.inherited == Inherited::No
        && plain(table)
        && tables.all(|other| plain(other) && other.text("owner") == table.text("owner"))
        && !merged.iter().any(|link| {
            matches!(link.kind, Kind::Partition | Kind::Inheritance)
                && (link.parent.as_ref() == Some(&table.identity) || link.text("of") == table.identity.path())
        })
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

/// Whether everything that an index or a constraint needs is there before the merge, under its final name, and stays as it is.
fn stands_on(target: &Catalog, aligned: &Aligned, merged: &Catalog, index: &Fact) -> bool {
    let named = |identity: &Identity| {
        aligned.target_names.iter().any(|(before, after)| before == identity || after == identity)
    };
    let same = |identity: &Identity| {
        let (now, then) = (target.get(identity), merged.get(identity));
        now.zip(then).is_some_and(|(now, then)| now.says_the_same(then)) && !named(identity)
    };
    let there = |identity: &Identity| target.contains(identity) && !named(identity);
    let free = index.kind != Kind::Index
        || !target.iter().any(|fact| {
            fact.identity.last() == index.identity.last()
                && fact.identity.names().first() == index.identity.names().first()
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
