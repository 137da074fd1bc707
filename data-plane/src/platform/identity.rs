//! `POST /_hearth/v1/identity`: makes a physical clone into a project of its own. One transaction; running it again changes nothing more.

use std::{io, path::Path, sync::Arc};

use axum::{Json, extract::State};
use data_plane_contract::identity::{AssumeIdentity, CloneMode, IdentityAssumed};
use secrecy::ExposeSecret as _;
use tokio_postgres::Transaction;

use crate::{
    authentication::{KeyKind, RequirePlatform},
    database::Database,
    http::{Error, Result},
    startup::access_key,
    state::App,
};

/// What a clone never takes along: providers' state of the original, and its backups.
const CLEAR_UNBRANCHED: &str = "
    delete from compute.services;
    delete from deployments.files;
    delete from deployments.runs;
    delete from functions.deployments;
    delete from system.database_backups";

/// Internal tables of end users and of what happened, empty in a schema-only clone.
const USER_DATA: &[&str] = &[
    "auth.users",
    "auth.user_providers",
    "auth.email_otps",
    "auth.oauth_states",
    "auth.oauth_exchange_codes",
    "storage.objects",
    "storage.object_tags",
    "realtime.messages",
    "schedules.job_logs",
    "system.audit_logs",
    "system.audit_requests",
    "system.mcp_usage",
    "memory.memories",
];

/// Statements that empty what holds user data besides tables, outside the internal schemas and outside extensions: materialized views keep
/// a copy of rows, sequences tell how many there were, and large objects are rows of their own.
const EMPTY_THE_REST: &str = "
    select format(case c.relkind when 'm' then 'refresh materialized view %I.%I with no data'
                                 else 'alter sequence %I.%I restart' end, n.nspname, c.relname)
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('m', 'S') and c.relpersistence <> 't'
      and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and not n.nspname = any ($1::text[])
      and not exists (select from pg_depend d
                      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    union all
    select format('select pg_catalog.lo_unlink(%s)', oid) from pg_largeobject_metadata";

/// Schemas whose tables are emptied one by one, by what they mean.
const INTERNAL_SCHEMAS: &[&str] = &[
    "auth",
    "compute",
    "deployments",
    "email",
    "functions",
    "memory",
    "payments",
    "realtime",
    "schedules",
    "storage",
    "system",
    "cron",
];

/// Tables with rows of their own outside the internal schemas and outside extensions, quoted.
const USER_TABLES: &str = "
    select format('%I.%I', n.nspname, c.relname)
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p')
      and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
      and not n.nspname = any ($1::text[])
      and not exists (select from pg_depend d
                      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    order by 1";

/// Internal tables that exist here; some need an extension.
const PRESENT: &str = "select name from unnest($1::text[]) as u (name) where to_regclass(name) is not null";

/// Payments are the original's, seen through its provider account.
const PAYMENT_TABLES: &str = "
    select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'payments' order by 1";

/// `POST /_hearth/v1/identity`
pub(super) async fn assume_identity(
    State(app): State<Arc<App>>,
    _platform: RequirePlatform,
    Json(request): Json<AssumeIdentity>,
) -> Result<Json<IdentityAssumed>> {
    if request.mode == CloneMode::Rehearsal {
        return Ok(Json(IdentityAssumed { tables_emptied: 0 }));
    }
    let mut client = app.pools.internal().await?;
    let transaction = client.transaction().await?;
    transaction.batch_execute(CLEAR_UNBRANCHED).await?;
    set_keys(&app, &transaction).await?;
    let tables_emptied = match request.mode {
        CloneMode::SchemaOnly => empty(&transaction).await?,
        CloneMode::Full | CloneMode::Rehearsal => 0,
    };
    transaction.commit().await?;
    if request.mode == CloneMode::SchemaOnly {
        remove_objects(&app.config.storage_dir).await?;
        app.activity.storage_changed();
    }
    app.access_keys.forget();
    Database::schema_changed(&app).await?;
    Ok(Json(IdentityAssumed { tables_emptied }))
}

/// Keys and URL become those of this process's environment; superseded keys of the original are void here.
async fn set_keys(app: &App, transaction: &Transaction<'_>) -> Result<()> {
    transaction
        .execute(
            "delete from system.secrets where key like 'API\\_KEY\\_OLD\\_%' or key like 'ANON\\_KEY\\_OLD\\_%'",
            &[],
        )
        .await?;
    let keys = [
        ("API_KEY", app.config.access_api_key.as_ref().map(|seed| access_key(KeyKind::Api, Some(seed)))),
        ("ANON_KEY", app.config.access_anon_key.as_ref().map(|seed| access_key(KeyKind::Anon, Some(seed)))),
        ("INSFORGE_BASE_URL", Some(app.config.api_base_url.as_str().into())),
    ];
    for (name, value) in keys {
        let Some(value) = value else { continue };
        let sealed = app.cipher.encrypt(value.expose_secret());
        transaction
            .execute(
                "insert into system.secrets (key, value_ciphertext, is_reserved) values ($1, $2, true)
                 on conflict (key) do update set value_ciphertext = excluded.value_ciphertext, is_active = true, expires_at = null",
                &[&name, &sealed],
            )
            .await?;
    }
    Ok(())
}

/// Empties every table of user data at once, so that foreign keys among them do not matter. No trigger of the tenant runs.
async fn empty(transaction: &Transaction<'_>) -> Result<u64> {
    let user_tables: Vec<String> =
        transaction.query(USER_TABLES, &[&INTERNAL_SCHEMAS]).await?.iter().map(|row| row.get(0)).collect();
    let emptied = u64::try_from(user_tables.len()).unwrap_or(u64::MAX);
    let mut tables = user_tables;
    tables.extend(transaction.query(PRESENT, &[&USER_DATA]).await?.iter().map(|row| row.get::<_, String>(0)));
    tables.extend(transaction.query(PAYMENT_TABLES, &[]).await?.iter().map(|row| row.get::<_, String>(0)));
    transaction.batch_execute("set local session_replication_role = replica").await?;
    transaction.batch_execute(&format!("truncate table {} restart identity", tables.join(", "))).await?;
    for row in transaction.query(EMPTY_THE_REST, &[&INTERNAL_SCHEMAS]).await? {
        transaction.batch_execute(row.get(0)).await?;
    }
    transaction.batch_execute("set local session_replication_role = origin").await?;
    Ok(emptied)
}

/// Removes the bytes of emptied objects; the folder itself stays.
async fn remove_objects(folder: &Path) -> Result<()> {
    let failed = |error: io::Error| Error::internal("remove the objects of a schema-only clone", &error);
    let mut entries = match tokio::fs::read_dir(folder).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        let removed = if entry.file_type().await.map_err(failed)?.is_dir() {
            tokio::fs::remove_dir_all(entry.path()).await
        } else {
            tokio::fs::remove_file(entry.path()).await
        };
        removed.map_err(failed)?;
    }
    Ok(())
}
