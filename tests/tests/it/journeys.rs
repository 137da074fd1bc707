//! The whole story of one application: a project, real users through the real SDK, a branch beside a running writer, both sides changed, a merge
//! previewed and applied, a conflict that blocks, a reset, and usage that adds up.

use serde_json::{Value, json};
use tests::{Api, Cloud, DataPlane, Project, api::OPERATION_LIMIT, apps, node, wait, writer::Writer};

/// What differs from one application to the next.
struct Story {
    /// Its first migration.
    migration: &'static str,
    /// The script that uses it through the SDK.
    script: &'static str,
    /// Buckets it needs besides those of its migration.
    buckets: &'static [&'static str],
    /// The table that the writer inserts into, and a row for it.
    table: &'static str,
    row: fn(i64) -> Value,
    /// Changes on the branch as plain SQL …
    branch_sql: &'static [&'static str],
    /// … and as a migration.
    branch_migration: &'static str,
    /// Changes on the parent meanwhile, elsewhere.
    parent_sql: &'static [&'static str],
    /// Statements that give one row with one column, true once both sides' changes are on the parent.
    merged: &'static [&'static str],
    /// The same object changed on the branch, and differently on the parent.
    conflict: (&'static str, &'static str),
    /// True on the parent as long as only its own side of the conflict is there.
    conflict_kept: &'static str,
}

const SHOP: Story = Story {
    migration: "e-commerce.sql",
    script: "e-commerce.mjs",
    buckets: &[],
    table: "categories",
    row: |number| json!({ "name": format!("Category {number}"), "slug": format!("written-{number}") }),
    branch_sql: &[
        "alter table public.products add column weight_grams integer not null default 0",
        "alter table public.products add constraint products_weight_check check (weight_grams >= 0)",
        "alter table public.categories alter column accent_color set default '#ffffff'",
        "create type public.review_state as enum ('pending', 'published')",
        "create table public.reviews (id bigint generated always as identity primary key, \
           product_id uuid not null references public.products(id) on delete cascade, \
           user_id uuid not null, stars smallint not null check (stars between 1 and 5), \
           state public.review_state not null default 'pending')",
        "create index reviews_product_idx on public.reviews (product_id) where state = 'published'",
        "alter table public.reviews enable row level security",
        "create policy reviews_own on public.reviews for all to authenticated using (user_id = auth.uid()) with check (user_id = auth.uid())",
        "grant select on public.reviews to anon",
        "create or replace function public.generate_order_number() returns text language sql volatile \
           as $$ select 'SHOP-' || lpad(nextval('public.order_number_seq')::text, 8, '0') $$",
        "create view public.best_products as select id, name from public.products where featured",
        "comment on table public.reviews is 'What customers say'",
    ],
    branch_migration: "create table public.coupons (code text primary key, percent integer not null); \
                       insert into public.coupons values ('WELCOME', 10);",
    parent_sql: &[
        "alter table public.products add column barcode text",
        "create index products_barcode_idx on public.products (barcode)",
        "create or replace function public.shop_name() returns text language sql immutable as $$ select 'Lune'::text $$",
    ],
    merged: &[
        "select count(*) = 2 from information_schema.columns where table_name = 'products' and column_name in ('weight_grams', 'barcode')",
        "select count(*) = 1 from pg_constraint where conname = 'products_weight_check'",
        "select relrowsecurity from pg_class where relname = 'reviews'",
        "select count(*) = 1 from pg_policies where policyname = 'reviews_own'",
        "select count(*) = 1 from pg_indexes where indexname = 'reviews_product_idx' and indexdef like '%WHERE%'",
        "select prosrc like '%SHOP-%' from pg_proc where proname = 'generate_order_number'",
        "select obj_description('public.reviews'::regclass) = 'What customers say'",
        "select has_table_privilege('anon', 'public.reviews', 'select')",
        "select count(*) = 1 from public.coupons where code = 'WELCOME' and percent = 10",
        "select count(*) >= 0 from public.best_products",
        "select public.shop_name() = 'Lune'",
        "select column_default like '%#ffffff%' from information_schema.columns where table_name = 'categories' and column_name = 'accent_color'",
    ],
    conflict: (
        "create or replace function public.shop_name() returns text language sql immutable as $$ select 'Branch'::text $$",
        "create or replace function public.shop_name() returns text language sql immutable as $$ select 'Parent'::text $$",
    ),
    conflict_kept: "select public.shop_name() = 'Parent'",
};

const CRM: Story = Story {
    migration: "crm.sql",
    script: "crm.mjs",
    buckets: &["documents"],
    table: "lead_sources",
    row: |number| json!({ "name": format!("Source {number}"), "user_id": "00000000-0000-4000-8000-000000000001" }),
    branch_sql: &[
        "alter table public.leads add column budget numeric(12,2)",
        "alter table public.leads alter column score type bigint",
        "alter table public.leads alter column industry set not null, alter column industry set default 'unknown'",
        "alter table public.lead_activities add column owner_id uuid",
        "create policy leads_shared on public.leads for select to authenticated using ('shared' = any (tags))",
        "drop policy auth_user_delete_leads on public.leads",
        "create or replace function public.lead_age(p_lead public.leads) returns interval language sql stable as $$ select now() - p_lead.created_at $$",
        "create unique index lead_sources_user_name_idx on public.lead_sources (user_id, name)",
    ],
    branch_migration: "create table public.lead_scores (lead_id uuid primary key references public.leads(id) on delete cascade, score real not null);",
    parent_sql: &[
        "alter table public.leads add column linkedin text",
        "alter table public.clients add column vat_number varchar(20)",
        "alter table public.projects add constraint projects_dates_check check (end_date is null or end_date >= start_date)",
    ],
    merged: &[
        "select count(*) = 2 from information_schema.columns where table_name = 'leads' and column_name in ('budget', 'linkedin')",
        "select data_type = 'bigint' from information_schema.columns where table_name = 'leads' and column_name = 'score'",
        "select is_nullable = 'NO' from information_schema.columns where table_name = 'leads' and column_name = 'industry'",
        "select count(*) = 1 from pg_policies where policyname = 'leads_shared'",
        "select count(*) = 0 from pg_policies where policyname = 'auth_user_delete_leads'",
        "select count(*) = 1 from pg_proc where proname = 'lead_age'",
        "select indisunique from pg_index where indexrelid = 'public.lead_sources_user_name_idx'::regclass",
        "select count(*) = 0 from public.lead_scores",
        "select count(*) = 1 from information_schema.columns where table_name = 'clients' and column_name = 'vat_number'",
        "select count(*) = 1 from pg_constraint where conname = 'projects_dates_check'",
    ],
    conflict: (
        "alter table public.clients alter column country_code type varchar(3)",
        "alter table public.clients alter column country_code type varchar(4)",
    ),
    conflict_kept: "select character_maximum_length = 4 from information_schema.columns where table_name = 'clients' and column_name = 'country_code'",
};

const TODO: Story = Story {
    migration: "todo.sql",
    script: "todo.mjs",
    buckets: &[],
    table: "todo",
    row: |number| json!({ "text": format!("entry {number}") }),
    branch_sql: &[
        "alter table public.todo add column due_on date",
        "alter table public.todo enable row level security",
        "create policy todo_everyone on public.todo for all to anon, authenticated using (true) with check (true)",
        "create function public.overdue() returns setof public.todo language sql stable as $$ select * from public.todo where due_on < current_date $$",
    ],
    branch_migration: "create table public.tags (id serial primary key, name text not null unique);",
    parent_sql: &[
        "alter table public.todo add column priority smallint not null default 0",
        "create index todo_open_idx on public.todo (created_at) where not is_completed",
    ],
    merged: &[
        "select count(*) = 2 from information_schema.columns where table_name = 'todo' and column_name in ('due_on', 'priority')",
        "select relrowsecurity from pg_class where relname = 'todo'",
        "select count(*) = 1 from pg_policies where policyname = 'todo_everyone'",
        "select count(*) = 0 from public.overdue()",
        "select count(*) = 0 from public.tags",
        "select count(*) = 1 from pg_indexes where indexname = 'todo_open_idx'",
    ],
    conflict: (
        "alter table public.todo alter column text set default 'branch'",
        "alter table public.todo alter column text set default 'parent'",
    ),
    conflict_kept: "select column_default like '%parent%' from information_schema.columns where table_name = 'todo' and column_name = 'text'",
};

#[tokio::test]
async fn a_shop_is_branched_changed_and_merged() {
    tell(&SHOP).await;
}

#[tokio::test]
async fn a_crm_is_branched_changed_and_merged() {
    tell(&CRM).await;
}

#[tokio::test]
async fn a_todo_list_is_branched_changed_and_merged() {
    tell(&TODO).await;
}

async fn tell(story: &Story) {
    let Some(migration) = apps::migration(story.migration) else { return };
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), story.migration).await;
    let parent = DataPlane::of(&cloud, &project.id).await;

    let _ = parent.migrate("20260101000000", "init", &migration).await;
    for bucket in story.buckets {
        parent.create_bucket(bucket, false).await;
    }
    let input = json!({ "baseUrl": parent.base(), "anonKey": parent.anon_key().await });
    let used = node::run(story.script, &cloud.home().join("ca/ca.pem"), &input).await;

    let written_before = parent.sql_count(&format!("select count(*) from public.{}", story.table)).await;
    let writer = Writer::start(parent.clone(), story.table, story.row);
    let branch_id = branch_and_merge(story, &cloud, &project, &parent, &used).await;
    conflict_blocks(story, &cloud, &api, &project, &parent).await;

    let report = writer.stop().await;
    assert_eq!(report.failures, Vec::<String>::new(), "the writer never failed");
    assert!(report.accepted > 0);
    let written = parent.sql_count(&format!("select count(*) from public.{}", story.table)).await - written_before;
    assert_eq!(written, report.accepted, "every confirmed row is there, and no other");

    let _ = api.post_empty(&format!("/projects/v1/branches/{branch_id}/reset")).await.expect(202);
    api.wait_branch(&branch_id, &["ready", "merged"]).await;
    let on_branch = DataPlane::of(&cloud, &branch_id).await;
    assert_ne!(on_branch.sql_value(story.merged[0]).await, json!(true), "a reset branch is as it was created");

    usage_adds_up(&cloud, &api, &project, used["bytes"].as_i64().expect("the script counts its bytes")).await;

    let _ = api.delete(&format!("/projects/v1/branches/{branch_id}")).await.ok();
    api.wait_branch_gone(&branch_id).await;
    let _ = api.delete(&format!("/projects/v1/{}", project.id)).await.ok();
    api.wait_gone(&project.id).await;
    wait::until("no project folder is left", OPERATION_LIMIT, || async {
        cloud.project_folders().is_empty().then_some(())
    })
    .await;
    cloud.finish().await;
}

/// Branches the parent, changes both, previews and merges; returns the branch's id.
async fn branch_and_merge(story: &Story, cloud: &Cloud, project: &Project, parent: &DataPlane, used: &Value) -> String {
    let api = cloud.api();
    let branch = api.new_branch(&project.id, "redesign", "full").await;
    assert!(branch.appkey.starts_with(&format!("{}-", project.appkey)), "{}", branch.appkey);
    let on_branch = DataPlane::of(cloud, &branch.id).await;
    assert!(on_branch.healthy().await, "a ready branch answers");
    assert_ne!(
        api.access_api_key(&branch.id).await,
        api.access_api_key(&project.id).await,
        "a branch has a key of its own"
    );
    let users = on_branch
        .sql_count("select count(*) from auth.users where email in ('ada@example.com', 'bob@example.com')")
        .await;
    assert_eq!(users, 2, "a full branch has the parent's users");
    assert_objects_read_through(&on_branch, used).await;

    for statement in story.branch_sql {
        on_branch.sql(statement).await;
    }
    let _ = on_branch.migrate("20260102000000", "on-the-branch", story.branch_migration).await;
    let _ =
        on_branch.put("/api/auth/config", &json!({ "passwordMinLength": 11, "requireNumber": true })).await.expect(200);
    on_branch.create_bucket("from-the-branch", false).await;
    for statement in story.parent_sql {
        parent.sql(statement).await;
    }

    let dry = api.merge_dry_run(&branch.id).await;
    assert_eq!(dry["summary"]["conflicts"], 0, "{dry:#}");
    assert_preview(&dry);
    assert_ne!(parent.sql_value(story.merged[0]).await, json!(true), "a dry run changes nothing");
    assert_eq!(api.branch(&branch.id).await.expect("it is there").branch_state, "ready");

    let result = api.merge(&branch.id).await.expect(200);
    assert_eq!(
        (result["branchId"].as_str(), result["status"].as_str()),
        (Some(branch.id.as_str()), Some("merged")),
        "{result}"
    );
    assert_eq!(result["diff"]["changes"], dry["changes"], "what was previewed is what was applied");
    for question in story.merged {
        assert_eq!(parent.sql_value(question).await, json!(true), "{question}");
    }
    let config = parent.get("/api/auth/config").await.expect(200);
    assert_eq!((&config["passwordMinLength"], &config["requireNumber"]), (&json!(11), &json!(true)));
    assert!(parent.buckets().await.contains(&"from-the-branch".to_owned()));
    let migrations = parent.get("/api/database/migrations").await.expect(200);
    assert_eq!(migrations["migrations"][0]["version"], "20260102000000", "{migrations}");
    assert_eq!(api.wait_branch(&branch.id, &["merged"]).await.id, branch.id);
    branch.id
}

/// The file that the SDK stored on the parent can be read on the branch.
async fn assert_objects_read_through(on_branch: &DataPlane, used: &Value) {
    let rows = on_branch.sql("select bucket, key from storage.objects").await;
    assert_eq!(rows.len(), 1, "{rows:?}");
    let (bucket, key) = (rows[0]["bucket"].as_str().expect("text"), rows[0]["key"].as_str().expect("text"));
    let object = on_branch.download(bucket, &key.replace(' ', "%20")).await;
    assert_eq!(object.status, 200, "{}", object.text);
    assert_eq!(object.header("content-length").and_then(|text| text.parse::<i64>().ok()), used["bytes"].as_i64());
}

/// The preview's SQL is complete: header, transaction, every change by name.
#[track_caller]
fn assert_preview(diff: &Value) {
    let sql = diff["rendered_sql"].as_str().expect("the preview has SQL");
    assert!(sql.starts_with("-- Generated "), "{sql}");
    assert!(sql.contains("\nBEGIN;") && sql.trim_end().ends_with("COMMIT;"), "{sql}");
    let changes = diff["changes"].as_array().expect("a list");
    assert!(!changes.is_empty());
    for change in changes {
        let field = |name: &str| change[name].as_str().unwrap_or_else(|| panic!("{name} in {change}"));
        assert!(["add", "modify", "drop"].contains(&field("action")), "{change}");
        assert!(!field("sql").is_empty() && !field("object").is_empty() && !field("type").is_empty(), "{change}");
    }
    let count = |action: &str| changes.iter().filter(|change| change["action"] == action).count();
    let summary = &diff["summary"];
    assert_eq!((&summary["added"], &summary["modified"]), (&json!(count("add")), &json!(count("modify"))), "{summary}");
}

/// Both sides change the same thing differently: preview and merge name it, and the parent stays as it is.
async fn conflict_blocks(story: &Story, cloud: &Cloud, api: &Api, project: &Project, parent: &DataPlane) {
    let branch = api.new_branch(&project.id, "clash", "full").await;
    let on_branch = DataPlane::of(cloud, &branch.id).await;
    on_branch.sql(story.conflict.0).await;
    parent.sql(story.conflict.1).await;

    let dry = api.merge_dry_run(&branch.id).await;
    assert_eq!(dry["summary"]["conflicts"], 1, "{dry:#}");
    let conflict = &dry["conflicts"][0];
    for hash in ["parent_t0_hash", "parent_now_hash", "branch_now_hash"] {
        assert!(conflict[hash].is_string(), "{hash} in {conflict}");
    }
    assert!(dry["rendered_sql"].as_str().expect("SQL").contains("MERGE BLOCKED"), "{dry:#}");

    let reply = api.merge(&branch.id).await;
    assert_eq!((reply.status, reply.code()), (409, "branch.merge_conflict"), "{}", reply.text);
    assert_eq!(reply.body["diff"]["summary"]["conflicts"], 1);
    assert_eq!(api.wait_branch(&branch.id, &["ready"]).await.id, branch.id, "a blocked branch goes back to ready");
    assert_eq!(parent.sql_value(story.conflict_kept).await, json!(true), "the parent kept its own side");

    let _ = api.delete(&format!("/projects/v1/branches/{}", branch.id)).await.ok();
    api.wait_branch_gone(&branch.id).await;
}

/// Within seconds the report shows what was used, and its sum is that of its projects.
async fn usage_adds_up(cloud: &Cloud, api: &Api, project: &Project, stored: i64) {
    let usage = wait::until("usage is reported", OPERATION_LIMIT, || async {
        let usage = api.usage(cloud.organization()).await;
        let row = usage["projects"].as_array()?.iter().find(|row| row["id"] == project.id.as_str())?.clone();
        let enough = row["storage_bytes"].as_i64()? >= stored
            && row["egress_bytes"].as_i64()? > stored
            && row["database_bytes"].as_i64()? > 1_000_000;
        enough.then_some(usage)
    })
    .await;
    let summary = usage["usage_summary"].as_object().expect("a map of numbers");
    assert!(summary.values().all(Value::is_number), "{summary:?}");
    let egress: i64 =
        usage["projects"].as_array().expect("a list").iter().filter_map(|row| row["egress_bytes"].as_i64()).sum();
    assert!(summary["egress_bytes"].as_i64() >= Some(egress), "the whole is no less than its parts: {usage:#}");
    assert!(usage["organization"]["id"] == cloud.organization() && usage["_meta"]["requested_at"].is_string());
}
