//! Statements that must be committed before others can run.
//!
//! Postgres does not let a transaction use an enum label that it added. Such labels are added in a first segment of their own, under
//! the names that the target has; everything else follows in the second. Either may be repeated: each starts from a known catalog.

use serde_json::Value;

use super::renames::Aligned;
use crate::catalog::{Catalog, Fact, Identity, Kind};
use crate::ddl;
use crate::plan::Step;

/// The labels to be added first, and the catalog they lead to.
pub(super) struct First {
    pub(super) steps: Vec<Step>,
    /// The target with them, under its own names.
    pub(super) catalog: Catalog,
    /// The target with them, under final names.
    pub(super) aligned: Catalog,
}

pub(super) fn first(target: &Catalog, aligned: &Aligned, merged: &Catalog, data: &[Step]) -> Option<First> {
    let used = used_at_once(&aligned.target, merged, data);
    let mut first = First { steps: Vec::new(), catalog: target.clone(), aligned: aligned.target.clone() };
    for identity in used {
        let (Some(old), Some(new)) = (aligned.target.get(&identity), merged.get(&identity)) else { continue };
        let original = original(aligned, &identity);
        let Some(own) = target.get(&original).filter(|own| own.kind == Kind::Enum) else { continue };
        // Where labels are renamed too, positions are named by labels that do not exist yet.
        if own.list("labels") != old.list("labels") {
            continue;
        }
        let labels: Vec<&str> = new.list("labels");
        let Some(additions) = ddl::enum_additions(&original, &own.list("labels"), &labels) else { continue };
        let mut with = own.clone();
        with.fields.insert("labels".to_owned(), labels.into());
        first.catalog.insert(with);
        let mut with = old.clone();
        with.fields.insert("labels".to_owned(), new.fields.get("labels").cloned().unwrap_or_default());
        let role = old.lineage.role.clone();
        first.aligned.insert(with);
        first.steps.extend(additions.into_iter().map(|sql| Step {
            sql,
            role: role.clone(),
            subject: identity.clone(),
            destructive: false,
            data: false,
        }));
    }
    (!first.steps.is_empty()).then_some(first)
}

/// Enums with new labels that a statement of the same plan uses.
fn used_at_once(from: &Catalog, to: &Catalog, data: &[Step]) -> Vec<Identity> {
    let mut found = Vec::new();
    for new in to.iter().filter(|fact| fact.kind == Kind::Enum) {
        let Some(old) = from.get(&new.identity) else { continue };
        let known = old.list("labels");
        let literals: Vec<String> =
            new.list("labels").into_iter().filter(|label| !known.contains(label)).map(ddl::literal).collect();
        let said = |fact: &Fact| {
            let texts = || fact.fields.values().filter_map(Value::as_str);
            texts().any(|text| literals.iter().any(|literal| text.contains(literal)))
                && texts().any(|text| text.contains(new.identity.path()))
        };
        let used = literals.iter().any(|literal| data.iter().any(|step| step.sql.contains(literal)))
            || to.iter().any(|fact| {
                fact.kind != Kind::Enum
                    && fact.kind != Kind::Comment
                    && from.get(&fact.identity).is_none_or(|old| !old.says_the_same(fact))
                    && said(fact)
            });
        if used && !literals.is_empty() {
            found.push(new.identity.clone());
        }
    }
    found
}

fn original(aligned: &Aligned, identity: &Identity) -> Identity {
    aligned
        .target_names
        .iter()
        .find(|(_, now)| *now == identity)
        .map_or_else(|| identity.clone(), |(original, _)| original.clone())
}
