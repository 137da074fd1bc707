//! The three-way merge: renames by lineage, then fact by fact and field by field, then the merged whole is checked.
//!
//! Plans are two-way from the target to the merged catalog, so what only the target changed is never touched. Migrations of the
//! source are recorded as rows; their structure arrives by the catalog difference, and their data statements are run again in
//! between (see [`crate::rows`]), because rows are what a catalog cannot show. The rehearsal decides whether both fit together.

mod collisions;
mod concurrent;
mod default_types;
mod describing;
mod drops;
mod facts;
mod hazards;
mod key_types;
mod linking;
mod lists;
mod locks;
mod membership;
mod naming;
mod notices;
mod objects;
mod options;
mod outcome;
mod overloads;
mod partitions;
mod patch;
mod rename_steps;
mod renames;
mod resolution;
mod restated;
mod rewriting;
mod security;
mod segments;
mod semantics;
mod typed;
mod under_parents;
mod undo;

pub use options::{Base, Choice, Options, ResolutionError, Resolutions};
pub(crate) use outcome::qualified;
pub use undo::{Undo, undo};

use std::collections::BTreeSet;
use std::iter::successors;

use hashbrown::HashMap;

use crate::catalog::{Catalog, Fact, MAX_DEPTH};
use crate::report::MergePlan;
use crate::rows;
use crate::shadow;
use crate::snapshot::Snapshot;

/// Merges what `source` changed since `base` into `target`, in one transaction that keeps nothing.
pub fn merge(base: &Snapshot, target: &Snapshot, source: &Snapshot) -> MergePlan {
    let inputs = Inputs { base_of_target: base, base_of_source: base, target, source };
    inputs.plan(&Options::default(), &HashMap::new()).plan
}

/// Merges what `source` changed since its base into `target`, as the options say.
pub fn merge_with(
    base: &Base,
    target: &Snapshot,
    source: &Snapshot,
    options: &Options,
) -> Result<MergePlan, ResolutionError> {
    if let Some(name) = options.keep_in.as_ref().filter(|name| !shadow::valid_name(name)) {
        return Err(ResolutionError::ShadowName(name.clone()));
    }
    let inputs = Inputs { base_of_target: &base.target, base_of_source: base.of_source(), target, source };
    let Some(resolutions) = &options.resolutions else { return Ok(inputs.plan(options, &HashMap::new()).plan) };
    let plain = inputs.plan(&Options::default(), &HashMap::new()).plan;
    if plain.plan_hash != resolutions.plan_hash {
        return Err(ResolutionError::Stale { expected: resolutions.plan_hash.clone(), found: plain.plan_hash });
    }
    let choices: HashMap<String, Choice> =
        resolutions.choices.iter().map(|(id, choice)| (id.clone(), choice.clone())).collect();
    let planned = inputs.plan(options, &choices);
    if let Some(error) = planned.unavailable {
        return Err(error);
    }
    let known: BTreeSet<&str> = plain.conflicts.iter().map(|conflict| conflict.id.as_str()).collect();
    let unknown: Vec<String> = resolutions
        .choices
        .keys()
        .filter(|id| !planned.used.contains(*id) && !known.contains(id.as_str()))
        .cloned()
        .collect();
    if unknown.is_empty() { Ok(planned.plan) } else { Err(ResolutionError::Unknown(unknown)) }
}

struct Inputs<'a> {
    base_of_target: &'a Snapshot,
    base_of_source: &'a Snapshot,
    target: &'a Snapshot,
    source: &'a Snapshot,
}

struct Planned {
    plan: MergePlan,
    used: BTreeSet<String>,
    unavailable: Option<ResolutionError>,
}

/// SQL that settles a conflict by hand.
pub(crate) struct CustomSql {
    pub(crate) id: String,
    pub(crate) sql: String,
}

impl Inputs<'_> {
    fn plan(&self, options: &Options, choices: &HashMap<String, Choice>) -> Planned {
        self.plan_with(options, choices, None)
    }

    fn plan_with(
        &self,
        options: &Options,
        choices: &HashMap<String, Choice>,
        restoring: Option<&undo::Restoring<'_>>,
    ) -> Planned {
        let sides = renames::Sides {
            base_of_target: &self.base_of_target.catalog,
            base_of_source: &self.base_of_source.catalog,
            target: &self.target.catalog,
            source: &self.source.catalog,
        };
        let mut aligned = renames::align(&sides, choices);
        let real_target = aligned.target.clone();
        membership::align(
            &mut [&mut aligned.base_of_target, &mut aligned.base_of_source, &mut aligned.target, &mut aligned.source],
            2,
        );
        let mut used: BTreeSet<String> = choices.keys().filter(|id| aligned.settled.contains(*id)).cloned().collect();
        let mut unavailable = None;
        // Decisions become part of the sides, and what they lead to is merged again, until no decision is left to take.
        let mut merged = loop {
            let mut merged = facts::merge(&aligned);
            merged.disagreements.extend(aligned.disagreements.iter().cloned());
            typed::complete(&mut merged.catalog, &aligned.target);
            partitions::complete(&mut merged.catalog);
            semantics::check(&aligned, &mut merged);
            let mut decided = false;
            for disagreement in &merged.disagreements {
                let id = disagreement.id();
                let Some(choice) = choices.get(&id) else { continue };
                if !used.insert(id.clone()) {
                    continue;
                }
                if disagreement.only_target && *choice == Choice::TakeSource {
                    unavailable.get_or_insert(ResolutionError::Unavailable {
                        id,
                        choice: choice.word().to_owned(),
                        reason: "two things cannot have one name".to_owned(),
                    });
                    continue;
                }
                decided = true;
                if *choice == Choice::TakeSource {
                    for root in &disagreement.source_roots {
                        patch::copy(&aligned.source, &mut aligned.target, root, &[]);
                    }
                } else {
                    for root in &disagreement.roots {
                        patch::copy(&aligned.target, &mut aligned.source, root, &[]);
                    }
                }
            }
            if !decided {
                merged.disagreements.retain(|disagreement| !used.contains(&disagreement.id()));
                break merged;
            }
            aligned.disagreements.retain(|disagreement| !used.contains(&disagreement.id()));
        };
        aligned.target = real_target;
        security::check(&aligned, &mut merged);
        notices::check(&aligned, &mut merged);
        resolution::check(&aligned, &mut merged);
        settle_roles(&mut merged.catalog);
        let rows = rows::merge(
            [self.base_of_target, self.base_of_source, self.target, self.source],
            choices,
            restoring.is_some(),
        );
        used.extend(rows.used.iter().cloned());
        let custom = choices
            .iter()
            .filter(|(id, _)| used.contains(*id))
            .filter_map(|(id, choice)| match choice {
                Choice::CustomSql { sql } => Some(CustomSql { id: id.clone(), sql: sql.clone() }),
                _ => None,
            })
            .collect();
        let plan =
            outcome::put_together(self.target, aligned, merged, rows, custom, &outcome::Asked { options, restoring });
        Planned { plan, used, unavailable }
    }
}

/// Statements about a part run as the merged owner of the whole.
fn settle_roles(catalog: &mut Catalog) {
    let settled: Vec<_> = catalog
        .iter()
        .filter_map(|fact| {
            let parent = |fact: &&Fact| fact.parent.as_ref().and_then(|parent| catalog.get(parent));
            let root = successors(Some(fact), parent).take(MAX_DEPTH).last().unwrap_or(fact);
            let owner = root.optional("owner")?;
            (fact.lineage.role.as_deref() != Some(owner)).then(|| (fact.identity.clone(), owner.to_owned()))
        })
        .collect();
    for (identity, owner) in settled {
        if let Some(mut fact) = catalog.remove(&identity) {
            fact.lineage.role = Some(owner);
            catalog.insert(fact);
        }
    }
}
