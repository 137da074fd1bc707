//! The statements that create, drop and change one fact. Names come quoted from identities; nothing cascades.

mod access;
mod casting;
mod composites;
mod definitions;
mod domains;
mod foreign;
mod inheritance;
mod keys;
mod publications;
#[cfg(test)]
mod quoting;
mod relations;
mod routines;
mod rules;
mod text_search;
mod types;

pub(crate) use access::{grant_statement, revoke_statement, strip_statement};
pub(crate) use casting::{assignable, comparable};
pub(crate) use composites::create_composite;
pub(crate) use domains::create_domain;
pub(crate) use inheritance::{clause as inherits_clause, not_of_type, of_type};
pub(crate) use keys::{adopt_index, attach_index, index_name};
pub(crate) use relations::{column_definition, create_sequence_aside, create_table, forget_storage, options_clause};
pub(crate) use routines::{privileged, stub};
pub(crate) use rules::create_materialized_view;
pub(crate) use types::{enum_additions, label_renames, relabelled, rename_labels};

use crate::catalog::{Catalog, Fact, Kind};

/// One statement of a fact's change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// SQL without a semicolon.
    pub(crate) sql: String,
    /// Runs as the session's own role and not as the owner.
    pub(crate) session: bool,
    /// Can only hold once the data is in place.
    pub(crate) after_data: bool,
}

impl Piece {
    /// A statement for the owner.
    pub(crate) fn new(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), session: false, after_data: false }
    }

    /// A statement for the session's role.
    pub(crate) fn session(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), session: true, after_data: false }
    }

    /// A statement that rows may contradict until the data statements have run.
    pub(crate) fn after_data(sql: impl Into<String>) -> Self {
        Self { sql: sql.into(), session: false, after_data: true }
    }
}

/// How one state of a fact becomes another.
pub(crate) enum Change {
    /// By these statements.
    InPlace(Vec<Piece>),
    /// Only by dropping and creating it.
    Replace,
    /// Not at all; the reason is for the user.
    Impossible(&'static str),
}

/// Statements that create a fact. Tables and columns are created by [`create_table`] and [`column_definition`], and grants in groups.
pub(crate) fn create(fact: &Fact) -> Vec<Piece> {
    let path = fact.identity.path();
    match fact.kind {
        Kind::Schema => vec![Piece::session(format!("create schema {path} authorization {}", fact.text("owner")))],
        Kind::Extension => {
            vec![
                Piece::session(format!("create extension if not exists {path} with schema {}", fact.text("schema"))),
                // The extension brings a comment; where one is wanted it is a fact of its own.
                Piece::session(format!("comment on extension {path} is null")),
            ]
        }
        Kind::Enum => vec![Piece::new(types::create_enum(fact))],
        Kind::Collation => vec![Piece::new(composites::create_collation(fact))],
        Kind::Range => vec![Piece::new(composites::create_range(fact))],
        Kind::Domain => vec![domains::create_domain(fact, &[])],
        Kind::DomainConstraint => vec![domains::add_check(fact)],
        Kind::Composite => composites::create_composite(fact, &[]),
        Kind::Attribute => vec![composites::add_attribute(fact)],
        Kind::Aggregate
        | Kind::Operator
        | Kind::OperatorFamily
        | Kind::OperatorClass
        | Kind::Cast
        | Kind::Conversion
        | Kind::EventTrigger => definitions::create(fact),
        Kind::TextSearchDictionary => vec![Piece::new(text_search::create_dictionary(fact))],
        Kind::TextSearchConfiguration => text_search::create_configuration(fact),
        Kind::Sequence => vec![Piece::new(relations::create_sequence(fact, path))],
        Kind::Function => vec![routines::made(fact)],
        Kind::ForeignDataWrapper => vec![foreign::create(fact), set_owner(fact, "foreign data wrapper")],
        Kind::ForeignServer => vec![foreign::create(fact), set_owner(fact, "server")],
        Kind::UserMapping => vec![foreign::create(fact)],
        Kind::Publication | Kind::PublicationTable | Kind::PublicationSchema => publications::create(fact),
        Kind::Partition | Kind::Inheritance => vec![inheritance::create(fact)],
        Kind::TypedTable => vec![Piece::new(inheritance::of_type(fact))],
        Kind::Default => vec![Piece::new(relations::set_default(fact))],
        Kind::OwnedBy => vec![Piece::new(format!("alter sequence {path} owned by {}", fact.text("column")))],
        Kind::Constraint => keys::add_constraint(fact),
        Kind::Index => keys::create_index(fact),
        Kind::Statistics => rules::create_statistics(fact),
        Kind::ReplicaIdentity => {
            vec![Piece::new(format!("alter table {path} replica identity {}", fact.text("value")))]
        }
        Kind::ClusteredOn => vec![Piece::new(keys::clustered_on(fact))],
        Kind::View => vec![Piece::new(routines::create_view(fact, false))],
        Kind::MaterializedView => rules::create_materialized_view(fact, &[]),
        Kind::Rule => rules::create_rule(fact),
        Kind::Trigger => routines::create_trigger(fact),
        Kind::RowSecurity => relations::row_security(None, fact),
        Kind::Policy => vec![Piece::new(access::create_policy(fact))],
        Kind::Comment => vec![Piece::new(access::comment(fact, Some(fact.text("text"))))],
        Kind::DefaultPrivilege => vec![Piece::session(access::default_privilege(fact, fact.flag("granted")))],
        Kind::Table | Kind::ForeignTable | Kind::Column | Kind::InheritedColumn | Kind::Grant | Kind::Unmodelled => {
            Vec::new()
        }
    }
}

/// The statement that drops a fact whose parent stays; `None` where nothing is to be run.
pub(crate) fn drop(fact: &Fact) -> Option<Piece> {
    let path = fact.identity.path();
    let table = fact.identity.prefix();
    let name = fact.identity.last();
    Some(match fact.kind {
        Kind::Schema => Piece::new(format!("drop schema {path}")),
        Kind::Extension => Piece::session(format!("drop extension {path}")),
        Kind::Enum | Kind::Composite | Kind::Range => Piece::new(format!("drop type {path}")),
        Kind::Collation => Piece::new(format!("drop collation {path}")),
        Kind::DomainConstraint => domains::drop_check(fact),
        Kind::Attribute => composites::drop_attribute(fact),
        Kind::Aggregate
        | Kind::Operator
        | Kind::OperatorFamily
        | Kind::OperatorClass
        | Kind::Cast
        | Kind::Conversion
        | Kind::EventTrigger => definitions::drop(fact),
        Kind::TextSearchDictionary => Piece::new(format!("drop text search dictionary {path}")),
        Kind::TextSearchConfiguration => Piece::new(format!("drop text search configuration {path}")),
        Kind::Domain => Piece::new(format!("drop domain {path}")),
        Kind::Sequence => Piece::new(format!("drop sequence {path}")),
        Kind::Function => Piece::new(format!("drop routine {path}")),
        Kind::Table => Piece::after_data(format!("drop table {path}")),
        Kind::Column => Piece::after_data(format!("alter table {table} drop column {name}")),
        Kind::ForeignDataWrapper | Kind::ForeignServer | Kind::UserMapping => foreign::drop(fact),
        Kind::ForeignTable => Piece::new(format!("drop foreign table {path}")),
        Kind::Publication | Kind::PublicationTable | Kind::PublicationSchema => publications::drop(fact),
        Kind::Partition | Kind::Inheritance => inheritance::drop(fact),
        Kind::TypedTable => Piece::new(inheritance::not_of_type(fact)),
        Kind::Statistics => Piece::new(format!("drop statistics {path}")),
        Kind::MaterializedView => Piece::new(format!("drop materialized view {path}")),
        Kind::Rule => Piece::new(format!("drop rule {name} on {table}")),
        Kind::Default => Piece::new(relations::drop_default(fact)),
        Kind::OwnedBy => Piece::new(format!("alter sequence {path} owned by none")),
        Kind::Constraint => Piece::new(format!("alter table {table} drop constraint {name}")),
        Kind::Index => Piece::new(format!("drop index {path}")),
        Kind::ReplicaIdentity => Piece::new(format!("alter table {path} replica identity default")),
        Kind::ClusteredOn => Piece::new(format!("alter table {path} set without cluster")),
        Kind::View => Piece::new(format!("drop view {path}")),
        Kind::Trigger => routines::drop_trigger(fact),
        Kind::Policy => Piece::new(format!("drop policy {name} on {table}")),
        Kind::Comment => Piece::new(access::comment(fact, None)),
        Kind::DefaultPrivilege => Piece::session(access::default_privilege(fact, !fact.flag("granted"))),
        Kind::RowSecurity | Kind::InheritedColumn | Kind::Grant | Kind::Unmodelled => return None,
    })
}

/// How a fact changes from one state to another. Enums and grants are planned elsewhere.
pub(crate) fn alter(from: &Fact, to: &Fact, catalog: &Catalog) -> Change {
    let path = to.identity.path();
    match to.kind {
        Kind::Schema => Change::InPlace(owner(from, to, "schema")),
        Kind::Extension => {
            Change::InPlace(vec![Piece::session(format!("alter extension {path} set schema {}", to.text("schema")))])
        }
        Kind::Enum => Change::InPlace(owner(from, to, "type")),
        Kind::Collation => composites::alter_collation(from, to),
        Kind::Domain => domains::alter_domain(from, to),
        Kind::DomainConstraint => domains::alter_check(from, to),
        Kind::Composite => Change::InPlace(owner(from, to, "type")),
        Kind::Attribute => composites::alter_attribute(to),
        Kind::Range => composites::alter_range(from, to),
        Kind::Aggregate
        | Kind::Operator
        | Kind::OperatorFamily
        | Kind::OperatorClass
        | Kind::Cast
        | Kind::Conversion
        | Kind::EventTrigger => definitions::alter(from, to),
        Kind::TextSearchDictionary => text_search::alter_dictionary(from, to),
        Kind::TextSearchConfiguration => text_search::alter_configuration(from, to),
        Kind::Sequence => relations::alter_sequence(from, to),
        Kind::Function => routines::alter(from, to),
        Kind::Table => relations::alter_table(from, to),
        Kind::Column => relations::alter_column(from, to, catalog),
        Kind::Default | Kind::OwnedBy | Kind::ReplicaIdentity | Kind::ClusteredOn | Kind::Comment => {
            Change::InPlace(create(to))
        }
        Kind::ForeignDataWrapper | Kind::ForeignServer | Kind::UserMapping => foreign::alter(from, to),
        Kind::ForeignTable => foreign::alter_table(from, to),
        Kind::Publication | Kind::PublicationTable | Kind::PublicationSchema => publications::alter(from, to),
        Kind::Partition | Kind::Inheritance | Kind::TypedTable => Change::Replace,
        Kind::InheritedColumn => Change::InPlace(Vec::new()),
        Kind::Constraint => keys::alter_constraint(from, to),
        Kind::Index => keys::alter_index(from, to),
        Kind::Statistics => rules::alter_statistics(from, to),
        Kind::MaterializedView => rules::alter_materialized_view(from, to),
        Kind::Rule => rules::alter_rule(from, to),
        Kind::View => routines::alter_view(from, to),
        Kind::Trigger => routines::alter_trigger(from, to),
        Kind::RowSecurity => Change::InPlace(relations::row_security(Some(from), to)),
        Kind::Policy => access::alter_policy(from, to),
        Kind::DefaultPrivilege => Change::Replace,
        Kind::Grant => Change::InPlace(Vec::new()),
        Kind::Unmodelled => Change::Impossible("its kind is not modelled"),
    }
}

/// Hands an object to its new owner; the session's role must be a member of both.
pub(crate) fn owner(from: &Fact, to: &Fact, word: &str) -> Vec<Piece> {
    if from.text("owner") == to.text("owner") { Vec::new() } else { vec![set_owner(to, word)] }
}

/// Makes the owner what the fact says.
pub(crate) fn set_owner(fact: &Fact, word: &str) -> Piece {
    Piece::session(format!("alter {word} {} owner to {}", fact.identity.path(), fact.text("owner")))
}

/// The word `alter … owner to` wants for a kind that has an owner.
pub(crate) fn owner_word(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Schema => "schema",
        Kind::Enum | Kind::Composite | Kind::Range => "type",
        Kind::Domain => "domain",
        Kind::Collation => "collation",
        Kind::Aggregate => "routine",
        Kind::Operator => "operator",
        Kind::OperatorFamily => "operator family",
        Kind::OperatorClass => "operator class",
        Kind::Conversion => "conversion",
        Kind::TextSearchDictionary => "text search dictionary",
        Kind::TextSearchConfiguration => "text search configuration",
        Kind::EventTrigger => "event trigger",
        Kind::Sequence => "sequence",
        Kind::Function => "routine",
        Kind::Table => "table",
        Kind::View => "view",
        Kind::MaterializedView => "materialized view",
        Kind::ForeignTable => "foreign table",
        Kind::Statistics => "statistics",
        _ => return None,
    })
}

/// A text as an SQL literal.
pub(crate) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') {
        format!(" e'{}'", quoted.replace('\\', "\\\\")).trim_start().to_owned()
    } else {
        format!("'{quoted}'")
    }
}
