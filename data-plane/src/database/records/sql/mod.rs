//! Statements of the data API, rendered from a plan. Values are bound, names come quoted from the schema cache.
//!
//! A statement yields one row: rows on the page, body, response headers and status asked for by SQL, total, rows overwritten by an upsert,
//! and the key of the first written row. Only a gathered one yields the rows themselves (see [`gathered`]).

mod call;
mod columns;
mod conditions;
mod gathered;
mod read;
mod write;

pub(crate) use call::{Call, CallArguments, call};
pub(crate) use gathered::{ASKED_BY_SQL, gathered};
pub(crate) use read::{plan_count, read};
pub(crate) use write::{Change, Insert, delete, insert, update};

use super::media::Media;

/// A statement and its parameters, all sent as text whose type Postgres infers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statement {
    /// The text; equal requests yield equal texts, so that it can be prepared once.
    pub(crate) sql: String,
    /// `$1` …
    pub(crate) parameters: Vec<String>,
    /// Whether its rows are gathered outside Postgres.
    pub(crate) gathered: bool,
}

impl Statement {
    fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// Binds a value and returns its placeholder.
    fn bind(&mut self, value: impl Into<String>) -> String {
        self.parameters.push(value.into());
        format!("${}", self.parameters.len())
    }
}

/// The two settings by which SQL chooses response headers and status.
const RESPONSE_SETTINGS: &str = "nullif(current_setting('response.headers', true), '') as response_headers, \
                                 nullif(current_setting('response.status', true), '') as response_status";

/// Setting that counts the rows an upsert found in its way; local to the transaction.
const OVERWRITTEN: &str = "hearth.overwritten";

/// How the rows of a statement become its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyForm {
    /// The negotiated type.
    pub(crate) media: Media,
    /// What the rows are.
    pub(crate) shape: Shape,
}

/// What the rows are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nobody wants them.
    Nothing,
    /// Rows, as an array.
    Rows,
    /// One row, bare.
    OneRow,
    /// Plain values in a column called `pgrst_scalar`, as an array.
    Values,
    /// One plain value, bare.
    OneValue,
}

impl BodyForm {
    /// The expression over the subquery `rows`.
    fn sql(self) -> String {
        let element = match self.shape {
            Shape::Nothing => return "''".to_owned(),
            Shape::Rows | Shape::OneRow => "\"rows\".*",
            Shape::Values | Shape::OneValue => "\"rows\".\"pgrst_scalar\"",
        };
        let bare = matches!(self.shape, Shape::OneRow | Shape::OneValue);
        match self.media {
            Media::Csv => csv(),
            Media::GeoJson => "json_build_object('type', 'FeatureCollection', 'features', \
                 coalesce(json_agg(st_asgeojson(\"rows\".*)::json), '[]'))::text"
                .to_owned(),
            media => {
                let json = if media.singular() || bare {
                    format!("coalesce((json_agg({element}) -> 0), 'null')")
                } else {
                    format!("coalesce(json_agg({element}), '[]')")
                };
                if media.strips_nulls() { format!("json_strip_nulls({json})::text") } else { format!("{json}::text") }
            }
        }
    }
}

/// Header from the first row's member names; each row is a composite's text without its parentheses, which is CSV.
fn csv() -> String {
    "coalesce((select string_agg(case when \"name\" ~ '[\",\\n]' then '\"' || replace(\"name\", '\"', '\"\"') || '\"' else \"name\" end, ',') \
     from json_object_keys((json_agg(\"rows\".*) -> 0)) as \"name\"), '') || E'\\n' || \
     coalesce(string_agg(substring((\"rows\".*)::text, 2, length((\"rows\".*)::text) - 2), E'\\n'), '')"
        .to_owned()
}
