//! One edit: a statement, or a few that belong together, on whatever is there. Many cannot run; those are left out.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

use super::inventory::{Inventory, Relation};
use super::{access, relations, routines, types};

/// Chooses edits for one side.
pub(super) struct Editor<'a> {
    pub(super) rng: &'a mut StdRng,
    pub(super) there: &'a Inventory,
    /// Where new objects go and old ones are taken from; everywhere when empty.
    pub(super) scope: &'a str,
}

impl Editor<'_> {
    /// The next edit, or nothing when what was chosen has nothing to work on.
    pub(super) fn next(&mut self) -> Option<String> {
        match self.rng.random_range(0..100) {
            0..28 => relations::table(self),
            28..48 => relations::column(self),
            48..60 => relations::part(self),
            60..68 => relations::view(self),
            68..78 => types::edit(self),
            78..88 => routines::edit(self),
            _ => access::edit(self),
        }
    }

    pub(super) fn chance(&mut self, of_ten: u32) -> bool {
        self.rng.random_range(0..10) < of_ten
    }

    pub(super) fn pick<'b, T>(&mut self, from: &'b [T]) -> Option<&'b T> {
        from.choose(self.rng)
    }

    /// One of these words.
    pub(super) fn word(&mut self, from: &[&'static str]) -> &'static str {
        from.choose(self.rng).copied().unwrap_or_default()
    }

    pub(super) fn within(&self, name: &str) -> bool {
        self.scope.is_empty() || name.starts_with(&format!("{}.", self.scope))
    }

    pub(super) fn schema(&mut self) -> String {
        if self.scope.is_empty() {
            self.pick(&self.there.schemas).cloned().unwrap_or_else(|| "public".to_owned())
        } else {
            self.scope.to_owned()
        }
    }

    pub(super) fn name(&mut self) -> String {
        super::names::name(self.rng)
    }

    /// A new name in some schema.
    pub(super) fn qualified(&mut self) -> String {
        format!("{}.{}", self.schema(), self.name())
    }

    pub(super) fn literal(&mut self) -> String {
        super::names::literal(self.rng)
    }

    /// A relation of one of these kinds.
    pub(super) fn relation(&mut self, kinds: &str) -> Option<Relation> {
        let found: Vec<&Relation> =
            self.there.of(kinds).into_iter().filter(|relation| self.within(&relation.name)).collect();
        self.pick(&found).map(|relation| (*relation).clone())
    }

    /// The name of a column of this relation.
    pub(super) fn column_of(&mut self, relation: &Relation) -> Option<String> {
        self.pick(&relation.columns).map(|column| column.name.clone())
    }

    /// A type a column may have.
    pub(super) fn column_type(&mut self) -> String {
        const BUILT_IN: [&str; 16] = [
            "int",
            "bigint",
            "text",
            "varchar(20)",
            "numeric(10,2)",
            "boolean",
            "timestamptz",
            "date",
            "uuid",
            "jsonb",
            "text[]",
            "int4range",
            "double precision",
            "smallint",
            "interval",
            "char(5)",
        ];
        let own: Vec<String> =
            self.there.types.iter().map(|own| own.name.clone()).filter(|name| self.within(name)).collect();
        if self.chance(2)
            && let Some(own) = self.pick(&own)
        {
            return if self.chance(1) { format!("{own}[]") } else { own.clone() };
        }
        self.word(&BUILT_IN).to_owned()
    }

    /// An expression of this type without columns.
    pub(super) fn value(&mut self, sql_type: &str) -> String {
        match sql_type {
            "int" | "integer" | "bigint" | "smallint" | "double precision" => {
                self.word(&["0", "1 + 1", "42", "abs(-3)", "length('abc')"]).to_owned()
            }
            "text" => self.literal(),
            "boolean" => self.word(&["true", "false", "1 > 2"]).to_owned(),
            "timestamptz" | "timestamp with time zone" => {
                self.word(&["now()", "now() - interval '1 day'", "'2025-01-01Z'"]).to_owned()
            }
            "uuid" => "gen_random_uuid()".to_owned(),
            "jsonb" => self.word(&["'{}'", "'{\"a\": [1]}'"]).to_owned(),
            _ => "null".to_owned(),
        }
    }
}
