//! Request bodies: JSON kept as text, so that no number loses digits on its way to Postgres; CSV and forms become JSON.

use std::borrow::Cow;

use axum::http::{HeaderMap, header};
use indexmap::IndexMap;
use serde::Deserializer as _;
use serde_json::value::RawValue;

use super::{
    error::Error,
    formats::Made,
    members::{self, Rewrite},
};
use crate::database::schema_cache::Relation;

const NO_JSON: &str = "Empty or invalid json";
const UNEVEN: &str = "All object keys must match";

/// What a body is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Json,
    Csv,
    Form,
    /// Text, XML or bytes, for functions with a single unnamed argument of this type.
    Bare(&'static str),
}

impl Kind {
    /// By the content type; without one a body is JSON.
    pub(super) fn of(headers: &HeaderMap, body: &[u8]) -> Result<Self, Error> {
        let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
            return Ok(Self::Json);
        };
        let name = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match name.as_str() {
            "application/json" => Ok(Self::Json),
            "text/csv" => Ok(Self::Csv),
            "application/x-www-form-urlencoded" => Ok(Self::Form),
            "text/plain" => Ok(Self::Bare("text")),
            "text/xml" => Ok(Self::Bare("xml")),
            "application/octet-stream" => Ok(Self::Bare("bytea")),
            _ if body.is_empty() => Ok(Self::Json),
            _ => Err(not_acceptable(&name)),
        }
    }

    /// The type of the argument that takes the body as it is.
    pub(super) fn bare_type(self) -> Option<&'static str> {
        match self {
            Self::Bare(type_name) => Some(type_name),
            _ => None,
        }
    }
}

/// A body of rows.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    /// A JSON array of objects.
    pub(super) json: Cow<'a, str>,
    /// Its length.
    pub(super) count: usize,
    /// Member names: of the first object, and of every other one unless `uniform` is false.
    keys: Vec<String>,
    /// Whether all elements are objects with the same members.
    uniform: bool,
    /// Whether `columns` chooses among the members.
    chosen: bool,
}

impl<'a> Rows<'a> {
    /// Reads the rows for a relation. Empty texts for columns that cannot hold them are left out.
    pub(super) fn read(headers: &HeaderMap, body: &'a [u8], relation: &Relation) -> Result<Self, Error> {
        match Kind::of(headers, body)? {
            Kind::Json => Self::json(text(body)?, relation),
            Kind::Csv => Self::made(Made::csv(body)?),
            Kind::Form => Self::made(Made::form(body)),
            Kind::Bare(_) if body.is_empty() => Self::json("", relation),
            Kind::Bare(type_name) => Err(not_acceptable(match type_name {
                "text" => "text/plain",
                "xml" => "text/xml",
                _ => "application/octet-stream",
            })),
        }
    }

    fn json(text: &'a str, relation: &Relation) -> Result<Self, Error> {
        let mut scan = Scan { relation, keys: Vec::new(), count: 0, uniform: true, rewritten: false };
        let json = match text.as_bytes().first() {
            // A missing body is an empty object.
            None => {
                scan.count = 1;
                Cow::Borrowed("[{}]")
            }
            Some(b'[') => {
                for element in parse::<Vec<&RawValue>>(text)? {
                    scan.take(element.get())?;
                }
                Cow::Borrowed(text)
            }
            Some(b'{') => {
                scan.take(text)?;
                Cow::Owned(format!("[{text}]"))
            }
            // Anything else is no row.
            Some(_) => {
                parse::<&RawValue>(text)?;
                Cow::Borrowed("[]")
            }
        };
        let Scan { keys, count, uniform, rewritten, .. } = scan;
        let rows = Self { json, count, keys, uniform, chosen: true };
        if rewritten { rows.rewritten(relation) } else { Ok(rows) }
    }

    /// With its members as the columns take them.
    fn rewritten(self, relation: &Relation) -> Result<Self, Error> {
        let mut objects: Vec<IndexMap<String, Box<RawValue>>> = parse(&self.json)?;
        for object in &mut objects {
            object.retain(|name, value| {
                match relation.columns.get(name).and_then(|column| members::rewrite(column, value.get())) {
                    Some(Rewrite::LeftOut) => return false,
                    Some(Rewrite::Written(digits)) => *value = members::raw(digits),
                    None => {}
                }
                true
            });
        }
        let keys: Vec<String> = objects.first().map(|first| first.keys().cloned().collect()).unwrap_or_default();
        let uniform =
            objects.iter().all(|object| object.len() == keys.len() && keys.iter().all(|key| object.contains_key(key)));
        let json = serde_json::to_string(&objects).map_err(|_| Error::body(NO_JSON))?;
        Ok(Self { json: Cow::Owned(json), count: objects.len(), keys, uniform, chosen: true })
    }

    fn made(made: Made) -> Result<Self, Error> {
        let json = serde_json::to_string(&made.rows).expect("texts are plain data");
        Ok(Self { json: Cow::Owned(json), count: made.rows.len(), keys: made.keys, uniform: true, chosen: false })
    }

    /// The columns to write: those asked for, else the objects' own members; all must exist.
    pub(super) fn columns(&self, relation: &Relation, asked: Option<&[String]>) -> Result<Vec<String>, Error> {
        let names = match asked.filter(|_| self.chosen) {
            Some(names) => names,
            None if self.uniform => &self.keys,
            None => return Err(Error::body(UNEVEN)),
        };
        match names.iter().find(|name| !relation.columns.contains_key(*name)) {
            Some(unknown) => Err(Error::no_body_column(&relation.name, unknown)),
            None => Ok(names.to_vec()),
        }
    }
}

/// The body of a call.
#[derive(Debug)]
pub(super) struct Arguments<'a> {
    /// A JSON object of arguments, or whatever came.
    pub(super) json: Cow<'a, str>,
    /// All that came, where that is more.
    pub(super) whole: Option<&'a str>,
    /// Member names of the object, or of the first one of a list.
    pub(super) names: Vec<Cow<'a, str>>,
}

impl<'a> Arguments<'a> {
    /// Reads the arguments of a call.
    pub(super) fn read(kind: Kind, body: &'a [u8]) -> Result<Self, Error> {
        match kind {
            Kind::Json => Self::json(text(body)?),
            Kind::Csv => Self::made(Made::csv(body)?),
            Kind::Form => Self::made(Made::form(body)),
            Kind::Bare(_) => Err(Error::body(NO_JSON)),
        }
    }

    fn json(text: &'a str) -> Result<Self, Error> {
        match text.as_bytes().first() {
            None => Ok(Self { json: Cow::Borrowed("{}"), whole: None, names: Vec::new() }),
            Some(b'{') => Ok(Self { json: Cow::Borrowed(text), whole: None, names: names(text)? }),
            Some(b'[') => {
                // A list of objects calls with the first; any other list can only be the whole argument.
                let elements: Vec<&RawValue> = parse(text)?;
                match elements.first().map(|first| first.get()).filter(|first| first.starts_with('{')) {
                    Some(first) => Ok(Self { json: Cow::Borrowed(first), whole: Some(text), names: names(first)? }),
                    None => Ok(Self { json: Cow::Borrowed(text), whole: None, names: Vec::new() }),
                }
            }
            Some(_) => {
                parse::<&RawValue>(text)?;
                Ok(Self { json: Cow::Borrowed(text), whole: None, names: Vec::new() })
            }
        }
    }

    fn made(made: Made) -> Result<Self, Error> {
        let first = made.rows.first().cloned().unwrap_or_default();
        let json = serde_json::to_string(&first).expect("texts are plain data");
        Ok(Self { json: Cow::Owned(json), whole: None, names: made.keys.into_iter().map(Cow::Owned).collect() })
    }
}

/// What is learnt of the objects of a body while they pass, without copying them.
struct Scan<'r> {
    relation: &'r Relation,
    keys: Vec<String>,
    count: usize,
    uniform: bool,
    rewritten: bool,
}

impl Scan<'_> {
    fn take(&mut self, element: &str) -> Result<(), Error> {
        self.count += 1;
        if !element.starts_with('{') {
            self.uniform = false;
            return Ok(());
        }
        let first = self.count == 1;
        let mut seen = 0;
        members(element, |name, value| {
            self.rewritten |= members::rewritable(value)
                && self.relation.columns.get(name).is_some_and(|column| members::rewrite(column, value).is_some());
            if first {
                if !self.keys.iter().any(|key| key == name) {
                    self.keys.push(name.to_owned());
                }
            } else {
                // Objects are written alike, so that the next name is mostly the one expected.
                self.uniform &=
                    self.keys.get(seen).is_some_and(|key| key == name) || self.keys.iter().any(|key| key == name);
            }
            seen += 1;
        })?;
        self.uniform &= first || seen == self.keys.len();
        Ok(())
    }
}

/// Shows every member of an object, its value as it is written.
fn members(object: &str, mut show: impl FnMut(&str, &str)) -> Result<(), Error> {
    struct Members<'f>(&'f mut dyn FnMut(&str, &str));
    impl<'de> serde::de::Visitor<'de> for Members<'_> {
        type Value = ();

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("an object")
        }

        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                (self.0)(&name, value.get());
            }
            Ok(())
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(object);
    let read = deserializer.deserialize_map(Members(&mut show)).and_then(|()| deserializer.end());
    read.map_err(|_| Error::body(NO_JSON))
}

/// A member name, borrowed unless it is written with escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

fn names<'a>(object: &'a str) -> Result<Vec<Cow<'a, str>>, Error> {
    let members: IndexMap<Name<'a>, &'a RawValue> = parse(object)?;
    Ok(members.into_keys().map(|Name(name)| name).collect())
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Name<'_> {}

impl std::hash::Hash for Name<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

fn not_acceptable(name: &str) -> Error {
    Error::body(&format!("Content-Type not acceptable: {name}"))
}

fn text(body: &[u8]) -> Result<&str, Error> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    std::str::from_utf8(body).map(str::trim).map_err(|_| Error::body(NO_JSON))
}

fn parse<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|_| Error::body(NO_JSON))
}
