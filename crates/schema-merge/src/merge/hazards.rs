//! What the statements of a plan do to rows and to those who use them, and which of it needs approval.

use std::collections::BTreeSet;

use super::locks::{Work, lock_of, work_of};
use super::options::Options;
use super::outcome::qualified;
use super::renames::Aligned;
use crate::catalog::{Identity, Kind};
use crate::plan::Step;
use crate::report::{HAZARD_CLASSES, Hazard, Object, Severity};
use crate::shadow::Shadow;

/// Hazards of the statements, one for each object and class.
pub(super) fn of_steps(aligned: &Aligned, steps: &[(Step, Object)], shadow: Option<&Shadow>) -> Vec<Hazard> {
    let mut found: Vec<Hazard> = Vec::new();
    let mut add = |hazard: Hazard| {
        match found.iter_mut().find(|known| known.id == hazard.id) {
            Some(known) => {
                known.severity = known.severity.max(hazard.severity);
                if !known.detail.contains(&hazard.detail) {
                    known.detail += &format!("; {}", hazard.detail);
                }
            }
            None => found.push(hazard),
        };
    };
    for (step, object) in steps {
        let name = format!("{} {}", object.kind, qualified(object));
        if step.destructive {
            let kept = shadow.is_some_and(|shadow| !shadow.is_empty() && shadow.lost.is_empty());
            let detail = if kept { format!("{} — kept for undo", step.sql) } else { step.sql.clone() };
            let hazard = Hazard::new("data_loss", &name, detail).lock(lock_of(&step.sql));
            add(if meant(aligned, &step.subject) { hazard } else { hazard.needs_approval() });
        }
        // Nobody waits for an object that is made by the same plan.
        let mut whole = &step.subject;
        while let Some(parent) = aligned.target.get(whole).and_then(|fact| fact.parent.as_ref()) {
            whole = parent;
        }
        let on = table_of(step.subject.clone(), aligned);
        if step.data || !aligned.target.contains(&on) {
            continue;
        }
        let first_line = step.sql.lines().next().unwrap_or_default();
        let lock = lock_of(&step.sql);
        match work_of(&step.sql) {
            Some(Work::Rewrite) => add(Hazard::new("table_rewrite", &name, first_line).lock(lock)),
            Some(Work::Index) => add(Hazard::new("index_build", &name, first_line).lock(lock)),
            Some(Work::Scan) => add(Hazard::new("long_exclusive_lock", &name, first_line).lock(lock)),
            None => {}
        }
    }
    found
}

/// The table that a statement about one of its parts locks.
fn table_of(identity: Identity, aligned: &Aligned) -> Identity {
    let names = identity.names();
    if names.len() >= 3 {
        return Identity::new(Kind::Table, format!("{}.{}", names[0], names[1]));
    }
    let merged =
        [&aligned.target, &aligned.source].into_iter().find_map(|catalog| catalog.get(&identity)?.parent.clone());
    merged.unwrap_or(identity)
}

/// True when the branch did it: it dropped the thing or what it was part of, or gave it another form. What a plan loses beyond that,
/// because a thing must be made anew or a decision takes it from the parent, the branch never saw.
fn meant(aligned: &Aligned, subject: &Identity) -> bool {
    let mut current = Some(subject.clone());
    while let Some(identity) = current {
        let (before, after) = (aligned.base_of_source.get(&identity), aligned.source.get(&identity));
        if let Some(before) = before {
            return after.is_none_or(|after| !after.says_the_same(before)) || parts_changed(aligned, &identity);
        }
        current = aligned.target.get(&identity).and_then(|fact| fact.parent.clone());
    }
    false
}

/// An enum is a fact of its own, a column's default and a composite's attributes are parts.
fn parts_changed(aligned: &Aligned, identity: &Identity) -> bool {
    aligned
        .base_of_source
        .iter()
        .filter(|fact| fact.parent.as_ref() == Some(identity))
        .any(|part| aligned.source.get(&part.identity).is_none_or(|now| !now.says_the_same(part)))
}

/// Applies the policy: what needs approval by itself does, in a strict merge every class of danger does, and what was approved is.
pub(super) fn settle(hazards: &mut [Hazard], options: &Options) {
    let approved: BTreeSet<&str> = options.approve.iter().map(String::as_str).collect();
    for hazard in hazards {
        if options.strict && HAZARD_CLASSES.contains(&hazard.class.as_str()) {
            hazard.severity = Severity::NeedsApproval;
        }
        hazard.approved = hazard.severity == Severity::NeedsApproval
            && [hazard.id.as_str(), hazard.class.as_str(), "all"].iter().any(|name| approved.contains(name));
    }
}
