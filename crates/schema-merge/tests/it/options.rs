//! What a merge can be asked for: decisions, approvals, segments, further merges of the same branch, and undo.

use schema_merge::{
    Base, Choice, MergePlan, Options, Origin, Prediction, ResolutionError, Resolutions, Snapshot, merge, merge_with,
    undo,
};

use crate::cluster::Cluster;
use crate::database::{apply, catalog, connect, copy, drop, prepare, run, run_as_developer, snapshot_of};

async fn sides(cluster: &Cluster, base: &str, target: &str, source: &str) -> [Snapshot; 3] {
    for name in ["base", "target", "source"] {
        drop(cluster, name).await;
    }
    prepare(cluster, "base").await;
    run_as_developer(cluster, "base", base).await;
    copy(cluster, "target", "base").await;
    copy(cluster, "source", "base").await;
    run_as_developer(cluster, "target", target).await;
    run_as_developer(cluster, "source", source).await;
    [snapshot_of(cluster, "base").await, snapshot_of(cluster, "target").await, snapshot_of(cluster, "source").await]
}

/// Runs a plan for good, a transaction for each segment, and checks what each leads to.
async fn run_plan(cluster: &Cluster, database: &str, plan: &MergePlan) {
    for segment in &plan.segments {
        let mut client = connect(cluster, database).await;
        assert_eq!(catalog(&client).await.hash(), segment.expected_hash, "segment {} starts elsewhere", segment.number);
        let transaction = client.transaction().await.expect("a transaction can begin");
        let own = plan.statements.iter().filter(|statement| statement.segment == segment.number);
        if segment.concurrent {
            transaction.rollback().await.expect("nothing was done");
            for statement in own {
                client.batch_execute(&statement.sql).await.unwrap_or_else(|error| panic!("{error:?}"));
            }
            assert_eq!(catalog(&client).await.hash(), segment.predicted_hash);
            continue;
        }
        let statements = own.map(|statement| (statement.sql.clone(), statement.role_hint.clone()));
        apply(&transaction, statements).await.unwrap_or_else(|error| panic!("{error}"));
        transaction.commit().await.expect("the segment commits");
        let reached = catalog(&connect(cluster, database).await).await;
        if plan.prediction != Prediction::Rehearsed {
            assert!(segment.leads_to(&reached), "{:#?}", plan.predicted.differences(&reached));
        }
    }
}

async fn text(cluster: &Cluster, database: &str, query: &str) -> String {
    connect(cluster, database).await.query_one(query, &[]).await.expect("a row").get(0)
}

fn decided(plan: &MergePlan, choices: impl IntoIterator<Item = (String, Choice)>) -> Options {
    let resolutions = Resolutions { plan_hash: plan.plan_hash.clone(), choices: choices.into_iter().collect() };
    Options { resolutions: Some(resolutions), approve: vec!["all".to_owned()], ..Options::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicts_are_resolved_by_decisions_that_are_bound_to_the_plan() {
    let cluster = Cluster::start().await;
    let base = "create table orders (id int primary key, total int, note text); create table old (id int primary key);
        create function f() returns int language sql as 'select 1';";
    let target = "alter table orders alter total type bigint; create view totals as select id, note from orders;
        create or replace function f() returns int language sql as 'select 2'; alter table old add column kept int;";
    let source = "alter table orders alter total type numeric; alter table orders drop column note;
        create or replace function f() returns int language sql as 'select 3'; drop table old;";
    let [base, target, source] = sides(&cluster, base, target, source).await;
    let plan = merge(&base, &target, &source);
    let mut classes: Vec<&str> = plan.conflicts.iter().map(|conflict| conflict.class.as_str()).collect();
    classes.sort_unstable();
    assert_eq!(classes, ["C4", "S10", "S20", "S9"], "{:#?}", plan.conflicts);
    for conflict in &plan.conflicts {
        assert!(!conflict.target_change.is_empty() && !conflict.source_change.is_empty(), "{conflict:#?}");
        assert!(conflict.resolutions.len() == 3, "{conflict:#?}");
    }
    let wider = plan.conflicts.iter().find(|conflict| conflict.class == "S9").expect("types clash");
    assert!(wider.resolutions[1].detail.contains("wider"), "{:?}", wider.resolutions);

    let all =
        |choice: &Choice| decided(&plan, plan.conflicts.iter().map(|conflict| (conflict.id.clone(), choice.clone())));
    let base = Base::one(base);
    let theirs = merge_with(&base, &target, &source, &all(&Choice::TakeTarget)).expect("every conflict is known");
    assert!(!theirs.blocked() && theirs.is_empty(), "{:#?} {:#?}", theirs.conflicts, theirs.statements);
    let ours = merge_with(&base, &target, &source, &all(&Choice::TakeSource)).expect("every conflict is known");
    assert!(!ours.blocked(), "{:#?}", ours.conflicts);
    assert_eq!(ours.predicted_hash, source.catalog.hash(), "{:#?}", source.catalog.differences(&ours.predicted));

    // The ids stay while the disagreement does, whatever the values.
    let again = merge(&base.target, &source, &target);
    let ids = |plan: &MergePlan, class: &str| {
        plan.conflicts
            .iter()
            .filter(|conflict| conflict.class == class)
            .map(|conflict| conflict.id.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&again, "S9"), ids(&plan, "S9"));

    let stale = Options {
        resolutions: Some(Resolutions { plan_hash: "another".to_owned(), ..Resolutions::default() }),
        ..Options::default()
    };
    assert!(matches!(merge_with(&base, &target, &source, &stale), Err(ResolutionError::Stale { .. })));
    let unknown = decided(&plan, [("c-000000000000".to_owned(), Choice::TakeTarget)]);
    assert_eq!(
        merge_with(&base, &target, &source, &unknown).err(),
        Some(ResolutionError::Unknown(vec!["c-000000000000".to_owned()]))
    );

    let mut choices: Vec<(String, Choice)> =
        plan.conflicts.iter().map(|conflict| (conflict.id.clone(), Choice::TakeSource)).collect();
    let function = plan.conflicts.iter().find(|conflict| conflict.class == "S20").expect("bodies clash");
    let sql = "create or replace function f() returns int language sql as 'select 4';".to_owned();
    choices.retain(|(id, _)| *id != function.id);
    choices.push((function.id.clone(), Choice::CustomSql { sql }));
    let by_hand = merge_with(&base, &target, &source, &decided(&plan, choices)).expect("every conflict is known");
    assert!(!by_hand.blocked() && by_hand.prediction == Prediction::Rehearsed);
    let custom = by_hand.statements.iter().find(|statement| statement.origin == Origin::Data).expect("the SQL runs");
    assert_eq!(custom.role_hint.as_deref(), Some("project_admin"));
    run_plan(&cluster, "target", &by_hand).await;
    assert_eq!(text(&cluster, "target", "select public.f()::text").await, "4");
    assert_eq!(
        text(&cluster, "target", "select pg_typeof(total)::text from (select (null::public.orders).total) t").await,
        "numeric"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sql_by_hand_settles_a_conflict_and_fails_with_the_whole_merge() {
    let cluster = Cluster::start().await;
    let base = "create table orders (id int primary key, total int); insert into orders values (1, 5);";
    let source = "alter table orders alter total type numeric; create table extra (id int primary key);";
    let [base, target, source] = sides(&cluster, base, "alter table orders alter total type bigint;", source).await;
    let plan = merge(&base, &target, &source);
    assert!(plan.blocked() && plan.conflicts.len() == 1, "{:#?}", plan.conflicts);
    let base = Base::one(base);
    let by_hand = |sql: &str| {
        let choice = (plan.conflicts[0].id.clone(), Choice::CustomSql { sql: sql.to_owned() });
        merge_with(&base, &target, &source, &decided(&plan, [choice])).expect("the conflict is known")
    };
    let wrong = by_hand("update public.orders set total = total + 1; select 1 / 0;");
    let right =
        by_hand("alter table public.orders alter total type text; update public.orders set total = total || ' EUR';");
    assert_ne!(wrong.plan_hash, right.plan_hash, "the SQL is part of what is approved");
    assert!(right.hazards.iter().any(|hazard| hazard.class == "data_statement"), "{:#?}", right.hazards);

    let mut client = connect(&cluster, "target").await;
    let transaction = client.transaction().await.expect("a transaction can begin");
    let statements = wrong.statements.iter().map(|statement| (statement.sql.clone(), statement.role_hint.clone()));
    let refused = apply(&transaction, statements).await.expect_err("one cannot divide by zero");
    assert!(refused.contains("22012"), "{refused}");
    transaction.rollback().await.expect("a transaction can be taken back");
    assert_eq!(catalog(&client).await.hash(), target.catalog.hash(), "nothing of the merge stays");
    assert_eq!(text(&cluster, "target", "select total::text from public.orders").await, "5");

    run_plan(&cluster, "target", &right).await;
    assert_eq!(text(&cluster, "target", "select total from public.orders").await, "5 EUR");
    assert_eq!(text(&cluster, "target", "select count(*)::text from public.extra").await, "0", "the rest is there too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn access_that_neither_side_tried_waits_for_approval() {
    let cluster = Cluster::start().await;
    let base = "create table docs (id int primary key, owner text); alter table docs enable row level security;
        create policy own on docs for select to authenticated using (owner = current_user);";
    let target = "drop policy own on docs;";
    let source = "create policy shared on docs for select to authenticated using (id < 100);";
    let [base, target, source] = sides(&cluster, base, target, source).await;
    let plan = merge(&base, &target, &source);
    let waiting = plan.unapproved();
    assert!(plan.blocked() && plan.conflicts.is_empty() && waiting.len() == 1, "{:#?}", plan.hazards);
    assert_eq!((waiting[0].class.as_str(), waiting[0].rule.as_deref()), ("widened_access", Some("C14")));
    let script = schema_merge::render::rendered_sql(&plan, "now");
    assert!(script.contains("MERGE BLOCKED: 1 hazard(s) wait for approval"), "{script}");
    let base = Base::one(base);
    for approval in [waiting[0].id.clone(), "widened_access".to_owned()] {
        let options = Options { approve: vec![approval], ..Options::default() };
        let approved = merge_with(&base, &target, &source, &options).expect("nothing is resolved");
        assert!(!approved.blocked() && approved.plan_hash == plan.plan_hash);
    }
    let other = Options { approve: vec!["data_loss".to_owned()], ..Options::default() };
    assert!(merge_with(&base, &target, &source, &other).expect("nothing is resolved").blocked());

    // What the branch dropped itself needs none, unless every danger does.
    let [base, target, source] =
        sides(&cluster, "create table a (id int); create table b (id int);", "", "drop table a;").await;
    assert!(!merge(&base, &target, &source).blocked());
    let strict = Options { strict: true, ..Options::default() };
    let plan = merge_with(&Base::one(base), &target, &source, &strict).expect("nothing is resolved");
    assert_eq!(plan.unapproved().iter().map(|hazard| hazard.class.as_str()).collect::<Vec<_>>(), ["data_loss"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_that_is_used_at_once_is_added_in_a_segment_of_its_own() {
    let cluster = Cluster::start().await;
    let base = "create type state as enum ('open', 'done'); create table tasks (id int primary key, state state);
        insert into tasks values (1, 'open');";
    let source = "alter type state add value 'late' before 'done';
-- next
alter table tasks alter state set default 'late'; create index on tasks (id) where state = 'late';";
    let [base, target, source] = sides(&cluster, base, "alter table tasks rename to jobs;", source).await;
    let base = Base::one(base);
    let options = Options { segments: true, ..Options::default() };
    let plan = merge_with(&base, &target, &source, &options).expect("nothing is resolved");
    assert!(!plan.blocked() && plan.segments.len() == 2, "{:#?}", plan.statements);
    assert!(plan.hazards.iter().any(|hazard| hazard.class == "non_transactional"));
    let one = merge_with(&base, &target, &source, &Options::default()).expect("nothing is resolved");
    assert_eq!((one.segments.len(), &one.plan_hash), (1, &plan.plan_hash));
    run_plan(&cluster, "target", &plan).await;
    run(&cluster, "target", "insert into public.jobs (id) values (2)").await;
    assert_eq!(text(&cluster, "target", "select state::text from public.jobs where id = 2").await, "late");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn indexes_of_large_tables_are_built_while_writers_go_on() {
    let cluster = Cluster::start().await;
    let base = "create table \"Order\" (id int primary key, sku text, note text); create table small (id int);
        create table renamed (id int, a int); create table parted (id int) partition by range (id);
        create function twice(int) returns int language sql immutable as 'select $1 * 2';
        insert into \"Order\" select n, 's' || n from generate_series(1, 10) n;";
    let source = "create unique index by_sku on \"Order\" (sku); alter table \"Order\" add column state text;
        create index by_state on \"Order\" (state) where state <> 'done'; create unique index by_both on \"Order\" (state, id);
        create index on small (id); create index on parted (id); create index by_a on other (a);
        create index by_twice on \"Order\" (twice(id)); comment on index by_twice is 'a comment';
        alter table \"Order\" replica identity using index by_key;";
    let target = "insert into small values (1);";
    let key = "alter table renamed rename to other; create unique index by_key on \"Order\" (id);";
    let [base, target, source] = sides(&cluster, base, target, &format!("{key} {source}")).await;
    let large_tables = ["public.\"Order\"", "public.renamed", "public.parted"].map(str::to_owned).to_vec();
    let options = Options { segments: true, large_tables, ..Options::default() };
    let base = Base::one(base);
    let plan = merge_with(&base, &target, &source, &options).expect("nothing is resolved");
    assert!(!plan.blocked(), "{:#?}", plan.hazards);
    let cut: Vec<Vec<&str>> = plan
        .segments
        .iter()
        .map(|segment| {
            let own = plan.statements.iter().filter(|statement| statement.segment == segment.number);
            own.map(|statement| statement.sql.as_str()).filter(|sql| sql.contains(" INDEX ")).collect()
        })
        .collect();
    let within = plan.segments.iter().position(|segment| !segment.concurrent).expect("a transaction");
    assert_eq!(
        cut[..within].concat(),
        [
            "CREATE UNIQUE INDEX CONCURRENTLY by_key ON public.\"Order\" USING btree (id)",
            "CREATE UNIQUE INDEX CONCURRENTLY by_sku ON public.\"Order\" USING btree (sku)",
            "CREATE INDEX CONCURRENTLY by_twice ON public.\"Order\" USING btree (public.twice(id))",
        ],
        "what stands before the merge"
    );
    assert!(cut[within].iter().all(|sql| !sql.contains("CONCURRENTLY")) && cut[within].len() == 3, "{cut:#?}");
    let late = cut[within + 1..].concat();
    assert_eq!(late.len(), 2, "{late:?}");
    assert!(
        late.iter().any(|sql| sql.contains("by_state")) && late.iter().any(|sql| sql.contains("by_a ON public.other"))
    );
    let one = merge_with(&base, &target, &source, &Options::default()).expect("nothing is resolved");
    assert_eq!((one.segments.len(), &one.plan_hash), (1, &plan.plan_hash), "how it is cut is no part of a plan");
    run_plan(&cluster, "target", &plan).await;
    assert_eq!(catalog(&connect(&cluster, "target").await).await.hash(), plan.predicted_hash);
    let script = schema_merge::render::rendered_sql(&plan, "now");
    let (begin, commit) = (script.find("BEGIN;").expect("begin"), script.find("COMMIT;").expect("commit"));
    for (at, _) in script.match_indices("CONCURRENTLY") {
        assert!(at < begin || at > commit, "{script}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn constraints_of_large_tables_are_validated_while_writers_go_on() {
    let cluster = Cluster::start().await;
    let base = "create table customers (id int primary key); create table orders (id int primary key, customer int, total int);
        create table parted (id int) partition by range (id); create table above (a int); create table below () inherits (above);
        insert into customers values (1); insert into orders values (1, 1, 5);";
    let source = "alter table orders add constraint positive check (total > 0), add constraint by_id foreign key (customer) references customers;
        alter table orders add column seller int references customers; alter table orders add constraint later check (total < 9) not valid;
        alter table parted add constraint whole check (id > 0); alter table above add constraint reaching check (a > 0);
        alter table customers add constraint small check (id < 9);";
    let [base, target, source] = sides(&cluster, base, "alter table orders add column note text", source).await;
    let large_tables = ["public.orders", "public.parted", "public.above"].map(str::to_owned).to_vec();
    let options = Options { segments: true, large_tables, ..Options::default() };
    let base = Base::one(base);
    let plan = merge_with(&base, &target, &source, &options).expect("nothing is resolved");
    assert!(!plan.blocked(), "{:#?}", plan.hazards);
    let early = plan.segments.iter().filter(|segment| segment.early).map(|segment| segment.number);
    let own = |number| plan.statements.iter().filter(move |statement| statement.segment == number);
    let early: Vec<&str> = early.flat_map(own).map(|statement| statement.sql.as_str()).collect();
    assert_eq!(
        early,
        [
            "alter table public.orders add constraint by_id FOREIGN KEY (customer) REFERENCES public.customers(id) not valid",
            "alter table public.orders add constraint positive CHECK ((total > 0)) not valid",
            "alter table public.orders validate constraint by_id",
            "alter table public.orders validate constraint positive",
        ]
    );
    assert_eq!(plan.segments.len(), 3, "everything else is one transaction");
    run_plan(&cluster, "target", &plan).await;
    assert_eq!(catalog(&connect(&cluster, "target").await).await.hash(), plan.predicted_hash);
    let script = schema_merge::render::rendered_sql(&plan, "now");
    assert!(script.find("validate constraint positive") < script.find("BEGIN;"), "{script}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn defaults_given_to_inherited_columns_outlive_the_partition() {
    let cluster = Cluster::start().await;
    let base = "create table parts (a int not null, b text default 'above', c text, d text default 'above') partition by range (a);
        create table parts_1 partition of parts for values from (0) to (10);";
    let target = "alter table parts_1 alter b set default 'own', alter c set default 'own', alter d drop default;";
    let source = "alter table parts detach partition parts_1;";
    let [base, target, source] = sides(&cluster, base, target, source).await;
    let plan = merge(&base, &target, &source);
    assert!(!plan.blocked(), "{:#?}", plan.conflicts);
    run_plan(&cluster, "target", &plan).await;
    run(&cluster, "target", "insert into public.parts_1 (a) values (1)").await;
    let row = "select concat_ws(',', b, c, coalesce(d, 'none')) from public.parts_1";
    assert_eq!(text(&cluster, "target", row).await, "own,own,none");
}

/// What one side was and the other has received, as the receiving side knows it.
fn received(giver: &Snapshot, receiver: &Snapshot) -> Snapshot {
    let mut found = giver.clone();
    for mut fact in giver.catalog.iter().cloned() {
        fact.lineage.object = receiver.catalog.get(&fact.identity).and_then(|there| there.lineage.object.clone());
        found.catalog.insert(fact);
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_is_merged_again_and_brought_up_to_date() {
    let cluster = Cluster::start().await;
    let [base, target, source] = sides(
        &cluster,
        "create table t (id int primary key, a int);",
        "alter table t add column p int; create table mine (id int primary key);",
        "alter table t add column b int; create table n (id int primary key, x text);",
    )
    .await;
    let first = merge_with(&Base::one(base), &target, &source, &Options::default()).expect("nothing is resolved");
    run_plan(&cluster, "target", &first).await;
    let base = Base::two(received(&source, &snapshot_of(&cluster, "target").await), source);

    // Both sides go on: what was new on the branch is renamed there and changed on the parent.
    run_as_developer(&cluster, "source", "alter table n rename to notes; alter table t alter b type bigint;").await;
    run_as_developer(
        &cluster,
        "target",
        "alter table n add column y int; drop table mine; alter table t drop column p;",
    )
    .await;
    let (target, source) = (snapshot_of(&cluster, "target").await, snapshot_of(&cluster, "source").await);
    let stored = serde_json::to_string(&base).expect("a base is plain data");
    let base: Base = serde_json::from_str(&stored).expect("it is read as it was written");
    let second = merge_with(&base, &target, &source, &Options::default()).expect("nothing is resolved");
    assert!(!second.blocked(), "{:#?}", second.conflicts);
    let sql: Vec<&str> = second.statements.iter().map(|statement| statement.sql.as_str()).collect();
    assert!(sql.contains(&"alter table public.n rename to notes"), "{sql:#?}");
    assert!(!sql.iter().any(|sql| sql.contains("mine") || sql.contains("column p")), "{sql:#?}");
    run_plan(&cluster, "target", &second).await;

    // The other way round: the branch gets what the parent has of its own.
    let parent = snapshot_of(&cluster, "target").await;
    let base = Base::two(received(&source, &parent), source.clone());
    let update = merge_with(&base.swapped(), &source, &parent, &Options::default()).expect("nothing is resolved");
    assert!(!update.blocked(), "{:#?}", update.conflicts);
    run_plan(&cluster, "source", &update).await;
    let branch = snapshot_of(&cluster, "source").await;
    assert_eq!(branch.catalog.hash(), parent.catalog.hash(), "{:#?}", parent.catalog.differences(&branch.catalog));
    let base = Base::two(parent.clone(), received(&parent, &branch));
    for (target, source) in [(&parent, &branch), (&branch, &parent)] {
        assert!(merge_with(&base, target, source, &Options::default()).expect("nothing is resolved").is_empty());
    }
    // A base of one snapshot, as it was stored before, is read as one for both.
    let old: Base = serde_json::from_str(&serde_json::to_string(&parent).expect("plain data")).expect("it is a base");
    assert_eq!(old, Base::one(parent));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_that_was_restored_from_text_is_compared_with_its_own_beginning() {
    let cluster = Cluster::start().await;
    let made = "create table kinds (id int primary key, word varchar(10), constraint word check (id > 0));
        create table items (id int primary key, kind int references kinds, label text);
        create view labels as select id, label from items;";
    // What comes back from a dump: the same, printed otherwise by Postgres, under other oids.
    let restored = "create table unrelated (id int); drop table unrelated;
        create table items (id int primary key, kind int, label text);
        create table kinds (id int primary key, word varchar(10),
            constraint word check (0 < id));
        alter table items add foreign key (kind) references kinds; create view labels as select items.id, items.label from items;";
    prepare(&cluster, "target").await;
    run_as_developer(&cluster, "target", made).await;
    prepare(&cluster, "source").await;
    run_as_developer(&cluster, "source", restored).await;
    let (parent, branch) = (snapshot_of(&cluster, "target").await, snapshot_of(&cluster, "source").await);
    assert_ne!(parent.catalog.hash(), branch.catalog.hash(), "the two print the check alike, which proves nothing");
    let base = Base::two(parent.clone(), branch.clone());
    let nothing = merge_with(&base, &parent, &branch, &Options::default()).expect("nothing is resolved");
    assert!(nothing.is_empty() && !nothing.blocked(), "{:#?}", nothing.statements);

    run_as_developer(
        &cluster,
        "target",
        "alter table items add column extra int; alter table kinds rename word to name;",
    )
    .await;
    run_as_developer(&cluster, "source", "alter table items rename to things; alter table things rename label to title; alter table kinds add column rank int;").await;
    let (target, source) = (snapshot_of(&cluster, "target").await, snapshot_of(&cluster, "source").await);
    let plan = merge_with(&base, &target, &source, &Options::default()).expect("nothing is resolved");
    assert!(!plan.blocked(), "{:#?}", plan.conflicts);
    let sql: Vec<&str> = plan.statements.iter().map(|statement| statement.sql.as_str()).collect();
    for expected in
        ["alter table public.items rename column label to title", "alter table public.items rename to things"]
    {
        assert!(sql.contains(&expected), "{sql:#?}");
    }
    assert!(!sql.iter().any(|sql| sql.contains("constraint word")), "{sql:#?}");
    run_plan(&cluster, "target", &plan).await;
}

const UNDONE_BASE: &str = "
create type mood as enum ('calm', 'wild');
create table people (id int primary key, name text not null, age int not null, mood mood default 'calm', score numeric not null default 1);
create table logs (id bigint generated always as identity primary key, person int references people, entry text);
create table \"Odd Name\" (id int primary key, \"a b\" text);
create view adults as select id, name, age from people where age > 17;
create index logs_entry on logs (entry);
create table touches (at int);
create function touch() returns trigger language plpgsql as 'begin insert into public.touches values (new.id); return new; end';
create trigger touched before update on people for each row execute function touch();
alter table logs enable row level security;
create policy everything on logs for all to authenticated using (true);
grant select on logs to authenticated;
comment on table logs is 'What happened';
insert into people values (1, 'Ann', 30, 'wild', 1.55), (2, 'Bob', 17, 'calm', 2.25), (3, 'Cy', 44, null, 3), (9, 'Zed', 20, 'calm', 1);
insert into logs (person, entry) select 1 + n % 3, 'entry ' || n from generate_series(1, 50) n;
insert into \"Odd Name\" values (1, 'x'), (2, null);";

const UNDONE_SOURCE: &str = "
drop view adults;
alter table people drop column age;
alter table people alter score type int;
drop table logs;
alter table people alter mood drop default, alter mood type text;
drop type mood;
alter table \"Odd Name\" drop column \"a b\";
alter table \"Odd Name\" rename to odd;
alter table people rename name to full_name;
create table added (id int primary key, note text);
create view seniors as select id, full_name from people;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merge_is_taken_back_with_everything_written_since() {
    let cluster = Cluster::start().await;
    let [base, before, source] =
        sides(&cluster, UNDONE_BASE, "alter table people add column city text default 'Rome';", UNDONE_SOURCE).await;
    let options = Options { keep_in: Some("hearth_undo_1a2b3c4d".to_owned()), ..Options::default() };
    let base = Base::one(base);
    let plan = merge_with(&base, &before, &source, &options).expect("nothing is resolved");
    assert!(!plan.blocked(), "{:#?} {:#?}", plan.conflicts, plan.unapproved());
    let plain = merge_with(&base, &before, &source, &Options::default()).expect("nothing is resolved");
    assert_eq!((&plain.plan_hash, &plain.predicted_hash), (&plan.plan_hash, &plan.predicted_hash));
    run_plan(&cluster, "target", &plan).await;
    let after = snapshot_of(&cluster, "target").await;
    let shadow = plan.shadow.clone().expect("it was asked to keep");
    assert!(shadow.lost.is_empty(), "{:?}", shadow.lost);

    let since = "insert into people (id, full_name, score) values (4, 'Dee', 9); update people set score = 7 where id = 2; insert into added values (1, 'new');
        insert into odd values (3); delete from people where id = 9; alter table people add column later int;";
    run_as_developer(&cluster, "target", since).await;
    let now = snapshot_of(&cluster, "target").await;
    let back = undo(&before, &after, &now, &shadow, "hearth_redo_1a2b3c4d").expect("the name is good");
    assert!(!back.strict.blocked(), "{:#?} {:#?}", back.strict.conflicts, back.strict.unsupported);
    // A row written since has no age.
    let relaxed = back.relaxed.expect("a column must have a value");
    let mut client = connect(&cluster, "target").await;
    let transaction = client.transaction().await.expect("a transaction can begin");
    let strict = back.strict.statements.iter().map(|statement| (statement.sql.clone(), statement.role_hint.clone()));
    let error = apply(&transaction, strict).await.expect_err("the strict way is closed");
    assert!(error.contains("23502"), "{error}");
    std::mem::drop(transaction);
    std::mem::drop(client);
    run_plan(&cluster, "target", &relaxed).await;

    for (query, expected) in [
        (
            "select string_agg(concat_ws(',', id, name, age, mood, score, city), '; ' order by id) from public.people",
            "1,Ann,30,wild,1.55,Rome; 2,Bob,17,calm,7,Rome; 3,Cy,44,3,Rome; 4,Dee,9,Rome",
        ),
        ("select string_agg(concat(id, \"a b\"), ',' order by id) from public.\"Odd Name\"", "1x,2,3"),
        ("select count(*)::text || max(id) from public.logs", "5050"),
        ("select string_agg(name, ',' order by id) from public.adults", "Ann,Cy"),
        ("select string_agg(at::text, ',') from public.touches", "2"),
        ("select note from hearth_redo_1a2b3c4d_1.added", "new"),
        (
            "select count(*)::text from pg_attribute where attrelid = 'public.people'::regclass and attname = 'later'",
            "1",
        ),
    ] {
        assert_eq!(text(&cluster, "target", query).await, expected, "{query}");
    }
    run(&cluster, "target", "insert into public.logs (person, entry) values (1, 'again')").await;
    // Apart from what was written since and the relaxed column, the schema is what it was.
    let reached = snapshot_of(&cluster, "target").await;
    let left: Vec<String> =
        before.catalog.differences(&reached.catalog).into_iter().filter(|line| !line.contains("later")).collect();
    assert_eq!(left, ["~ column:public.people.age not_null: true ≠ false"]);

    for kept in [Some(shadow), relaxed.shadow] {
        let text = kept.expect("both kept something").cleanup().join(";\n");
        for _ in 0..2 {
            run(&cluster, "target", &text).await;
        }
    }
    assert_eq!(
        text(&cluster, "target", "select count(*)::text from pg_namespace where nspname like 'hearth_%'").await,
        "0"
    );
}
