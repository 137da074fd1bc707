//! Calls of functions.

use std::{borrow::Cow, sync::Arc};

use axum::{http::Method, response::Response};
use indexmap::IndexMap;

use super::{
    Caller, DataApi, Request,
    answer::{Answer, body_for, not_singular},
    body::{self, Kind},
    error::Error,
    execute::{self, Outcome},
    functions::{self, Chosen, Given},
    media::Media,
    members,
    plan::Node,
    preferences::{AppliedTo, Preferences},
    query::{self, Query},
    ranges,
    sql::{self, BodyForm, Call, CallArguments, Shape},
};
use crate::database::schema_cache::{Column, Function, Relation, Returns, SchemaCache};

/// The column that a plain value becomes.
const VALUE: &str = "pgrst_scalar";

/// Answers a request to `/rpc/{function}`.
pub(crate) async fn serve(api: &DataApi<'_>, caller: &Caller, request: &Request) -> Result<Response, Error> {
    if !request.reads() && request.method != Method::POST {
        return Err(Error::new(405, "PGRST101", format!("Cannot use the {} method on RPC", request.method)));
    }
    let cache = &api.cache;
    let schema = request.schema(&cache.schemas)?;
    let media = Media::negotiate(&request.headers)?;
    let preferences = Preferences::read(&request.headers)?;
    let allowed = if request.reads() { query::Arguments::Allowed } else { query::Arguments::Refused };
    let query = Query::parse(&request.query, allowed)?;
    let arguments = Arguments::read(request, &query, &preferences)?;
    let names: Vec<&str> = arguments.names.iter().map(AsRef::as_ref).collect();
    let chosen = functions::choose(cache, &schema, &request.name, &names, arguments.given)?;
    let (Chosen::Named(function) | Chosen::Whole(function)) = &chosen;
    let window = ranges::window(&request.method, &request.headers, query.window())?;
    let relation = shape_of(cache, function);
    let mut node = Node::build(cache, &relation, &relation.name, &query)?;
    node.window = window;
    let form = BodyForm { media, shape: shape(function) };
    let call = Call { function, arguments: arguments.for_call(&chosen, names) };
    let statement = sql::call(cache, &node, &call, form, preferences.counts())?;
    let read_only = request.reads() || function.reads_only;
    let path = format!("/rpc/{}", request.name);
    let mut scope = request.scope(caller, schema.clone(), path, &preferences, read_only, cache);
    scope.call_settings.clone_from(&function.settings);
    let approve = |outcome: &Outcome| approve(outcome, media, function, &preferences);
    let checked = media.singular() || preferences.enforced_max_affected().is_some();
    let approve: Option<execute::Approval<'_>> = if checked { Some(&approve) } else { None };
    let outcome = execute::run(api.connections, scope, statement, None, approve).await?;
    let status = ranges::status(window.offset, outcome.page, outcome.total)?;
    let answer = if matches!(function.returns, Returns::Void) {
        Answer::empty(204)
    } else {
        let kind = if media.singular() && function.returns.valued() { Media::Json } else { media };
        let negotiated = request.schema.is_some() || cache.schemas.len() > 1;
        Answer::new(status, kind.content_type(), body_for(&request.method, outcome.body.clone()))
            .header("content-profile", negotiated.then_some(schema))
    };
    answer
        .header("content-range", Some(ranges::content_range(window.offset, outcome.page, outcome.total)))
        .applied(preferences.applied(AppliedTo::Call, &outcome))
        .finish(&outcome)
}

/// The arguments as they came: in the body, or in the query of a GET.
struct Arguments<'a> {
    given: Given,
    names: Vec<Cow<'a, str>>,
    json: Cow<'a, str>,
    /// All of the body, where the JSON is one part of it.
    whole: Option<&'a str>,
}

impl<'a> Arguments<'a> {
    fn read(request: &'a Request, query: &'a Query, preferences: &Preferences) -> Result<Self, Error> {
        if request.reads() {
            return Ok(Self::of_query(query));
        }
        let kind = Kind::of(&request.headers, &request.body)?;
        if let Some(type_name) = kind.bare_type() {
            let json = bare(type_name, &request.body)?;
            return Ok(Self { given: Given::Bare(type_name), names: Vec::new(), json, whole: None });
        }
        let body = body::Arguments::read(kind, &request.body)?;
        let names = match &query.columns {
            Some(columns) => columns.iter().map(|name| Cow::Borrowed(name.as_str())).collect(),
            None => body.names,
        };
        let given = if preferences.single_object { Given::Single } else { Given::Json };
        Ok(Self { given, names, json: body.json, whole: body.whole })
    }

    /// Texts by name, as one JSON object; the last of several wins but for a variadic argument, which takes all.
    fn of_query(query: &'a Query) -> Self {
        let mut texts: IndexMap<&str, Vec<&str>> = IndexMap::new();
        for (name, value) in &query.arguments {
            texts.entry(name).or_default().push(value);
        }
        let names = texts.keys().map(|name| Cow::Borrowed(*name)).collect();
        let json = serde_json::to_string(&texts).expect("texts are plain data");
        Self { given: Given::Query, names, json: Cow::Owned(json), whole: None }
    }

    fn for_call<'s>(&'s self, chosen: &Chosen, names: Vec<&'s str>) -> CallArguments<'s> {
        match chosen {
            Chosen::Whole(_) => CallArguments::Whole(self.whole.unwrap_or(&self.json)),
            Chosen::Named(function) if self.given == Given::Query => {
                CallArguments::Json(single_values(&self.json, function), names)
            }
            Chosen::Named(function) => {
                let rewritten = members::rewrite_arguments(function, &self.json);
                CallArguments::Json(rewritten.map_or_else(|| Cow::Borrowed(self.json.as_ref()), Cow::Owned), names)
            }
        }
    }
}

/// A body that is no JSON, as the text of a value of this type.
fn bare<'b>(type_name: &str, body: &'b [u8]) -> Result<Cow<'b, str>, Error> {
    if type_name == "bytea" {
        return Ok(Cow::Owned(format!("\\x{}", hex::encode(body))));
    }
    let text = std::str::from_utf8(body).map(Cow::Borrowed);
    text.map_err(|_| Error::new(400, "22021", "invalid byte sequence for encoding \"UTF8\""))
}

/// Of the values of each argument the last, except where the argument is variadic.
fn single_values<'s>(json: &str, function: &Function) -> Cow<'s, str> {
    let texts: IndexMap<String, Vec<String>> = serde_json::from_str(json).unwrap_or_default();
    let mut object = serde_json::Map::new();
    for (name, mut values) in texts {
        let variadic = function.arguments.iter().any(|argument| argument.variadic && argument.name == name);
        let value = if variadic { values.into() } else { values.pop().unwrap_or_default().into() };
        object.insert(name, value);
    }
    Cow::Owned(serde_json::Value::Object(object).to_string())
}

fn approve(outcome: &Outcome, media: Media, function: &Function, preferences: &Preferences) -> Result<(), Error> {
    if media.singular() && !matches!(function.returns, Returns::Void) && outcome.page != 1 {
        return Err(not_singular(outcome.page));
    }
    preferences.approve_affected(outcome.page)
}

fn shape(function: &Function) -> Shape {
    match (function.returns.valued(), function.set) {
        (true, true) => Shape::Values,
        (true, false) => Shape::OneValue,
        (false, true) => Shape::Rows,
        (false, false) => Shape::OneRow,
    }
}

/// The relation a function's rows are like; made up for those that are like none.
fn shape_of(cache: &SchemaCache, function: &Function) -> Arc<Relation> {
    let columns = match &function.returns {
        Returns::Relation(schema, name) => match cache.relation(schema, name) {
            Some(relation) => return Arc::clone(relation),
            None => Vec::new(),
        },
        Returns::Rows(columns) => columns.clone(),
        Returns::Scalar | Returns::Void => vec![VALUE.to_owned()],
    };
    let untyped = || Column { type_name: "text".to_owned(), base_type: String::new(), nullable: true, default: None };
    Arc::new(Relation {
        schema: function.schema.clone(),
        name: function.name.clone(),
        columns: columns.into_iter().map(|name| (name, untyped())).collect(),
        primary_key: Vec::new(),
        view: false,
    })
}
