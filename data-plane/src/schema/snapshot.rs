//! Reads catalog, configuration rows, edge functions and migrations.

use schema_merge::{Catalog, Snapshot, extract, rows};
use serde_json::Value;
use tokio_postgres::Client;

use crate::{
    http::{Error, Result},
    state::App,
};

/// Everything of one moment.
pub(super) async fn read(app: &App) -> Result<Snapshot> {
    let client = app.pools.internal().await?;
    client.batch_execute("begin isolation level repeatable read, read only; set local search_path = ''").await?;
    let snapshot = in_transaction(&client).await;
    client.batch_execute("commit").await?;
    snapshot
}

async fn in_transaction(client: &Client) -> Result<Snapshot> {
    let catalog = catalog(client).await?;
    let mut answers: Vec<(String, Value)> = Vec::new();
    for query in rows::queries() {
        let exists =
            client.query_one("select pg_catalog.to_regclass($1::text) is not null", &[&query.requires]).await?;
        if exists.try_get::<_, bool>(0)? {
            answers.push((query.name, client.query_one(&query.sql, &[]).await?.try_get(0)?));
        }
    }
    rows::assemble(catalog, answers).map_err(|error| Error::internal("read the rows that merge", &error))
}

/// The catalog as the transaction sees it; its `search_path` must be empty.
pub(super) async fn catalog(client: &Client) -> Result<Catalog> {
    let queries = extract::queries();
    // Sent together: their answers are needed together, and the round trips add up.
    let answers = futures::future::try_join_all(queries.iter().map(|query| client.query_one(&query.sql, &[]))).await?;
    let mut results: Vec<(&'static str, Value)> = Vec::new();
    for (query, row) in queries.iter().zip(&answers) {
        results.push((query.name, row.try_get(0)?));
    }
    extract::assemble(results).map_err(|error| Error::internal("put the catalog together", &error))
}
