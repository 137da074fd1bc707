//! The three-way merge: renames by lineage, then fact by fact and field by field, then the merged whole is checked.
//!
//! Plans are two-way from the target to the merged catalog, so what only the target changed is never touched. Migrations of the
//! source are recorded as rows; their structure arrives by the catalog difference, and their data statements are run again in
//! between (see [`crate::rows`]), because rows are what a catalog cannot show. The rehearsal decides whether both fit together.

mod facts;
mod lists;
mod objects;
mod outcome;
mod renames;
mod rewriting;
mod semantics;

pub(crate) use outcome::qualified;

use crate::catalog::Catalog;
use crate::report::MergePlan;
use crate::rows;
use crate::snapshot::Snapshot;

/// Merges what `source` changed since `base` into `target`.
pub fn merge(base: &Snapshot, target: &Snapshot, source: &Snapshot) -> MergePlan {
    let mut aligned = renames::align(&base.catalog, &target.catalog, &source.catalog);
    let mut merged = facts::merge(&aligned.base, &aligned.target, &aligned.source);
    merged.disagreements.append(&mut aligned.disagreements);
    semantics::check(&aligned, &mut merged);
    settle_roles(&mut merged.catalog);
    let rows = rows::merge(base, target, source);
    outcome::put_together(target, aligned, merged, rows)
}

/// Statements about a part run as the merged owner of the whole.
fn settle_roles(catalog: &mut Catalog) {
    let settled: Vec<_> = catalog
        .iter()
        .filter_map(|fact| {
            let mut root = fact;
            while let Some(parent) = root.parent.as_ref().and_then(|parent| catalog.get(parent)) {
                root = parent;
            }
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
