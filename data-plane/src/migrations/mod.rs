//! Internal migrations: embedded files, applied in order, one transaction each, under an advisory lock.
//!
//! A file begins with `-- as: superuser` or `-- as: owner`, which says under which role it runs. The owner is the user of internal work.

use tokio_postgres::{Client, error::SqlState};

use crate::pools::Pools;

mod files;

use files::{FILES, File};

/// Key of the advisory lock that migrating processes take.
const LOCK: i64 = 0x0068_6561_7274_6801;

/// Why the database could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Postgres cannot be reached.
    #[error("connect to Postgres for migrations")]
    Connect(#[source] tokio_postgres::Error),
    /// The pool gave no connection.
    #[error("connect to Postgres")]
    Pool(#[source] deadpool_postgres::PoolError),
    /// The list of applied migrations cannot be read or locked.
    #[error("read the applied migrations")]
    Read(#[source] tokio_postgres::Error),
    /// A file failed; its transaction is rolled back.
    #[error("apply migration {name}")]
    Apply {
        /// The file.
        name: &'static str,
        /// What Postgres said.
        #[source]
        cause: tokio_postgres::Error,
    },
    /// The database has a migration that this program does not know.
    #[error("the database has migration '{0}', which this version does not know; use a newer version")]
    Newer(String),
}

/// Serial number of the newest migration that this program knows.
#[must_use]
pub fn newest() -> i32 {
    FILES.last().map_or(0, File::serial)
}

/// Brings the database up to date; one query when it already is. Any number of processes may do so at once.
///
/// # Errors
/// See [`Error`]; files before the failing one stay applied.
pub async fn run(pools: &Pools, owner: &str) -> Result<(), Error> {
    let client = pools.internal().await.map_err(Error::Pool)?;
    match applied(&client).await {
        Ok(names) if pending(&names)?.is_empty() => return Ok(()),
        // Not there yet, or not yet readable for this user.
        Ok(_) | Err(_) => {}
    }
    drop(client);
    let client = pools.superuser().await.map_err(Error::Connect)?;
    client.execute("select pg_advisory_lock($1)", &[&LOCK]).await.map_err(Error::Read)?;
    let names = applied(&client).await.map_err(Error::Read)?;
    for file in pending(&names)? {
        apply(&client, owner, file).await.map_err(|cause| Error::Apply { name: file.name, cause })?;
        tracing::info!(migration.name = file.name, "internal migration applied");
    }
    Ok(())
}

async fn applied(client: &Client) -> Result<Vec<String>, tokio_postgres::Error> {
    match client.query("select name from system.migrations order by id", &[]).await {
        Ok(rows) => Ok(rows.iter().map(|row| row.get(0)).collect()),
        Err(error)
            if [Some(&SqlState::UNDEFINED_TABLE), Some(&SqlState::INVALID_SCHEMA_NAME)].contains(&error.code()) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

fn pending(applied: &[String]) -> Result<Vec<&'static File>, Error> {
    if let Some(unknown) = applied.iter().find(|name| !FILES.iter().any(|file| file.name == **name)) {
        return Err(Error::Newer(unknown.clone()));
    }
    Ok(FILES.iter().filter(|file| !applied.iter().any(|name| name == file.name)).collect())
}

async fn apply(client: &Client, owner: &str, file: &File) -> Result<(), tokio_postgres::Error> {
    let opened = client
        .batch_execute(
            "begin;
             set local search_path = pg_catalog;
             set local lock_timeout = '10s';",
        )
        .await;
    let outcome = match opened {
        Ok(()) => run_file(client, owner, file).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => client.batch_execute("commit").await,
        Err(error) => {
            let _connection_is_dropped_next = client.batch_execute("rollback").await;
            Err(error)
        }
    }
}

async fn run_file(client: &Client, owner: &str, file: &File) -> Result<(), tokio_postgres::Error> {
    client.execute("select set_config('hearth.owner', $1, true)", &[&owner]).await?;
    if file.as_superuser() {
        // Tenants' triggers must not run with these rights.
        client.batch_execute("set local session_replication_role = replica").await?;
    } else {
        client.execute("select set_config('role', $1, true)", &[&owner]).await?;
    }
    client.batch_execute(file.sql).await?;
    client.batch_execute("reset role; set local search_path = pg_catalog").await?;
    // The first files run before the table exists; the file that makes it enters them all.
    let recorded = client
        .execute(
            "select from pg_class c join pg_namespace n on n.oid = c.relnamespace
             where n.nspname = 'system' and c.relname = 'migrations'",
            &[],
        )
        .await?;
    if recorded == 0 {
        return Ok(());
    }
    let known: Vec<&str> = FILES.iter().map(|file| file.name).take_while(|name| *name <= file.name).collect();
    client
        .execute(
            "insert into system.migrations (name, run_on)
             select name, now() at time zone 'utc' from unnest($1::text[]) with ordinality as u (name, position)
             order by position
             on conflict (name) do nothing",
            &[&known],
        )
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_in_order_and_say_how_they_run() {
        assert!(FILES.is_sorted_by(|one, next| one.serial() < next.serial()));
        for file in FILES {
            assert!(
                file.sql.starts_with("-- as: superuser\n") || file.sql.starts_with("-- as: owner\n"),
                "{}",
                file.name
            );
        }
    }

    #[test]
    fn a_newer_database_is_refused() {
        let known: Vec<String> = FILES.iter().map(|file| file.name.to_owned()).collect();
        assert!(pending(&known).expect("all known").is_empty());
        assert_eq!(pending(&known[..2]).expect("all known").len(), FILES.len() - 2);
        assert!(matches!(pending(&["9999_future".to_owned()]), Err(Error::Newer(_))));
    }
}
