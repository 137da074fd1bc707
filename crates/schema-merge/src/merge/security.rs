//! Access that becomes wider. What one side alone changed was tried there and is told; what both sides together make of a table was
//! tried by nobody, and needs approval.

use std::collections::BTreeMap;

use super::facts::Merged;
use super::renames::Aligned;
use super::rewriting::mentions;
use crate::catalog::{Catalog, Fact, Identity, Kind, OWNER};
use crate::report::Hazard;

/// One change of access to one relation or function.
struct Touch<'a> {
    fact: &'a Identity,
    what: What,
    widens: bool,
    /// Command it is about, `None` for all.
    command: Option<String>,
    /// Roles it is about, `None` for all.
    roles: Option<Vec<String>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Policy,
    RowSecurity,
    Grant,
    View,
    Definer,
}

pub(super) fn check(aligned: &Aligned, merged: &mut Merged) {
    let theirs = touches(&aligned.base_of_target, &aligned.target, &aligned.source);
    let ours = touches(&aligned.base_of_source, &aligned.source, &aligned.target);
    let mut found = Vec::new();
    for (path, by_source) in &ours {
        let Some(by_target) = theirs.get(path) else { continue };
        let pair = by_source
            .iter()
            .find_map(|ours| by_target.iter().find(|theirs| untested(ours, theirs)).map(|theirs| (ours, theirs)));
        let Some((ours, theirs)) = pair else { continue };
        let rule = if ours.what == What::Policy && theirs.what == What::Policy { "C14" } else { "C13" };
        let detail = format!(
            "the branch changed {} and the parent {}: together they may let a role see or do more than either side tried; {}",
            ours.fact,
            theirs.fact,
            standing(&merged.catalog, path)
        );
        found.push(Hazard::new("widened_access", path.clone(), detail).rule(rule).needs_approval());
    }
    merged.hazards.extend(found);
    one_sided(aligned, merged);
}

/// True when nobody tried the two together and one of them opens something.
fn untested(ours: &Touch<'_>, theirs: &Touch<'_>) -> bool {
    let alike =
        ours.what == theirs.what && (ours.what == What::Grant || ours.what == What::View && ours.fact == theirs.fact);
    if !(ours.widens || theirs.widens) || alike {
        return false;
    }
    let commands = match (&ours.command, &theirs.command) {
        (Some(left), Some(right)) => left == right,
        _ => true,
    };
    let roles = match (&ours.roles, &theirs.roles) {
        (Some(left), Some(right)) => left.iter().any(|role| right.contains(role)),
        _ => true,
    };
    commands && roles
}

fn standing(catalog: &Catalog, path: &str) -> String {
    let policies: Vec<&str> = catalog
        .iter()
        .filter(|fact| fact.kind == Kind::Policy && fact.identity.prefix() == path)
        .map(|fact| fact.identity.last())
        .collect();
    let security =
        catalog.get(&Identity::new(Kind::RowSecurity, path)).map(|fact| (fact.flag("enabled"), fact.flag("forced")));
    let word = match security {
        Some((true, true)) => "row security is enabled and forced",
        Some((true, false)) => "row security is enabled",
        _ => "row security is off",
    };
    if policies.is_empty() {
        format!("{word}, without policies")
    } else {
        format!("{word}, with the policies {}", policies.join(", "))
    }
}

/// What one side changed about access, by the path of the relation or function, leaving out what the other side has alike.
fn touches<'a>(base: &'a Catalog, side: &'a Catalog, other: &Catalog) -> BTreeMap<String, Vec<Touch<'a>>> {
    let mut found: BTreeMap<String, Vec<Touch<'a>>> = BTreeMap::new();
    let mut identities: Vec<&Identity> = base.iter().chain(side.iter()).map(|fact| &fact.identity).collect();
    identities.sort_unstable();
    identities.dedup();
    for identity in identities {
        let (old, new) = (base.get(identity), side.get(identity));
        let same = |left: Option<&Fact>, right: Option<&Fact>| match (left, right) {
            (Some(left), Some(right)) => left.says_the_same(right),
            (None, None) => true,
            _ => false,
        };
        if same(old, new) || same(new, other.get(identity)) {
            continue;
        }
        let Some(any) = new.or(old) else { continue };
        match any.kind {
            Kind::Policy => put(&mut found, any.identity.prefix(), policy(identity, old, new)),
            Kind::RowSecurity => {
                let flag = |fact: Option<&Fact>, name: &str| fact.is_some_and(|fact| fact.flag(name));
                // A table that is new is nobody else's, and one that went is nobody's.
                if old.is_some() && new.is_some() {
                    let widens = ["enabled", "forced"].iter().any(|name| flag(old, name) && !flag(new, name));
                    put(
                        &mut found,
                        any.identity.path(),
                        Touch { fact: identity, what: What::RowSecurity, widens, command: None, roles: None },
                    );
                }
            }
            Kind::Grant if any.text("grantee") != OWNER => {
                let Some(path) = relation_of(any, base, side) else { continue };
                let grantee = any.text("grantee").to_owned();
                let touch = Touch {
                    fact: identity,
                    what: What::Grant,
                    widens: new.is_some(),
                    command: Some(any.text("privilege").to_lowercase()),
                    roles: (grantee != "public").then(|| vec![grantee]),
                };
                put(&mut found, &path, touch);
            }
            Kind::View if new.is_some_and(|view| !invoker(view)) => {
                let Some(view) = new else { continue };
                let mut tables: Vec<&str> = view.depends_on.iter().filter_map(table_of).collect();
                tables.sort_unstable();
                tables.dedup();
                for table in tables {
                    put(
                        &mut found,
                        table,
                        Touch {
                            fact: identity,
                            what: What::View,
                            widens: true,
                            command: Some("select".to_owned()),
                            roles: None,
                        },
                    );
                }
            }
            Kind::Function if new.is_some_and(|function| function.flag("security_definer")) => {
                let Some(function) = new else { continue };
                let tables = other.iter().filter(|fact| fact.kind == Kind::Table);
                let mentioned = tables.filter(|table| {
                    function.depends_on.iter().any(|needed| table_of(needed) == Some(table.identity.path()))
                        || mentions(function.text("body"), table.identity.last())
                });
                for table in mentioned {
                    put(
                        &mut found,
                        table.identity.path(),
                        Touch { fact: identity, what: What::Definer, widens: true, command: None, roles: None },
                    );
                }
                put(
                    &mut found,
                    any.identity.path(),
                    Touch { fact: identity, what: What::Definer, widens: true, command: None, roles: None },
                );
            }
            _ => {}
        }
    }
    let went = |kind: Kind, path: &str| {
        let identity = Identity::new(kind, path);
        base.contains(&identity) && !side.contains(&identity)
    };
    found.retain(|path, _| !went(Kind::Table, path) && !went(Kind::View, path));
    found
}

fn put<'a>(found: &mut BTreeMap<String, Vec<Touch<'a>>>, path: &str, touch: Touch<'a>) {
    found.entry(path.to_owned()).or_default().push(touch);
}

fn policy<'a>(identity: &'a Identity, old: Option<&'a Fact>, new: Option<&'a Fact>) -> Touch<'a> {
    let permissive = |fact: Option<&Fact>| fact.is_some_and(|fact| fact.flag("permissive"));
    let restrictive = |fact: Option<&Fact>| fact.is_some_and(|fact| !fact.flag("permissive"));
    let any = new.or(old);
    let command = any.map(|fact| fact.text("command").to_lowercase()).filter(|command| command != "all");
    let roles: Vec<String> =
        any.map(|fact| fact.list("roles").into_iter().map(str::to_owned).collect()).unwrap_or_default();
    let everyone = roles.is_empty() || roles.iter().any(|role| role == "public");
    Touch {
        fact: identity,
        what: What::Policy,
        widens: permissive(new) || restrictive(old),
        command,
        roles: (!everyone).then_some(roles),
    }
}

fn invoker(view: &Fact) -> bool {
    view.list("options")
        .iter()
        .any(|option| matches!(*option, "security_invoker=true" | "security_invoker=on" | "security_invoker=1"))
}

fn table_of(identity: &Identity) -> Option<&str> {
    match identity.kind_word() {
        "column" => Some(identity.prefix()),
        "table" | "partitioned_table" => Some(identity.path()),
        _ => None,
    }
}

fn relation_of(grant: &Fact, base: &Catalog, side: &Catalog) -> Option<String> {
    let parent = grant.parent.as_ref()?;
    let known = |identity: &Identity| side.get(identity).or_else(|| base.get(identity)).is_some();
    match parent.kind_word() {
        "column" => Some(parent.prefix().to_owned()),
        "table" | "view" | "materialized_view" | "function" if known(parent) => Some(parent.path().to_owned()),
        _ => None,
    }
}

/// What the plan changes about access by itself, for information.
fn one_sided(aligned: &Aligned, merged: &mut Merged) {
    let mut found = Vec::new();
    let mut add = |object: &Identity, detail: &str| found.push(Hazard::new("access", object.to_string(), detail));
    for new in merged.catalog.iter() {
        let old = aligned.target.get(&new.identity);
        if old.is_some_and(|old| old.says_the_same(new)) {
            continue;
        }
        match new.kind {
            Kind::RowSecurity
                if old.is_some_and(|old| {
                    old.flag("enabled") && !new.flag("enabled") || old.flag("forced") && !new.flag("forced")
                }) =>
            {
                add(&new.identity, "row security becomes weaker on this table");
            }
            Kind::Function if new.flag("security_definer") && !old.is_some_and(|old| old.flag("security_definer")) => {
                add(&new.identity, "this function runs with its owner's rights");
            }
            Kind::Policy if new.flag("permissive") => add(&new.identity, "a permissive policy is added or changed"),
            Kind::Grant
                if old.is_none()
                    && matches!(new.text("grantee"), "anon" | "public")
                    && new.parent.as_ref().is_some_and(|parent| {
                        let table = Identity::new(Kind::Table, parent.prefix());
                        aligned.target.contains(parent) || aligned.target.contains(&table)
                    }) =>
            {
                add(&new.identity, "anonymous users get this privilege on an object that exists");
            }
            Kind::View if old.is_some_and(|old| invoker(old) && !invoker(new)) => {
                add(&new.identity, "this view stops using its reader's rights");
            }
            _ => {}
        }
    }
    for old in aligned
        .target
        .iter()
        .filter(|old| old.kind == Kind::Policy && !old.flag("permissive") && !merged.catalog.contains(&old.identity))
    {
        add(&old.identity, "a restrictive policy is dropped");
    }
    merged.hazards.extend(found);
}
