//! What one side dropped and the other changed.

use std::collections::BTreeMap;

use super::facts::{Disagreement, Sides, differing};
use super::renames::Aligned;
use crate::catalog::{Catalog, Identity, Kind, function_name};

/// Drops against changes, gathered under the topmost thing that was dropped.
pub(super) struct Drops<'a> {
    pub(super) aligned: &'a Aligned,
    pub(super) found: BTreeMap<(bool, Identity), Disagreement>,
}

impl<'a> Drops<'a> {
    pub(super) fn of(aligned: &'a Aligned) -> Self {
        Self { aligned, found: BTreeMap::new() }
    }

    pub(super) fn add(&mut self, identity: &Identity, sides: &Sides<'_>, by_source: bool) {
        let (dropper, keeper) = if by_source {
            (&self.aligned.source, &self.aligned.target)
        } else {
            (&self.aligned.target, &self.aligned.source)
        };
        let mut root = identity.clone();
        while let Some(parent) = keeper.get(&root).and_then(|fact| fact.parent.clone()) {
            if dropper.contains(&parent) {
                break;
            }
            root = parent;
        }
        let (by, changer) = if by_source { ("branch", "parent") } else { ("parent", "branch") };
        let class = if signature_changed(dropper, keeper, &root) { "C15" } else { "S10" };
        let found = self.found.entry((by_source, root.clone())).or_insert_with(|| {
            let mut found = Disagreement::about(&root, class, String::new());
            found.source_roots = vec![root.clone()];
            found
        });
        found.fields.extend(differing(identity, sides));
        let mut changed: Vec<&str> = found.fields.iter().map(|entry| entry.fact.as_str()).collect();
        changed.dedup();
        found.hint = if class == "C15" {
            format!(
                "The {by} gave {root} another signature, while the {changer} changed it. Make the change in the new function, or keep the old one."
            )
        } else if changed == [root.as_str()] {
            format!(
                "The {by} dropped {root}, which the {changer} changed. Decide which of the two stands and repeat it on the branch."
            )
        } else {
            format!(
                "The {by} dropped {root}, while the {changer} changed {}. Decide which of the two stands and repeat it on the branch.",
                changed.join(", ")
            )
        };
    }
}

/// True when the dropped function has a successor of the same name that was not there before.
fn signature_changed(dropper: &Catalog, keeper: &Catalog, root: &Identity) -> bool {
    root.kind_word() == "function"
        && dropper.iter().any(|fact| {
            fact.kind == Kind::Function
                && function_name(fact.identity.path()) == function_name(root.path())
                && !keeper.contains(&fact.identity)
        })
}
