//! Chooses the function a call means among its overloads.

use std::sync::Arc;

use super::{error::Error, similar};
use crate::database::schema_cache::{Function, SchemaCache};

/// How a function is called.
#[derive(Clone, Debug)]
pub(super) enum Chosen {
    /// With named arguments.
    Named(Arc<Function>),
    /// With the whole body as its only, unnamed argument.
    Whole(Arc<Function>),
}

/// The function that takes exactly these names; `whole` allows one with a single unnamed argument.
pub(super) fn choose(
    cache: &SchemaCache,
    schema: &str,
    name: &str,
    names: &[&str],
    whole: bool,
) -> Result<Chosen, Error> {
    let overloads = cache.functions(schema, name);
    let fitting: Vec<&Arc<Function>> = overloads.iter().filter(|function| takes(function, names)).collect();
    match fitting.as_slice() {
        [only] => return Ok(Chosen::Named(Arc::clone(only))),
        [] => {}
        several => {
            // Without arguments, the overload without any is meant.
            let bare: Vec<&&Arc<Function>> =
                several.iter().filter(|function| function.arguments.len() == names.len()).collect();
            return match bare.as_slice() {
                [only] => Ok(Chosen::Named(Arc::clone(only))),
                _ => Err(ambiguous(several)),
            };
        }
    }
    let unnamed = overloads.iter().find(|function| whole && takes_whole(function));
    unnamed.map(|function| Chosen::Whole(Arc::clone(function))).ok_or_else(|| none(cache, schema, name, names))
}

fn takes(function: &Function, names: &[&str]) -> bool {
    let known = names.iter().all(|name| function.arguments.iter().any(|argument| argument.name == *name));
    let given = function.arguments.iter().all(|argument| !argument.required || names.contains(&argument.name.as_str()));
    known && given
}

fn takes_whole(function: &Function) -> bool {
    matches!(function.arguments.as_slice(), [only] if only.name.is_empty() && matches!(only.type_name.as_str(), "json" | "jsonb" | "text"))
}

fn none(cache: &SchemaCache, schema: &str, name: &str, names: &[&str]) -> Error {
    let (called, searched) = if names.is_empty() {
        (format!("{schema}.{name} without parameters"), "without parameters".to_owned())
    } else {
        let list = names.join(", ");
        (
            format!("{schema}.{name}({list})"),
            format!("with parameter{} {list}", if names.len() == 1 { "" } else { "s" }),
        )
    };
    let error = Error::new(404, "PGRST202", format!("Could not find the function {called} in the schema cache")).details(format!(
        "Searched for the function {schema}.{name} {searched} or with a single unnamed json/jsonb parameter, but no matches were found in the schema cache."
    ));
    if let Some(function) = cache.functions(schema, name).first() {
        let arguments: Vec<&str> = function.arguments.iter().map(|argument| argument.name.as_str()).collect();
        return error.hint(format!("Perhaps you meant to call the function {schema}.{name}({})", arguments.join(", ")));
    }
    match similar::closest(name, cache.function_names(schema)) {
        Some(similar) => error.hint(format!("Perhaps you meant to call the function {schema}.{similar}")),
        None => error,
    }
}

fn ambiguous(several: &[&Arc<Function>]) -> Error {
    let signatures: Vec<String> = several.iter().map(|function| signature(function)).collect();
    Error::new(
        300,
        "PGRST203",
        format!("Could not choose the best candidate function between: {}", signatures.join(", ")),
    )
    .hint("Try renaming the parameters or the function itself in the database so function overloading can be resolved")
}

fn signature(function: &Function) -> String {
    let arguments: Vec<String> =
        function.arguments.iter().map(|argument| format!("{} => {}", argument.name, argument.type_name)).collect();
    format!("{}.{}({})", function.schema, function.name, arguments.join(", "))
}
