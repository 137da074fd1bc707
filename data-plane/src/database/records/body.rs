//! Request bodies: JSON kept as text, so that no number loses digits on its way to Postgres.

use axum::http::{HeaderMap, header};
use indexmap::IndexMap;
use serde_json::value::RawValue;

use super::error::Error;
use crate::database::schema_cache::Relation;

type Object = IndexMap<String, Box<RawValue>>;

/// A body of rows.
#[derive(Debug)]
pub(super) struct Rows {
    /// A JSON array of objects.
    pub(super) json: String,
    /// Its length.
    pub(super) count: usize,
    /// Member names: of the first object, and of every other one unless `uniform` is false.
    pub(super) keys: Vec<String>,
    /// Whether all objects have the same members.
    uniform: bool,
}

impl Rows {
    /// Reads an object or an array of objects. Empty texts for columns that cannot hold them are left out.
    pub(super) fn read(body: &[u8], relation: &Relation) -> Result<Self, Error> {
        let text = text(body)?;
        let (mut objects, bare) = match text.as_bytes().first() {
            Some(b'{') => (vec![parse::<Object>(text)?], true),
            Some(b'[') => (parse::<Vec<Object>>(text)?, false),
            None => (vec![Object::new()], true),
            _ => return Err(Error::body("Empty or invalid json")),
        };
        let mut stripped = text.is_empty();
        for object in &mut objects {
            let before = object.len();
            object.retain(|name, value| {
                value.get() != "\"\""
                    || relation.columns.get(name).is_none_or(crate::database::schema_cache::Column::textual)
            });
            stripped |= object.len() != before;
        }
        let keys: Vec<String> = objects.first().map(|first| first.keys().cloned().collect()).unwrap_or_default();
        let uniform =
            objects.iter().all(|object| object.len() == keys.len() && keys.iter().all(|key| object.contains_key(key)));
        let json = match (stripped, bare) {
            (true, _) => serde_json::to_string(&objects).map_err(|_| Error::body("Empty or invalid json"))?,
            (false, true) => format!("[{text}]"),
            (false, false) => text.to_owned(),
        };
        Ok(Self { json, count: objects.len(), keys, uniform })
    }

    /// The columns to write: those asked for, else the objects' own members; all must exist.
    pub(super) fn columns(&self, relation: &Relation, asked: Option<&[String]>) -> Result<Vec<String>, Error> {
        let names = match asked {
            Some(names) => names,
            None if self.uniform => &self.keys,
            None => return Err(Error::body("All object keys must match")),
        };
        match names.iter().find(|name| !relation.columns.contains_key(*name)) {
            Some(unknown) => Err(Error::no_body_column(&relation.name, unknown)),
            None => Ok(names.to_vec()),
        }
    }
}

/// The body of a call.
#[derive(Debug)]
pub(super) struct Arguments {
    /// The body as it came; `{}` when there was none.
    pub(super) json: String,
    /// Member names when it is an object.
    pub(super) names: Vec<String>,
}

impl Arguments {
    /// Reads any JSON value.
    pub(super) fn read(body: &[u8]) -> Result<Self, Error> {
        let text = text(body)?;
        if text.is_empty() {
            return Ok(Self { json: "{}".to_owned(), names: Vec::new() });
        }
        let names = if text.starts_with('{') {
            parse::<Object>(text)?.into_keys().collect()
        } else {
            parse::<&RawValue>(text)?;
            Vec::new()
        };
        Ok(Self { json: text.to_owned(), names })
    }
}

/// Only JSON is taken; without a content type the body is taken for JSON.
pub(super) fn check_content_type(headers: &HeaderMap, body: &[u8]) -> Result<(), Error> {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return Ok(()) };
    let name = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if body.is_empty()
        || matches!(
            name.as_str(),
            "application/json" | "application/vnd.pgrst.object+json" | "application/vnd.pgrst.array+json"
        )
    {
        return Ok(());
    }
    Err(Error::body(&format!("Content-Type not acceptable: {name}")))
}

fn text(body: &[u8]) -> Result<&str, Error> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    std::str::from_utf8(body).map(str::trim).map_err(|_| Error::body("Empty or invalid json"))
}

fn parse<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|_| Error::body("Empty or invalid json"))
}
