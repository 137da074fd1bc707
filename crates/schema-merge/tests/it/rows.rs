//! Configuration rows, edge functions and migrations, merged and run.

use schema_merge::{Origin, merge, render};

use crate::cluster::Cluster;
use crate::database::{apply, catalog, connect, copy, prepare, run, snapshot_of};

const BASE: &str = "
insert into email.templates (template_type, subject, body_html) values ('welcome', 'Hi', '<p>Hi</p>'), ('reset', 'Reset', '<p>Reset</p>');
insert into functions.definitions (slug, name, code) values ('hello', 'Hello', 'export default 1');
insert into system.custom_migrations (version, name, statements) values ('1', 'init', array['create table public.items (id int primary key, name text)']);
grant create, usage on schema public to project_admin;
set role project_admin; create table public.items (id int primary key, name text); insert into public.items values (1, 'One'), (2, 'Two'); reset role;";

const SOURCE: &str = "
update email.templates set subject = 'Welcome' where template_type = 'welcome';
insert into storage.buckets (name, public) values ('avatars', false);
insert into auth.config (password_min_length, allowed_redirect_urls) values (10, '{https://a.example}');
update functions.definitions set code = 'export default 2' where slug = 'hello';
insert into functions.definitions (slug, name, code, status) values ('bye', 'Bye', 'it''s \\n', 'active');
set role project_admin;
alter table public.items add column slug text;
update public.items set slug = lower(name);
alter table public.items alter column slug set not null, add constraint items_slug unique (slug);
create table public.kinds (id int primary key, label text not null);
insert into public.kinds values (1, 'first') on conflict (id) do nothing;
create materialized view public.labels as select string_agg(label, ',') as all from public.kinds with no data;
refresh materialized view public.labels;
reset role;
insert into system.custom_migrations (version, name, statements) values ('10', 'slugs', array[
  'alter table items add column slug text', 'update items set slug = lower(name)',
  'alter table items alter column slug set not null, add constraint items_slug unique (slug)',
  'create table kinds (id int primary key, label text not null)', '-- seed
insert into kinds values (1, ''first'') on conflict (id) do nothing;',
  'create materialized view labels as select string_agg(label, '','') as all from kinds with no data', 'refresh materialized view labels']);";

const TARGET: &str = "
update email.templates set body_html = '<p>Hello</p>' where template_type = 'welcome';
update functions.definitions set name = 'Hello!' where slug = 'hello';
insert into public.items values (3, 'Three');
insert into system.custom_migrations (version, name, statements) values ('9', 'other', array['select 1']);";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_merge_by_column_and_migrations_carry_their_data() {
    let cluster = Cluster::start().await;
    sides(&cluster, SOURCE, TARGET).await;
    let [base, target, source] = [
        snapshot_of(&cluster, "base").await,
        snapshot_of(&cluster, "target").await,
        snapshot_of(&cluster, "source").await,
    ];
    let plan = merge(&base, &target, &source);
    let script = render::rendered_sql(&plan, "2026-01-01T00:00:00Z");
    assert!(!plan.blocked(), "{script}");
    for expected in [
        "-- ===== MIGRATION =====",
        "-- ===== DDL =====",
        "-- ===== DATA =====",
        "-- [DDL] table public.items (modify)",
        "-- [DATA] config_row email.templates (modify)",
        "-- [MIGRATION] system.10 (add)",
    ] {
        assert!(script.contains(expected), "{expected} is missing in\n{script}");
    }
    assert_eq!(plan.statements.iter().filter(|statement| statement.origin == Origin::Data).count(), 3);

    let mut client = connect(&cluster, "target").await;
    let transaction = client.transaction().await.expect("a transaction can begin");
    let statements = plan.statements.iter().map(|statement| (statement.sql.clone(), statement.role_hint.clone()));
    apply(&transaction, statements).await.unwrap_or_else(|error| panic!("{error}\n{script}"));
    transaction.commit().await.expect("the merge commits");
    let reached = catalog(&client).await;
    assert_eq!(reached.hash(), plan.predicted_hash, "{:#?}", plan.predicted.differences(&reached));
    for (query, expected) in [
        ("select subject || body_html from email.templates where template_type = 'welcome'", "Welcome<p>Hello</p>"),
        ("select name || code from functions.definitions where slug = 'hello'", "Hello!export default 2"),
        ("select code from functions.definitions where slug = 'bye'", "it's \\n"),
        ("select string_agg(slug, ',' order by id) from public.items", "one,two,three"),
        ("select label from public.kinds", "first"),
        ("select password_min_length || allowed_redirect_urls::text from auth.config", "10{https://a.example}"),
        ("select public::text from storage.buckets where name = 'avatars'", "false"),
        ("select \"all\" from public.labels", "first"),
        ("select array_length(statements, 1)::text from system.custom_migrations where version = '10'", "7"),
    ] {
        let seen: String = client.query_one(query, &[]).await.expect("a row").get(0);
        assert_eq!(seen, expected, "{query}");
    }
    let again = merge(&base, &snapshot_of(&cluster, "target").await, &source);
    assert!(again.statements.is_empty() && !again.blocked(), "{:#?}", again.changes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_both_sides_changed_conflict() {
    let cluster = Cluster::start().await;
    let source = "update email.templates set subject = 'A' where template_type = 'welcome';
        update functions.definitions set code = 'a' where slug = 'hello';
        insert into system.custom_migrations (version, name, statements) values ('2', 'a', array['select 1']), ('3', 'b', array['create table x as select 1 as one']);";
    let target = "update email.templates set subject = 'B' where template_type = 'welcome';
        update functions.definitions set code = 'b' where slug = 'hello';
        insert into system.custom_migrations (version, name, statements) values ('2', 'a', array['select 2']);";
    sides(&cluster, source, target).await;
    let [base, target, source] = [
        snapshot_of(&cluster, "base").await,
        snapshot_of(&cluster, "target").await,
        snapshot_of(&cluster, "source").await,
    ];
    let plan = merge(&base, &target, &source);
    let mut classes: Vec<_> = plan.conflicts.iter().map(|conflict| conflict.class.as_str()).collect();
    classes.sort_unstable();
    assert_eq!(classes, ["S20", "S27", "S28"]);
    assert!(
        plan.conflicts
            .iter()
            .all(|conflict| conflict.parent_now_hash != conflict.branch_now_hash && !conflict.fields.is_empty())
    );
    assert_eq!(plan.unsupported.len(), 1, "a table filled by a query is refused by name");
    let script = render::rendered_sql(&plan, "now");
    assert!(
        script.contains("⚠️ MERGE BLOCKED: 3 conflict(s) detected")
            && script.contains("-- [CONFLICT] config_row email.templates"),
        "{script}"
    );
}

async fn sides(cluster: &Cluster, source: &str, target: &str) {
    prepare(cluster, "base").await;
    run(cluster, "base", BASE).await;
    for (side, change) in [("source", source), ("target", target)] {
        copy(cluster, side, "base").await;
        run(cluster, side, change).await;
    }
}
