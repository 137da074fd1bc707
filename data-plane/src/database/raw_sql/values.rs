//! Values as the platform's SQL clients expect them: made from Postgres' text by the column's type.
//!
//! Counts of 64 bits and decimals are strings, times are ISO-8601 in UTC, JSON is JSON, bytes are a `Buffer`.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

mod oid {
    pub(super) const BOOL: u32 = 16;
    pub(super) const BYTEA: u32 = 17;
    pub(super) const INT2: u32 = 21;
    pub(super) const INT4: u32 = 23;
    pub(super) const OID: u32 = 26;
    pub(super) const JSON: u32 = 114;
    pub(super) const POINT: u32 = 600;
    pub(super) const FLOAT4: u32 = 700;
    pub(super) const FLOAT8: u32 = 701;
    pub(super) const CIRCLE: u32 = 718;
    pub(super) const DATE: u32 = 1082;
    pub(super) const TIMESTAMP: u32 = 1114;
    pub(super) const TIMESTAMPTZ: u32 = 1184;
    pub(super) const INTERVAL: u32 = 1186;
    pub(super) const JSONB: u32 = 3802;
    pub(super) const TEXT: u32 = 25;
}

/// Converts one value.
pub(crate) fn to_json(type_oid: u32, text: Option<&str>) -> Value {
    let Some(text) = text else { return Value::Null };
    match element_of(type_oid) {
        Some(element) => array(element, text),
        None => scalar(type_oid, text),
    }
}

fn scalar(type_oid: u32, text: &str) -> Value {
    match type_oid {
        oid::BOOL => Value::Bool(text == "t"),
        oid::INT2 | oid::INT4 | oid::OID => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        oid::FLOAT4 | oid::FLOAT8 => float(text),
        oid::JSON | oid::JSONB => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        oid::TIMESTAMPTZ => instant(text),
        oid::TIMESTAMP => local_time(text),
        oid::DATE => date(text),
        oid::BYTEA => bytes(text),
        oid::INTERVAL => interval(text),
        oid::POINT => numbers(text).map_or(Value::Null, |found| json!({"x": found.first(), "y": found.get(1)})),
        oid::CIRCLE => numbers(text)
            .map_or(Value::Null, |found| json!({"x": found.first(), "y": found.get(1), "radius": found.get(2)})),
        _ => text.into(),
    }
}

/// Element types of the arrays that are shown as arrays; decimals are numbers there. Other arrays stay text.
fn element_of(type_oid: u32) -> Option<u32> {
    Some(match type_oid {
        1000 => oid::BOOL,
        1001 => oid::BYTEA,
        1005 | 1007 | 1028 => oid::INT4,
        1021 | 1022 | 1231 => oid::FLOAT8,
        1017 => oid::POINT,
        1115 => oid::TIMESTAMP,
        1182 => oid::DATE,
        1185 => oid::TIMESTAMPTZ,
        1187 => oid::INTERVAL,
        199 | 3807 => oid::JSON,
        // text, bpchar, varchar, bigint, uuid, inet, cidr, macaddr, money, time, timetz, numrange
        1009 | 1014 | 1015 | 1016 | 2951 | 1041 | 651 | 1040 | 791 | 1183 | 1270 | 3907 => oid::TEXT,
        _ => return None,
    })
}

fn float(text: &str) -> Value {
    text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map_or(Value::Null, |number| {
        match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
            Some(whole) if whole.fract() == 0.0 && whole.abs() < 9e15 => Value::from(whole as i64),
            _ => Value::Number(number),
        }
    })
}

fn iso(instant: DateTime<Utc>) -> Value {
    instant.to_rfc3339_opts(SecondsFormat::Millis, true).into()
}

fn instant(text: &str) -> Value {
    let parsed = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z");
    parsed.map_or_else(|_| infinite_or_text(text), |time| iso(time.with_timezone(&Utc)))
}

fn local_time(text: &str) -> Value {
    let parsed = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f");
    parsed.map_or_else(|_| infinite_or_text(text), |time| iso(time.and_utc()))
}

fn date(text: &str) -> Value {
    let midnight = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|date| date.and_hms_opt(0, 0, 0));
    midnight.map_or_else(|| infinite_or_text(text), |time| iso(time.and_utc()))
}

fn infinite_or_text(text: &str) -> Value {
    if text.ends_with("infinity") { Value::Null } else { text.into() }
}

fn bytes(text: &str) -> Value {
    let data = text
        .strip_prefix("\\x")
        .and_then(|digits| hex::decode(digits).ok())
        .unwrap_or_else(|| text.as_bytes().to_vec());
    json!({"type": "Buffer", "data": data})
}

fn numbers(text: &str) -> Option<Vec<f64>> {
    text.split(',').map(|part| part.trim_matches(['(', ')', '<', '>', ' ']).parse().ok()).collect()
}

/// `1 year 2 mons 3 days 04:05:06.5` as an object of its parts that are not zero.
fn interval(text: &str) -> Value {
    let mut parts = Map::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if word.contains(':') {
            clock_parts(word, &mut parts);
            continue;
        }
        let name = match words.next() {
            Some(unit) if unit.starts_with("year") => "years",
            Some(unit) if unit.starts_with("mon") => "months",
            Some(unit) if unit.starts_with("day") => "days",
            _ => return text.into(),
        };
        parts.insert(name.to_owned(), word.parse::<i64>().map_or(Value::Null, Value::from));
    }
    Value::Object(parts)
}

fn clock_parts(word: &str, parts: &mut Map<String, Value>) {
    let sign: i32 = if word.starts_with('-') { -1 } else { 1 };
    let digits = word.trim_start_matches(['-', '+']);
    for (name, value) in ["hours", "minutes", "seconds"].into_iter().zip(digits.split(':')) {
        let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
        if let Some(number) = whole.parse::<i64>().ok().filter(|number| *number != 0) {
            parts.insert(name.to_owned(), (i64::from(sign) * number).into());
        }
        if let Some(milliseconds) = format!("0.{fraction}").parse::<f64>().ok().filter(|fraction| *fraction != 0.0) {
            parts.insert(
                "milliseconds".to_owned(),
                float(&format!("{}", f64::from(sign) * (milliseconds * 1e6).round() / 1e3)),
            );
        }
    }
}

/// Reads an array literal, nested ones included.
fn array(element: u32, text: &str) -> Value {
    let start = text.find('{').unwrap_or(0);
    let mut characters = text[start..].chars().peekable();
    elements(element, &mut characters).map_or_else(|| text.into(), Value::Array)
}

fn elements(element: u32, characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Vec<Value>> {
    if characters.next()? != '{' {
        return None;
    }
    let mut found = Vec::new();
    loop {
        match characters.peek()? {
            '}' => {
                characters.next();
                return Some(found);
            }
            ',' => {
                characters.next();
            }
            '{' => found.push(Value::Array(elements(element, characters)?)),
            '"' => {
                characters.next();
                let mut word = String::new();
                loop {
                    match characters.next()? {
                        '"' => break,
                        '\\' => word.push(characters.next()?),
                        character => word.push(character),
                    }
                }
                found.push(scalar(element, &word));
            }
            _ => {
                let mut word = String::new();
                while let Some(character) = characters.next_if(|character| *character != ',' && *character != '}') {
                    word.push(character);
                }
                found.push(if word == "NULL" { Value::Null } else { scalar(element, &word) });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_take_the_clients_forms() {
        let cases = [
            (oid::BOOL, "t", json!(true)),
            (oid::INT4, "-7", json!(-7)),
            (20, "9007199254740993", json!("9007199254740993")),
            (1700, "1.10", json!("1.10")),
            (oid::FLOAT8, "1.5", json!(1.5)),
            (oid::FLOAT8, "2", json!(2)),
            (oid::FLOAT8, "NaN", Value::Null),
            (oid::TIMESTAMPTZ, "2026-01-02 03:04:05.678901+00", json!("2026-01-02T03:04:05.678Z")),
            (oid::TIMESTAMPTZ, "2026-01-02 03:04:05+05:30", json!("2026-01-01T21:34:05.000Z")),
            (oid::TIMESTAMP, "2026-01-02 03:04:05", json!("2026-01-02T03:04:05.000Z")),
            (oid::DATE, "2026-01-02", json!("2026-01-02T00:00:00.000Z")),
            (oid::TIMESTAMP, "-infinity", Value::Null),
            (oid::JSONB, "{\"a\": [1]}", json!({"a": [1]})),
            (oid::BYTEA, "\\x0aff", json!({"type": "Buffer", "data": [10, 255]})),
            (oid::INTERVAL, "1 day 02:00:00", json!({"days": 1, "hours": 2})),
            (oid::INTERVAL, "00:00:00", json!({})),
            (oid::INTERVAL, "-00:00:01.5", json!({"seconds": -1, "milliseconds": -500})),
            (oid::POINT, "(1,2.5)", json!({"x": 1.0, "y": 2.5})),
            (1007, "{1,NULL,{2}}", json!([1, null, [2]])),
            (1009, "{a,\"b,\\\"c\",\"NULL\",NULL}", json!(["a", "b,\"c", "NULL", null])),
            (1016, "{1}", json!(["1"])),
            (1231, "{1.5}", json!([1.5])),
            (1003, "{a,b}", json!("{a,b}")),
            (99999, "raw", json!("raw")),
        ];
        for (type_oid, text, expected) in cases {
            assert_eq!(to_json(type_oid, Some(text)), expected, "{type_oid} {text}");
        }
        assert_eq!(to_json(oid::BOOL, None), Value::Null);
    }
}
