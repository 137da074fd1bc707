//! Function calls, whose rows can be selected from, filtered, ordered and embedded like a relation's.

use std::borrow::Cow;

use super::super::{error::Error, plan::Node};
use super::{
    BodyForm, Statement,
    columns::{Columns, Origin},
    read::projection,
};
use crate::database::{
    quoting::{identifier, qualified},
    schema_cache::{Function, SchemaCache},
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
    Json(Cow<'a, str>, Vec<&'a str>),
    /// The whole body as the only, unnamed argument.
    Whole(&'a str),
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
    let windowed = node.window.limit.is_some() || node.window.offset > 0;
    let (rows, total) = if counted && windowed {
        // Calling twice would do twice what the function does, so the rows are kept for both page and total.
        statement.push(&format!("with \"pgrst_source\" as (select \"pgrst_call\".* from {source} as \"pgrst_call\") "));
        let rows = columns.select(&mut statement, node, "\"pgrst_source\"", None)?;
        (rows, columns.count(&mut statement, node, "\"pgrst_source\"")?)
    } else {
        let total = if counted { "count(*)" } else { "null::bigint" };
        (columns.select(&mut statement, node, &source, None)?, total.to_owned())
    };
    statement.push(&projection(&form.sql(), &total, "null::bigint", "null::text"));
    statement.push(&format!(" from ({rows}) as \"rows\""));
    Ok(statement)
}

/// The function as a source of rows; a plain value becomes a row of one column.
fn source(statement: &mut Statement, call: &Call<'_>) -> String {
    let function = call.function;
    let name = qualified(&function.schema, &function.name);
    let (arguments, called) = match &call.arguments {
        CallArguments::Whole(body) => {
            let type_name = function.arguments.first().map_or("json", |argument| argument.type_name.as_str());
            (None, format!("{name}({}::{type_name})", statement.bind(*body)))
        }
        CallArguments::Json(_, names) if names.is_empty() => (None, format!("{name}()")),
        CallArguments::Json(body, names) => {
            let body = statement.bind(body.as_ref());
            let chosen = function.arguments.iter().filter(|argument| names.contains(&argument.name.as_str()));
            let (mut definitions, mut list) = (Vec::new(), Vec::new());
            for argument in chosen {
                let quoted = identifier(&argument.name);
                definitions.push(format!("{quoted} {}", argument.type_name));
                let variadic = if argument.variadic { "variadic " } else { "" };
                list.push(format!("{variadic}{quoted} := \"pgrst_args\".{quoted}"));
            }
            let record = format!("json_to_record({body}::json) as \"pgrst_args\" ({})", definitions.join(", "));
            (Some(record), format!("{name}({})", list.join(", ")))
        }
    };
    match (function.returns.valued(), arguments) {
        (true, None) => format!("(select {called} as \"pgrst_scalar\")"),
        (true, Some(arguments)) => format!("(select {called} as \"pgrst_scalar\" from {arguments})"),
        (false, None) => called,
        (false, Some(arguments)) => format!("{arguments}, lateral {called}"),
    }
}
