//! A plan that keeps what it would drop, for an undo: things with rows or values are moved into a shadow schema, and the values of
//! columns that go or change are copied there with their table's key.
//!
//! The order of the plan stays: by the time something goes, nothing that stays stands on it. What it keeps standing on itself and
//! what goes by a statement of its own is taken off before it moves.

use std::collections::BTreeSet;

use hashbrown::{HashMap, HashSet};

use super::Step;
use crate::catalog::{Catalog, Fact, Identity, Kind, quote_identifier};
use crate::shadow::{KeptColumn, KeptObject, Shadow};

struct Keeper<'a> {
    from: &'a Catalog,
    to: &'a Catalog,
    shadow: Shadow,
    /// Subjects of the plan's own statements.
    explicit: HashSet<Identity>,
    /// Types that are made anew under their name.
    rebuilt: HashSet<Identity>,
    children: HashMap<&'a Identity, Vec<&'a Fact>>,
    /// Owners of the columns that are copied: copying may run their code, so it is done with their rights and no others.
    copiers: BTreeSet<String>,
    steps: Vec<Step>,
}

/// Replaces what loses by what keeps.
pub(super) fn keep(from: &Catalog, to: &Catalog, steps: Vec<Step>, name: &str) -> (Vec<Step>, Shadow) {
    let mut children: HashMap<&Identity, Vec<&Fact>> = HashMap::new();
    for fact in from.iter() {
        if let Some(parent) = &fact.parent {
            children.entry(parent).or_default().push(fact);
        }
    }
    let renamed = steps.iter().filter(|step| step.sql.starts_with("alter type ") && step.sql.contains(" rename to "));
    let mut keeper = Keeper {
        from,
        to,
        shadow: Shadow { name: name.to_owned(), ..Shadow::default() },
        explicit: steps.iter().map(|step| step.subject.clone()).collect(),
        rebuilt: renamed.map(|step| step.subject.clone()).collect(),
        children,
        copiers: BTreeSet::new(),
        steps: Vec::new(),
    };
    for step in steps {
        keeper.step(step);
    }
    let Keeper { mut steps, shadow, copiers, .. } = keeper;
    let subject = steps.first().map(|step| step.subject.clone());
    if let Some(subject) = &subject {
        for role in &copiers {
            steps.insert(0, session(subject, lend(&shadow.name, role)));
            steps.push(session(subject, take_back(&shadow.name, role)));
        }
    }
    for schema in shadow.schemas.iter().rev() {
        if let Some(subject) = &subject {
            steps.insert(0, session(subject, format!("create schema if not exists {}", schema.name)));
        }
    }
    (steps, shadow)
}

fn session(subject: &Identity, sql: String) -> Step {
    Step { sql, role: None, subject: subject.clone(), destructive: false, data: false }
}

/// Lets a role work in the shadow's schema for the length of a plan.
pub(crate) fn lend(schema: &str, role: &str) -> String {
    format!("grant usage, create on schema {schema} to {}", quote_identifier(role))
}

/// Undoes [`lend`].
pub(crate) fn take_back(schema: &str, role: &str) -> String {
    format!("revoke all on schema {schema} from {}", quote_identifier(role))
}

impl<'a> Keeper<'a> {
    fn step(&mut self, step: Step) {
        let Some(fact) = self.from.get(&step.subject).filter(|_| !step.data) else {
            self.steps.push(step);
            return;
        };
        let drops = step.sql.starts_with("drop ");
        match fact.kind {
            Kind::Table | Kind::Sequence | Kind::Enum | Kind::Domain | Kind::Composite | Kind::Range
                if drops && !self.rebuilt.contains(&fact.identity) =>
            {
                self.move_away(fact, step);
            }
            Kind::Column if step.destructive && step.sql.contains(" drop column ") => {
                self.copy(fact, step, None);
            }
            Kind::Column if step.destructive && step.sql.contains(" type ") => {
                let became = self.to.get(&fact.identity).map(|column| column.text("type").to_owned());
                self.copy(fact, step, became);
            }
            _ => self.steps.push(step),
        }
    }

    fn subtree(&self, root: &'a Fact) -> Vec<&'a Fact> {
        let (mut found, mut queue, mut seen) = (Vec::new(), vec![root], HashSet::new());
        while let Some(fact) = queue.pop() {
            if !seen.insert(&fact.identity) {
                continue;
            }
            found.push(fact);
            queue.extend(self.children.get(&fact.identity).into_iter().flatten());
        }
        found
    }

    /// True when the thing will not be there any more under its identity, or be another one.
    fn goes(&self, identity: &Identity) -> bool {
        !self.to.contains(identity)
            || self.rebuilt.contains(identity)
            || self.explicit.contains(identity)
                && self.from.get(identity).is_some_and(|fact| fact.kind == Kind::Extension)
    }

    fn move_away(&mut self, fact: &'a Fact, step: Step) {
        let parts = self.subtree(fact);
        let own: HashSet<&Identity> = parts.iter().map(|part| &part.identity).collect();
        let holds =
            parts.iter().filter(|part| part.kind == Kind::Column).flat_map(|part| &part.depends_on).find(|needed| {
                !own.contains(needed)
                    && self.goes(needed)
                    && (needed.kind_word() == "extension"
                        || self.rebuilt.contains(*needed)
                        || needed.kind_word() == "collation")
            });
        if let Some(held) = holds {
            self.shadow
                .lost
                .push(format!("{} with its rows, because its columns stand on {held}, which goes", fact.identity));
            self.steps.push(step);
            return;
        }
        let mut taken_off: BTreeSet<&Identity> = BTreeSet::new();
        for part in &parts {
            if part.identity != fact.identity && self.explicit.contains(&part.identity) && part.kind != Kind::Grant {
                taken_off.extend(self.subtree(part).into_iter().map(|part| &part.identity));
                continue;
            }
            let (table, name) = (part.identity.prefix(), part.identity.last());
            match part.kind {
                // A key to a table that stays would keep its rows from being deleted.
                Kind::Constraint if part.text("type") == "foreign" => {
                    taken_off.extend(self.subtree(part).into_iter().map(|part| &part.identity));
                    self.steps.push(self.as_owner(part, format!("alter table {table} drop constraint {name}")));
                }
                Kind::Column
                    if part.optional("generated").is_some()
                        && part.depends_on.iter().any(|needed| !own.contains(needed) && self.goes(needed)) =>
                {
                    taken_off.extend(self.subtree(part).into_iter().map(|part| &part.identity));
                    self.steps
                        .push(self.as_owner(part, format!("alter table {table} alter column {name} drop expression")));
                }
                _ => {}
            }
        }
        let schema = fact.identity.names()[0].to_owned();
        let shadow = self.shadow.schema_for(Some(&schema));
        let word = match fact.kind {
            Kind::Table => "table",
            Kind::Sequence => "sequence",
            Kind::Domain => "domain",
            _ => "type",
        };
        self.steps.push(Step {
            sql: format!("alter {word} {} set schema {shadow}", fact.identity.path()),
            role: None,
            ..step
        });
        let mut came: Vec<Identity> = own.into_iter().filter(|part| !taken_off.contains(part)).cloned().collect();
        came.sort_unstable();
        self.shadow.objects.push(KeptObject {
            fact: fact.identity.clone(),
            at: format!("{shadow}.{}", fact.identity.last()),
            parts: came,
        });
    }

    fn as_owner(&self, part: &Fact, sql: String) -> Step {
        Step { sql, role: part.lineage.role.clone(), subject: part.identity.clone(), destructive: false, data: false }
    }

    /// Columns that tell the rows of a table apart, before and after.
    fn key(&self, table: &Identity, except: &Identity) -> Option<Vec<&'a Fact>> {
        let mut keys: Vec<&Fact> = self
            .children
            .get(table)
            .into_iter()
            .flatten()
            .filter(|fact| fact.kind == Kind::Constraint && matches!(fact.text("type"), "primary" | "unique"))
            .copied()
            .collect();
        keys.sort_by_key(|fact| (fact.text("type") != "primary", &fact.identity));
        keys.into_iter().find_map(|key| {
            if !self.to.contains(&key.identity) {
                return None;
            }
            let columns: Vec<&Fact> = key
                .depends_on
                .iter()
                .filter_map(|needed| self.from.get(needed))
                .filter(|column| column.kind == Kind::Column && column.parent.as_ref() == Some(table))
                .collect();
            let usable = !columns.is_empty()
                && columns.iter().all(|column| {
                    column.flag("not_null")
                        && column.identity != *except
                        && self.to.get(&column.identity).is_some_and(|now| now.text("type") == column.text("type"))
                });
            usable.then_some(columns)
        })
    }

    fn copy(&mut self, column: &'a Fact, step: Step, became: Option<String>) {
        let Some(table) = column.parent.as_ref() else {
            self.steps.push(step);
            return;
        };
        if column.optional("generated").is_some() {
            self.steps.push(step);
            return;
        }
        let Some(key) = self.key(table, &column.identity) else {
            self.shadow
                .lost
                .push(format!("the values of {}, because no key tells the rows of its table apart", column.identity));
            self.steps.push(step);
            return;
        };
        let shadow = self.shadow.schema_for(None);
        let at = format!("{shadow}.c{}", self.shadow.columns.len() + 1);
        let (path, name) = (table.path().to_owned(), column.identity.last().to_owned());
        let selected: Vec<String> =
            key.iter().enumerate().map(|(index, part)| format!("{} as k{}", part.identity.last(), index + 1)).collect();
        let names: Vec<String> = (1..=key.len()).map(|number| format!("k{number}")).collect();
        let matches: Vec<String> = key
            .iter()
            .enumerate()
            .map(|(index, part)| format!("t.{} = s.k{}", part.identity.last(), index + 1))
            .collect();
        let subject = column.identity.clone();
        self.copiers.extend(column.lineage.role.clone());
        let by_owner = |sql: String| self.as_owner(column, sql);
        let mut steps = vec![
            by_owner(format!("lock table {path} in access exclusive mode")),
            by_owner(format!("create table {at} as select {}, {name}::text as was from {path}", selected.join(", "))),
            by_owner(format!("alter table {at} add primary key ({})", names.join(", "))),
            step,
        ];
        if became.is_some() {
            steps.push(by_owner(format!("alter table {at} add column became text")));
            steps.push(by_owner(format!(
                "update {at} s set became = t.{name}::text from {path} t where {}",
                matches.join(" and ")
            )));
        }
        self.steps.extend(steps);
        self.shadow.columns.push(KeptColumn {
            column: subject,
            at,
            key: key.iter().map(|part| part.identity.clone()).collect(),
            was: column.text("type").to_owned(),
            became,
        });
    }
}
