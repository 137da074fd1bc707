//! What a merge keeps for its undo: a shadow schema in the target.
//!
//! Tables, sequences and types that go are moved there whole, into one schema for each schema they came from, so that names cannot
//! meet. Values of columns that go, or that a new type may change, are copied with their table's key. The session's role makes the
//! schemas and grants nothing on them, and extraction does not see them. What depends on something kept and stays is never held by it,
//! except by the types and functions that kept tables still use.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use crate::catalog::{Identity, split_path};

/// Schemas with these prefixes are no part of a project.
pub const PREFIXES: [&str; 2] = ["hearth_undo_", "hearth_redo_"];

/// Longest name of a shadow schema, without the number that follows it.
const LONGEST_NAME: usize = 48;

/// Everything that one merge keeps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shadow {
    /// Name of the schema that holds the columns' values, and prefix of the others.
    pub name: String,
    /// Every schema that is made, quoted, with the schema whose objects it holds.
    pub schemas: Vec<ShadowSchema>,
    /// What was moved.
    pub objects: Vec<KeptObject>,
    /// What was copied.
    pub columns: Vec<KeptColumn>,
    /// What could not be kept and is lost, for a person.
    pub lost: Vec<String>,
}

/// One schema of a shadow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowSchema {
    /// Its name.
    pub name: String,
    /// The schema its objects came from, absent for the one with the copies.
    pub from: Option<String>,
}

/// A thing that was moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptObject {
    /// What it was, by its name before the merge.
    pub fact: Identity,
    /// Its qualified name in the shadow.
    pub at: String,
    /// What came with it, itself included, by names before the merge.
    pub parts: Vec<Identity>,
}

/// Values that were copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptColumn {
    /// Whose values, by its name before the merge.
    pub column: Identity,
    /// The table with them: `k1`, `k2`, … for the key, `was`, and `became` where the type changed.
    pub at: String,
    /// The key's columns, by their names before the merge, in the order of `k1`, `k2`, ….
    pub key: Vec<Identity>,
    /// Type of the values.
    pub was: String,
    /// Type they were converted to, absent when the column went.
    pub became: Option<String>,
}

/// True when the name can be a shadow's: it is not quoted anywhere.
pub(crate) fn valid_name(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && name.len() <= LONGEST_NAME
        && name
            .chars()
            .all(|character| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_')
}

impl Shadow {
    /// True when nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.columns.is_empty()
    }

    /// The schema that holds what came from this one; it is added when it is not there.
    pub(crate) fn schema_for(&mut self, from: Option<&str>) -> String {
        if let Some(known) = self.schemas.iter().find(|schema| schema.from.as_deref() == from) {
            return known.name.clone();
        }
        let name = match from {
            None => self.name.clone(),
            Some(_) => {
                format!("{}_{}", self.name, self.schemas.iter().filter(|schema| schema.from.is_some()).count() + 1)
            }
        };
        self.schemas.push(ShadowSchema { name: name.clone(), from: from.map(str::to_owned) });
        name
    }

    /// Names everything by what it was called before the renames of the plan.
    pub(crate) fn under_former_names(&mut self, final_names: &HashMap<Identity, Identity>) {
        let former: HashMap<&Identity, &Identity> = final_names.iter().map(|(was, is)| (is, was)).collect();
        let back = |identity: &mut Identity| {
            if let Some(was) = former.get(identity) {
                *identity = (*was).clone();
            }
        };
        for object in &mut self.objects {
            back(&mut object.fact);
            object.parts.iter_mut().for_each(back);
        }
        for column in &mut self.columns {
            back(&mut column.column);
            column.key.iter_mut().for_each(back);
        }
    }

    /// What removes everything that is kept, in order, for one transaction of the session's role. Running it again does nothing.
    pub fn cleanup(&self) -> Vec<String> {
        let mut statements = Vec::new();
        let of = |words: &[&str]| {
            self.objects
                .iter()
                .filter(|object| words.iter().any(|word| object.fact.as_str().starts_with(&format!("{word}:"))))
                .map(|object| object.at.clone())
                .collect::<Vec<_>>()
        };
        for column in &self.columns {
            // Its arguments have the types of the table's columns, and only one function has the name.
            statements.push(format!(
                "do $body$ begin if pg_catalog.to_regproc({name}) is not null then drop function {at}; end if; end $body$",
                name = crate::ddl::literal(&column.at),
                at = column.at
            ));
            statements.push(format!("drop table if exists {}", column.at));
        }
        // Together, because they may refer to each other.
        for (words, word) in [
            (&["foreign_table"][..], "foreign table"),
            (&["table", "partitioned_table"][..], "table"),
            (&["sequence"][..], "sequence"),
            (&["enum", "range", "composite"][..], "type"),
            (&["domain"][..], "domain"),
        ] {
            let names = of(words);
            if !names.is_empty() {
                statements.push(format!("drop {word} if exists {}", names.join(", ")));
            }
        }
        statements.extend(self.schemas.iter().map(|schema| format!("drop schema if exists {}", schema.name)));
        statements
    }
}

/// The function that gives a column its old values back; it has the name of the table with the copies.
pub(crate) fn back_function(column: &KeptColumn) -> String {
    split_path(&column.at).last().map(|name| (*name).to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_need_no_quotes_and_leave_room() {
        assert!(valid_name("hearth_undo_1a2b3c4d"));
        for name in ["public", "hearth_undo_\"x", "hearth_undo_A", &format!("hearth_undo_{}", "x".repeat(40))] {
            assert!(!valid_name(name), "{name}");
        }
    }

    #[test]
    fn each_schema_has_its_own_shadow() {
        let mut shadow = Shadow { name: "hearth_undo_1".to_owned(), ..Shadow::default() };
        assert_eq!(shadow.schema_for(Some("public")), "hearth_undo_1_1");
        assert_eq!(shadow.schema_for(None), "hearth_undo_1");
        assert_eq!(shadow.schema_for(Some("\"My App\"")), "hearth_undo_1_2");
        assert_eq!(shadow.schema_for(Some("public")), "hearth_undo_1_1");
    }
}
