//! What a query costs must not depend on how many projects there are: every query of the control database finds its rows by an index.
//!
//! Sequential scans are priced out while plans are made, so one that is left has no index to use at all, and neither has an index that is
//! read from end to end. Plans are generic, as those of prepared statements are, so no value makes one look good. Which index the queries of
//! usage and of partners use, and by which condition, is in a file; a plan that changes is a visible diff.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use serde_json::Value;
use sqlx::PgConnection;

use crate::harness::App;

/// Tables with a row per deployment, partner or key, or per merge that is under way, and not per project, user or operation.
const SMALL: &[&str] = &["signing_keys", "partners", "operation_documents", "event_head"];

/// Indexes of what is under way or amiss, which is little at any time; they may be read from end to end.
const FEW: &[&str] = &[
    "operations_due_idx",
    "operations_one_per_project_key",
    "merges_parent_id_idx",
    "merges_undo_until_idx",
    "projects_unserved_idx",
    "events_unpublished_idx",
    "webhook_deliveries_due_idx",
    "webhook_deliveries_in_flight_idx",
    "webhook_deliveries_lane_idx",
];

/// Queries that may read a whole table, by a text that is in no other, with who asks and how often.
const WHOLE: &[(&str, &str)] = &[
    ("select exists (select from users)", "start-up: ends at the first row"),
    ("from users where operator order by created_at", "start-up, when the first user's credentials are lost"),
    ("where (cardinality($1::text[]) = 0 or state = any($1))", "hearth operations list"),
    ("lag(d.last_amount) over", "hearth usage rebuild: all that follows a month"),
];

/// Postgres words plans differently from one version to the next.
const GOLDEN_VERSION: i32 = 15;

fn queries() -> Vec<(String, usize)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.sqlx");
    let mut queries: Vec<(String, usize)> = fs::read_dir(folder)
        .expect("the offline data is in the tree")
        .map(|entry| {
            let text = fs::read_to_string(entry.expect("an entry").path()).expect("reads");
            let about: Value = serde_json::from_str(&text).expect("JSON");
            let parameters = about["describe"]["parameters"]["Left"].as_array().map_or(0, Vec::len);
            (about["query"].as_str().expect("a query").to_owned(), parameters)
        })
        .collect();
    queries.sort();
    queries
}

/// Enough rows that an index pays, spread as in a cloud.
const FILL: &str = "
    insert into organizations (id, name, type, plan) select md5('o' || n)::uuid, 'o' || n, 'team', 'pro' from generate_series(1, 20000) n;
    insert into users (id, email, name) select md5('u' || n)::uuid, n || '@example.com', 'u' from generate_series(1, 300) n;
    insert into members (id, organization_id, user_id, role)
        select md5('m' || n)::uuid, md5('o' || n)::uuid, md5('u' || n)::uuid, 'owner' from generate_series(1, 300) n;
    insert into partners (id, name, kind, organization_id, created_at, updated_at)
        select md5('p' || n)::uuid, 'p', 'white-label', md5('o' || n)::uuid, now(), now() from generate_series(1, 3) n;
    insert into projects (id, organization_id, partner_id, name, app_key, region, instance_type, service_version, created_at)
        select md5('j' || n)::uuid, md5('o' || (n % 300 + 1))::uuid, case when n % 5 = 0 then md5('p' || (n % 3 + 1))::uuid end,
               'j' || n, 'k' || n, 'us-east', 'nano', '2.0.0', now() - n * interval '1 minute' from generate_series(1, 3000) n;
    insert into usage_days (project_id, metric, day, amount, last_amount, last_at)
        select md5('j' || n)::uuid, metric, current_date - d, n, n, now()
        from generate_series(1, 3000) n, unnest(array['database_bytes', 'requests', 'egress_bytes']) metric, generate_series(0, 9) d;
    insert into usage_totals (scope, metric, day, shard, amount, step)
        select md5('o' || n)::uuid, metric, current_date - d, s, n, 1
        from generate_series(1, 300) n, unnest(array['database_bytes', 'requests']) metric, generate_series(0, 9) d, generate_series(0, 3) s;
    insert into usage_late_days (scope, metric, day, amount)
        select md5('o' || n)::uuid, 'requests', current_date - d, 1 from generate_series(1, 300) n, generate_series(0, 9) d;
    select usage_records_prepare(current_date);
    insert into usage_sources (source) select 'gateway:' || n from generate_series(1, 300) n;
    insert into usage_records (source, sequence, day, project_id, metric, instance_type, from_at, to_at, amount, received_at)
        select 'gateway:' || n % 300, n, current_date, md5('j' || (n % 3000 + 1))::uuid, 'requests', '', now(), now(), 1, now()
        from generate_series(1, 9000) n;
    insert into project_activity (project_id, last_request_at) select id, now() from projects;
    insert into api_keys (id, user_id, name, prefix, token_hash)
        select md5('k' || n)::uuid, md5('u' || n)::uuid, 'k', 'uak_', decode(md5('t' || n), 'hex') from generate_series(1, 300) n;
    insert into operations (id, kind, organization_id, project_id, state, input)
        select md5('w' || n)::uuid, case when n % 10 = 0 then 'branch_merge' else 'project_create' end, md5('o' || (n % 300 + 1))::uuid,
               md5('j' || n)::uuid, case when n % 100 = 0 then 'running' else 'succeeded' end, '{}'
        from generate_series(1, 3000) n;
    insert into operation_steps (operation_id, position, name, state)
        select md5('w' || n)::uuid, p, 'step', 'done' from generate_series(1, 3000) n, generate_series(0, 3) p;
    insert into operation_events (operation_id, kind, body) select id, 'state', '{}' from operations;
    insert into projects (id, organization_id, parent_id, name, app_key, region, instance_type, service_version)
        select md5('b' || n)::uuid, md5('o' || (n % 300 + 1))::uuid, md5('j' || n)::uuid, 'b' || n, 'b' || n, 'us-east', 'nano', '2.0.0'
        from generate_series(1, 600) n;
    insert into branches (project_id, mode) select md5('b' || n)::uuid, 'full' from generate_series(1, 600) n;
    insert into merges (operation_id, branch_id, parent_id, state, merged_at, undo_until, previous_merged)
        select md5('w' || n * 10)::uuid, md5('b' || n)::uuid, md5('j' || n)::uuid, case when n % 50 = 0 then 'open' else 'closed' end,
               now(), now(), false
        from generate_series(1, 300) n;
    insert into events (id, position, type, organization_id, partner_id, project_id, data, created_at)
        select md5('e' || n)::uuid, case when n < 59990 then n end, 'project.created', md5('o' || (n % 300 + 1))::uuid,
               case when n % 5 = 0 then md5('p' || (n % 3 + 1))::uuid end, md5('j' || (n % 3000 + 1))::uuid, '{}',
               now() - (60000 - n) * interval '1 minute'
        from generate_series(1, 60000) n;
    insert into webhook_endpoints (id, organization_id, url, created_at, updated_at)
        select md5('h' || n)::uuid, md5('o' || n)::uuid, 'https://example.com', now(), now() from generate_series(1, 20000) n;
    insert into webhook_deliveries (id, endpoint_id, event_id, lane, position, state, next_try_at, created_at)
        select md5('d' || n)::uuid, md5('h' || (n % 300 + 1))::uuid, md5('e' || n)::uuid, md5('j' || (n % 3000 + 1))::uuid, n,
               case when n > 8900 then 'pending' else 'delivered' end, case when n > 8900 then now() end, now()
        from generate_series(1, 8980) n;
    insert into quota_caps (organization_id, subject, allowed) select md5('o' || n)::uuid, 'egress_bytes', 1 from generate_series(1, 300) n;
    insert into quota_states (scope, subject, organization_id, used, allowed, changed_at)
        select md5('o' || n)::uuid, 'egress_bytes', md5('o' || n)::uuid, 1, 1, now() from generate_series(1, 300) n;
    analyze;
";

/// What a plan reads of one table.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Access {
    table: String,
    /// Absent for a sequential scan.
    index: Option<String>,
    condition: Option<String>,
    /// No more rows are read than are asked for.
    limited: bool,
}

fn accesses(node: &Value, limited: bool, bitmap_of: Option<&str>, found: &mut BTreeSet<Access>) {
    let text = |field: &str| node[field].as_str().map(str::to_owned);
    let kind = node["Node Type"].as_str().unwrap_or_default();
    // A month of the log is the log.
    let table = text("Relation Name")
        .map(|name| if name.starts_with("usage_records") { "usage_records".to_owned() } else { name });
    let index = text("Index Name").map(|name| {
        let month = |part: &str| {
            part.len() == 4 && part.parse::<u16>().is_ok() || part.len() == 2 && part.parse::<u8>().is_ok()
        };
        name.split('_').filter(|part| !month(part)).collect::<Vec<_>>().join("_")
    });
    match kind {
        "Seq Scan" => {
            found.extend(table.clone().map(|table| Access { table, index: None, condition: None, limited }));
        }
        "Index Scan" | "Index Only Scan" => {
            let condition = text("Index Cond");
            found.extend(table.clone().map(|table| Access { table, index, condition, limited }));
        }
        "Bitmap Index Scan" => {
            let table = bitmap_of.unwrap_or_default().to_owned();
            found.insert(Access { table, index, condition: text("Index Cond"), limited: false });
        }
        _ => {}
    }
    // A limit holds for what is below it as long as no node needs all rows first.
    let passes =
        matches!(kind, "Limit" | "Nested Loop" | "LockRows" | "Append" | "Merge Append" | "Result" | "Subquery Scan");
    let limited = kind == "Limit" || (limited && passes);
    let bitmap_of = table.as_deref().or(bitmap_of);
    for child in node["Plans"].as_array().into_iter().flatten() {
        accesses(child, limited, bitmap_of, found);
    }
}

async fn plan(conn: &mut PgConnection, query: &str, parameters: usize) -> BTreeSet<Access> {
    let nulls = vec!["null"; parameters].join(", ");
    let call = if parameters == 0 { "q".to_owned() } else { format!("q({nulls})") };
    sqlx::raw_sql(&format!("prepare q as {query}"))
        .execute(&mut *conn)
        .await
        .unwrap_or_else(|error| panic!("{query}: {error}"));
    let explained: Value = sqlx::query_scalar(&format!("explain (format json) execute {call}"))
        .fetch_one(&mut *conn)
        .await
        .unwrap_or_else(|error| panic!("{query}: {error}"));
    sqlx::raw_sql("deallocate q").execute(&mut *conn).await.expect("forgets");
    let mut found = BTreeSet::new();
    accesses(&explained[0]["Plan"], false, None, &mut found);
    found
}

#[tokio::test]
async fn no_query_reads_a_table_that_grows_from_end_to_end() {
    let app = App::start().await;
    let mut conn = app.pool.acquire().await.expect("a connection");
    sqlx::raw_sql(FILL).execute(&mut *conn).await.expect("fills");
    sqlx::raw_sql("set plan_cache_mode = force_generic_plan; set enable_seqscan = off; set jit = off")
        .execute(&mut *conn)
        .await
        .expect("sets");
    let (mut golden, mut whole, mut used) = (String::new(), Vec::new(), BTreeSet::new());
    for (query, parameters) in queries() {
        let one_line = query.split_whitespace().collect::<Vec<_>>().join(" ");
        if one_line.starts_with("lock table") {
            continue;
        }
        let accesses = plan(&mut conn, &query, parameters).await;
        for access in &accesses {
            let grows = !access.table.is_empty() && !SMALL.contains(&access.table.as_str());
            let few = access.index.as_deref().is_some_and(|index| FEW.contains(&index));
            let bounded = few || access.index.is_some() && (access.condition.is_some() || access.limited);
            if !grows || bounded {
                continue;
            }
            match WHOLE.iter().find(|(text, _)| one_line.contains(text)) {
                Some((text, _)) => drop(used.insert(*text)),
                None => whole.push(format!("{}: {one_line}", access.table)),
            }
        }
        if one_line.contains("usage_") || one_line.contains("partner_id") {
            writeln!(golden, "{one_line}").expect("a string takes all");
            for Access { table, index, condition, .. } in &accesses {
                let (index, condition) = (index.as_deref().unwrap_or("-"), condition.as_deref().unwrap_or("-"));
                writeln!(golden, "    {table} by {index} where {condition}").expect("a string takes all");
            }
        }
    }
    assert!(whole.is_empty(), "these read a whole table:\n{}", whole.join("\n"));
    let unused: Vec<_> = WHOLE.iter().filter(|(text, _)| !used.contains(text)).collect();
    assert!(unused.is_empty(), "these are excused and need not be: {unused:#?}");

    let version: i32 = sqlx::query_scalar("select current_setting('server_version_num')::int / 10000")
        .fetch_one(&mut *conn)
        .await
        .expect("says its version");
    if version == GOLDEN_VERSION {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/query_plans.txt");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, &golden).expect("writes");
        }
        let kept = fs::read_to_string(&path).expect("the golden file is in the tree");
        assert!(kept == golden, "plans changed; look at them with BLESS=1 and git diff");
    }
}
