//! What stands on an extension that moves to another schema follows it by itself; only the texts that name it look different.

use std::borrow::Cow;

use serde_json::Value;

use crate::catalog::{Catalog, Fact, Kind};

/// The catalog as it reads once extensions are where `to` has them.
pub(super) fn followed<'a>(mut from: Cow<'a, Catalog>, to: &Catalog) -> Cow<'a, Catalog> {
    let moves: Vec<(Fact, String, String)> = from
        .iter()
        .filter(|fact| fact.kind == Kind::Extension)
        .filter_map(|fact| {
            let (was, is) = (fact.text("schema"), to.get(&fact.identity)?.text("schema"));
            (was != is).then(|| (fact.clone(), format!("{was}."), format!("{is}.")))
        })
        .collect();
    for (extension, was, is) in moves {
        let users: Vec<Fact> =
            from.iter().filter(|fact| fact.depends_on.contains(&extension.identity)).cloned().collect();
        for mut user in users {
            let Some(wanted) = to.get(&user.identity) else { continue };
            for (name, value) in user.fields.iter_mut() {
                let Some(Value::String(now)) = wanted.fields.get(name) else { continue };
                if let Value::String(text) = value
                    && text != now
                    && text.replace(&was, &is) == now.replace(&was, &is)
                {
                    text.clone_from(now);
                }
            }
            from.to_mut().insert(user);
        }
    }
    from
}
