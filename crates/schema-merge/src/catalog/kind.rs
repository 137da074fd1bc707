//! The kinds of facts.

use serde::{Deserialize, Serialize};

/// What a fact is. The order is the order of creation where dependencies leave a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A namespace.
    Schema,
    /// An installed extension; its members are not facts.
    Extension,
    /// An enumerated type with its labels in order.
    Enum,
    /// A domain with its checks.
    Domain,
    /// A sequence that is not the inside of an identity column.
    Sequence,
    /// A function, procedure or window function.
    Function,
    /// A plain table.
    Table,
    /// A column of a table.
    Column,
    /// The default of a column.
    Default,
    /// The column a sequence belongs to.
    OwnedBy,
    /// A primary, unique, foreign, check or exclusion constraint.
    Constraint,
    /// An index that no constraint owns.
    Index,
    /// The replica identity of a table, where it is not the default.
    ReplicaIdentity,
    /// The index a table is clustered on.
    ClusteredOn,
    /// A view.
    View,
    /// A trigger.
    Trigger,
    /// Whether row security is enabled and forced.
    RowSecurity,
    /// A row security policy.
    Policy,
    /// One privilege of one grantee on one object.
    Grant,
    /// A comment.
    Comment,
    /// One deviation of the privileges that new objects get.
    DefaultPrivilege,
    /// Something a user made whose kind is not modelled; only its hash is known.
    Unmodelled,
}

impl Kind {
    /// The word in identities and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Extension => "extension",
            Self::Enum => "enum",
            Self::Domain => "domain",
            Self::Sequence => "sequence",
            Self::Function => "function",
            Self::Table => "table",
            Self::Column => "column",
            Self::Default => "default",
            Self::OwnedBy => "owned_by",
            Self::Constraint => "constraint",
            Self::Index => "index",
            Self::ReplicaIdentity => "replica_identity",
            Self::ClusteredOn => "clustered_on",
            Self::View => "view",
            Self::Trigger => "trigger",
            Self::RowSecurity => "row_security",
            Self::Policy => "policy",
            Self::Grant => "grant",
            Self::Comment => "comment",
            Self::DefaultPrivilege => "default_privilege",
            Self::Unmodelled => "unmodelled",
        }
    }

    /// True when dropping and creating it again loses no rows and no values.
    pub fn recreatable(self) -> bool {
        matches!(
            self,
            Self::Function
                | Self::Default
                | Self::OwnedBy
                | Self::Constraint
                | Self::Index
                | Self::ReplicaIdentity
                | Self::ClusteredOn
                | Self::View
                | Self::Trigger
                | Self::Policy
                | Self::Grant
                | Self::Comment
        )
    }

    /// True when a change of it alone is cosmetic or about access, so that dropping its object on the other side wins.
    pub fn satellite(self) -> bool {
        matches!(self, Self::Grant | Self::Comment)
    }
}
