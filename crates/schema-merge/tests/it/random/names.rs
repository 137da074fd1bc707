//! Names that need care: quoted, reserved, non-ASCII, as long as a name can be, and some that look like syntax.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use schema_merge::catalog::quote_identifier;

const PLAIN: [&str; 10] =
    ["notes", "tags", "title", "body", "score", "owner_id", "created_at", "kind", "amount", "parent_id"];
const ODD: [&str; 14] = [
    "Mixed Case",
    "select",
    "table",
    "user",
    "do.t",
    "qu\"ote",
    "it's",
    "grüße",
    "漢字かな",
    "$1$",
    "back\\slash",
    "-- dash",
    "/* star",
    "a_name_that_is_as_long_as_postgres_lets_any_name_be_63_bytes_xx",
];

/// A quoted name; one of few, so that both sides often choose the same.
pub(super) fn name(rng: &mut StdRng) -> String {
    let stem = if rng.random_bool(0.6) { PLAIN.choose(rng) } else { ODD.choose(rng) }.expect("there are names");
    let numbered = format!("{stem}{}", rng.random_range(1..5));
    let name = if rng.random_bool(0.5) || stem.len() > 60 { (*stem).to_owned() } else { numbered };
    quote_identifier(&name)
}

/// A text literal with what could break out of one.
pub(super) fn literal(rng: &mut StdRng) -> String {
    const TEXTS: [&str; 8] = ["a", "it's", "\\ back", "$$ dollar $$", "-- ; drop", "ü 漢", "", "two\nlines"];
    format!("'{}'", TEXTS.choose(rng).expect("there are texts").replace('\'', "''"))
}
