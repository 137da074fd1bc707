//! The real MCP server and the real SDK, against a running data plane.

use serde_json::{Value, json};

use crate::{
    database_harness::{ANON_KEY, API_KEY, Project, eventually, user_token},
    node,
};

#[tokio::test]
async fn every_tool_of_the_real_mcp_server_is_served() {
    let project = Project::start().await;
    // Where sites are served, the tool that publishes one must succeed; where they are not, it must say so.
    let sites = project.get("/api/deployments").await.status != 404;
    let serves: &[&str] = if sites { &["deployments"] } else { &[] };
    let input = json!({"baseUrl": project.base(), "apiKey": API_KEY, "anonKey": ANON_KEY, "serves": serves});
    let result = node::run("mcp.mjs", &input).await;
    let tools: Vec<&str> = result["tools"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(tools.contains(&"run-raw-sql") && tools.len() >= 16, "{tools:?}");
    if !sites {
        assert!(result["deployment"].as_str().is_some_and(|text| text.contains("not found")), "{result}");
    }
    // Every call was recorded, the refused ones as such.
    for (success, tool) in [("true", "bulk-upsert"), ("false", "run-raw-sql")] {
        eventually("the calls are recorded", async || {
            let listed = project.get(&format!("/api/usage/mcp?limit=100&success={success}")).await.expect(200);
            listed["records"].as_array()?.iter().any(|record| record["tool_name"] == tool).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn every_database_call_of_the_real_sdk_is_served() {
    let project = Project::with_schema(
        "create table directors (id int primary key, name text not null unique); insert into directors values (1, 'Ada');
         create table films (id int primary key, title text, year int, tags text[], info jsonb, state text default 'new',
             director int references directors (id));
         create table shows (id int primary key, at int4range); insert into shows values (1, '[3,9)'), (2, '[30,40)');
         create table guarded (id int); alter table guarded enable row level security;
         create schema other; create table other.things (id int); insert into other.things values (7);
         grant usage on schema other to authenticated; grant select on other.things to authenticated;
         create function add(a int, b int) returns int immutable language sql as 'select a + b';
         create function recent(since int) returns setof films stable language sql as 'select * from films where year >= since';
         create function nothing() returns void language sql as 'select null::void'",
    )
    .await;
    let token = user_token("9f1c1e5e-0000-4000-8000-000000000001");
    let result = node::run("database.mjs", &json!({"baseUrl": project.base(), "token": token})).await;
    assert_eq!(result["steps"], 12);
}

#[tokio::test]
async fn every_option_of_the_real_sdks_database_calls_is_served() {
    let project = Project::with_schema(
        "create table directors (id int primary key, name text not null);
         insert into directors values (1, 'Ada'), (2, 'Bob'), (3, 'Cid');
         create table films (id int primary key, title text, year int, tags text[], info jsonb, seen boolean, at int4range,
             director int references directors (id), state text default 'new', added timestamptz default '2026-01-01T00:00:00Z');
         insert into films values (1, 'One', 1990, '{a,b}', '{\"a\": 1, \"b\": {\"c\": 2}}', true, '[1,5)', 1),
             (2, 'Two', 2000, '{b}', '{\"a\": 2, \"list\": [1, 2]}', false, '[5,9)', 1),
             (3, 'Three', 2010, '{c}', null, null, '[10,20)', 2), (4, 'Ten Thousand', 2020, '{}', '{}', null, null, null);
         create schema other; create table other.things (id int primary key, name text default 'x'); insert into other.things values (7);
         grant usage on schema other to authenticated; grant select, insert, delete on other.things to authenticated;
         create function other.twice(n int) returns int immutable language sql as 'select 2 * n';
         create function tagged(given text[]) returns setof films stable language sql as 'select * from films where tags && given';
         create function older(than int default 1995) returns setof films stable language sql as 'select * from films where year < than';
         create function age(from_id int) returns setof films language sql as
             'update films set year = year + 1 where id >= from_id returning *';
         create function echo(value jsonb) returns jsonb immutable language sql as 'select value';
         create function slow(seconds float) returns text language sql as 'select pg_sleep(seconds)::text';
         create function refuse(why text) returns void language plpgsql as
             $$ begin raise exception '%', why using detail = 'today', hint = 'tomorrow'; end $$;
         -- What PostGIS has, without its coordinates.
         create function st_asgeojson(place record) returns text stable language plpgsql as
             $$ begin return json_build_object('type', 'Feature', 'properties', to_jsonb(place)); end $$",
    )
    .await;
    let token = user_token("9f1c1e5e-0000-4000-8000-000000000001");
    node::run("database-options.mjs", &json!({"baseUrl": project.base(), "token": token})).await;
}
