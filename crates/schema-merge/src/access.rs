//! Privileges as facts: one per object, grantee and privilege, and the privileges Postgres gives a new object by itself.
//!
//! The owner of an object appears as [`OWNER`], because Postgres hands the owner's own entries to a new owner.

use serde_json::json;

use crate::catalog::{Catalog, Fact, Fields, Identity, Kind, Lineage, OWNER};

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

/// A privilege somebody holds, on whatever it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held<'a> {
    pub(crate) grantee: &'a str,
    pub(crate) privilege: &'a str,
    pub(crate) grantable: bool,
    /// Who granted it, where that is not the owner: another grantor's grants are granted and taken back by that role.
    pub(crate) grantor: Option<&'a str>,
}

impl Held<'_> {
    /// What a grant of it says; the same for all objects of a class, so that they can share it.
    pub(crate) fn fields(&self, on: &GrantOn) -> Fields {
        let (word, column) = match on {
            GrantOn::Object => ("object", ""),
            GrantOn::Column => ("column", ""),
            GrantOn::ViewColumn(name) => ("view_column", name.as_str()),
            GrantOn::IdentitySequence => ("identity_sequence", ""),
        };
        json!({
            "on": word, "column": column, "grantee": self.grantee, "privilege": self.privilege,
            "grantable": self.grantable, "grantor": self.grantor,
        })
        .into()
    }

    /// The fact that it is held on an object.
    pub(crate) fn fact(&self, subject: &Identity, on: &GrantOn, role: Option<String>, fields: Fields) -> Fact {
        let [slash, by, grantor] = self.grantor.map_or([""; 3], |name| ["/", "by ", name]);
        let (place, name) = match on {
            GrantOn::ViewColumn(name) => ("/column ", name.as_str()),
            GrantOn::IdentitySequence => ("/sequence", ""),
            GrantOn::Object | GrantOn::Column => ("", ""),
        };
        let detail = [place, name, "/", self.grantee, "/", self.privilege, slash, by, grantor].concat();
        Fact {
            identity: Identity::about(Kind::Grant, subject, &detail),
            kind: Kind::Grant,
            parent: Some(subject.clone()),
            fields,
            depends_on: Vec::new(),
            lineage: Lineage { role, ..Lineage::default() },
        }
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
                let held = Held { grantee, privilege, grantable: *grantable, grantor: None };
                held.fact(&object.identity, &subject_on, Some(role.clone()), held.fields(&subject_on))
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
