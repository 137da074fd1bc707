//! What must hold for any three catalogs.

use schema_merge::plan::two_way;
use schema_merge::{Catalog, Fact, Identity, Kind, MergePlan, Snapshot};

use crate::database::{merged, with_catalog};

/// The laws that these catalogs and their merge break.
pub(crate) fn broken(base: &Catalog, target: &Catalog, source: &Catalog, plan: &MergePlan) -> Vec<String> {
    let mut broken = Vec::new();
    let mut law = |holds: bool, name: &str| {
        if !holds {
            broken.push(format!("broken law: {name}"));
        }
    };
    let [base, target, source] = [base, target, source].map(with_catalog);
    law(two_way(&target.catalog, &target.catalog).steps.is_empty(), "plan(X→X) is empty");
    let nothing = merged(&base, &target, &base);
    law(
        nothing.statements.is_empty() && nothing.predicted_hash == target.catalog.hash() && !nothing.blocked(),
        "merge(B,T,B)=T",
    );
    let fast_forward = merged(&base, &base, &source);
    law(fast_forward.blocked() || fast_forward.predicted_hash == source.catalog.hash(), "merge(B,B,S)=S");
    law(fast_forward.conflicts.is_empty(), &format!("merge(B,B,S) has no conflict, but {:?}", fast_forward.conflicts));
    let converged = merged(&base, &source, &source);
    law(converged.statements.is_empty() && !converged.blocked(), "merge(B,S,S)=S");
    let mirrored = merged(&base, &source, &target);
    let modelled = [&target, &source].iter().all(|side| unmodelled(side) == unmodelled(&base));
    law(
        !modelled || mirrored.conflicts.is_empty() == plan.conflicts.is_empty(),
        &format!("conflicts are symmetric, but mirrored: {:?}", mirrored.conflicts),
    );
    if !plan.blocked() {
        if mirrored.unsupported.is_empty() && !one_sided(plan) && !one_sided(&mirrored) {
            law(
                mirrored.predicted_hash == plan.predicted_hash || only_order(&mirrored.predicted, &plan.predicted),
                "merge(B,T,S) and merge(B,S,T) lead to the same",
            );
        }
        let lost = lost(&base.catalog, &target.catalog, &source.catalog, plan);
        law(one_sided(plan) || lost.is_empty(), &format!("every one-sided change is there once, but not {lost:?}"));
    }
    broken
}

/// Once merged there is nothing left to merge; said of the catalog that was reached, not of the predicted one.
pub(crate) fn repeated(base: &Catalog, reached: &Catalog, source: &Catalog) -> Option<String> {
    // The base has no default of its own to tell which of the two is newer.
    if reached.iter().any(|fact| released(fact, base, reached) && source.get(&fact.identity).is_some()) {
        return None;
    }
    let [base, reached, source] = [base, reached, source].map(with_catalog);
    let again = merged(&base, &reached, &source);
    let left: Vec<_> = again.statements.iter().map(|statement| statement.sql.as_str()).collect();
    (!left.is_empty() || again.blocked())
        .then(|| format!("broken law: merging twice is a no-op, but {left:?} {:?}", again.conflicts))
}

/// A default that was said of an inherited column, and became the column's own when its table left its parent.
fn released(fact: &Fact, base: &Catalog, reached: &Catalog) -> bool {
    let column = match fact.kind {
        Kind::Default | Kind::InheritedColumn => Identity::new(Kind::Column, fact.identity.path()),
        _ => return false,
    };
    let link = Identity::new(Kind::Partition, column.prefix());
    !base.contains(&column) && base.contains(&link) && reached.contains(&column) && !reached.contains(&link)
}

fn unmodelled(side: &Snapshot) -> Vec<String> {
    side.catalog.iter().filter(|fact| fact.kind == Kind::Unmodelled).map(Fact::hash).collect()
}

/// Where two things are one under two names the target's name stays, and what only the source made gets the merged default privileges.
fn one_sided(plan: &MergePlan) -> bool {
    plan.hazards.iter().any(|hazard| matches!(hazard.rule.as_deref(), Some("C19" | "C20")))
}

/// Labels that both sides added at one place keep the target's order, and a comment stays as the target has it, or has it no more.
fn only_order(left: &Catalog, right: &Catalog) -> bool {
    left.differences(right).iter().all(|line| line.starts_with("~ enum:") || line[2..].starts_with("comment:"))
}

/// Facts that one side alone changed and that the merged catalog has otherwise; nothing may be resurrected either.
///
/// Renames change identities, so a catalog in which a rename happened is not looked at: the prediction itself is proved elsewhere.
fn lost(base: &Catalog, target: &Catalog, source: &Catalog, plan: &MergePlan) -> Vec<String> {
    let renamed = [target, source].iter().any(|side| {
        side.iter().any(|fact| {
            fact.lineage.object.is_some()
                && base.iter().any(|old| old.lineage.object == fact.lineage.object && old.identity != fact.identity)
        })
    });
    if renamed {
        return Vec::new();
    }
    // A part of a key whose table left stands by itself, whatever it was a part of.
    let left = |fact: &Fact| {
        matches!(fact.kind, Kind::Index | Kind::Constraint)
            && fact
                .parent
                .as_ref()
                .is_some_and(|table| !plan.predicted.contains(&Identity::new(Kind::Partition, table.path())))
    };
    // A part of a key or an index goes with the whole.
    let went_with_whole = |fact: &Fact| {
        fact.optional("of").is_some()
            && fact.depends_on.iter().any(|on| on.kind_word() == fact.kind.word() && !plan.predicted.contains(on))
            && !plan.predicted.contains(&fact.identity)
    };
    let state = |catalog: &Catalog, fact: &Fact| {
        catalog.get(&fact.identity).map(|found| {
            let mut found = found.clone();
            if left(&found) {
                found.fields.shift_remove("of");
            }
            found.hash()
        })
    };
    let mut lost = Vec::new();
    for fact in base.iter().chain(target.iter()).chain(source.iter()) {
        if matches!(fact.kind, Kind::Grant | Kind::Comment)
            || released(fact, base, &plan.predicted)
            || went_with_whole(fact)
        {
            continue;
        }
        let (old, theirs, ours) = (state(base, fact), state(target, fact), state(source, fact));
        let reached = state(&plan.predicted, fact);
        let wanted = match (theirs == old, ours == old) {
            (true, false) => ours,
            (false, true) | (true, true) => theirs,
            (false, false) if ours == theirs => theirs,
            (false, false) => continue,
        };
        if reached != wanted {
            lost.push(fact.identity.to_string());
        }
    }
    lost
}
