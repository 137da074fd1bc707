//! What a catalog looks like after a rename, as far as that can be foreseen without running it.

use std::collections::HashSet;

use super::renames::KINDS;
use crate::catalog::{Catalog, Fact, Identity, Kind};

/// The catalog as it is after one rename, as far as texts can be foreseen.
pub(super) fn rename(catalog: &Catalog, fact: &Fact, new: &Identity) -> Catalog {
    let old = &fact.identity;
    let touched: HashSet<&Identity> = catalog
        .iter()
        .filter(|other| other.identity == *old || other.parent.as_ref() == Some(old))
        .map(|other| &other.identity)
        .collect();
    let mut renamed = Catalog::new(catalog.server_version);
    for other in catalog.iter() {
        let mut fact = other.clone();
        fact.identity = readdress(&other.identity, old, new);
        fact.parent = other.parent.as_ref().map(|parent| readdress(parent, old, new));
        fact.depends_on = other.depends_on.iter().map(|needed| readdress(needed, old, new)).collect();
        let uses = touched.contains(&other.identity)
            || other.depends_on.iter().chain(&other.parent).any(|needed| needed == old || touched.contains(needed));
        if uses && !matches!(other.kind, Kind::Comment | Kind::Grant) {
            for (name, value) in &mut fact.fields {
                let text = value.as_str().filter(|_| name != "body" || other.flag("standard_body"));
                if let Some(text) = text {
                    *value = rewrite(text, old, new).into();
                }
            }
        }
        renamed.insert(fact);
    }
    renamed
}

/// Kinds whose path begins with the path of this kind.
fn nested(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Table => &[
            "table",
            "column",
            "default",
            "constraint",
            "trigger",
            "policy",
            "row_security",
            "replica_identity",
            "clustered_on",
        ],
        Kind::View => &["view", "default", "trigger"],
        Kind::Column => &["column", "default"],
        Kind::Constraint => &["constraint"],
        Kind::Trigger => &["trigger"],
        Kind::Policy => &["policy"],
        Kind::Index => &["index"],
        Kind::Sequence => &["sequence", "owned_by"],
        _ => &["enum"],
    }
}

fn readdress(identity: &Identity, old: &Identity, new: &Identity) -> Identity {
    let text = identity.as_str();
    let mut start = 0;
    loop {
        let Some((word, rest)) = text[start..].split_once(':') else { return identity.clone() };
        if word == "comment" || word == "grant" {
            start += word.len() + 1;
            continue;
        }
        let kind = KINDS.into_iter().find(|kind| kind.word() == old.as_str().split(':').next().unwrap_or_default());
        if !kind.is_some_and(|kind| nested(kind).contains(&word)) {
            return identity.clone();
        }
        return match rest.strip_prefix(old.path()) {
            Some(tail) if tail.is_empty() || tail.starts_with(['.', '/']) => {
                let head = &text[..text.len() - rest.len()];
                Identity::from_text(format!("{head}{}{tail}", new.path()))
            }
            _ => identity.clone(),
        };
    }
}

/// Replaces a name in a text that Postgres printed: qualified names anywhere, last names as whole words outside strings.
fn rewrite(text: &str, old: &Identity, new: &Identity) -> String {
    let qualified = replace_word(text, old.path(), new.path(), true);
    let column_like = matches!(old.as_str().split(':').next(), Some("column" | "trigger" | "index" | "policy"));
    let bare_with_dot = matches!(old.as_str().split(':').next(), Some("table" | "view"));
    if column_like {
        replace_word(&qualified, old.last(), new.last(), false)
    } else if bare_with_dot {
        replace_word(&qualified, &format!("{}.", old.last()), &format!("{}.", new.last()), false)
    } else {
        qualified
    }
}

fn replace_word(text: &str, old: &str, new: &str, inside_strings: bool) -> String {
    let is_word =
        |character: char| character.is_alphanumeric() || character == '_' || character == '"' || character == '$';
    let mut out = String::with_capacity(text.len());
    let mut quoted = false;
    let mut index = 0;
    while index < text.len() {
        let rest = &text[index..];
        let before = text[..index].chars().next_back();
        let starts = before.is_none_or(|character| !(is_word(character) || inside_strings && character == '.'));
        if (inside_strings || !quoted) && starts && rest.starts_with(old) {
            let after = rest[old.len()..].chars().next();
            if old.ends_with('.') && before != Some('.')
                || !old.ends_with('.') && after.is_none_or(|character| !is_word(character))
            {
                out.push_str(new);
                index += old.len();
                continue;
            }
        }
        let character = rest.chars().next().unwrap_or_default();
        quoted ^= character == '\'';
        out.push(character);
        index += character.len_utf8();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_as_words_outside_strings() {
        let (old, new) = (Identity::new(Kind::Column, "public.t.a"), Identity::new(Kind::Column, "public.t.b"));
        assert_eq!(
            rewrite("CHECK ((a > 0) AND (area <> 'a'::text))", &old, &new),
            "CHECK ((b > 0) AND (area <> 'a'::text))"
        );
        let (old, new) = (Identity::new(Kind::Table, "public.t"), Identity::new(Kind::Table, "public.u"));
        assert_eq!(
            rewrite("SELECT t.a FROM public.t JOIN public.t2", &old, &new),
            "SELECT u.a FROM public.u JOIN public.t2"
        );
    }

    #[test]
    fn addresses_of_parts_follow_their_table() {
        let (old, new) = (Identity::new(Kind::Table, "public.t"), Identity::new(Kind::Table, "public.u"));
        let grant = Identity::about(Kind::Grant, &Identity::new(Kind::Column, "public.t.a"), "/anon/SELECT");
        assert_eq!(readdress(&grant, &old, &new).as_str(), "grant:column:public.u.a/anon/SELECT");
        let other = Identity::new(Kind::Table, "public.t2");
        assert_eq!(readdress(&other, &old, &new), other);
    }
}
