//! Whatever a tenant puts into names, texts and bodies, a statement says it and nothing else.

use hashbrown::HashMap;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::{create, literal};
use crate::catalog::{Fact, Identity, Kind, Lineage, quote_identifier, split_path, unquote_identifier};

/// What has closed quotes before, and what has no meaning.
const PARTS: [&str; 22] = [
    "'",
    "''",
    "\"",
    "\\",
    "\\'",
    "$$",
    "$",
    "$body$",
    "$body1$",
    ";",
    "--",
    "/*",
    "*/",
    "\n",
    "\r",
    "\t",
    " e'",
    "é",
    "日本",
    ".",
    "drop table t",
    "x",
];

fn hostile(rng: &mut StdRng) -> String {
    (0..rng.random_range(0..12)).map(|_| PARTS[rng.random_range(0..PARTS.len())]).collect()
}

/// Reads one string constant as Postgres does, and what follows it.
fn constant(text: &str) -> Option<(String, &str)> {
    let escapes = text.starts_with("e'");
    let mut rest = text.strip_prefix(if escapes { "e'" } else { "'" })?;
    let mut value = String::new();
    loop {
        let character = rest.chars().next()?;
        rest = &rest[character.len_utf8()..];
        match character {
            '\'' if rest.starts_with('\'') => {
                value.push('\'');
                rest = &rest[1..];
            }
            '\'' => return Some((value, rest)),
            '\\' if escapes => {
                let next = rest.chars().next()?;
                value.push(next);
                rest = &rest[next.len_utf8()..];
            }
            other => value.push(other),
        }
    }
}

/// Reads one dollar-quoted constant, and what follows it.
fn dollar_quoted(text: &str) -> Option<(&str, &str)> {
    let end = text[1..].find('$')? + 2;
    let (tag, rest) = text.split_at(end);
    let close = rest.find(tag)?;
    Some((&rest[..close], &rest[close + tag.len()..]))
}

fn fact(kind: Kind, path: &str, fields: serde_json::Value) -> Fact {
    Fact {
        identity: Identity::new(kind, path),
        kind,
        parent: Some(Identity::new(Kind::Table, path)),
        fields: fields.into(),
        depends_on: Vec::new(),
        lineage: Lineage::default(),
    }
}

#[test]
fn texts_and_bodies_stay_inside_their_quotes() {
    let mut rng = StdRng::seed_from_u64(7);
    for _ in 0..4000 {
        let text = hostile(&mut rng);
        assert_eq!(constant(&literal(&text)), Some((text.clone(), "")), "{text:?}");

        let comment = fact(Kind::Comment, "public.t", json!({ "text": text, "on": "" }));
        let sql = create(&comment).remove(0).sql;
        let said = sql.strip_prefix("comment on table public.t is ").expect("a comment says what it is on");
        assert_eq!(constant(said), Some((text.clone(), "")), "{sql}");

        let labels = fact(Kind::Enum, "public.e", json!({ "labels": [text, "b"] }));
        let sql = create(&labels).remove(0).sql;
        let said = sql.strip_prefix("create type public.e as enum (").expect("an enum lists its labels");
        assert_eq!(constant(said), Some((text.clone(), ", 'b')")), "{sql}");

        let function = fact(
            Kind::Function,
            "public.f()",
            json!({
                "kind": "function", "arguments": "", "returns": "text", "language": "sql", "body": text, "volatility": "v",
                "parallel": "u", "cost": 100, "rows": 0, "config": [format!("work.area={text}")],
            }),
        );
        let sql = create(&function).remove(0).sql;
        let setting = sql.split_once("set \"work.area\" to ").expect("the setting is written").1;
        let (value, rest) = constant(setting).expect("a setting's value is a constant");
        assert_eq!(value, text);
        let body = rest.strip_prefix("\nas ").expect("the body follows the setting");
        assert_eq!(dollar_quoted(body), Some((text.as_str(), "")), "{sql}");
    }
}

#[test]
fn names_stay_inside_their_quotes() {
    let mut rng = StdRng::seed_from_u64(8);
    let mut seen = HashMap::new();
    for _ in 0..4000 {
        let name = hostile(&mut rng);
        let quoted = quote_identifier(&name);
        assert_eq!(unquote_identifier(&quoted), name);
        let path = format!("{quoted}.plain.{quoted}");
        assert_eq!(split_path(&path), [quoted.as_str(), "plain", quoted.as_str()], "{path}");
        assert_eq!(seen.entry(quoted).or_insert_with(|| name.clone()), &name);
    }
}
