//! The way back from a merge: a merge in the other direction that takes from the shadow what the first one kept.
//!
//! Base is the target after the merge, source the target before it, and the target is what it is now, so what was changed on it since
//! stays, and a clash is a conflict as ever. What the undo itself would drop is kept like anything else: rows written since into tables
//! that the merge had added are in the undo's own shadow.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use super::options::{Options, ResolutionError};
use super::renames::Aligned;
use super::{Inputs, rename_steps};
use crate::access::DefaultPrivileges;
use crate::catalog::{Catalog, Fact, Identity, Kind, quote_identifier, split_path};
use crate::plan::{Step, Unsupported, lend, take_back};
use crate::report::{Action, MergePlan, ObjectType};
use crate::rows;
use crate::shadow::{self, KeptColumn, Shadow, back_function};
use crate::snapshot::Snapshot;

/// How a merge is taken back.
#[derive(Clone, Debug)]
pub struct Undo {
    /// Leads to what the target was, with what was changed since.
    pub strict: MergePlan,
    /// The same with restored columns left nullable that have to have a value and have none in rows written since; for when `strict`
    /// fails with SQLSTATE 23502. Absent where nothing would differ.
    pub relaxed: Option<MergePlan>,
    /// What cannot come back, for a person.
    pub lost: Vec<String>,
}

/// Plans to take a merge back.
///
/// `before` and `after` are the target around the merge, `now` is the target at present, `shadow` is what the merge kept, and `keep_in`
/// names the undo's own shadow.
pub fn undo(
    before: &Snapshot,
    after: &Snapshot,
    now: &Snapshot,
    shadow: &Shadow,
    keep_in: &str,
) -> Result<Undo, ResolutionError> {
    if !shadow::valid_name(keep_in) {
        return Err(ResolutionError::ShadowName(keep_in.to_owned()));
    }
    let inputs = Inputs { base_of_target: after, base_of_source: after, target: now, source: before };
    let options = Options { keep_in: Some(keep_in.to_owned()), approve: vec!["all".to_owned()], ..Options::default() };
    let plan = |relax: bool| inputs.plan_with(&options, &HashMap::new(), Some(&Restoring { shadow, relax })).plan;
    let strict = plan(false);
    let relaxed = Some(plan(true)).filter(|relaxed| relaxed.predicted_hash != strict.predicted_hash);
    let mut lost = shadow.lost.clone();
    lost.extend(rows::stay_changed(before, after));
    for change in strict.changes.iter().filter(|change| change.object.object_type == ObjectType::ConfigRow) {
        if change.action == Action::Drop {
            lost.push(format!("{}.{}", change.object.schema, change.object.object));
        }
    }
    Ok(Undo { strict, relaxed, lost })
}

/// What an undo plan takes from a shadow.
pub(super) struct Restoring<'a> {
    shadow: &'a Shadow,
    /// Restored columns stay nullable.
    relax: bool,
}

/// A plan's beginning with restored things in place, and what its steps must become.
pub(super) struct Restored {
    /// What the catalogs lead from, once the first steps have run.
    pub(super) from: Catalog,
    /// What the planner shall lead to: like the merged catalog, with restored columns nullable until they are filled.
    pub(super) to: Catalog,
    pub(super) steps: Vec<Step>,
    pub(super) unsupported: Vec<Unsupported>,
    columns: Vec<(KeptColumn, Fact)>,
}

fn step(subject: &Identity, role: Option<String>, sql: String) -> Step {
    Step { sql, role, subject: subject.clone(), destructive: false, data: false }
}

impl Restoring<'_> {
    /// Puts back what was moved, and prepares for what was copied.
    pub(super) fn begin(&self, aligned: &Aligned, from: &Catalog, merged: &mut Catalog) -> Restored {
        let named = |identity: &Identity| aligned.source_names.get(identity).unwrap_or(identity).clone();
        let mut restored = Restored {
            from: from.clone(),
            to: Catalog::default(),
            steps: Vec::new(),
            unsupported: Vec::new(),
            columns: Vec::new(),
        };
        let mut schemas: BTreeSet<String> = BTreeSet::new();
        for object in &self.shadow.objects {
            let identity = named(&object.fact);
            let Some(fact) = aligned.source.get(&identity).filter(|_| merged.contains(&identity)) else { continue };
            let name = crate::plan::relation_name(fact);
            let taken = from.iter().find(|other| {
                other.identity == identity
                    || crate::plan::relation_name(other).is_some() && crate::plan::relation_name(other) == name
            });
            if let Some(other) = taken {
                let reason = format!("it cannot come back while its name belongs to {}", other.identity);
                restored.unsupported.push(Unsupported::about(&identity, reason));
                continue;
            }
            let schema = identity.names()[0].to_owned();
            let home = Identity::new(Kind::Schema, &schema);
            if !restored.from.contains(&home)
                && let Some(home) = merged.get(&home).cloned()
                && schemas.insert(schema.clone())
            {
                restored.steps.push(rename_steps::create_schema(&home));
                for grant in DefaultPrivileges::of(from).initial_grants(&home, true) {
                    restored.from.insert(grant);
                }
                restored.from.insert(home);
            }
            let word = match fact.kind {
                Kind::Table => "table",
                Kind::Sequence => "sequence",
                Kind::Domain => "domain",
                _ => "type",
            };
            restored.steps.push(step(&identity, None, format!("alter {word} {} set schema {schema}", object.at)));
            for part in object.parts.iter().map(&named) {
                if let Some(part) = aligned.source.get(&part) {
                    restored.from.insert(part.clone());
                }
            }
        }
        let mut nullable = Vec::new();
        for kept in &self.shadow.columns {
            let identity = named(&kept.column);
            let Some(column) = merged.get(&identity).cloned() else { continue };
            let mut kept = kept.clone();
            kept.key = kept.key.iter().map(&named).collect();
            let keys_stand = kept.key.iter().all(|key| from.contains(key));
            if !keys_stand {
                let reason = "the key that tells its rows apart is gone";
                restored.unsupported.push(Unsupported::about(&identity, reason));
                continue;
            }
            let new = !restored.from.contains(&identity);
            if new && column.flag("not_null") && column.fields.get("identity").is_none_or(serde_json::Value::is_null) {
                nullable.push(identity.clone());
            }
            // Giving values back may run the owner's code, so it is done with the owner's rights.
            if let Some(role) = &column.lineage.role {
                let grant = format!("grant select on {} to {}", kept.at, quote_identifier(role));
                restored.steps.push(step(&identity, None, lend(split_path(&kept.at)[0], role)));
                restored.steps.push(step(&identity, None, grant));
            }
            restored.columns.push((kept, column));
        }
        let in_key: BTreeSet<Identity> = merged
            .iter()
            .filter(|fact| fact.kind == Kind::Constraint && fact.text("type") == "primary")
            .flat_map(|fact| fact.depends_on.iter().cloned())
            .collect();
        let has_default =
            |column: &Identity, catalog: &Catalog| catalog.contains(&Identity::new(Kind::Default, column.path()));
        if self.relax {
            for identity in nullable.iter().filter(|identity| !in_key.contains(identity)) {
                if !has_default(identity, merged) {
                    set_nullable(merged, identity);
                }
            }
        }
        restored.to = merged.clone();
        for identity in &nullable {
            set_nullable(&mut restored.to, identity);
        }
        restored
    }
}

fn set_nullable(catalog: &mut Catalog, column: &Identity) {
    if let Some(mut fact) = catalog.remove(column) {
        fact.fields.insert("not_null".to_owned(), false.into());
        catalog.insert(fact);
    }
}

impl Restored {
    /// Fills restored columns where the plan adds them, and converts with their old values where it changes their types.
    pub(super) fn fill(&self, planned: Vec<Step>, merged: &Catalog) -> Vec<Step> {
        let mut steps = Vec::new();
        for planned in planned {
            let kept = self.columns.iter().find(|(_, column)| column.identity == planned.subject && !planned.data);
            let Some((kept, column)) = kept else {
                steps.push(planned);
                continue;
            };
            let (table, name) = (column.identity.prefix(), column.identity.last());
            let alter = format!("alter table {table} alter column {name} type ");
            if planned.sql.starts_with(&format!("alter table {table} add column {name} ")) {
                let role = column.lineage.role.clone();
                steps.push(planned);
                steps.push(step(&column.identity, role.clone(), give_back(kept)));
                steps.push(step(&column.identity, role.clone(), self.convert(kept, column)));
                if merged.get(&column.identity).is_some_and(|column| column.flag("not_null"))
                    && self.to.get(&column.identity).is_some_and(|column| !column.flag("not_null"))
                {
                    steps.push(step(
                        &column.identity,
                        role.clone(),
                        format!("alter table {table} alter column {name} set not null"),
                    ));
                }
                if let Some(sequence) =
                    column.fields.get("identity").and_then(|identity| identity.get("sequence")?.as_str())
                {
                    let literal = crate::ddl::literal(sequence);
                    steps.push(step(&column.identity, role, format!("select pg_catalog.setval({literal}, max({name})) from {table} having max({name}) is not null")));
                }
            } else if planned.sql.starts_with(&alter) && kept.became.is_some() {
                let role = column.lineage.role.clone();
                steps.push(step(&column.identity, role.clone(), give_back(kept)));
                steps.push(Step { sql: self.convert(kept, column), role, ..planned });
            } else {
                steps.push(planned);
            }
        }
        for (kept, column) in &self.columns {
            if let Some(role) = &column.lineage.role {
                steps.push(step(&column.identity, None, take_back(split_path(&kept.at)[0], role)));
            }
        }
        steps
    }

    /// A change of type alone, so that no trigger, rule or policy sees it.
    fn convert(&self, kept: &KeptColumn, column: &Fact) -> String {
        let (table, name, to) = (column.identity.prefix(), column.identity.last(), column.text("type"));
        let collation =
            column.optional("collation").map(|collation| format!(" collate {collation}")).unwrap_or_default();
        let keys: Vec<&str> = kept.key.iter().map(Identity::last).collect();
        let schema = split_path(&kept.at)[0];
        format!(
            "alter table {table} alter column {name} type {to}{collation} using ({schema}.{}({}, {name}::text))::{to}",
            back_function(kept),
            keys.join(", ")
        )
    }
}

/// The function that knows what a row's value was: it gives it back unless the row has been given another one since.
fn give_back(kept: &KeptColumn) -> String {
    let schema = split_path(&kept.at)[0];
    let (at, count) = (&kept.at, kept.key.len());
    let arguments: Vec<String> = (1..=count).map(|number| format!("{at}.k{number}%type")).collect();
    let same: Vec<String> = (1..=count).map(|number| format!("s.k{number} = ${number}")).collect();
    let now = count + 1;
    let unchanged =
        if kept.became.is_some() { format!(" and kept.became is not distinct from ${now}") } else { String::new() };
    format!(
        "create function {schema}.{}({}, text) returns text language plpgsql stable as $body$\ndeclare kept {at}%rowtype;\nbegin\n  select s.* into kept from {at} s where {};\n  if found{unchanged} then return kept.was; end if;\n  return ${now};\nend $body$",
        back_function(kept),
        arguments.join(", "),
        same.join(" and ")
    )
}
