//! Applications evolved on both sides and merged: one of our own, and real ones where their scripts are at hand.

use std::io::Write;
use std::path::PathBuf;

use schema_merge::{Migration, merge, render};

use crate::cluster::Cluster;
use crate::database::{apply, catalog, connect, copy, prepare, run, run_as_developer, snapshot_of};

/// An application whose script is in the repository, so that no run is without one.
pub(crate) const HELPDESK: &str = include_str!("applications/helpdesk.sql");

/// Real applications, whose scripts are not ours to keep.
pub(crate) const REAL: [&str; 3] = ["todo.sql", "crm.sql", "e-commerce.sql"];

/// Where those are, when the checkout has them beside it and `HEARTH_FIXTURES` names no other place.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/fixtures");

const HELPDESK_SOURCE: &str = "
alter type ticket_state add value 'merged' before 'closed';
alter table tickets add column merged_into bigint references tickets on delete set null, add column channel text not null default 'mail';
alter table tags alter column colour type text;
alter table customers add column vip boolean not null default false;
alter table agents rename column display_name to name;
create table macros (id bigint generated always as identity primary key, team_id bigint references teams on delete cascade, title text not null, body text not null, unique (team_id, title));
alter table macros enable row level security;
create policy agents_use_macros on macros for all to authenticated using (is_agent());
create index tickets_channel on tickets (channel) where merged_into is null;
drop view overdue_tickets;
create view late_tickets with (security_invoker = true) as select t.id, t.due, a.name from tickets t left join agents a on a.id = t.agent_id where t.due < current_date;
create or replace function open_tickets(of_team bigint) returns setof tickets language sql stable as
$$ select t.* from public.tickets t join public.agents a on a.id = t.agent_id where a.team_id = of_team and t.state in ('open', 'waiting') $$;
alter table messages add constraint messages_said_something check (body <> '') not valid;
comment on table macros is 'Answers that come up again';
";

const HELPDESK_TARGET: &str = "
alter table tickets add column source_url text;
alter type urgency add value 'urgent';
alter table teams add column manager uuid references agents;
create index customers_company on customers (company);
alter policy customers_see_theirs on tickets using (exists (select from customers c where c.id = customer_id and c.user_id = auth.uid()) and state <> 'closed');
alter table messages alter column internal set default true;
create trigger messages_audit after insert on messages for each row execute function note_change();
create view busy_agents as select id, display_name from agents where active;
grant select on teams to anon;
";

const CRM_SOURCE: &str = "
alter table leads add column region text not null default 'EU', add column lost_reason text;
alter table clients drop column address;
alter table projects rename column note to remarks;
create type deal_stage as enum ('open', 'won', 'lost');
alter table leads add column stage deal_stage default 'open';
create table lead_tags (id bigint generated always as identity primary key, lead_id uuid not null references leads on delete cascade, tag text not null, unique (lead_id, tag));
alter table lead_tags enable row level security;
create policy own_tags on lead_tags for all to authenticated using (exists (select 1 from leads l where l.id = lead_id and l.user_id = auth.uid()));
grant select, insert on lead_tags to authenticated;
create view open_leads with (security_invoker = true) as select id, company_name, score from leads where not is_converted;
create or replace function seed_crm_defaults(p_user_id uuid) returns void language plpgsql security definer set search_path = public as 'begin perform 1; end';
drop policy auth_user_delete_leads on leads;
alter table leads drop constraint leads_status_check;
alter table leads add constraint leads_status_check check (status in ('new', 'contacted', 'qualified', 'unqualified', 'parked'));
comment on table leads is 'Prospects';
";

const CRM_TARGET: &str = "
alter table leads add column owner_note text;
alter table clients add column vat varchar(20);
create index clients_code_idx on clients (client_code);
alter policy auth_user_select_leads on leads using (user_id = auth.uid() or score > 90);
alter table lead_activities alter column status set default 'planned';
create trigger lead_activities_touch before update on lead_activities for each row execute function system.update_updated_at();
";

const SHOP_SOURCE: &str = "
alter table products add column weight_grams integer, add column tax_class text not null default 'standard';
alter table orders alter column discount_cents type bigint;
create table reviews (id uuid primary key default gen_random_uuid(), product_id uuid not null references products on delete cascade, stars smallint not null check (stars between 1 and 5), body text);
alter table reviews enable row level security;
create policy reviews_read on reviews for select using (true);
create or replace function generate_order_number() returns text language sql volatile as $$ select 'O-' || nextval('public.order_number_seq')::text $$;
alter sequence order_number_seq increment by 2;
drop index products_slug_idx;
";

const SHOP_TARGET: &str = "
alter table products add column video_url text;
create view paid_orders as select id, order_number, discount_cents from orders where status = 'paid';
create policy wishlists_public on wishlists for select to anon using (false);
alter table reviews_placeholder rename to review_requests;
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_helpdesk_evolved_on_both_sides_merges() {
    evolve(HELPDESK, "", HELPDESK_SOURCE, HELPDESK_TARGET).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crm_evolved_on_both_sides_merges() {
    let Some(script) = real("crm.sql") else { return };
    evolve(&script, "", CRM_SOURCE, CRM_TARGET).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_evolved_on_both_sides_merges() {
    let Some(script) = real("e-commerce.sql") else { return };
    evolve(&script, "create table reviews_placeholder (id int primary key);", SHOP_SOURCE, SHOP_TARGET).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_application_built_on_a_branch_merges_into_an_empty_parent() {
    for (name, script) in all() {
        let cluster = Cluster::start().await;
        prepare(&cluster, "base").await;
        run(&cluster, "base", "grant insert, update on storage.buckets to project_admin").await;
        copy(&cluster, "target", "base").await;
        copy(&cluster, "source", "base").await;
        run_as_developer(&cluster, "source", &script).await;
        let [base, target, mut source] = [
            snapshot_of(&cluster, "base").await,
            snapshot_of(&cluster, "target").await,
            snapshot_of(&cluster, "source").await,
        ];
        source.migrations.push(Migration {
            version: "1".to_owned(),
            name: "app".to_owned(),
            statements: statements(&script),
        });
        let plan = merge(&base, &target, &source);
        assert!(!plan.blocked(), "{name}: {:?} {:?}", plan.conflicts, plan.unsupported);
        let statements = plan.statements.iter().map(|statement| (statement.sql.clone(), statement.role_hint.clone()));
        let mut client = connect(&cluster, "target").await;
        let transaction = client.transaction().await.expect("a transaction can begin");
        apply(&transaction, statements).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        transaction.commit().await.expect("the merge commits");
        let reached = catalog(&client).await;
        assert_eq!(reached.hash(), plan.predicted_hash, "{name}: {:#?}", plan.predicted.differences(&reached));
        let filled = match name {
            "helpdesk.sql" => Some("public.ticket_tags"),
            "e-commerce.sql" => Some("public.categories"),
            _ => None,
        };
        if let Some(table) = filled {
            let query = format!("select count(*) from {table}");
            let seen: i64 = client.query_one(&query, &[]).await.expect("a count").get(0);
            assert!(seen > 0, "the rows that the migration inserts are there");
        }
    }
}

async fn evolve(script: &str, extra: &str, source_script: &str, target_script: &str) {
    let cluster = Cluster::start().await;
    prepare(&cluster, "base").await;
    run_as_developer(&cluster, "base", &format!("{script}\n;{extra}")).await;
    for (side, change) in [("source", source_script), ("target", target_script)] {
        copy(&cluster, side, "base").await;
        run_as_developer(&cluster, side, change).await;
    }
    let [base, target, source] = [
        snapshot_of(&cluster, "base").await,
        snapshot_of(&cluster, "target").await,
        snapshot_of(&cluster, "source").await,
    ];
    let plan = merge(&base, &target, &source);
    assert!(!plan.blocked(), "{}", render::rendered_sql(&plan, "now"));
    let mut client = connect(&cluster, "target").await;
    let transaction = client.transaction().await.expect("a transaction can begin");
    let statements = plan.statements.iter().map(|statement| (statement.sql.clone(), statement.role_hint.clone()));
    apply(&transaction, statements)
        .await
        .unwrap_or_else(|error| panic!("{error}\n{}", render::rendered_sql(&plan, "now")));
    transaction.commit().await.expect("the merge commits");
    let reached = catalog(&client).await;
    assert_eq!(reached.hash(), plan.predicted_hash, "{:#?}", plan.predicted.differences(&reached));
    let merged = snapshot_of(&cluster, "target").await;
    let again = merge(&base, &merged, &source);
    assert!(again.statements.is_empty() && !again.blocked(), "a second merge has nothing to do: {:#?}", again.changes);
}

/// Splits at semicolons that end a line outside dollar quotes, as these scripts are written.
fn statements(script: &str) -> Vec<String> {
    let (mut found, mut current) = (Vec::new(), String::new());
    for line in script.lines() {
        current += line;
        current.push('\n');
        if line.trim_end().ends_with(';') && current.matches("$$").count() % 2 == 0 {
            found.push(std::mem::take(&mut current));
        }
    }
    found.push(current);
    found.retain(|statement| !statement.trim().is_empty());
    found
}

/// Every application there is, by the name of its script.
pub(crate) fn all() -> Vec<(&'static str, String)> {
    let real = REAL.into_iter().filter_map(|name| Some((name, real(name)?)));
    std::iter::once(("helpdesk.sql", HELPDESK.to_owned())).chain(real).collect()
}

/// The script of a real application; `None`, said loudly, where it is not at hand.
fn real(name: &str) -> Option<String> {
    let folder = std::env::var_os("HEARTH_FIXTURES").map_or_else(|| PathBuf::from(FIXTURES), PathBuf::from);
    let path = folder.join("apps").join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        // Not `eprintln`, which shows nothing of a test that passes.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {} is not there; set HEARTH_FIXTURES", path.display());
    }
    text
}
