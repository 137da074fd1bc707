//! Reads and writes of tables and views.

use axum::{http::Method, response::Response};
use bytes::Bytes;

use super::{
    Caller, DataApi, Request,
    answer::{self, Answer, body_for, not_singular},
    body::Rows,
    error::Error,
    execute::{self, Outcome},
    media::Media,
    plan::Node,
    preferences::{AppliedTo, Count, Preferences, Resolution, Return},
    query::{Arguments, Condition, Operation, Operator, Query, Window},
    ranges,
    sql::{self, BodyForm, Change, Insert, Shape, Statement},
};
use crate::database::schema_cache::{Relation, SchemaCache};

/// Codes of statements that name what is not, or not as it was.
const OUTDATED: [&str; 5] = ["0A000", "42703", "42804", "42883", "42P01"];

/// A request whose parts have been read and resolved.
struct Resolved<'a> {
    api: &'a DataApi<'a>,
    caller: &'a Caller,
    request: &'a Request,
    cache: &'a SchemaCache,
    schema: String,
    relation: &'a Relation,
    preferences: Preferences,
    media: Media,
    query: Query,
    node: Node,
}

/// Answers a request to `/records/{table}`.
pub(crate) async fn serve(api: &DataApi<'_>, caller: &Caller, request: &Request) -> Result<Response, Error> {
    let cache = &api.cache;
    let schema = request.schema(&cache.schemas)?;
    let media = Media::negotiate(&request.headers)?;
    let preferences = Preferences::read(&request.headers)?;
    let query = Query::parse(&request.query, Arguments::Refused)?;
    let relation = cache.relation(&schema, &request.name).ok_or_else(|| Error::no_relation(&schema, &request.name))?;
    let node = Node::build(cache, relation, &relation.name, &query)?;
    let resolved = Resolved { api, caller, request, cache, schema, relation, preferences, media, query, node };
    match request.method {
        Method::GET | Method::HEAD => resolved.read().await,
        Method::POST => resolved.insert().await,
        Method::PUT => resolved.put().await,
        Method::PATCH => resolved.update().await,
        Method::DELETE => resolved.delete().await,
        _ => Err(Error::new(405, "PGRST117", format!("Unsupported HTTP method: {}", request.method))),
    }
}

impl Resolved<'_> {
    async fn read(mut self) -> Result<Response, Error> {
        let window = ranges::window(&self.request.method, &self.request.headers, self.query.window())?;
        self.node.window = window;
        let outcome = match self.gather().await? {
            Some(outcome) => outcome,
            None => self.read_whole().await?,
        };
        if self.media.singular() && outcome.page != 1 {
            return Err(not_singular(outcome.page));
        }
        let total = outcome.total.into_iter().chain(outcome.planned).max();
        let status = ranges::status(window.offset, outcome.page, total)?;
        let path = format!("/{}", self.request.name);
        Answer::new(status, self.media.content_type(), body_for(&self.request.method, outcome.body.clone()))
            .header("content-range", Some(ranges::content_range(window.offset, outcome.page, total)))
            .header("content-location", Some(answer::content_location(&path, &self.request.query)))
            .header("content-profile", self.profile())
            .applied(self.preferences.applied(AppliedTo::Read, &outcome))
            .finish(&outcome)
    }

    /// Reads the rows as they are, unless something is wanted for which Postgres has to see them together.
    async fn gather(&self) -> Result<Option<Outcome>, Error> {
        let simple = self.request.method == Method::GET && self.preferences.count.is_none();
        // A role's settings may have dates written in another way.
        if !simple || !self.media.plain_json() || self.cache.role_settings(self.caller.role).is_some() {
            return Ok(None);
        }
        let Some(statement) = sql::gathered(self.cache, &self.node)? else { return Ok(None) };
        match self.run(statement, None, None).await {
            // What is known of the columns is older than they are, or somebody is mistaken about them: the other way needs to know less.
            Err(error) if OUTDATED.contains(&error.code()) => Ok(None),
            Ok(outcome) if self.media.singular() && outcome.page == 1 => {
                let body = outcome.body.slice(1..outcome.body.len() - 1);
                Ok(Some(Outcome { body, ..outcome }))
            }
            outcome => outcome.map(Some),
        }
    }

    async fn read_whole(&self) -> Result<Outcome, Error> {
        let shape = if self.request.method == Method::HEAD { Shape::Nothing } else { Shape::Rows };
        let form = BodyForm { media: self.media, shape };
        let statement = sql::read(self.cache, &self.node, form, self.preferences.counts())?;
        let planned = match self.preferences.count {
            Some(Count::Planned | Count::Estimated) => Some(sql::plan_count(self.cache, &self.node)?),
            _ => None,
        };
        self.run(statement, planned, None).await
    }

    async fn insert(self) -> Result<Response, Error> {
        let rows = Rows::read(&self.request.headers, &self.request.body, self.relation)?;
        let columns = rows.columns(self.relation, self.query.columns.as_deref())?;
        let target = self.query.on_conflict.clone().unwrap_or_else(|| self.relation.primary_key.clone());
        let conflict =
            self.preferences.resolution.map(|resolution| (target.as_slice(), resolution == Resolution::Merge));
        let upsert = conflict.is_some() && !target.is_empty();
        let insert = Insert {
            body: &rows.json,
            rows: rows.count,
            columns: &columns,
            missing_default: self.preferences.missing_default == Some(true),
            conflict,
            conditional: false,
            located: self.preferences.returned == Some(Return::HeadersOnly) && rows.count == 1,
        };
        let statement = sql::insert(self.cache, &self.node, &insert, self.form(), false)?;
        let outcome = self.run(statement, None, Some(&|outcome| self.approve(outcome))).await?;
        let merged = upsert && self.preferences.resolution == Some(Resolution::Merge);
        // Without a value there is nothing to overwrite with.
        let merged = merged && (rows.count == 0 || !columns.is_empty());
        let status = if merged && outcome.overwritten >= outcome.page { 200 } else { 201 };
        let total = self.preferences.counts().then_some(outcome.page);
        Answer::new(status, self.written_type(), self.written_body(&outcome))
            .header("content-range", Some(ranges::content_range(0, 0, total)))
            .header("location", answer::location(&self.request.name, outcome.location.as_deref()))
            .header("content-profile", self.profile().filter(|_| self.form().shape != Shape::Nothing))
            .applied(self.preferences.applied(AppliedTo::Insert { upsert }, &outcome))
            .finish(&outcome)
    }

    async fn put(self) -> Result<Response, Error> {
        if self.query.window() != Window::default() {
            return Err(Error::new(400, "PGRST114", "limit/offset querystring parameters are not allowed for PUT"));
        }
        self.check_put_filters()?;
        let rows = Rows::read(&self.request.headers, &self.request.body, self.relation)?;
        let columns = rows.columns(self.relation, None)?;
        let mismatch = || Error::new(400, "PGRST115", "Payload values do not match URL in primary key column(s)");
        if rows.count != 1 || !self.relation.primary_key.iter().all(|name| columns.contains(name)) {
            return Err(mismatch());
        }
        let insert = Insert {
            body: &rows.json,
            rows: 1,
            columns: &columns,
            missing_default: self.preferences.missing_default == Some(true),
            conflict: Some((&self.relation.primary_key, true)),
            conditional: true,
            located: false,
        };
        let statement = sql::insert(self.cache, &self.node, &insert, self.form(), false)?;
        let approve = |outcome: &Outcome| if outcome.page == 1 { Ok(()) } else { Err(mismatch()) };
        let outcome = self.run(statement, None, Some(&approve)).await?;
        let status = if outcome.overwritten > 0 { 200 } else { 201 };
        self.change_answer(&outcome, status, None, AppliedTo::Put)
    }

    async fn update(self) -> Result<Response, Error> {
        ranges::check(self.node.window)?;
        let rows = Rows::read(&self.request.headers, &self.request.body, self.relation)?;
        let columns = rows.columns(self.relation, self.query.columns.as_deref())?;
        let change = Change {
            body: &rows.json,
            columns: if rows.count == 0 { &[] } else { &columns },
            missing_default: self.preferences.missing_default == Some(true),
        };
        let statement = sql::update(self.cache, &self.node, &change, self.form(), false)?;
        let outcome = self.run(statement, None, Some(&|outcome| self.approve(outcome))).await?;
        let range = ranges::content_range(0, outcome.page, self.preferences.counts().then_some(outcome.page));
        self.change_answer(&outcome, 200, Some(range), AppliedTo::Update)
    }

    async fn delete(self) -> Result<Response, Error> {
        ranges::check(self.node.window)?;
        let statement = sql::delete(self.cache, &self.node, self.form(), false)?;
        let outcome = self.run(statement, None, Some(&|outcome| self.approve(outcome))).await?;
        let range = ranges::content_range(0, 0, self.preferences.counts().then_some(outcome.page));
        self.change_answer(&outcome, 200, Some(range), AppliedTo::Delete)
    }

    /// PUT, PATCH and DELETE answer 204 unless the rows are wanted.
    fn change_answer(
        &self,
        outcome: &Outcome,
        status: u16,
        range: Option<String>,
        to: AppliedTo,
    ) -> Result<Response, Error> {
        let answer = match self.form().shape {
            Shape::Nothing => Answer::empty(204),
            _ => Answer::new(status, self.media.content_type(), outcome.body.clone())
                .header("content-profile", self.profile()),
        };
        answer.header("content-range", range).applied(self.preferences.applied(to, outcome)).finish(outcome)
    }

    fn form(&self) -> BodyForm {
        let wanted = self.preferences.returned == Some(Return::Representation);
        BodyForm { media: self.media, shape: if wanted { Shape::Rows } else { Shape::Nothing } }
    }

    fn written_type(&self) -> &'static str {
        if self.form().shape == Shape::Nothing { Media::Json.content_type() } else { self.media.content_type() }
    }

    /// Where upstream answers with nothing, clients get an empty list.
    fn written_body(&self, outcome: &Outcome) -> Bytes {
        if self.form().shape == Shape::Nothing { Bytes::from_static(b"[]") } else { outcome.body.clone() }
    }

    /// PUT names its row: `eq` on every column of the primary key and nothing else.
    fn check_put_filters(&self) -> Result<(), Error> {
        let named: Option<Vec<&str>> = self
            .node
            .conditions
            .iter()
            .map(|condition| match condition {
                Condition::Test(test) if !test.negated && test.field.path.is_empty() => match &test.operation {
                    Operation::Binary(Operator::Equal, _) => Some(test.field.name.as_str()),
                    _ => None,
                },
                _ => None,
            })
            .collect();
        let key = &self.relation.primary_key;
        let exact = named
            .is_some_and(|named| named.len() == key.len() && key.iter().all(|name| named.contains(&name.as_str())));
        if exact && !key.is_empty() {
            return Ok(());
        }
        Err(Error::new(405, "PGRST105", "Filters must include all and only primary key columns with 'eq' operators"))
    }

    fn changes(&self) -> bool {
        matches!(self.request.method, Method::PATCH | Method::DELETE)
    }

    /// What is checked before a write is committed.
    fn approve(&self, outcome: &Outcome) -> Result<(), Error> {
        if self.media.singular() && outcome.page != 1 {
            return Err(not_singular(outcome.page));
        }
        let changes = self.changes();
        // A view may show a row several times, so that the keys chosen are of more rows than were asked for.
        if let Some(most) = self.node.window.limit.filter(|most| changes && outcome.page > *most) {
            return Err(Error::new(400, "PGRST110", "The maximum number of rows allowed to change was surpassed")
                .details(format!(
                    "Results contain {} rows changed but the maximum number allowed is {most}",
                    outcome.page
                )));
        }
        if changes { self.preferences.approve_affected(outcome.page) } else { Ok(()) }
    }

    fn profile(&self) -> Option<String> {
        let negotiated = self.request.schema.is_some() || self.cache.schemas.len() > 1;
        negotiated.then(|| self.schema.clone())
    }

    async fn run(
        &self,
        statement: Statement,
        planned: Option<Statement>,
        approve: Option<execute::Approval<'_>>,
    ) -> Result<Outcome, Error> {
        let path = format!("/{}", self.request.name);
        let scope = self.request.scope(
            self.caller,
            self.schema.clone(),
            path,
            &self.preferences,
            self.request.reads(),
            self.cache,
        );
        // A check before the commit costs a round trip, so it is made only where it can fail.
        let checked = self.media.singular()
            || self.request.method == Method::PUT
            || self.preferences.enforced_max_affected().is_some()
            || (self.changes() && self.node.window.limit.is_some());
        execute::run(self.api.connections, scope, statement, planned, approve.filter(|_| checked)).await
    }
}
