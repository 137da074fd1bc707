//! One function per slice of the metadata.

use chrono::{DateTime, Utc};
use deadpool_postgres::ClientWrapper;
use serde_json::{Value, json};

use crate::{auth, database::qualified_name, http::Result, state::App};

const HINT: &str =
    "To retrieve detailed schema information for a specific table, call the get-table-schema tool with the table name.";
const GIB: f64 = 1_073_741_824.0;

/// Policy, sign-in providers and mail settings.
pub(super) async fn auth(client: &ClientWrapper, now: DateTime<Utc>) -> Result<Value> {
    let (built_in, custom) = auth::oauth_providers(client).await?;
    let mut slice = json!({
        "oAuthProviders": built_in,
        "customOAuthProviders": custom,
        "smtpConfig": smtp(client).await?,
    });
    let policy = auth::policy_for_metadata(client, now).await?;
    if let (Some(slice), Value::Object(fields)) = (slice.as_object_mut(), policy) {
        slice.extend(fields);
    }
    Ok(slice)
}

async fn smtp(client: &ClientWrapper) -> Result<Value> {
    let row = client
        .query_opt(
            "select enabled, host, port, username, password_encrypted <> '', sender_email, sender_name, min_interval_seconds
             from email.config limit 1",
            &[],
        )
        .await?;
    Ok(row.map_or(Value::Null, |row| {
        json!({
            "enabled": row.get::<_, bool>(0),
            "host": row.get::<_, String>(1),
            "port": row.get::<_, i32>(2),
            "username": row.get::<_, String>(3),
            "hasPassword": row.get::<_, bool>(4),
            "senderEmail": row.get::<_, String>(5),
            "senderName": row.get::<_, String>(6),
            "minIntervalSeconds": row.get::<_, i32>(7),
        })
    }))
}

/// Public tables with exact row counts, those of large ones up to a minute old, and the database's size.
pub(super) async fn database(app: &App, client: &ClientWrapper) -> Result<Value> {
    let rows = client
        .query(
            "select c.oid, c.relname from pg_class c
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
                and not exists (select from pg_depend d
                    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
             order by c.relname",
            &[],
        )
        .await?;
    let now = app.clock.now();
    let mut tables = Vec::with_capacity(rows.len());
    for row in rows {
        let (table, name): (u32, String) = (row.get(0), row.get(1));
        let count = match app.row_counts.known(table, now) {
            Some(count) => count,
            None => {
                let sql = format!("select count(*) from {}", qualified_name("public", &name));
                // A table that was dropped meanwhile is not part of the answer.
                let Ok(counted) = client.query_one(&sql, &[]).await else { continue };
                app.row_counts.counted(table, counted.get(0), now);
                counted.get(0)
            }
        };
        tables.push(json!({"tableName": name, "recordCount": count}));
    }
    let size: i64 = client.query_one("select pg_database_size(current_database())", &[]).await?.get(0);
    Ok(json!({"tables": tables, "totalSizeInGB": size as f64 / GIB, "hint": HINT}))
}

/// Buckets with their object counts, and the size of all objects.
pub(super) async fn storage(client: &ClientWrapper) -> Result<Value> {
    let rows = client
        .query(
            "select b.name, coalesce(b.public, true), b.created_at, count(o.key), coalesce(sum(o.size), 0)::bigint
             from storage.buckets b left join storage.objects o on o.bucket = b.name
             group by b.name order by b.name",
            &[],
        )
        .await?;
    let mut total = 0_i64;
    let mut buckets = Vec::with_capacity(rows.len());
    for row in rows {
        total += row.get::<_, i64>(4);
        buckets.push(json!({
            "name": row.get::<_, String>(0),
            "public": row.get::<_, bool>(1),
            "createdAt": row.get::<_, Option<DateTime<Utc>>>(2).map(clock::iso_millis),
            "objectCount": row.get::<_, i64>(3),
        }));
    }
    Ok(json!({"buckets": buckets, "totalSizeInGB": total as f64 / GIB}))
}

/// Functions, newest first.
pub(super) async fn functions(client: &ClientWrapper) -> Result<Value> {
    let rows = client
        .query(
            "select slug, name, description, coalesce(status, 'draft') from functions.definitions
             order by created_at desc, slug",
            &[],
        )
        .await?;
    let functions: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "slug": row.get::<_, String>(0),
                "name": row.get::<_, String>(1),
                "description": row.get::<_, Option<String>>(2),
                "status": row.get::<_, String>(3),
            })
        })
        .collect();
    Ok(json!(functions))
}

/// Channels, and the policies that decide who may subscribe and publish.
pub(super) async fn realtime(client: &ClientWrapper) -> Result<Value> {
    let rows = client
        .query(
            "select jsonb_build_object('id', id, 'pattern', pattern, 'description', description,
                'webhookUrls', webhook_urls, 'enabled', enabled), created_at, updated_at
             from realtime.channels order by created_at desc, pattern",
            &[],
        )
        .await?;
    let channels: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mut channel: Value = row.get(0);
            channel["createdAt"] = json!(row.get::<_, Option<DateTime<Utc>>>(1).map(clock::iso_millis));
            channel["updatedAt"] = json!(row.get::<_, Option<DateTime<Utc>>>(2).map(clock::iso_millis));
            channel
        })
        .collect();
    let subscribe = policies(client, "channels").await?;
    let publish = policies(client, "messages").await?;
    Ok(json!({
        "channels": channels,
        "permissions": {"subscribe": {"policies": subscribe}, "publish": {"policies": publish}},
    }))
}

async fn policies(client: &ClientWrapper, table: &str) -> Result<Vec<Value>> {
    let rows = client
        .query(
            "select jsonb_build_object('policyName', policyname, 'tableName', tablename, 'command', cmd,
                'roles', to_jsonb(roles), 'using', qual, 'withCheck', with_check)
             from pg_policies
             where schemaname = 'realtime' and tablename = $1 and policyname <> 'project_admin_policy'
             order by policyname",
            &[&table],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}
