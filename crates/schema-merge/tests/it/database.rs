//! Databases for tests: made from scripts, read as catalogs, changed by plans.

use schema_merge::{Base, Catalog, MergePlan, Options, Snapshot, extract, merge_with, rows};
use serde_json::value::RawValue;
use tokio_postgres::{Client, GenericClient, NoTls, SimpleQueryMessage};

use crate::cluster::Cluster;

/// Roles and internal schemas as far as developers' scripts need them.
const PRELUDE: &str = include_str!("prelude.sql");

pub(crate) async fn connect(cluster: &Cluster, database: &str) -> Client {
    let (client, connection) = cluster.config(database).connect(NoTls).await.expect("the test database answers");
    tokio::spawn(connection);
    client
}

/// Makes a database by copying another.
pub(crate) async fn copy(cluster: &Cluster, name: &str, template: &str) {
    let admin = cluster.admin().await;
    admin
        .batch_execute(&format!("create database {name} template {template} strategy file_copy"))
        .await
        .expect("the database can be copied");
    if template != "template0" {
        admin
            .batch_execute(&format!("grant create on database {name} to project_admin"))
            .await
            .expect("developers may make schemas");
    }
}

pub(crate) async fn drop(cluster: &Cluster, name: &str) {
    let admin = cluster.admin().await;
    admin
        .batch_execute(&format!("drop database if exists {name} with (force)"))
        .await
        .expect("the database can be dropped");
}

/// Makes a database with the prelude in it.
pub(crate) async fn prepare(cluster: &Cluster, name: &str) {
    copy(cluster, name, "template0").await;
    run(cluster, name, PRELUDE).await;
    run(cluster, name, &format!("grant create on database {name} to project_admin")).await;
}

/// Runs a script as the developer's role.
pub(crate) async fn run_as_developer(cluster: &Cluster, name: &str, script: &str) {
    run(cluster, name, &format!("set role project_admin;\n-- next\n{script}")).await;
}

/// Runs a script, committing where it says `-- next`.
pub(crate) async fn run(cluster: &Cluster, name: &str, script: &str) {
    if let Err(error) = try_run(cluster, name, script).await {
        panic!("a script failed on {name}: {error}");
    }
}

/// Like [`run`], for scripts that may fail.
pub(crate) async fn try_run(cluster: &Cluster, name: &str, script: &str) -> Result<(), String> {
    let client = connect(cluster, name).await;
    let outcome = try_on(&client, script).await;
    disconnected(cluster, client, name).await;
    outcome
}

async fn try_on(client: &Client, script: &str) -> Result<(), String> {
    for part in script.split("-- next\n") {
        client.batch_execute(part).await.map_err(|error| describe(&error))?;
    }
    Ok(())
}

/// Runs a script that may fail as the developer's role, on a connection that is used further.
pub(crate) async fn try_as_developer(client: &Client, script: &str) -> Result<(), String> {
    let outcome = try_on(client, &format!("set role project_admin;\n-- next\n{script}")).await;
    // Outside a transaction the first only warns.
    client.batch_execute("rollback; reset role; reset all").await.map_err(|error| describe(&error))?;
    outcome
}

/// Waits until a connection is gone, because a template may have none.
pub(crate) async fn disconnected(cluster: &Cluster, client: Client, name: &str) {
    std::mem::drop(client);
    closed(cluster, name).await;
}

/// Ends every connection to a database.
pub(crate) async fn closed(cluster: &Cluster, name: &str) {
    let admin = cluster.admin().await;
    let query = "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity where datname = $1";
    admin.query_one(query, &[&name]).await.expect("connections can be closed");
}

pub(crate) fn describe(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || error.to_string(),
        |error| format!("{error} [{}] {:?} {:?}", error.code().code(), error.detail(), error.where_()),
    )
}

/// The merge of three sides by somebody who approves of every hazard.
pub(crate) fn merged(base: &Snapshot, target: &Snapshot, source: &Snapshot) -> MergePlan {
    let options = Options { approve: vec!["all".to_owned()], ..Options::default() };
    merge_with(&Base::one(base.clone()), target, source, &options).expect("without resolutions none can be wrong")
}

/// A snapshot without rows.
pub(crate) fn with_catalog(catalog: &Catalog) -> Snapshot {
    Snapshot { catalog: catalog.clone(), ..Snapshot::default() }
}

pub(crate) async fn catalog(client: &impl GenericClient) -> Catalog {
    client.batch_execute(&extract::SETTINGS.replace(" local", "")).await.expect("settings");
    let prepared = "select exists (select from pg_prepared_statements where name = 'extract_server')";
    if !client.query_one(prepared, &[]).await.expect("a lookup").get::<_, bool>(0) {
        // Planned once for a connection: tests read many small catalogs, for which planning is most of the work.
        for query in extract::queries() {
            let prepare = format!("prepare extract_{} as {}", query.name, query.sql);
            client.batch_execute(&prepare).await.unwrap_or_else(|error| panic!("{}: {}", query.name, describe(&error)));
        }
    }
    let execute: Vec<_> = extract::queries().iter().map(|query| format!("execute extract_{}", query.name)).collect();
    let messages = client.simple_query(&execute.join(";")).await;
    let messages = messages.unwrap_or_else(|error| panic!("extraction: {}", describe(&error)));
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    let answers = rows.map(|text| RawValue::from_string(text.to_owned()).expect("extract queries answer JSON"));
    let answers: Vec<(&str, Box<RawValue>)> = extract::queries().iter().map(|query| query.name).zip(answers).collect();
    extract::assemble(answers).expect("answers have the expected shape")
}

pub(crate) async fn snapshot(client: &impl GenericClient) -> Snapshot {
    let catalog = catalog(client).await;
    let mut answers = Vec::new();
    for query in rows::queries() {
        let exists: bool =
            client.query_one("select to_regclass($1) is not null", &[&query.requires]).await.expect("a lookup").get(0);
        if exists {
            let row = client
                .query_one(query.sql.as_str(), &[])
                .await
                .unwrap_or_else(|error| panic!("row query {}: {}", query.name, describe(&error)));
            answers.push((query.name, row.get::<_, serde_json::Value>(0)));
        }
    }
    rows::assemble(catalog, answers).expect("answers have the expected shape")
}

pub(crate) async fn snapshot_of(cluster: &Cluster, name: &str) -> Snapshot {
    snapshot(&connect(cluster, name).await).await
}

/// Runs statements with their roles; says which one failed.
pub(crate) async fn apply(
    client: &impl GenericClient,
    statements: impl IntoIterator<Item = (String, Option<String>)>,
) -> Result<(), String> {
    client
        .batch_execute("set local check_function_bodies to off; set local search_path to ''")
        .await
        .expect("settings");
    let mut current: Option<String> = None;
    for (sql, role) in statements {
        if role != current {
            let change = role.as_ref().map_or_else(|| "reset role".to_owned(), |role| format!("set local role {role}"));
            client.batch_execute(&change).await.map_err(|error| format!("{change}: {}", describe(&error)))?;
            current = role;
        }
        client.batch_execute(&sql).await.map_err(|error| format!("{}\n  in: {sql}", describe(&error)))?;
    }
    client.batch_execute("reset role").await.expect("a role can be reset");
    Ok(())
}
