//! Merge plans that build indexes and validate constraints while writers go on: what is left when they are interrupted or refused.

use reqwest::Method;
use serde_json::{Value, json};

use crate::database_harness::{PLATFORM_TOKEN, Project, Reply};

const START: &str =
    "create table a (id int primary key, n int); insert into a select n, n from generate_series(1, 5000) n";
const OPERATION: &str = "0193a000-0000-7000-8000-000000000002";
const EARLY: &str = "create unique index concurrently a_n on public.a (n)";
const CHANGE: &str = "alter table public.a add column t text";
const LATE: &str = "create index concurrently a_t on public.a (t)";

/// A statement that is a segment of its own: the lock it says that it takes, and what kind of segment it is.
type Planned<'a> = (&'a str, Option<&'a str>, &'a str);

/// A project with the table, the plan of these segments, and the hashes before and after each.
async fn project_and_plan(steps: [Planned<'_>; 3]) -> (Project, Value, Vec<String>) {
    let twin = Project::with_schema(START).await;
    let mut hashes = vec![hash(&twin).await];
    let admin = twin.superuser().await;
    for (sql, ..) in steps {
        admin
            .batch_execute(&format!("set role project_admin; {}", sql.replace("concurrently", "")))
            .await
            .expect("run");
        hashes.push(hash(&twin).await);
    }
    let statements = (0..).zip(steps).map(|(number, (sql, lock, _))| {
        json!({"sql": sql, "role_hint": "project_admin", "origin": "catalog", "segment": number, "lock": lock})
    });
    let segments = steps.iter().enumerate().map(|(number, (_, _, kind))| {
        json!({"number": number, "expected_hash": hashes[number], "predicted_hash": hashes[number + 1],
            "concurrent": *kind == "concurrent", "early": *kind == "early"})
    });
    let plan = json!({
        "operation_id": OPERATION, "plan_hash": "p",
        "statements": statements.collect::<Vec<Value>>(), "segments": segments.collect::<Vec<Value>>(),
        "expected_hash": hashes[0], "predicted_hash": hashes[3], "lock_timeout_ms": 300,
    });
    (Project::with_schema(START).await, plan, hashes)
}

async fn planned() -> (Project, Value, Vec<String>) {
    project_and_plan([(EARLY, None, "concurrent"), (CHANGE, None, "main"), (LATE, None, "concurrent")]).await
}

async fn hash(project: &Project) -> String {
    let read = project.call(Method::GET, "/_hearth/v1/schema", PLATFORM_TOKEN, None, &[]).await.expect(200);
    read["catalog_hash"].as_str().expect("a hash").to_owned()
}

async fn apply(project: &Project, plan: &Value) -> Reply {
    project.call(Method::POST, "/_hearth/v1/schema/apply", PLATFORM_TOKEN, Some(plan.clone()), &[]).await
}

async fn indexes(project: &Project) -> Vec<String> {
    let sql = "select indexrelid::regclass || case when indisvalid then '' else ' invalid' end
        from pg_index where indrelid = 'public.a'::regclass and not indisprimary order by 1";
    let rows = project.superuser().await.query(sql, &[]).await.expect("rows");
    rows.iter().map(|row| row.get(0)).collect()
}

/// The note of a build that was begun, as a process that was killed in it leaves.
async fn begun(project: &Project) {
    let sql = format!("insert into system.merge_segments values ('{OPERATION}', 'p', 0, '')");
    project.superuser().await.batch_execute(&sql).await.expect("noted");
}

#[tokio::test]
async fn indexes_are_built_before_and_after_the_transaction_and_once() {
    let (project, plan, hashes) = planned().await;
    let applied = apply(&project, &plan).await.expect(200);
    assert_eq!((&applied["applied_now"], &applied["catalog_hash"]), (&json!(true), &json!(hashes[3])));
    assert_eq!(indexes(&project).await, ["a_n", "a_t"]);
    let owner = "select pg_get_userbyid(relowner) from pg_class where relname = 'a_n'";
    let row = project.superuser().await.query_one(owner, &[]).await.expect("a row");
    assert_eq!(row.get::<_, &str>(0), "project_admin");
    let again = apply(&project, &plan).await.expect(200);
    assert_eq!((&again["applied_now"], &again["catalog_hash"]), (&json!(false), &json!(hashes[3])));
}

#[tokio::test]
async fn a_rehearsal_builds_them_too_and_says_how_long_it_took() {
    let (project, mut plan, _) = planned().await;
    (plan["exact"], plan["observe"], plan["probes"]) = (json!(true), json!(true), json!([]));
    let rehearsed =
        project.call(Method::POST, "/_hearth/v1/schema/rehearse", PLATFORM_TOKEN, Some(plan), &[]).await.expect(200);
    assert_eq!(rehearsed["refused"], Value::Null, "{rehearsed:#}");
    assert_eq!(rehearsed["report"]["observer"]["verdict"], "agrees", "{rehearsed:#}");
    let timed = rehearsed["report"]["slowest"].as_array().expect("a list");
    assert!(timed.iter().any(|statement| statement["sql"] == EARLY) && timed.len() == 3, "{timed:?}");
    assert!(
        rehearsed["report"]["locks"]
            .as_array()
            .is_some_and(|locks| locks.iter().all(|lock| lock["mode"] != "ShareLock"))
    );
}

#[tokio::test]
async fn an_interrupted_build_is_found_again_whole_or_half() {
    // Killed in the middle: Postgres leaves an index that is not valid.
    let (project, plan, hashes) = planned().await;
    begun(&project).await;
    let admin = project.superuser().await;
    admin.batch_execute("set role project_admin; insert into a values (0, 1)").await.expect("a duplicate");
    admin.batch_execute(EARLY).await.expect_err("not unique");
    admin.batch_execute("delete from a where id = 0").await.expect("unique again");
    assert_eq!(indexes(&project).await, ["a_n invalid"]);
    assert_eq!(apply(&project, &plan).await.expect(200)["catalog_hash"], json!(hashes[3]));
    assert_eq!(indexes(&project).await, ["a_n", "a_t"]);

    // Killed between its end and the note of it.
    let (project, plan, hashes) = planned().await;
    begun(&project).await;
    let admin = project.superuser().await;
    admin.batch_execute("set role project_admin").await.expect("the role");
    admin.batch_execute(EARLY).await.expect("built");
    let file = async || {
        let sql = "select relfilenode::text from pg_class where relname = 'a_n'";
        project.superuser().await.query_one(sql, &[]).await.expect("a row").get::<_, String>(0)
    };
    let built = file().await;
    assert_eq!(apply(&project, &plan).await.expect(200)["catalog_hash"], json!(hashes[3]));
    assert_eq!(file().await, built, "it is not built twice");
}

#[tokio::test]
async fn a_plan_that_is_refused_takes_its_indexes_with_it() {
    // A row that came after the rehearsal.
    let (project, plan, hashes) = planned().await;
    project.sql("insert into a values (0, 1)").await.expect(200);
    let refused = apply(&project, &plan).await.expect(409);
    assert_eq!((&refused["reason"], &refused["sqlstate"]), (&json!("statement_failed"), &json!("23505")));
    assert_eq!((indexes(&project).await, hash(&project).await), (vec![], hashes[0].clone()));

    // The transaction fails when the index is built.
    project.sql("delete from a where id = 0").await.expect(200);
    let mut broken = plan.clone();
    broken["statements"][1]["sql"] = json!("alter table public.a add column t nothing");
    assert_eq!(apply(&project, &broken).await.expect(409)["reason"], "statement_failed");
    assert_eq!((indexes(&project).await, hash(&project).await), (vec![], hashes[0].clone()));

    // Somebody changed the schema after the build was begun.
    begun(&project).await;
    project.sql("create table b (id int)").await.expect(200);
    assert_eq!(apply(&project, &plan).await.expect(409)["reason"], "target_changed");
    assert_eq!(indexes(&project).await, Vec::<String>::new());
    project.sql("drop table b").await.expect(200);
    assert_eq!(apply(&project, &plan).await.expect(200)["catalog_hash"], json!(hashes[3]));
}

#[tokio::test]
async fn an_index_of_the_developers_own_is_never_dropped() {
    let (project, plan, _) = planned().await;
    project.sql("create index a_n on a (n)").await.expect(200);
    assert_eq!(apply(&project, &plan).await.expect(409)["reason"], "target_changed");
    assert_eq!(indexes(&project).await, ["a_n"]);
}

#[tokio::test]
async fn a_segment_that_is_not_one_index_is_no_concurrent_segment() {
    let (project, plan, hashes) = planned().await;
    for sql in ["drop table public.a", "create index a_n on public.a (n)", "select 1; select 2"] {
        let mut wrong = plan.clone();
        wrong["statements"][0]["sql"] = json!(sql);
        let refused = apply(&project, &wrong).await;
        assert!((400..500).contains(&refused.status), "{sql}: {} {}", refused.status, refused.text);
    }
    assert_eq!(hash(&project).await, hashes[0]);
}

const ADDED: &str = "alter table public.a add constraint small CHECK ((n < 100000)) not valid";
const VALIDATED: &str = "alter table public.a validate constraint small";

/// A check that is added and validated before the transaction.
async fn constrained() -> (Project, Value, Vec<String>) {
    let exclusive = Some("access exclusive");
    let validated = (VALIDATED, Some("share update exclusive"), "early");
    project_and_plan([(ADDED, exclusive, "early"), validated, (CHANGE, exclusive, "main")]).await
}

#[tokio::test]
async fn constraints_are_validated_before_the_transaction_or_taken_back() {
    let (project, plan, hashes) = constrained().await;
    // A row that came after the rehearsal.
    project.sql("insert into a values (0, 100000)").await.expect(200);
    let refused = apply(&project, &plan).await.expect(409);
    assert_eq!((&refused["reason"], &refused["sqlstate"]), (&json!("statement_failed"), &json!("23514")));
    assert_eq!(hash(&project).await, hashes[0], "the constraint went with the plan");
    project.sql("delete from a where id = 0").await.expect(200);

    // The transaction fails when the constraint is there.
    let mut broken = plan.clone();
    broken["statements"][2]["sql"] = json!("alter table public.a add column t nothing");
    assert_eq!(apply(&project, &broken).await.expect(409)["reason"], "statement_failed");
    assert_eq!(hash(&project).await, hashes[0]);

    // Killed between its parts: what is committed is noted, and goes on from there.
    let admin = project.superuser().await;
    admin.batch_execute(&format!("set role project_admin; {ADDED}; reset role")).await.expect("added");
    let noted = format!("insert into system.merge_segments values ('{OPERATION}', 'p', 0, '{}')", hashes[1]);
    admin.batch_execute(&noted).await.expect("noted");
    let applied = apply(&project, &plan).await.expect(200);
    assert_eq!((&applied["applied_now"], &applied["catalog_hash"]), (&json!(true), &json!(hashes[3])));
    assert_eq!(apply(&project, &plan).await.expect(200)["applied_now"], json!(false));
}

#[tokio::test]
async fn a_check_that_calls_a_developers_function_is_validated_in_the_developers_role() {
    let (project, mut plan, _) = constrained().await;
    let trap = "create function trap(int) returns boolean language plpgsql as $$ begin
        execute 'reset role'; execute 'alter role project_admin superuser'; return true; end $$";
    project.sql(trap).await.expect(200);
    let before = hash(&project).await;
    for (index, sql) in [ADDED, VALIDATED].iter().enumerate() {
        plan["statements"][index]["sql"] = json!(sql.replace("n < 100000", "public.trap(n)"));
    }
    plan["expected_hash"] = json!(before);
    plan["segments"][0]["expected_hash"] = json!(before);
    let admin = project.superuser().await;
    admin
        .batch_execute(
            "set role project_admin; alter table a add constraint small check (trap(n)) not valid; reset role",
        )
        .await
        .expect("added");
    let added = hash(&project).await;
    admin.batch_execute("alter table a drop constraint small").await.expect("dropped");
    plan["segments"][0]["predicted_hash"] = json!(added);
    assert_eq!(apply(&project, &plan).await.expect(409)["reason"], "statement_failed");
    let row =
        admin.query_one("select rolsuper from pg_roles where rolname = 'project_admin'", &[]).await.expect("a row");
    assert!(!row.get::<_, bool>(0), "nobody became superuser");
    assert_eq!(hash(&project).await, before);
}
