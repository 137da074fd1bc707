//! Statements for policies, grants, default privileges and comments.

use super::{Change, Piece, literal};
use crate::catalog::{Catalog, Fact, Identity, OWNER};

/// `create policy` with everything said.
pub(crate) fn create_policy(fact: &Fact) -> String {
    let mut text = format!("create policy {} on {}", fact.identity.last(), fact.identity.prefix());
    if !fact.flag("permissive") {
        text += " as restrictive";
    }
    text + &format!(" for {}{}", fact.text("command"), policy_rest(fact))
}

fn policy_rest(fact: &Fact) -> String {
    let mut text = format!(" to {}", fact.list("roles").join(", "));
    if let Some(using) = fact.optional("using") {
        text += &format!(" using ({using})");
    }
    if let Some(check) = fact.optional("check") {
        text += &format!(" with check ({check})");
    }
    text
}

/// Command and permissiveness are fixed at creation, and an expression cannot be taken away.
pub(crate) fn alter_policy(from: &Fact, to: &Fact) -> Change {
    let fixed = ["command", "permissive"].iter().any(|field| from.fields.get(*field) != to.fields.get(*field));
    let lost = ["using", "check"].iter().any(|field| from.optional(field).is_some() && to.optional(field).is_none());
    if fixed || lost {
        return Change::Replace;
    }
    Change::InPlace(vec![Piece::new(format!(
        "alter policy {} on {}{}",
        to.identity.last(),
        to.identity.prefix(),
        policy_rest(to)
    ))])
}

/// `alter default privileges`, giving or taking.
pub(crate) fn default_privilege(fact: &Fact, give: bool) -> String {
    let role = fact.text("role");
    let grantee = if fact.text("grantee") == OWNER { role } else { fact.text("grantee") };
    let schema = fact.optional("schema").map(|schema| format!(" in schema {schema}")).unwrap_or_default();
    let (privilege, on) = (fact.text("privilege"), fact.text("on"));
    let change = if give {
        let option = if fact.flag("grantable") { " with grant option" } else { "" };
        format!("grant {privilege} on {on} to {grantee}{option}")
    } else {
        format!("revoke {privilege} on {on} from {grantee}")
    };
    format!("alter default privileges for role {role}{schema} {change}")
}

/// `comment on`, with the text or null.
pub(crate) fn comment(fact: &Fact, text: Option<&str>) -> String {
    let value = text.map_or_else(|| "null".to_owned(), literal);
    let Some(subject) = &fact.parent else { return String::new() };
    format!("comment on {} is {value}", comment_subject(subject, fact))
}

fn comment_subject(subject: &Identity, fact: &Fact) -> String {
    let path = subject.path();
    let (prefix, last) = (subject.prefix(), subject.last());
    if let Some(column) = fact.text("on").strip_prefix("column ") {
        return format!("column {path}.{column}");
    }
    if let Some(multirange) = fact.text("on").strip_prefix("multirange ") {
        return format!("type {multirange}");
    }
    if fact.text("on").starts_with("sequence ") {
        return fact.text("on").to_owned();
    }
    match subject.as_str().split(':').next().unwrap_or_default() {
        "constraint" if fact.text("on") == "index" => format!("index {}.{last}", subject.names()[0]),
        "constraint" => format!("constraint {last} on {prefix}"),
        "domain_constraint" => format!("constraint {last} on domain {prefix}"),
        "attribute" => format!("column {path}"),
        "trigger" => format!("trigger {last} on {prefix}"),
        "rule" => format!("rule {last} on {prefix}"),
        "foreign_server" => format!("server {path}"),
        "policy" => format!("policy {last} on {prefix}"),
        "enum" | "composite" | "range" => format!("type {path}"),
        "function" | "aggregate" => format!("routine {path}"),
        word => format!("{} {path}", word.replace('_', " ")),
    }
}

/// `grant` of privileges that share object, grantee and option.
pub(crate) fn grant_statement(privileges: &[&str], sample: &Fact, catalog: &Catalog) -> Option<String> {
    let option = if sample.flag("grantable") { " with grant option" } else { "" };
    let (what, on, grantee) = parts(privileges, sample, catalog)?;
    Some(format!("grant {what} on {on} to {grantee}{option}"))
}

/// `revoke` of privileges that share object and grantee, or of their grant option alone.
pub(crate) fn revoke_statement(
    privileges: &[&str],
    sample: &Fact,
    option_only: bool,
    catalog: &Catalog,
) -> Option<String> {
    let (what, on, grantee) = parts(privileges, sample, catalog)?;
    let option = if option_only { "grant option for " } else { "" };
    Some(format!("revoke {option}{what} on {on} from {grantee}"))
}

/// Takes everything a new object may have been given by default privileges that are not known.
pub(crate) fn strip_statement(object: &Fact, grantees: &[&str]) -> Option<String> {
    let on = object_clause(&object.identity)?;
    let mut names = vec!["public"];
    names.extend(grantees.iter().filter(|name| **name != "public"));
    Some(format!("revoke all on {on} from {}", names.join(", ")))
}

fn parts(privileges: &[&str], sample: &Fact, catalog: &Catalog) -> Option<(String, String, String)> {
    let subject = sample.parent.as_ref()?;
    let column =
        |name: &str| privileges.iter().map(|privilege| format!("{privilege} ({name})")).collect::<Vec<_>>().join(", ");
    let (what, on) = match sample.text("on") {
        "column" => (column(subject.last()), format!("table {}", subject.prefix())),
        "view_column" => (column(sample.text("column")), format!("table {}", subject.path())),
        "identity_sequence" => {
            let sequence = catalog.get(subject)?.fields.get("identity")?.get("sequence")?.as_str()?.to_owned();
            (privileges.join(", "), format!("sequence {sequence}"))
        }
        _ => (privileges.join(", "), object_clause(subject)?),
    };
    let grantee =
        if sample.text("grantee") == OWNER { sample.lineage.role.clone()? } else { sample.text("grantee").to_owned() };
    Some((what, on, grantee))
}

fn object_clause(subject: &Identity) -> Option<String> {
    let path = subject.path();
    let word = match subject.as_str().split(':').next()? {
        "table" | "view" | "materialized_view" | "foreign_table" => "table",
        "foreign_server" => "foreign server",
        "foreign_data_wrapper" => "foreign data wrapper",
        "sequence" => "sequence",
        "schema" => "schema",
        "function" | "aggregate" => "routine",
        "enum" | "domain" | "composite" | "range" => "type",
        _ => return None,
    };
    Some(format!("{word} {path}"))
}
