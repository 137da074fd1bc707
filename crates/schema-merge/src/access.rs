//! Privileges as facts: one per object, grantee and privilege, and the privileges Postgres gives a new object by itself.
//!
//! The owner of an object appears as [`OWNER`], because Postgres hands the owner's own entries to a new owner.

use serde_json::json;

use crate::catalog::{Catalog, Fact, Identity, Kind, Lineage, OWNER};

/// What a grant is on, where the fact it hangs on does not say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GrantOn {
    /// The object itself.
    Object,
    /// A column of a table.
    Column,
    /// A column of a view, by its quoted name.
    ViewColumn(String),
    /// The sequence inside an identity column.
    IdentitySequence,
}

/// The fact that a grantee holds a privilege.
pub(crate) fn grant(
    subject: &Identity,
    on: &GrantOn,
    grantee: &str,
    privilege: &str,
    grantable: bool,
    grantor: Option<&str>,
    role: Option<String>,
) -> Fact {
    // What the owner grants is the rule; another grantor's grants are granted and taken back by that role.
    let by = grantor.map(|name| format!("/by {name}")).unwrap_or_default();
    let (word, column) = match on {
        GrantOn::Object => ("object", ""),
        GrantOn::Column => ("column", ""),
        GrantOn::ViewColumn(name) => ("view_column", name.as_str()),
        GrantOn::IdentitySequence => ("identity_sequence", ""),
    };
    let detail = match on {
        GrantOn::ViewColumn(name) => format!("/column {name}/{grantee}/{privilege}{by}"),
        GrantOn::IdentitySequence => format!("/sequence/{grantee}/{privilege}{by}"),
        GrantOn::Object | GrantOn::Column => format!("/{grantee}/{privilege}{by}"),
    };
    let fields = json!({
        "on": word, "column": column, "grantee": grantee, "privilege": privilege, "grantable": grantable, "grantor": grantor,
    });
    Fact {
        identity: Identity::about(Kind::Grant, subject, &detail),
        kind: Kind::Grant,
        parent: Some(subject.clone()),
        fields: fields.as_object().cloned().unwrap_or_default().into_iter().collect(),
        depends_on: Vec::new(),
        lineage: Lineage { role, ..Lineage::default() },
    }
}

/// The default privileges of a database, and what they make of a new object.
pub(crate) struct DefaultPrivileges<'a> {
    entries: Vec<&'a Fact>,
    server_version: u32,
}

impl<'a> DefaultPrivileges<'a> {
    /// Those in force in this catalog.
    pub(crate) fn of(catalog: &'a Catalog) -> Self {
        Self {
            entries: catalog.iter().filter(|fact| fact.kind == Kind::DefaultPrivilege).collect(),
            server_version: catalog.server_version,
        }
    }

    /// Every grantee named in them, except owners.
    pub(crate) fn grantees(&self) -> Vec<&'a str> {
        let mut names: Vec<_> =
            self.entries.iter().map(|entry| entry.text("grantee")).filter(|name| *name != OWNER).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The grants a new object has before anyone grants anything: Postgres' own, with the default privileges of its creator.
    pub(crate) fn initial_grants(&self, object: &Fact, with_defaults: bool) -> Vec<Fact> {
        let Some((on, subject_on)) = grantable_class(object) else { return Vec::new() };
        let role = object.lineage.role.clone().unwrap_or_default();
        let schema = object.identity.names().first().map(|name| (*name).to_owned()).unwrap_or_default();
        let mut held: Vec<(String, String, bool)> = standard(on, self.server_version)
            .into_iter()
            .map(|(grantee, privilege)| (grantee.to_owned(), privilege.to_owned(), false))
            .collect();
        if !with_defaults {
            held.retain(|(grantee, ..)| grantee == OWNER);
        }
        let relevant = |entry: &&&Fact, within: &str| {
            with_defaults && entry.text("role") == role && entry.text("on") == on && entry.text("schema") == within
        };
        for within in ["", schema.as_str()] {
            for granted in [false, true] {
                for entry in
                    self.entries.iter().filter(|entry| relevant(entry, within) && entry.flag("granted") == granted)
                {
                    let (grantee, privilege) = (entry.text("grantee"), entry.text("privilege"));
                    let kept = entry.flag("grantable")
                        || held.iter().any(|(who, what, option)| who == grantee && what == privilege && *option);
                    held.retain(|(who, what, _)| who != grantee || what != privilege);
                    if granted {
                        held.push((grantee.to_owned(), privilege.to_owned(), kept));
                    }
                }
            }
        }
        held.iter()
            .map(|(grantee, privilege, grantable)| {
                grant(&object.identity, &subject_on, grantee, privilege, *grantable, None, Some(role.clone()))
            })
            .collect()
    }
}

fn grantable_class(object: &Fact) -> Option<(&'static str, GrantOn)> {
    Some(match object.kind {
        Kind::Table | Kind::ForeignTable | Kind::View | Kind::MaterializedView => ("tables", GrantOn::Object),
        Kind::ForeignServer | Kind::ForeignDataWrapper => ("servers", GrantOn::Object),
        Kind::Sequence => ("sequences", GrantOn::Object),
        Kind::Column if object.fields.get("identity").is_some_and(|identity| !identity.is_null()) => {
            ("sequences", GrantOn::IdentitySequence)
        }
        Kind::Function | Kind::Aggregate => ("functions", GrantOn::Object),
        Kind::Enum | Kind::Domain | Kind::Composite | Kind::Range => ("types", GrantOn::Object),
        Kind::Schema => ("schemas", GrantOn::Object),
        _ => return None,
    })
}

fn standard(on: &str, server_version: u32) -> Vec<(&'static str, &'static str)> {
    let mut held: Vec<(&str, &str)> = match on {
        "tables" => ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]
            .iter()
            .map(|what| (OWNER, *what))
            .collect(),
        "sequences" => ["SELECT", "UPDATE", "USAGE"].iter().map(|what| (OWNER, *what)).collect(),
        "functions" => vec![(OWNER, "EXECUTE"), ("public", "EXECUTE")],
        "types" => vec![(OWNER, "USAGE"), ("public", "USAGE")],
        "servers" => vec![(OWNER, "USAGE")],
        _ => vec![(OWNER, "CREATE"), (OWNER, "USAGE")],
    };
    if on == "tables" && server_version >= 170_000 {
        held.push((OWNER, "MAINTAIN"));
    }
    held
}
