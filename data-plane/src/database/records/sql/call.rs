//! Function calls, whose rows can be selected from, filtered, ordered and embedded like a relation's.

use super::super::{error::Error, plan::Node};
use super::{
    BodyForm, Shape, Statement,
    columns::{Columns, Origin},
    read::projection,
};
use crate::database::{
    quoting::{identifier, qualified},
    schema_cache::{Function, Returns, SchemaCache},
};

/// A call.
pub(crate) struct Call<'a> {
    /// What is called.
    pub(crate) function: &'a Function,
    /// With what.
    pub(crate) arguments: CallArguments<'a>,
}

/// Where the arguments come from.
pub(crate) enum CallArguments<'a> {
    /// The members of a JSON object; the names are those to pass.
    Json(&'a str, Vec<&'a str>),
    /// The whole body as the only, unnamed argument.
    Whole(&'a str),
    /// Texts by name; several for a variadic argument.
    Texts(Vec<(&'a str, Vec<&'a str>)>),
}

/// A whole call.
pub(crate) fn call(
    cache: &SchemaCache,
    node: &Node,
    call: &Call<'_>,
    form: BodyForm,
    counted: bool,
) -> Result<Statement, Error> {
    let mut statement = Statement::default();
    let columns = Columns { cache, origin: Origin::Relation };
    let source = source(&mut statement, call);
    let valued = matches!(call.function.returns, Returns::Scalar | Returns::Void);
    let rows = if valued {
        format!("select \"r0\".\"value\" from {source} as \"r0\" (\"value\")")
    } else if form.shape == Shape::Nothing && !counted {
        format!("select 1 from {source} as \"r0\"")
    } else {
        columns.select(&mut statement, node, &source, None)?
    };
    let total = match (counted, valued) {
        (false, _) => "null::bigint".to_owned(),
        // Calling twice would do twice what the function does, so a count is taken from the rows at hand when they are all there.
        (true, true) => "count(*)".to_owned(),
        (true, false) if node.window.limit.is_none() && node.window.offset == 0 => "count(*)".to_owned(),
        (true, false) => columns.count(&mut statement, node, &source)?,
    };
    statement.push(&projection(&form.sql(), &total, "null::bigint", "null::text"));
    statement.push(&format!(" from ({rows}) as \"rows\""));
    Ok(statement)
}

fn source(statement: &mut Statement, call: &Call<'_>) -> String {
    let function = call.function;
    let name = qualified(&function.schema, &function.name);
    match &call.arguments {
        CallArguments::Whole(body) => {
            let type_name = function.arguments.first().map_or("json", |argument| argument.type_name.as_str());
            format!("{name}({}::{type_name})", statement.bind(*body))
        }
        CallArguments::Texts(given) => {
            let mut list = Vec::new();
            for (argument, values) in given {
                list.push(text_argument(statement, function, argument, values));
            }
            format!("{name}({})", list.join(", "))
        }
        CallArguments::Json(_, names) if names.is_empty() => format!("{name}()"),
        CallArguments::Json(body, names) => {
            let body = statement.bind(*body);
            let chosen = function.arguments.iter().filter(|argument| names.contains(&argument.name.as_str()));
            let (mut definitions, mut list) = (Vec::new(), Vec::new());
            for argument in chosen {
                let quoted = identifier(&argument.name);
                definitions.push(format!("{quoted} {}", argument.type_name));
                let variadic = if argument.variadic { "variadic " } else { "" };
                list.push(format!("{variadic}{quoted} := \"arguments\".{quoted}"));
            }
            format!(
                "json_to_record({body}::json) as \"arguments\" ({}), lateral {name}({})",
                definitions.join(", "),
                list.join(", ")
            )
        }
    }
}

fn text_argument(statement: &mut Statement, function: &Function, name: &str, values: &[&str]) -> String {
    let argument = function.arguments.iter().find(|argument| argument.name == name);
    let type_name = argument.map_or("text", |argument| argument.type_name.as_str());
    let quoted = identifier(name);
    if argument.is_some_and(|argument| argument.variadic) {
        let owned: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        let bound = statement.bind(crate::database::quoting::array(&owned));
        return format!("variadic {quoted} := {bound}::{type_name}");
    }
    let value = values.last().copied().unwrap_or_default();
    format!("{quoted} := {}::{type_name}", statement.bind(value))
}
