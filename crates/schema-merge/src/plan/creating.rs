//! Nodes that make something: tables with their columns, columns, and everything else.

use hashbrown::{HashMap, HashSet};

use super::families;
use super::nodes::{BUILD, Builder, LATE, free_name};
use crate::catalog::{Fact, Identity, Inherited, Kind};
use crate::ddl::{self, Change, Piece};

impl<'a> Builder<'a> {
    /// Everything that is made, with columns and simple defaults folded into their table or column.
    pub(super) fn creates(&mut self) {
        self.create_types();
        let to = self.to;
        let mut columns: HashMap<&Identity, Vec<&Fact>> = HashMap::new();
        for fact in to.iter().filter(|fact| fact.kind == Kind::Column) {
            if let Some(parent) = &fact.parent {
                columns.entry(parent).or_default().push(fact);
            }
        }
        for fact in to.iter().filter(|fact| matches!(fact.kind, Kind::Table | Kind::ForeignTable)) {
            if !self.is_created(&fact.identity) {
                continue;
            }
            let mut own = columns.remove(&fact.identity).unwrap_or_default();
            own.sort_by(|left, right| {
                (left.lineage.position, &left.identity).cmp(&(right.lineage.position, &right.identity))
            });
            let (own, _, inherits) = self.declared(fact, own);
            let listed: Vec<_> =
                own.iter().map(|column| (*column, self.default_of(column).filter(|default| inline(default)))).collect();
            let pieces = self.made_by_owner(fact, ddl::create_table(fact, &listed, &inherits));
            let node = self.push(fact, BUILD, fact.lineage.role.clone(), pieces, false);
            self.creating.insert(fact.identity.clone(), node);
            for link in families::inheritance_of(to, &fact.identity) {
                self.creating.insert(link.identity.clone(), node);
            }
            for (column, default) in listed {
                self.creating.insert(column.identity.clone(), node);
                self.creating.extend(default.map(|default| (default.identity.clone(), node)));
            }
        }
        for fact in to.iter() {
            if !self.is_created(&fact.identity)
                || self.creating.contains_key(&fact.identity)
                || matches!(fact.kind, Kind::Table | Kind::ForeignTable | Kind::Grant)
                || fact.lineage.inherited == Inherited::Only && fact.kind != Kind::Default
                || fact.kind == Kind::Default && self.on_inherited(fact)
                || fact.kind == Kind::Inheritance && fact.parent.as_ref().is_some_and(|table| self.is_created(table))
            {
                continue;
            }
            if fact.kind == Kind::Column {
                self.add_column(fact);
            } else if fact.kind != Kind::Default || !fact.parent.as_ref().is_some_and(|column| self.folded(column)) {
                self.create(fact);
            }
        }
        self.inherited_parts();
    }

    /// A default of a new inherited column is made with what the child says of it.
    fn on_inherited(&self, default: &Fact) -> bool {
        default.parent.as_ref().is_some_and(|column| {
            self.is_created(column)
                && self.to.get(column).is_some_and(|fact| {
                    fact.lineage.inherited == Inherited::Only
                        && fact.parent.as_ref().is_some_and(|table| {
                            !self.is_created(table) || !families::inheritance_of(self.to, table).is_empty()
                        })
                })
        })
    }

    fn folded(&self, column: &Identity) -> bool {
        // A default of a new column on an old table is always part of `add column`.
        column.as_str().starts_with("column:")
            && self.is_created(column)
            && self.to.get(column).and_then(|fact| fact.parent.as_ref()).is_some_and(|table| !self.is_created(table))
    }

    pub(super) fn create(&mut self, fact: &Fact) {
        let on_new_table = fact.parent.as_ref().is_some_and(|parent| self.is_created(parent));
        let mut valid = fact.clone();
        if on_new_table && fact.lineage.inherited == Inherited::Only && fact.kind == Kind::Constraint {
            // A table without rows has none that break it.
            valid.fields.insert("validated".to_owned(), true.into());
        }
        let fact = &valid;
        let made = match fact.kind {
            Kind::MaterializedView => ddl::create_materialized_view(fact, &self.read_by(fact)),
            Kind::Sequence if self.called_like_a_type(fact) => {
                ddl::create_sequence_aside(fact, &free_name(self.to, &fact.identity))
            }
            _ => ddl::create(fact),
        };
        let mut pieces = self.made_by_owner(fact, made);
        if pieces.is_empty() {
            return;
        }
        self.let_refer(fact, &mut pieces);
        if self.made_over_parts(fact) {
            for piece in &mut pieces {
                piece.sql = piece.sql.replacen(" ON ONLY ", " ON ", 1);
            }
        }
        let late = self.with_data && !on_new_table && pieces.iter().any(|piece| piece.after_data);
        let node = self.push(fact, if late { LATE } else { BUILD }, fact.lineage.role.clone(), pieces, false);
        self.creating.insert(fact.identity.clone(), node);
        self.drop_replaced(fact);
    }

    /// A sequence may have the name of a type, but only be given it: Postgres makes none under that name.
    fn called_like_a_type(&self, sequence: &Fact) -> bool {
        [Kind::Enum, Kind::Domain, Kind::Range].into_iter().any(|kind| {
            let of_type = Identity::new(kind, sequence.identity.path());
            self.from.contains(&of_type) || self.to.contains(&of_type)
        })
    }

    /// What a view reads, directly or through other views and functions.
    fn read_by(&self, view: &Fact) -> Vec<&'a Fact> {
        let (mut queue, mut seen, mut read) = (vec![view], HashSet::new(), Vec::new());
        while let Some(fact) = queue.pop() {
            for needed in &fact.depends_on {
                let found = self.to.get(needed);
                let whole = found.and_then(|part| part.parent.as_ref()).and_then(|whole| self.to.get(whole)).or(found);
                let Some(whole) = whole.filter(|whole| seen.insert(&whole.identity)) else { continue };
                read.push(whole);
                if matches!(whole.kind, Kind::View | Kind::MaterializedView | Kind::Function) {
                    queue.push(whole);
                }
            }
        }
        read
    }

    fn default_of(&self, column: &Fact) -> Option<&'a Fact> {
        self.to
            .get(&Identity::new(Kind::Default, column.identity.path()))
            .filter(|_| column.optional("generated").is_none())
    }

    pub(super) fn add_column(&mut self, column: &Fact) {
        let default = self.default_of(column);
        let table = column.identity.prefix();
        let filled_by_data = self.with_data
            && column.flag("not_null")
            && default.is_none()
            && column.optional("generated").is_none()
            && no_identity(column);
        let mut first = column.clone();
        if filled_by_data {
            first.fields.insert("not_null".to_owned(), false.into());
        }
        // A column that children take over begins to be identity when it is there.
        let partitioned =
            |table: &Identity| self.to.get(table).is_some_and(|table| table.optional("partition_key").is_some());
        let identity_later =
            column.lineage.has_children && !no_identity(column) && !column.parent.as_ref().is_some_and(partitioned);
        if identity_later {
            first.fields.insert("identity".to_owned(), serde_json::Value::Null);
        }
        let mut pieces =
            vec![Piece::new(format!("alter table {table} add column {}", ddl::column_definition(&first, default)))];
        let mut bare = column.clone();
        for field in ["type", "collation", "not_null", "identity", "generated"] {
            bare.fields.insert(field.to_owned(), column.fields.get(field).cloned().unwrap_or_default());
        }
        for (field, empty) in [
            ("storage", serde_json::Value::Null),
            ("compression", serde_json::Value::Null),
            ("statistics", serde_json::Value::Null),
            ("options", serde_json::json!([])),
        ] {
            bare.fields.insert(field.to_owned(), empty);
        }
        bare.fields.shift_remove("foreign_options");
        if identity_later {
            bare.fields.insert("identity".to_owned(), serde_json::Value::Null);
        }
        if let Change::InPlace(storage) = ddl::alter(&bare, column, self.to) {
            pieces.extend(storage);
        }
        let node = self.push(column, BUILD, column.lineage.role.clone(), pieces, false);
        self.creating.insert(column.identity.clone(), node);
        self.creating.extend(default.map(|default| (default.identity.clone(), node)));
        if filled_by_data {
            let close = vec![Piece::after_data(format!(
                "alter table {table} alter column {} set not null",
                column.identity.last()
            ))];
            let late = self.push(column, LATE, column.lineage.role.clone(), close, false);
            self.edges.push((node, late));
        }
    }

    /// Makes an object as its owner, or as the session's role where the owner may not create there.
    pub(super) fn made_by_owner(&mut self, fact: &Fact, mut pieces: Vec<Piece>) -> Vec<Piece> {
        let Some(word) = ddl::owner_word(fact.kind).filter(|word| *word != "schema") else { return pieces };
        if pieces.is_empty()
            || self.may_create(fact)
                && !ddl::privileged(fact)
                && !self.inherits_from_others(fact)
                && !self.of_others_table(fact)
        {
            return pieces;
        }
        for piece in &mut pieces {
            piece.session = true;
        }
        pieces.push(ddl::set_owner(fact, word));
        pieces.extend(ddl::strip_statement(fact, &self.defaults.grantees()).map(Piece::new));
        self.handed_over.insert(fact.identity.clone());
        pieces
    }

    /// Who refers to another role's table without a privilege that says so was let to once, and is let to for this statement.
    fn let_refer(&self, key: &Fact, pieces: &mut Vec<Piece>) {
        if !key.is_foreign_key() {
            return;
        }
        let Some(role) = key.lineage.role.as_deref() else { return };
        let tables = key.depends_on.iter().filter_map(|needed| self.to.table_of(needed));
        let mut others = tables.filter(|table| Some(&table.identity) != key.parent.as_ref());
        let Some(table) = others.find(|table| table.text("owner") != role) else { return };
        let granted = [self.from, self.to].into_iter().any(|catalog| {
            catalog.iter().any(|grant| {
                grant.kind == Kind::Grant
                    && grant.parent.as_ref().is_some_and(|on| {
                        *on == table.identity || on.kind_word() == "column" && on.prefix() == table.identity.path()
                    })
                    && grant.text("privilege") == "REFERENCES"
                    && [role, "public"].contains(&grant.text("grantee"))
            })
        });
        if granted {
            return;
        }
        let path = table.identity.path();
        pieces.insert(0, Piece::session(format!("grant references on table {path} to {role}")));
        pieces.push(Piece::session(format!("revoke references on table {path} from {role}")));
    }

    /// Statistics may belong to another role than their table, whose owner alone may make them.
    fn of_others_table(&self, fact: &Fact) -> bool {
        fact.kind == Kind::Statistics
            && fact
                .parent
                .as_ref()
                .and_then(|table| self.to.get(table))
                .is_some_and(|table| table.text("owner") != fact.text("owner"))
    }

    /// True when a table above belongs to another role: only its owner may let others inherit.
    fn inherits_from_others(&self, table: &Fact) -> bool {
        families::inheritance_of(self.to, &table.identity)
            .iter()
            .flat_map(|link| &link.depends_on)
            .any(|above| self.to.get(above).is_some_and(|above| above.text("owner") != table.text("owner")))
    }

    fn may_create(&self, fact: &Fact) -> bool {
        let Some(role) = fact.lineage.role.as_deref() else { return false };
        let schema = Identity::new(Kind::Schema, fact.identity.names()[0]);
        let granted =
            |grantee: &str| self.to.contains(&Identity::about(Kind::Grant, &schema, &format!("/{grantee}/CREATE")));
        self.to.get(&schema).is_some_and(|schema| schema.text("owner") == role) || granted(role) || granted("public")
    }
}

/// A default that needs nothing but types and sequences can be written inside `create table`.
fn inline(default: &Fact) -> bool {
    default.depends_on.iter().all(|needed| {
        ["sequence:", "enum:", "domain:", "composite:", "range:", "extension:", "column:"]
            .iter()
            .any(|kind| needed.as_str().starts_with(kind))
    })
}

fn no_identity(column: &Fact) -> bool {
    column.fields.get("identity").is_none_or(serde_json::Value::is_null)
}
