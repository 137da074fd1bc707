//! What a fact says.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use hashbrown::DefaultHashBuilder;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

type Entries = IndexMap<String, Value, DefaultHashBuilder>;

/// What is said of a fact, by name, in the order it was read. Copies share it until one of them is changed: sides of a merge have most
/// of their facts in common, and grants differ in little but their object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(Arc<Entries>);

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Deref for Fields {
    type Target = Entries;

    fn deref(&self) -> &Entries {
        &self.0
    }
}

impl DerefMut for Fields {
    fn deref_mut(&mut self) -> &mut Entries {
        Arc::make_mut(&mut self.0)
    }
}

impl From<Value> for Fields {
    /// The entries of an object; anything else is the one entry `value`.
    fn from(value: Value) -> Self {
        match value {
            Value::Object(entries) => entries.into_iter().collect(),
            other => [("value".to_owned(), other)].into_iter().collect(),
        }
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Fields {
    fn from(entries: [(&str, Value); N]) -> Self {
        entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl FromIterator<(String, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(entries: I) -> Self {
        Self(Arc::new(entries.into_iter().collect()))
    }
}

impl IntoIterator for Fields {
    type Item = (String, Value);
    type IntoIter = indexmap::map::IntoIter<String, Value>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}
