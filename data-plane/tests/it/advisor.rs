//! The advisor: each rule on a schema that breaks it and on one that does not, and its own recommendation as the cure.

use reqwest::Method;
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::database_harness::{ANON_KEY, Options, Project, eventually};

const ADVISOR: &str = "/api/advisor";

/// Scans and gives everything found.
async fn scan(project: &Project) -> Vec<Value> {
    let started = project.admin(Method::POST, &format!("{ADVISOR}/scan"), None).await.expect(201);
    assert_eq!(started["message"], "Scan started");
    finished(project, &started["scanId"]).await;
    let found = project.get(&format!("{ADVISOR}/issues?limit=500")).await.expect(200);
    found["issues"].as_array().cloned().unwrap_or_default()
}

async fn finished(project: &Project, scan: &Value) {
    let latest = eventually("the scan ends", async || {
        let latest = project.get(&format!("{ADVISOR}/latest")).await.expect(200);
        (latest["scanId"] == *scan && latest["status"] != "running").then_some(latest)
    })
    .await;
    assert_eq!((&latest["status"], &latest["errorMessage"]), (&json!("completed"), &Value::Null), "{latest}");
}

/// What a rule found, in the order of the objects it is about.
fn of<'a>(issues: &'a [Value], rule: &str) -> Vec<&'a Value> {
    let mut found: Vec<&Value> = issues.iter().filter(|issue| issue["ruleId"] == rule).collect();
    found.sort_by_key(|issue| issue["affectedObject"].as_str().unwrap_or_default());
    found
}

/// Whether a rule found something whose description has this text.
fn mentions(issues: &[Value], rule: &str, text: &str) -> bool {
    of(issues, rule)
        .iter()
        .any(|issue| issue["description"].as_str().is_some_and(|description| description.contains(text)))
}

fn objects<'a>(issues: &'a [Value], rule: &str) -> Vec<&'a str> {
    of(issues, rule).iter().filter_map(|issue| issue["affectedObject"].as_str()).collect()
}

/// Does what a finding recommends, statement by statement, as a person would.
async fn cure(client: &Client, issue: &Value) {
    let text = issue["recommendation"].as_str().unwrap_or_else(|| panic!("{issue} recommends something"));
    let statements: String =
        text.lines().filter(|line| !line.starts_with("--")).map(|line| format!("{line}\n")).collect();
    for statement in statements.split_inclusive(";\n").filter(|statement| !statement.trim().is_empty()) {
        client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}

/// Statistics of what this session did, told now instead of some time later.
async fn tell(client: &Client) {
    client.batch_execute("select pg_stat_force_next_flush()").await.expect("told");
    client.batch_execute("select 1").await.expect("told");
}

const SCHEMA: &str = "
create table good (id int primary key, user_id uuid);
alter table good enable row level security;
create policy own_read on good for select to authenticated using ((select auth.uid()) = user_id);
create policy own_write on good for all to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create index good_user on good (user_id);
create function good_call() returns int language sql as 'select 1';
create function good_trigger() returns trigger language plpgsql security definer set search_path = '' as 'begin return new; end';
create function hidden_call() returns int language sql security definer set search_path = '' as 'select 1';
revoke execute on function hidden_call() from public;
create table good_child (id int primary key, good_id int references good (id), other int);
create index good_child_good on good_child (good_id, other);
alter table good_child enable row level security;
create policy nobody on good_child to authenticated using (false);

create table open_to_all (id int primary key);
create table open_to_users (id int primary key);
revoke all on open_to_users from anon;
create table closed (id int primary key, user_id uuid);
alter table closed enable row level security;
create table loose (id int primary key, user_id uuid);
alter table loose enable row level security;
create policy everything on loose for all using (true) with check (1 = 1);
create policy users_only on loose for update to authenticated using (( true ));
create index loose_user on loose (user_id);
create function danger(a int) returns int language sql security definer as 'select 1';
create table read_only (id int primary key, user_id uuid);
alter table read_only enable row level security;
create policy reads on read_only for select to authenticated using ((select auth.uid()) = user_id);
create index read_only_user on read_only (user_id);
create table child (id int primary key, a int, b int, good_id int references good (id));
alter table child enable row level security;
create policy nobody on child to authenticated using (false);
create table per_row (id int primary key, user_id uuid, \"Team\" text);
alter table per_row enable row level security;
create policy slow on per_row for all to authenticated using (auth.uid() = user_id) with check (current_setting('request.jwt.claims', true) <> \"Team\");
create index per_row_user on per_row (user_id);
create table counters (id serial primary key);
alter table counters enable row level security;
create policy nobody on counters to authenticated using (false);
select setval('counters_id_seq', 2000000000);
create sequence fresh_numbers maxvalue 100;";

/// Rule, objects it finds in the schema, severities.
const STRUCTURE: &[(&str, &[&str], &str)] = &[
    ("rls-disabled", &["public.open_to_all", "public.open_to_users"], "critical"),
    ("rls-permissive", &["public.loose (everything)", "public.loose (users_only)"], "critical"),
    ("rls-no-policy", &["public.closed"], "critical"),
    ("dangerous-function", &["public.danger(a integer)", "public.danger(a integer)"], "critical"),
    ("rls-select-only", &["public.read_only"], "info"),
    ("missing-fk-index", &["public.child.child_good_id_fkey"], "warning"),
    ("rls-policy-perf", &["public.per_row (slow)"], "warning"),
    ("missing-rls-index", &["public.per_row.\"Team\""], "warning"),
    ("sequence-exhaustion", &["public.counters_id_seq"], "critical"),
];

#[tokio::test]
async fn structural_rules_find_what_is_wrong_and_their_advice_helps() {
    let project = Project::with_schema(SCHEMA).await;
    let issues = scan(&project).await;
    let mut cures = Vec::new();
    for (rule, expected, severity) in STRUCTURE {
        assert_eq!(objects(&issues, rule), *expected, "{rule}: {issues:#?}");
        assert_eq!(of(&issues, rule)[0]["severity"], *severity, "{rule}");
        cures.extend(of(&issues, rule).into_iter().cloned());
    }
    let titles = |rule: &str| {
        of(&issues, rule).iter().map(|issue| issue["title"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(titles("rls-disabled"), ["Table publicly accessible", "Table accessible to all authenticated users"]);
    let permissive = of(&issues, "rls-permissive");
    let users = permissive.iter().find(|issue| issue["affectedObject"] == "public.loose (users_only)").expect("found");
    assert_eq!((&users["severity"], &users["title"]), (&json!("warning"), &json!("Overly permissive RLS policy")));
    // Critical first.
    let order: Vec<&str> = issues.iter().filter_map(|issue| issue["severity"].as_str()).collect();
    let mut sorted = order.clone();
    sorted.sort_by_key(|severity| ["critical", "warning", "info"].iter().position(|known| known == severity));
    assert_eq!(order, sorted);

    let client = project.superuser().await;
    for issue in &cures {
        cure(&client, issue).await;
    }
    let issues = scan(&project).await;
    for (rule, before, _) in STRUCTURE {
        let left: Vec<&str> = objects(&issues, rule).into_iter().filter(|object| before.contains(object)).collect();
        assert!(left.is_empty(), "{rule} still finds {left:?}");
    }
}

#[tokio::test]
async fn rules_about_statistics_find_what_was_measured() {
    let options = Options {
        postgres: vec!["shared_preload_libraries=pg_stat_statements", "autovacuum=off"],
        ..Options::default()
    };
    let project = Project::start_with(&options).await;
    let client = project.superuser().await;
    client
        .batch_execute(
            "create extension pg_stat_statements;
             create table public.big (id int, filler text);
             create index big_unused on public.big (filler);
             create unique index big_key on public.big (id);
             create table public.small (id int);",
        )
        .await
        .expect("tables");
    client.batch_execute("insert into public.big select n, repeat('x', 50) from generate_series(1, 4000) n; insert into public.small values (1)").await.expect("rows");
    client.batch_execute("delete from public.big where id % 2 = 0").await.expect("fewer rows");
    client.batch_execute("select pg_sleep(1.1)").await.expect("a slow statement");
    tell(&client).await;
    let issues = scan(&project).await;
    assert_eq!(objects(&issues, "unused-index"), ["public.big_unused"]);
    assert_eq!(objects(&issues, "dead-tuples"), ["public.big"]);
    assert_eq!(objects(&issues, "stale-statistics"), ["public.big"]);
    assert_eq!(of(&issues, "stale-statistics")[0]["title"], "Table never analyzed");
    assert!(mentions(&issues, "slow-query", "pg_sleep"), "{:?}", of(&issues, "slow-query"));

    for rule in ["unused-index", "dead-tuples", "stale-statistics"] {
        cure(&client, of(&issues, rule)[0]).await;
    }
    // A statement that was made fast is forgotten by and by; here at once.
    client.batch_execute("select pg_stat_statements_reset()").await.expect("forgotten");
    tell(&client).await;
    let issues = scan(&project).await;
    for rule in ["unused-index", "dead-tuples", "stale-statistics"] {
        assert_eq!(objects(&issues, rule), [""; 0], "{rule}");
    }
    assert!(!mentions(&issues, "slow-query", "pg_sleep"));

    // Reading a table larger than memory for pages misses them; reading a small one again and again finds them.
    client
        .batch_execute(
            "create table public.huge as select repeat('y', 1000) as y from generate_series(1, 40000) n; checkpoint",
        )
        .await
        .expect("a large table");
    tell(&client).await;
    client.batch_execute("select pg_stat_reset()").await.expect("forgotten");
    for _ in 0..3 {
        client.batch_execute("select count(*) from public.huge").await.expect("read");
    }
    tell(&client).await;
    assert_eq!(objects(&scan(&project).await, "low-cache-hit-ratio"), ["pg_stat_database"]);
    client.batch_execute("select pg_stat_reset()").await.expect("forgotten");
    client
        .batch_execute(
            "select count(*) from generate_series(1, 2000) n, lateral (select 1 from public.small where id > n - n) s",
        )
        .await
        .expect("read");
    tell(&client).await;
    assert_eq!(objects(&scan(&project).await, "low-cache-hit-ratio"), [""; 0]);
}

#[tokio::test]
async fn rules_about_activity_find_who_is_in_the_way() {
    let options = Options { arguments: vec![("--advisor-long-seconds", "0.2".to_owned())], ..Options::default() };
    let project = Project::start_with(&options).await;
    let [watcher, idle, busy, vacuum] =
        [project.superuser().await, project.superuser().await, project.superuser().await, project.superuser().await];
    watcher.batch_execute("create table public.t (id int)").await.expect("a table");
    let quiet = scan(&project).await;
    for rule in ["idle-in-transaction", "autovacuum-blocked", "connection-usage"] {
        assert_eq!(objects(&quiet, rule), [""; 0], "{rule}");
    }
    assert!(!mentions(&quiet, "long-running-query", "pg_sleep"));

    idle.batch_execute("begin; lock table public.t in access exclusive mode").await.expect("a lock");
    let sleeping = tokio::spawn(async move { busy.batch_execute("select pg_sleep(60)").await });
    // What autovacuum's own workers report, by one that can be started at will.
    let waiting =
        tokio::spawn(async move { vacuum.batch_execute("/* autovacuum: VACUUM public.t */ vacuum public.t").await });
    eventually("all three have been at it for long enough", async || {
        let row = watcher
            .query_one(
                "select count(*) from pg_stat_activity where backend_type = 'client backend' and now() - greatest(query_start, state_change) > interval '250ms'
                   and (state = 'idle in transaction' or query like 'select pg_sleep%' or (query like '/* autovacuum%' and wait_event_type = 'Lock'))",
                &[],
            )
            .await
            .expect("activity");
        (row.get::<_, i64>(0) == 3).then_some(())
    })
    .await;
    let issues = scan(&project).await;
    assert_eq!(objects(&issues, "idle-in-transaction"), ["pg_stat_activity"]);
    let long = of(&issues, "long-running-query");
    assert!(
        long.iter().any(|issue| issue["description"].as_str().is_some_and(|text| text.contains("pg_sleep"))),
        "{long:?}"
    );
    assert_eq!(objects(&issues, "autovacuum-blocked"), ["public.t"]);

    cure(&watcher, of(&issues, "autovacuum-blocked")[0]).await;
    let long = long
        .iter()
        .find(|issue| issue["description"].as_str().is_some_and(|text| text.contains("pg_sleep")))
        .expect("found");
    cure(&watcher, long).await;
    assert!(sleeping.await.expect("it ran").is_err());
    waiting.await.expect("it ran").expect("the vacuum went on");
    let issues = scan(&project).await;
    for rule in ["idle-in-transaction", "autovacuum-blocked"] {
        assert_eq!(objects(&issues, rule), [""; 0], "{rule}");
    }
    assert!(!mentions(&issues, "long-running-query", "pg_sleep"));

    let mut many = Vec::new();
    while many.len() < 27 {
        many.push(project.superuser().await);
    }
    let issues = scan(&project).await;
    let used = of(&issues, "connection-usage");
    assert!(
        used.len() == 1 && used[0]["title"].as_str().is_some_and(|title| title.starts_with("Connection pool ")),
        "{used:?}"
    );
    drop(many);
    eventually("the connections are closed", async || {
        let row = watcher.query_one("select count(*) from pg_stat_activity", &[]).await.expect("activity");
        (row.get::<_, i64>(0) < 25).then_some(())
    })
    .await;
    assert_eq!(objects(&scan(&project).await, "connection-usage"), [""; 0]);
}

#[tokio::test]
async fn findings_can_be_ignored_and_listed_by_kind() {
    let project =
        Project::with_schema("create table a (id int); create table b (id int); create table c (id int, a int)").await;
    assert_eq!(project.get(&format!("{ADVISOR}/latest")).await.expect(200), Value::Null);
    assert_eq!(project.get(&format!("{ADVISOR}/issues")).await.expect(200), json!({"issues": [], "total": 0}));
    let issues = scan(&project).await;
    assert_eq!(objects(&issues, "rls-disabled"), ["public.a", "public.b", "public.c"]);
    let suppress =
        async |body: Value| project.admin(Method::POST, &format!("{ADVISOR}/suppressions"), Some(body)).await;
    let one =
        json!({"ruleId": "rls-disabled", "scope": "instance", "affectedObject": "public.a", "reason": "accepted_risk"});
    let made = suppress(one.clone()).await.expect(201);
    assert_eq!(
        (&made["title"], &made["severity"], &made["createdBy"]),
        (&json!("Table publicly accessible"), &json!("critical"), &json!("api-key"))
    );
    assert_eq!(suppress(one).await.expect(409)["message"], "This finding is already ignored.");
    let shown = project.get(&format!("{ADVISOR}/issues?severity=critical&category=security")).await.expect(200);
    assert_eq!(shown["total"], 2);
    assert_eq!(project.get(&format!("{ADVISOR}/latest")).await.expect(200)["summary"]["critical"], 2);
    let rule = json!({"ruleId": "rls-disabled", "scope": "rule", "reason": "other", "note": "no secrets here"});
    suppress(rule).await.expect(201);
    assert_eq!(project.get(&format!("{ADVISOR}/issues?category=security")).await.expect(200)["total"], 0);
    let listed = project.get(&format!("{ADVISOR}/suppressions")).await.expect(200);
    assert_eq!(listed["suppressions"][0]["note"], "no secrets here");
    assert!(listed["suppressions"][0].get("affectedObject").is_none());
    for suppression in listed["suppressions"].as_array().expect("a list") {
        let path = format!("{ADVISOR}/suppressions/{}", suppression["id"].as_str().expect("an id"));
        assert_eq!(project.admin(Method::DELETE, &path, None).await.expect(200), json!({"deleted": true}));
        assert_eq!(project.admin(Method::DELETE, &path, None).await.expect(404)["message"], "Suppression not found");
    }
    assert!(project.get(&format!("{ADVISOR}/issues?category=security&limit=1&offset=2")).await.expect(200)["issues"][0]["affectedObject"].is_string());
    for (query, message) in [
        ("severity=bad", "Invalid severity parameter: must be one of critical, warning, info"),
        ("category=bad", "Invalid category parameter: must be one of security, performance, health"),
        ("limit=0", "Invalid limit parameter: must be a positive integer"),
        ("offset=-1", "Invalid offset parameter: must be a non-negative integer"),
    ] {
        assert_eq!(project.get(&format!("{ADVISOR}/issues?{query}")).await.expect(400)["message"], message);
    }
    for bad in [
        json!({}),
        json!({"ruleId": "x", "scope": "all", "reason": "other", "note": "n"}),
        json!({"ruleId": "x", "scope": "instance", "reason": "wont_fix"}),
        json!({"ruleId": "x", "scope": "rule", "reason": "other"}),
        json!({"ruleId": "x".repeat(201), "scope": "rule", "reason": "wont_fix"}),
    ] {
        let refused = suppress(bad).await.expect(400);
        assert!(refused["message"].as_str().is_some_and(|message| message.starts_with("Invalid ")), "{refused}");
    }
    let bad_id = project.admin(Method::DELETE, &format!("{ADVISOR}/suppressions/x"), None).await;
    assert_eq!(bad_id.expect(400)["message"], "Invalid id: must be a valid UUID");
    assert_eq!(project.call(Method::POST, &format!("{ADVISOR}/scan"), ANON_KEY, None, &[]).await.status, 401);
    // One at a time.
    let client = project.superuser().await;
    client.batch_execute("select pg_advisory_lock(14589230, 1)").await.expect("locked");
    let second = project.admin(Method::POST, &format!("{ADVISOR}/scan"), None).await.expect(409);
    assert_eq!(second["message"], "A database advisor scan is already in progress.");
}

#[tokio::test]
async fn scans_run_by_the_clock() {
    let options = Options { arguments: vec![("--advisor-schedule", "* * * * * *".to_owned())], ..Options::default() };
    let project = Project::start_with(&options).await;
    let latest = eventually("a scheduled scan completes", async || {
        let latest = project.get(&format!("{ADVISOR}/latest")).await.expect(200);
        (latest["status"] == "completed").then_some(latest)
    })
    .await;
    assert_eq!(latest["scanType"], "scheduled");
}
