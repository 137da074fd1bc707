//! Code of a developer's that a merge plan evaluates keeps to the developer's rights, in whichever way and at whichever moment it runs.
//!
//! Each attack would make a table in an internal schema, which the session of the plan may and the developer may not.

use reqwest::Method;
use serde_json::{Value, json};

use crate::database_harness::{PLATFORM_TOKEN, Project};

/// Leaves the role in every way there is, quietly, and makes the table with what is left.
const ESCAPE: &str = "create function public.escape() returns int language plpgsql as $f$
declare way text;
begin
  foreach way in array array['reset role', 'set role none', 'set local role none', 'set session authorization default',
      'reset session authorization', 'set role postgres', 'select set_config(''role'', ''none'', false)',
      'reset all', 'alter function public.escape() set role = none'] loop
    begin execute way; exception when others then null; end;
  end loop;
  begin execute 'create table system.pwned ()'; exception when others then null; end;
  return 1;
end $f$";

/// What else the developer has, and what the plan then does.
const ATTACKS: [(&str, &str, &[&str]); 9] = [
    ("a default", "", &["alter table public.a add column x int default public.escape()"]),
    ("a check", "", &["alter table public.a add constraint c check (public.escape() = 1)"]),
    ("a generated column", "alter function public.escape() immutable", &["alter table public.a add column x int generated always as (public.escape()) stored"]),
    ("an index", "alter function public.escape() immutable", &["create index on public.a ((id + public.escape()))"]),
    (
        "a deferred trigger that waits for the end",
        "create table public.b (n int);
         create function public.later() returns trigger language plpgsql as $f$ begin
           perform public.escape();
           set constraints all deferred;
           if new.n < 9 then insert into public.b values (new.n + 1); end if;
           return null; end $f$;
         create constraint trigger t after insert on public.b deferrable initially deferred for each row execute function public.later();
         create function public.start() returns int language plpgsql as $f$ begin insert into public.b values (1); return 1; end $f$",
        &["alter table public.a add column x int default public.start()"],
    ),
    (
        "a cursor that is read at the end",
        "create function public.start() returns int language plpgsql as $f$ begin
           execute 'declare c cursor with hold for select public.escape()'; return 1; end $f$",
        &["alter table public.a add column x int default public.start()"],
    ),
    (
        "system catalogs of its own",
        "create function public.start() returns int language plpgsql as $f$ declare name text; begin
           foreach name in array array['pg_class', 'pg_namespace', 'pg_proc', 'pg_trigger', 'pg_constraint', 'pg_type', 'pg_description'] loop
             begin execute format('create temp view %1$I as select c.* from pg_catalog.%1$I c where public.escape() = 1', name);
             exception when others then null; end;
           end loop; return 1; end $f$",
        &["alter table public.a add column x int default public.start()"],
    ),
    (
        "an operator that is found first afterwards",
        "create function public.same(text, text) returns boolean language plpgsql as $f$ begin perform public.escape(); return true; end $f$;
         create operator public.= (leftarg = text, rightarg = text, function = public.same);
         create function public.start() returns int language plpgsql as $f$ begin
           perform set_config('search_path', 'public, pg_catalog', true); return 1; end $f$",
        &["alter table public.a add column x int default public.start()"],
    ),
    (
        "what runs the statements",
        "create function public.start() returns int language plpgsql as $f$ declare way text; begin
           foreach way in array array['security invoker', 'set role = none', 'owner to postgres'] loop
             begin execute format('alter function pg_temp.hearth_confined_0(text, text) %s', way); exception when others then null; end;
           end loop; return 1; end $f$",
        &[
            "alter table public.a add column x int default public.start()",
            "alter table public.a add column y int default public.escape()",
        ],
    ),
];

#[tokio::test]
async fn code_that_a_plan_evaluates_cannot_leave_the_developers_role() {
    for (what, beforehand, plan) in ATTACKS {
        let project = Project::with_schema("create table a (id int); insert into a values (1)").await;
        as_developer(&project, &format!("{ESCAPE}; {beforehand}")).await;
        let read = project.call(Method::GET, "/_hearth/v1/schema", PLATFORM_TOKEN, None, &[]).await.expect(200);
        let statements: Vec<Value> =
            plan.iter().map(|sql| json!({"sql": sql, "role_hint": "project_admin", "origin": "catalog"})).collect();
        // Not bound to a prediction, so that it commits and whatever waits for that would run.
        let request = json!({
            "operation_id": "0193a000-0000-7000-8000-000000000001", "statements": statements,
            "expected_hash": read["catalog_hash"], "predicted_hash": "", "lock_timeout_ms": 1000, "exact": false, "observe": false,
        });
        let answer = project
            .call(Method::POST, "/_hearth/v1/schema/rehearse", PLATFORM_TOKEN, Some(request), &[])
            .await
            .expect(200);
        let refused = &answer["refused"];
        assert!(refused.is_null() || refused["reason"] == "statement_failed", "{what}: {answer:#}");
        assert!(!pwned(&project).await, "{what} left its role");
    }
}

#[tokio::test]
async fn the_attack_works_where_nothing_confines_it() {
    let project = Project::with_schema("create table a (id int)").await;
    as_developer(&project, &format!("{ESCAPE}; select public.escape()")).await;
    assert!(pwned(&project).await);
}

/// In a session that could be more.
async fn as_developer(project: &Project, sql: &str) {
    let session = project.superuser().await;
    session.batch_execute("set role project_admin").await.expect("a role");
    session.batch_execute(sql).await.expect("it runs");
}

async fn pwned(project: &Project) -> bool {
    let row = project.superuser().await.query_one("select to_regclass('system.pwned') is not null", &[]).await;
    row.expect("a lookup").get(0)
}
