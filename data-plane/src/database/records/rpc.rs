//! Calls of functions.

use std::sync::Arc;

use axum::{http::Method, response::Response};
use indexmap::IndexMap;

use super::{
    Caller, DataApi, Request,
    answer::{Answer, body_for, not_singular},
    body::{self, check_content_type},
    error::Error,
    execute::{self, Outcome},
    functions::{self, Chosen},
    media::Media,
    plan::Node,
    preferences::{AppliedTo, Preferences},
    query::{self, Query},
    ranges,
    sql::{self, BodyForm, Call, CallArguments, Shape},
};
use crate::database::schema_cache::{Column, Function, Relation, Returns, SchemaCache};

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
    let given = Given::read(request, &query)?;
    let chosen = functions::choose(cache, &schema, &request.name, &given.names(&query), given.body.is_some())?;
    let (Chosen::Named(function) | Chosen::Whole(function)) = &chosen;
    let window = ranges::window(&request.method, &request.headers, query.window())?;
    let mut node = Node::build(cache, &shape_of(cache, function), &query)?;
    node.window = window;
    let form = BodyForm { media, shape: shape(request, function) };
    let counted = preferences.count.is_some();
    let call = Call { function, arguments: given.arguments(&chosen, &query) };
    let statement = sql::call(cache, &node, &call, form, counted)?;
    let read_only = request.reads() || function.reads_only;
    let path = format!("/rpc/{}", request.name);
    let scope = request.scope(caller, schema.clone(), path, preferences.timezone.clone(), read_only, cache.generation);
    let approve = |outcome: &Outcome| approve(outcome, media, function, &preferences);
    let checked = media.singular() || preferences.enforced_max_affected().is_some();
    let approve: Option<execute::Approval<'_>> = if checked { Some(&approve) } else { None };
    let outcome = execute::run(api.connections, &scope, &statement, None, approve).await?;
    let status = ranges::status(window.offset, outcome.page, outcome.total)?;
    let answer = if matches!(function.returns, Returns::Void) {
        Answer::empty(204)
    } else {
        Answer::new(status, media.content_type(), body_for(&request.method, outcome.body.clone()))
    };
    let negotiated = request.schema.is_some() || cache.schemas.len() > 1;
    answer
        .header("content-range", Some(ranges::content_range(window.offset, outcome.page, outcome.total)))
        .header("content-profile", negotiated.then_some(schema))
        .applied(preferences.applied(AppliedTo::Call))
        .finish(&outcome)
}

/// The arguments as they came: in the body, or in the query of a GET.
struct Given<'a> {
    body: Option<body::Arguments>,
    texts: IndexMap<&'a str, Vec<&'a str>>,
}

impl<'a> Given<'a> {
    fn read(request: &Request, query: &'a Query) -> Result<Self, Error> {
        let mut texts: IndexMap<&'a str, Vec<&'a str>> = IndexMap::new();
        for (name, value) in &query.arguments {
            texts.entry(name).or_default().push(value);
        }
        if request.reads() {
            return Ok(Self { body: None, texts });
        }
        check_content_type(&request.headers, &request.body)?;
        Ok(Self { body: Some(body::Arguments::read(&request.body)?), texts })
    }

    fn names<'s>(&'s self, query: &'s Query) -> Vec<&'s str> {
        match (&self.body, &query.columns) {
            (Some(_), Some(columns)) => columns.iter().map(String::as_str).collect(),
            (Some(body), None) => body.names.iter().map(String::as_str).collect(),
            (None, _) => self.texts.keys().copied().collect(),
        }
    }

    fn arguments<'s>(&'s self, chosen: &Chosen, query: &'s Query) -> CallArguments<'s> {
        match (&self.body, chosen) {
            (Some(body), Chosen::Whole(_)) => CallArguments::Whole(&body.json),
            (Some(body), Chosen::Named(_)) => CallArguments::Json(&body.json, self.names(query)),
            (None, _) => {
                CallArguments::Texts(self.texts.iter().map(|(name, values)| (*name, values.clone())).collect())
            }
        }
    }
}

fn approve(outcome: &Outcome, media: Media, function: &Function, preferences: &Preferences) -> Result<(), Error> {
    if media.singular() && !matches!(function.returns, Returns::Void) && outcome.page != 1 {
        return Err(not_singular(outcome.page));
    }
    match preferences.enforced_max_affected().filter(|most| outcome.page > *most) {
        Some(most) => Err(Error::new(400, "PGRST124", "Query result exceeds max-affected preference constraint")
            .details(format!("The query affects {} rows, at most {most} were allowed", outcome.page))),
        None => Ok(()),
    }
}

fn shape(request: &Request, function: &Function) -> Shape {
    match (&function.returns, function.set) {
        (Returns::Void, _) => Shape::Nothing,
        _ if request.method == Method::HEAD => Shape::Nothing,
        (Returns::Scalar, true) => Shape::Values,
        (Returns::Scalar, false) => Shape::OneValue,
        (_, true) => Shape::Rows,
        (_, false) => Shape::OneRow,
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
        Returns::Scalar | Returns::Void => vec!["value".to_owned()],
    };
    let untyped = || Column {
        type_name: "text".to_owned(),
        base_type: String::new(),
        nullable: true,
        default: None,
        generated: false,
    };
    Arc::new(Relation {
        schema: function.schema.clone(),
        name: function.name.clone(),
        columns: columns.into_iter().map(|name| (name, untyped())).collect(),
        primary_key: Vec::new(),
    })
}
