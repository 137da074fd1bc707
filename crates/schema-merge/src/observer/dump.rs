//! A schema-only dump as entries that can be compared.

use std::collections::BTreeMap;

use super::Part;
use crate::extract::settled;

/// What tells an entry from every other: type, schema and name, as the dump's headers have them.
pub(super) type Key = (String, String, String);

/// One entry of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Owner and body, without what may be in any order or in any form.
    pub(super) text: String,
    /// The objects it is about: one, or two that are attached to each other.
    pub(super) anchors: Vec<Anchor>,
    /// What it says of it.
    pub(super) part: Part,
}

/// The object that an entry is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Anchor {
    /// Something in a schema: schema and name, quoted as in SQL.
    Object((String, String)),
    /// Something without a schema, by type.
    Other(String),
}

/// Types of entries about things whose names do not tell where they are.
const OTHERS: [&str; 15] = [
    "CAST",
    "CONVERSION",
    "DATABASE",
    "DEFAULT ACL",
    "EVENT TRIGGER",
    "EXTENSION",
    "FOREIGN DATA WRAPPER",
    "OPERATOR",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "PUBLICATION",
    "SCHEMA",
    "SERVER",
    "TRANSFORM",
    "USER MAPPING",
];

/// The entries of a dump.
pub(super) fn entries(dump: &str) -> BTreeMap<Key, Entry> {
    let mut found: BTreeMap<Key, Vec<&str>> = BTreeMap::new();
    let mut current: Option<Key> = None;
    for line in dump.lines() {
        if let Some(key) = header(line) {
            let owner = line.rsplit("; Owner: ").next().filter(|_| line.contains("; Owner: ")).unwrap_or_default();
            found.entry(key.clone()).or_default().push(owner);
            current = Some(key);
        } else if let Some(key) = current.as_ref().filter(|_| !noise(line)) {
            found.entry(key.clone()).or_default().push(line);
        }
    }
    found.into_iter().map(|(key, lines)| (key.clone(), entry(&key, lines))).collect()
}

/// `-- Name: notes; Type: TABLE; Schema: public; Owner: ann`
fn header(line: &str) -> Option<Key> {
    let rest = line.strip_prefix("-- Name: ")?;
    let (name, rest) = rest.rsplit_once("; Type: ")?;
    let (word, rest) = rest.split_once("; Schema: ")?;
    let schema = rest.split_once("; Owner: ").map_or(rest, |(schema, _)| schema);
    Some((word.to_owned(), schema.to_owned(), name.to_owned()))
}

fn noise(line: &str) -> bool {
    line.is_empty()
        || line.starts_with("--")
        || line.starts_with("SET default_")
        || line.starts_with("\\restrict ")
        || line.starts_with("\\unrestrict ")
}

fn entry(key: &Key, mut lines: Vec<&str>) -> Entry {
    let word = key.0.as_str();
    let anchors = anchors(word, &key.2, &lines[1.min(lines.len())..].join("\n"));
    match word {
        "TABLE" | "FOREIGN TABLE" => {
            // Columns have no order here, so the comma between them says nothing.
            for line in &mut lines {
                *line = line.trim_end_matches(',');
            }
            lines.sort_unstable();
        }
        "ACL" | "DEFAULT ACL" => lines.sort_unstable(),
        _ => {}
    }
    Entry { text: settled(&lines.join("\n")), anchors, part: Part::of_entry(word) }
}

fn anchors(word: &str, name: &str, body: &str) -> Vec<Anchor> {
    let about = |other: &str| name.strip_prefix(other).is_some_and(|rest| rest.starts_with(' '));
    if OTHERS.contains(&word) || (["ACL", "COMMENT"].contains(&word) && OTHERS.iter().any(|other| about(other))) {
        return vec![Anchor::Other(word.to_owned())];
    }
    // Names may hold line breaks, so lines are not looked at one by one.
    let mut rest = Some(body);
    let mut found = Vec::new();
    while let Some((schema, name, end)) = rest.and_then(first_qualified) {
        found.push(Anchor::Object((schema, name)));
        // What is attached stands behind what it is attached to.
        rest = rest.filter(|_| word.ends_with(" ATTACH")).map(|text| &text[end..]);
    }
    if found.is_empty() { vec![Anchor::Other(word.to_owned())] } else { found }
}

/// The first `schema.name` of a text, both quoted as they are there, and where it ends.
fn first_qualified(line: &str) -> Option<(String, String, usize)> {
    let mut rest = line;
    loop {
        let start = rest.find(|character: char| character == '"' || character == '_' || character.is_alphabetic())?;
        rest = &rest[start..];
        let first = identifier(rest)?;
        let after = &rest[first.len()..];
        if let Some(second) = after.strip_prefix('.').and_then(identifier) {
            let end = line.len() - after.len() + 1 + second.len();
            return Some((first.to_owned(), second.to_owned(), end));
        }
        rest = after;
    }
}

/// The identifier that a text begins with.
fn identifier(text: &str) -> Option<&str> {
    if let Some(inner) = text.strip_prefix('"') {
        let mut end = 0;
        loop {
            end += inner[end..].find('"')?;
            if inner[end + 1..].starts_with('"') {
                end += 2;
            } else {
                return Some(&text[..end + 2]);
            }
        }
    }
    let end = text
        .find(|character: char| !(character.is_alphanumeric() || character == '_' || character == '$'))
        .unwrap_or(text.len());
    (end > 0).then(|| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_know_what_they_are_about() {
        let dump = "SET x = y;\n--\n-- Name: t own rows; Type: POLICY; Schema: public; Owner: ann\n--\n\n\
                    CREATE POLICY \"own.rows\" ON public.\"T\" USING ((x = other.f()));\n\n\
                    --\n-- Name: SCHEMA public; Type: ACL; Schema: -; Owner: -\n--\n\nGRANT USAGE ON SCHEMA public TO anon;\n";
        let entries = entries(dump);
        let policy = &entries[&("POLICY".to_owned(), "public".to_owned(), "t own rows".to_owned())];
        assert_eq!(policy.anchors, [Anchor::Object(("public".to_owned(), "\"T\"".to_owned()))]);
        assert!(policy.text.starts_with("ann\nCREATE POLICY"), "{policy:?}");
        let grants = &entries[&("ACL".to_owned(), "-".to_owned(), "SCHEMA public".to_owned())];
        assert_eq!(
            (grants.anchors.as_slice(), grants.part),
            ([Anchor::Other("ACL".to_owned())].as_slice(), Part::Access)
        );
        let attached = anchors("INDEX ATTACH", "x", "ALTER INDEX public.\"P\" ATTACH PARTITION other.c;");
        let object = |schema: &str, name: &str| Anchor::Object((schema.to_owned(), name.to_owned()));
        assert_eq!(attached, [object("public", "\"P\""), object("other", "c")]);
        let comment = "COMMENT ON CAST (public.pair AS text) IS 'x';";
        assert_eq!(anchors("COMMENT", "CAST (public.pair AS text)", comment), [Anchor::Other("COMMENT".to_owned())]);
        let broken = anchors("TABLE", "a b", "CREATE TABLE public.\"a\nb\" (\n    id integer\n);");
        assert_eq!(broken, [object("public", "\"a\nb\"")]);
    }
}
