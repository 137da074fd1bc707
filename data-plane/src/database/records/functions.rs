//! Chooses the function a call means among its overloads.

use std::sync::Arc;

use super::{error::Error, fuzzy};
use crate::database::schema_cache::{Function, SchemaCache};

/// How a function is called.
#[derive(Clone, Debug)]
pub(super) enum Chosen {
    /// With named arguments.
    Named(Arc<Function>),
    /// With the whole body as its only, unnamed argument.
    Whole(Arc<Function>),
}

/// How the arguments are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// In the query string.
    Query,
    /// As a JSON body.
    Json,
    /// As a JSON body that the client prefers to be one argument, whatever its name.
    Single,
    /// As a body of plain text, XML or bytes, which only a single unnamed argument can take.
    Bare(&'static str),
}

/// The function that takes exactly these names, or the whole body as its single unnamed argument.
pub(super) fn choose(
    cache: &SchemaCache,
    schema: &str,
    name: &str,
    names: &[&str],
    given: Given,
) -> Result<Chosen, Error> {
    let overloads = callable(cache, schema, name);
    let named = matches!(given, Given::Query | Given::Json);
    let fitting: Vec<&Arc<Function>> =
        overloads.iter().copied().filter(|function| named && takes(function, names)).collect();
    match fitting.as_slice() {
        [only] => return Ok(Chosen::Named(Arc::clone(only))),
        [] => {}
        several => return Err(ambiguous(several)),
    }
    let unnamed: Vec<&Arc<Function>> =
        overloads.iter().copied().filter(|function| takes_whole(function, given)).collect();
    match unnamed.as_slice() {
        [only] => Ok(Chosen::Whole(Arc::clone(only))),
        [] => Err(none(cache, schema, name, names, given)),
        several => Err(ambiguous(several)),
    }
}

/// The overloads that can be called: by names, or with one argument that takes a whole body.
fn callable<'c>(cache: &'c SchemaCache, schema: &str, name: &str) -> Vec<&'c Arc<Function>> {
    let whole = ["json", "jsonb", "text", "xml", "bytea"];
    let all = cache.functions(schema, name).iter();
    all.filter(|function| match function.arguments.as_slice() {
        [only] if only.name.is_empty() => whole.contains(&only.type_name.as_str()),
        arguments => arguments.iter().all(|argument| !argument.name.is_empty()),
    })
    .collect()
}

fn takes(function: &Function, names: &[&str]) -> bool {
    let known =
        names.iter().all(|name| !name.is_empty() && function.arguments.iter().any(|argument| argument.name == *name));
    let given = function.arguments.iter().all(|argument| !argument.required || names.contains(&argument.name.as_str()));
    known && given
}

fn takes_whole(function: &Function, given: Given) -> bool {
    let [only] = function.arguments.as_slice() else { return false };
    let json = matches!(only.type_name.as_str(), "json" | "jsonb");
    match given {
        Given::Query => false,
        Given::Json => json && only.name.is_empty(),
        Given::Single => json,
        Given::Bare(type_name) => only.type_name == type_name && only.name.is_empty(),
    }
}

fn none(cache: &SchemaCache, schema: &str, name: &str, names: &[&str], given: Given) -> Error {
    let list = names.join(", ");
    let plural = if names.len() == 1 { "" } else { "s" };
    let (called, searched) = match given {
        Given::Bare(type_name) => (String::new(), format!("with a single unnamed {type_name} parameter")),
        Given::Single => (String::new(), "with a single json/jsonb parameter".to_owned()),
        _ if names.is_empty() => (" without parameters".to_owned(), "without parameters".to_owned()),
        _ => (format!("({list})"), format!("with parameter{plural} {list}")),
    };
    let or_whole = if given == Given::Json { " or with a single unnamed json/jsonb parameter" } else { "" };
    let error = Error::new(
        404,
        "PGRST202",
        format!("Could not find the function {schema}.{name}{called} in the schema cache"),
    )
    .details(format!(
        "Searched for the function {schema}.{name} {searched}{or_whole}, but no matches were found in the schema cache."
    ));
    if matches!(given, Given::Bare(_) | Given::Single) {
        return error;
    }
    let overloads = callable(cache, schema, name);
    let similar = if overloads.is_empty() {
        let known = cache.function_names(schema).filter(|name| !callable(cache, schema, name).is_empty());
        fuzzy::closest_or_same(name, known).map(str::to_owned)
    } else {
        let known: Vec<String> = overloads
            .iter()
            .map(|function| parenthesised(function.arguments.iter().map(|argument| argument.name.as_str()).collect()))
            .collect();
        fuzzy::closest_or_same(&parenthesised(names.to_vec()), known.iter().map(String::as_str))
            .map(|arguments| format!("{name}{arguments}"))
    };
    match similar {
        Some(similar) => error.hint(format!("Perhaps you meant to call the function {schema}.{similar}")),
        None => error,
    }
}

fn parenthesised(mut names: Vec<&str>) -> String {
    names.sort_unstable();
    format!("({})", names.join(", "))
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
