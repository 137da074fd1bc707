//! Reading a database: everything in one read-only transaction of one moment.

use futures::future::try_join_all;
use schema_merge::{Catalog, Snapshot, extract, rows};
use serde_json::{Value, value::RawValue};
use tokio_postgres::{Client, Config, NoTls, types::Json};

use crate::failure::Failure;

/// Connects; what goes wrong later surfaces in the client's own calls.
pub(crate) async fn connect(config: &Config) -> Result<Client, Failure> {
    let (client, connection) =
        config.connect(NoTls).await.map_err(|cause| Failure::caused("Could not connect to a database", cause))?;
    drop(tokio::spawn(connection));
    Ok(client)
}

/// The database's catalog, and where it is a project's, the rows that merge.
pub(crate) async fn snapshot(config: &Config) -> Result<Snapshot, Failure> {
    let client = connect(config).await?;
    let begin = format!("begin isolation level repeatable read, read only; {}", extract::SETTINGS);
    client.batch_execute(&begin).await.map_err(unreadable)?;
    let catalog = catalog(&client).await?;
    let answers = project_rows(&client).await?;
    client.batch_execute("commit").await.map_err(unreadable)?;
    rows::assemble(catalog, answers).map_err(|cause| Failure::caused("Could not read a database", cause))
}

async fn catalog(client: &Client) -> Result<Catalog, Failure> {
    let queries = extract::queries();
    // Sent together: round trips to a database far away add up.
    let rows = try_join_all(queries.iter().map(|query| client.query_one(&query.sql, &[]))).await.map_err(unreadable)?;
    let answers = queries.iter().zip(&rows);
    let answers = answers.map(|(query, row)| Ok((query.name, row.try_get::<_, Json<Box<RawValue>>>(0)?.0)));
    let answers = answers.collect::<Result<Vec<_>, tokio_postgres::Error>>().map_err(unreadable)?;
    extract::assemble(answers).map_err(|cause| Failure::caused("Could not read a database", cause))
}

/// Other databases may have tables of the same names that hold something else.
async fn project_rows(client: &Client) -> Result<Vec<(String, Value)>, Failure> {
    let mut answers = Vec::new();
    if !exists(client, "system.branch_merges").await? {
        return Ok(answers);
    }
    for query in rows::queries() {
        if exists(client, &query.requires).await? {
            let row = client.query_one(&query.sql, &[]).await.map_err(unreadable)?;
            answers.push((query.name, row.try_get(0).map_err(unreadable)?));
        }
    }
    Ok(answers)
}

async fn exists(client: &Client, table: &str) -> Result<bool, Failure> {
    let row = client.query_one("select pg_catalog.to_regclass($1::text) is not null", &[&table]).await;
    row.and_then(|row| row.try_get(0)).map_err(unreadable)
}

pub(crate) fn unreadable(cause: tokio_postgres::Error) -> Failure {
    Failure::caused("Could not read a database", cause)
}
