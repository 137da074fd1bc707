//! Reads catalog, configuration rows, edge functions and migrations.

use data_plane_contract::schema::LARGE_TABLE_BYTES;
use futures::future::try_join_all;
use schema_merge::{Catalog, Snapshot, extract, rows};
use serde_json::{Value, value::RawValue};
use tokio_postgres::{Client, IsolationLevel, types::Json};

use crate::{
    http::{Error, Result},
    state::App,
};

/// Everything of one moment. Whoever asks may go away at any time; the transaction then ends before its connection is used again.
pub(super) async fn read(app: &App) -> Result<Snapshot> {
    let mut connection = app.pools.internal().await?;
    let transaction =
        connection.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true).start().await?;
    transaction.batch_execute(extract::SETTINGS).await?;
    let catalog = catalog(transaction.client()).await?;
    let snapshot = with_rows(transaction.client(), catalog).await?;
    transaction.commit().await?;
    Ok(snapshot)
}

/// Hash of the catalog as it is now, on a connection that is in no transaction.
pub(super) async fn read_hash(client: &Client) -> Result<String> {
    let begin = format!("begin isolation level repeatable read, read only; {}", extract::SETTINGS);
    client.batch_execute(&begin).await?;
    let read = catalog(client).await?;
    client.batch_execute("commit").await?;
    Ok(read.hash())
}

/// Tables with so many rows that writers do not wait while an index is built.
pub(super) async fn large_tables(app: &App) -> Result<Vec<String>> {
    let sql = "select pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
          and pg_catalog.pg_relation_size(c.oid) >= $1
        order by 1";
    let rows = app.pools.internal().await?.query(sql, &[&LARGE_TABLE_BYTES]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// Adds the rows as the transaction sees them.
pub(super) async fn with_rows(client: &Client, catalog: Catalog) -> Result<Snapshot> {
    let queries = rows::queries();
    let tables: Vec<&str> = queries.iter().map(|query| query.requires.as_str()).collect();
    let known = client
        .query(
            "select name from pg_catalog.unnest($1::text[]) as name where pg_catalog.to_regclass(name) is not null",
            &[&tables],
        )
        .await?;
    let known: Vec<String> = known.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let there: Vec<_> = queries.into_iter().filter(|query| known.contains(&query.requires)).collect();
    let answers = try_join_all(there.iter().map(|query| client.query_one(&query.sql, &[]))).await?;
    let mut results: Vec<(String, Value)> = Vec::new();
    for (query, row) in there.into_iter().zip(&answers) {
        results.push((query.name, row.try_get(0)?));
    }
    rows::assemble(catalog, results).map_err(|error| Error::internal("read the rows that merge", &error))
}

/// The catalog as the transaction sees it; its `search_path` must be empty or name `pg_catalog` alone.
pub(super) async fn catalog(client: &Client) -> Result<Catalog> {
    let queries = extract::queries();
    // Sent together: their answers are needed together, and the round trips add up.
    let answers = try_join_all(queries.iter().map(|query| client.query_one(&query.sql, &[]))).await?;
    let mut results = Vec::new();
    for (query, row) in queries.iter().zip(&answers) {
        results.push((query.name, row.try_get::<_, Json<Box<RawValue>>>(0)?.0));
    }
    extract::assemble(results).map_err(|error| Error::internal("put the catalog together", &error))
}
