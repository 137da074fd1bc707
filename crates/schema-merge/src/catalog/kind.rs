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
    /// A foreign-data wrapper.
    ForeignDataWrapper,
    /// A foreign server.
    ForeignServer,
    /// How a role signs in to a foreign server; secret options are known by a digest.
    UserMapping,
    /// A collation.
    Collation,
    /// An enumerated type with its labels in order.
    Enum,
    /// A domain.
    Domain,
    /// A check of a domain.
    DomainConstraint,
    /// A composite type that is not the row type of a relation.
    Composite,
    /// An attribute of a composite type.
    Attribute,
    /// A range type with its multirange type.
    Range,
    /// A sequence that is not the inside of an identity column.
    Sequence,
    /// A function, procedure or window function.
    Function,
    /// An aggregate function: ordinary, ordered-set or hypothetical-set.
    Aggregate,
    /// An operator.
    Operator,
    /// A family of operators that one index method understands.
    OperatorFamily,
    /// How an index method sorts or compares a type.
    OperatorClass,
    /// A cast between two types.
    Cast,
    /// A conversion between two encodings.
    Conversion,
    /// A text search dictionary.
    TextSearchDictionary,
    /// A text search configuration.
    TextSearchConfiguration,
    /// A table, plain or partitioned.
    Table,
    /// A table that lives on a foreign server.
    ForeignTable,
    /// A column of a table.
    Column,
    /// What a child says of a column that it only inherits, where that differs from its parent.
    InheritedColumn,
    /// The default of a column.
    Default,
    /// The column a sequence belongs to.
    OwnedBy,
    /// A primary, unique, foreign, check or exclusion constraint.
    Constraint,
    /// An index that no constraint owns.
    Index,
    /// An extended statistics object.
    Statistics,
    /// The replica identity of a table, where it is not the default.
    ReplicaIdentity,
    /// The index a table is clustered on.
    ClusteredOn,
    /// That a table is a partition, and for which values.
    Partition,
    /// That a table inherits from another.
    Inheritance,
    /// That a table is of a composite type: its columns are the type's attributes.
    TypedTable,
    /// A view.
    View,
    /// A materialized view; whether it is populated is not said.
    MaterializedView,
    /// A trigger.
    Trigger,
    /// A rewrite rule of a table or view, apart from the one that is a view.
    Rule,
    /// A trigger on commands of the whole database; only superusers may have one.
    EventTrigger,
    /// Whether row security is enabled and forced.
    RowSecurity,
    /// A row security policy.
    Policy,
    /// A publication.
    Publication,
    /// That a publication publishes a table, with its columns and rows.
    PublicationTable,
    /// That a publication publishes a schema.
    PublicationSchema,
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
            Self::ForeignDataWrapper => "foreign_data_wrapper",
            Self::ForeignServer => "foreign_server",
            Self::UserMapping => "user_mapping",
            Self::Collation => "collation",
            Self::Enum => "enum",
            Self::Domain => "domain",
            Self::DomainConstraint => "domain_constraint",
            Self::Composite => "composite",
            Self::Attribute => "attribute",
            Self::Range => "range",
            Self::Sequence => "sequence",
            Self::Function => "function",
            Self::Aggregate => "aggregate",
            Self::Operator => "operator",
            Self::OperatorFamily => "operator_family",
            Self::OperatorClass => "operator_class",
            Self::Cast => "cast",
            Self::Conversion => "conversion",
            Self::TextSearchDictionary => "text_search_dictionary",
            Self::TextSearchConfiguration => "text_search_configuration",
            Self::Table => "table",
            Self::ForeignTable => "foreign_table",
            Self::Column => "column",
            Self::InheritedColumn => "inherited_column",
            Self::Default => "default",
            Self::OwnedBy => "owned_by",
            Self::Constraint => "constraint",
            Self::Index => "index",
            Self::Statistics => "statistics",
            Self::ReplicaIdentity => "replica_identity",
            Self::ClusteredOn => "clustered_on",
            Self::Partition => "partition",
            Self::Inheritance => "inheritance",
            Self::TypedTable => "typed_table",
            Self::View => "view",
            Self::MaterializedView => "materialized_view",
            Self::Trigger => "trigger",
            Self::Rule => "rule",
            Self::EventTrigger => "event_trigger",
            Self::RowSecurity => "row_security",
            Self::Policy => "policy",
            Self::Publication => "publication",
            Self::PublicationTable => "publication_table",
            Self::PublicationSchema => "publication_schema",
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
                | Self::Aggregate
                | Self::Operator
                | Self::OperatorFamily
                | Self::OperatorClass
                | Self::Cast
                | Self::Conversion
                | Self::TextSearchDictionary
                | Self::TextSearchConfiguration
                | Self::DomainConstraint
                | Self::EventTrigger
                | Self::Default
                | Self::OwnedBy
                | Self::Constraint
                | Self::Index
                | Self::ReplicaIdentity
                | Self::ClusteredOn
                | Self::View
                | Self::MaterializedView
                | Self::Statistics
                | Self::Rule
                | Self::Partition
                | Self::Inheritance
                | Self::TypedTable
                | Self::InheritedColumn
                | Self::PublicationTable
                | Self::PublicationSchema
                | Self::UserMapping
                | Self::ForeignTable
                | Self::ForeignServer
                | Self::ForeignDataWrapper
                | Self::Trigger
                | Self::Policy
                | Self::Grant
                | Self::Comment
        )
    }

    /// True when it can be made anew under its own name while columns move from the old one to the new one.
    pub fn rebuildable(self) -> bool {
        matches!(self, Self::Enum | Self::Domain | Self::Composite | Self::Range | Self::Collation)
    }

    /// True when a change of it alone is cosmetic or about access, so that dropping its object on the other side wins.
    pub fn satellite(self) -> bool {
        matches!(self, Self::Grant | Self::Comment)
    }
}
