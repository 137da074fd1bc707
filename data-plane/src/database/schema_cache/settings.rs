//! Settings that `alter role … set` and `create function … set` give to transactions of the data API.

use std::{collections::HashMap, sync::Arc};

use serde::Deserialize;

/// Never taken over. The first decide what the bytes of a message and the quotes of a statement mean, the others who runs it or what
/// the transaction already is.
const FIXED: [&str; 9] = [
    "client_encoding",
    "standard_conforming_strings",
    "backslash_quote",
    "role",
    "session_authorization",
    "is_superuser",
    "transaction_isolation",
    "transaction_read_only",
    "transaction_deferrable",
];

const ISOLATION: &str = "default_transaction_isolation";

/// What a function's own settings do from the beginning of the transaction on; the others hold while it runs.
const HOISTED: [&str; 3] = ["statement_timeout", "plan_filter.statement_cost_limit", ISOLATION];

/// How a transaction is set up.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Its isolation level.
    pub(crate) isolation: Option<Isolation>,
    /// Names and values, local to it.
    pub(crate) values: Vec<(String, String)>,
}

/// An isolation level other than Postgres' own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    /// `repeatable read`
    RepeatableRead,
    /// `serializable`
    Serializable,
}

/// One setting of a role.
#[derive(Deserialize)]
pub(super) struct RoleSettingRow {
    role: String,
    name: String,
    value: String,
}

impl Settings {
    fn of<'s>(settings: impl Iterator<Item = (&'s str, &'s str)>) -> Option<Arc<Self>> {
        let mut made = Self::default();
        for (name, value) in settings.filter(|(name, _)| !FIXED.contains(name)) {
            if name == ISOLATION {
                made.isolation = Isolation::of(value);
            } else {
                made.values.push((name.to_owned(), value.to_owned()));
            }
        }
        (made != Self::default()).then(|| Arc::new(made))
    }

    /// Those of a function's own settings that its transaction begins with.
    pub(super) fn of_function(settings: &[String]) -> Option<Arc<Self>> {
        let pairs = settings.iter().filter_map(|setting| setting.split_once('='));
        Self::of(pairs.filter(|(name, _)| HOISTED.contains(name)))
    }

    /// Those of each role that has any.
    pub(super) fn of_roles(rows: &[RoleSettingRow]) -> HashMap<String, Arc<Self>> {
        let mut roles = HashMap::new();
        for RoleSettingRow { role, .. } in rows {
            let own = rows.iter().filter(|row| row.role == *role);
            if let Some(settings) = Self::of(own.map(|row| (row.name.as_str(), row.value.as_str()))) {
                roles.insert(role.clone(), settings);
            }
        }
        roles
    }
}

impl Isolation {
    fn of(value: &str) -> Option<Self> {
        match value.to_ascii_lowercase().as_str() {
            "repeatable read" => Some(Self::RepeatableRead),
            "serializable" => Some(Self::Serializable),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_keeps_what_is_its_own_to_choose() {
        let row = |name: &str, value: &str| RoleSettingRow {
            role: "anon".to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let mut rows: Vec<RoleSettingRow> = FIXED.iter().map(|name| row(name, "on")).collect();
        assert!(Settings::of_roles(&rows).is_empty());
        rows.extend([row("statement_timeout", "3s"), row(ISOLATION, "Serializable")]);
        let roles = Settings::of_roles(&rows);
        let values = vec![("statement_timeout".to_owned(), "3s".to_owned())];
        assert_eq!(roles["anon"].as_ref(), &Settings { isolation: Some(Isolation::Serializable), values });
    }

    #[test]
    fn a_function_hoists_little() {
        let settings = ["search_path=\"\"", "statement_timeout=1s", "role=project_admin"].map(str::to_owned);
        let hoisted = Settings::of_function(&settings).expect("a time limit");
        assert_eq!(hoisted.values, [("statement_timeout".to_owned(), "1s".to_owned())]);
        assert_eq!(Settings::of_function(&["search_path=x".to_owned()]), None);
    }
}
