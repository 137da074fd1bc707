//! Forms as objects: repeated names become lists, `a[b]=1` an object inside, `a[]=1` a list.

use serde_json::{Map, Value};

/// Deepest nesting that is taken apart; what is deeper stays part of the name.
const DEPTH_MAX: usize = 5;

/// The fields of a form.
pub(super) fn parse(bytes: &[u8]) -> Value {
    let mut fields = Value::Object(Map::new());
    for (name, value) in url::form_urlencoded::parse(bytes) {
        put(&mut fields, &path_of(&name), value.into_owned());
    }
    fields
}

fn path_of(name: &str) -> Vec<&str> {
    let Some(open) = name.find('[').filter(|open| *open > 0) else { return vec![name] };
    let mut path = vec![&name[..open]];
    let mut rest = &name[open..];
    while let Some((part, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        if path.len() > DEPTH_MAX {
            break;
        }
        path.push(part);
        rest = after;
    }
    match rest {
        "" => path,
        _ => vec![name],
    }
}

fn put(place: &mut Value, path: &[&str], value: String) {
    match path {
        [] | [""] => append(place, value),
        [name, rest @ ..] => {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            let fields = place.as_object_mut().expect("just made one");
            put(fields.entry(*name).or_insert(Value::Null), rest, value);
        }
    }
}

fn append(place: &mut Value, value: String) {
    match place {
        Value::Array(items) => items.push(Value::String(value)),
        Value::Null => *place = Value::String(value),
        first => {
            let first_value = first.take();
            *first = Value::Array(vec![first_value, Value::String(value)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_with_brackets_nest() {
        assert_eq!(parse(b"a[b]=1&c=2&c=3&d=%20+x"), json!({"a": {"b": "1"}, "c": ["2", "3"], "d": "  x"}));
        assert_eq!(parse(b"l[]=1&l[]=2&m[x][y]=3"), json!({"l": ["1", "2"], "m": {"x": {"y": "3"}}}));
        assert_eq!(parse(b"[a]=1&b[=2&c]d=3"), json!({"[a]": "1", "b[": "2", "c]d": "3"}));
        assert_eq!(parse(b""), json!({}));
    }
}
