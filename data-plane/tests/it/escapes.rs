//! A tenant's SQL stays within the tenant's rights, whichever way it comes in.
//!
//! Every attack goes through raw SQL, restricted and unrestricted, through a migration and through an import, as it is and from within a
//! block that no parser sees. It must fail with an error that says why, and leave nothing behind.

use std::sync::Mutex;

use reqwest::Method;
use serde_json::json;

use crate::database_harness::{ANON_KEY, API_KEY, Project, Reply};

/// Attacks that fail for the administrator and for the user of internal work alike: only a superuser may.
const FOR_NOBODY: &[&str] = &[
    "copy (select 1) to program 'touch {folder}/pwned'",
    "copy attack from program 'id'",
    "copy attack from '/etc/passwd'",
    "copy (select 1) to '{folder}/pwned'",
    "copy attack from '{neighbour}/data/PG_VERSION'",
    "select lo_import('/etc/passwd')",
    "select lo_export(lo_from_bytea(0, 'x'), '{folder}/pwned')",
    "select pg_read_file('/etc/passwd')",
    "select pg_read_file('postgresql.conf')",
    "select pg_read_binary_file('global/pg_control')",
    "select * from pg_ls_dir('.')",
    "select * from pg_ls_waldir()",
    "select * from pg_stat_file('postgresql.conf')",
    "select * from pg_hba_file_rules",
    "select * from pg_file_settings",
    "select * from pg_authid",
    "select * from pg_shadow",
    "select passwd from pg_user_mapping, pg_shadow",
    "select current_setting('data_directory')",
    "select current_setting('unix_socket_directories')",
    "select pg_reload_conf()",
    "select pg_rotate_logfile()",
    "select pg_switch_wal()",
    "select pg_backup_start('x')",
    "select pg_create_physical_replication_slot('x')",
    "select pg_create_logical_replication_slot('x', 'test_decoding')",
    "select pg_promote()",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'hearth_superuser' and pid <> pg_backend_pid()",
    "select pg_cancel_backend(pid) from pg_stat_activity where usename = 'hearth_superuser' and pid <> pg_backend_pid()",
    "create function attack() returns int language c as 'libc.so.6', 'system'",
    "create function attack() returns int language internal as 'pg_backend_pid'",
    "create function attack() returns int language plpython3u as 'return 1'",
    "create language plpython3u",
    "create language plperlu",
    "create trusted language attack handler plpgsql_call_handler",
    "load '/etc/passwd'",
    "load '$libdir/plugins/attack'",
    "create extension dblink",
    "create extension postgres_fdw",
    "create extension file_fdw",
    "create extension adminpack",
    "create extension pageinspect",
    "create extension pg_cron",
    "create extension http",
    "create extension plpython3u",
    "alter extension plpgsql update to '99'",
    "drop extension plpgsql cascade",
    "create foreign data wrapper attack",
    "create server attack foreign data wrapper postgres_fdw options (host '{neighbour}/run')",
    "create subscription attack connection 'host={neighbour}/run user=hearth_superuser' publication p",
    "create event trigger attack on ddl_command_start execute function system.notify_schema_change()",
    "drop event trigger hearth_guard_protected_tables",
    "alter event trigger hearth_guard_protected_tables disable",
    "create tablespace attack location '{folder}/space'",
    "create access method attack type table handler heap_tableam_handler",
    "create database attack",
    "drop database postgres",
    "alter database insforge set work_mem = '1GB'",
    "alter database insforge owner to project_admin",
    "alter database insforge connection limit 1",
    "alter system set work_mem = '1GB'",
    "alter system set archive_command = 'touch {folder}/pwned'",
    "set session_preload_libraries = 'attack'",
    "set log_statement = 'all'",
    "create role attack",
    "create role attack superuser login",
    "create user attack",
    "alter role project_admin superuser",
    "alter role project_admin createrole",
    "alter role authenticator superuser",
    "alter role postgres superuser",
    "alter role hearth_superuser password 'x'",
    "alter role hearth_superuser set session_preload_libraries = 'x'",
    "drop role hearth_superuser",
    "drop owned by hearth_superuser",
    "reassign owned by hearth_superuser to project_admin",
    "grant hearth_superuser to project_admin",
    "grant pg_read_server_files to project_admin",
    "grant pg_execute_server_program to anon",
    "grant pg_write_all_data to anon",
    "grant set on parameter log_statement to project_admin",
    "set role hearth_superuser",
    "set session authorization hearth_superuser",
    "update pg_authid set rolsuper = true",
    "update pg_proc set prosecdef = true, proowner = 10",
    "insert into pg_auth_members select 10, 10, 10, true",
    "delete from pg_event_trigger",
    "create or replace function pg_catalog.now() returns timestamptz language sql as 'select clock_timestamp()'",
    "create function pg_catalog.attack() returns int language sql as 'select 1'",
    "create table pg_catalog.attack (id int)",
    "alter function pg_catalog.pg_read_file(text) owner to project_admin",
    "grant execute on function pg_catalog.pg_read_file(text) to project_admin",
    "create cast (text as int) without function",
    "alter large object 1 owner to hearth_superuser",
];

/// Attacks that fail for the administrator: only the user of internal work may.
const FOR_THE_PLATFORM: &[&str] = &[
    "set role postgres",
    "set session authorization postgres",
    "reset role; select count(*) from auth.users",
    "set role none; update system.secrets set is_active = false",
    "set session_replication_role = replica",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
    "create or replace function auth.uid() returns uuid language sql as 'select gen_random_uuid()'",
    "create or replace function system.update_updated_at() returns trigger language plpgsql as 'begin return new; end'",
    "create or replace function system.sync_postgrest_exposed_schemas() returns void language sql as 'select null::void'",
    "alter function auth.uid() owner to project_admin",
    "alter function realtime.publish(text, text, jsonb) security invoker",
    "drop function auth.uid() cascade",
    "create function auth.attack() returns int language sql as 'select 1'",
    "create table system.attack (id int)",
    "create view auth.attack as select 1 as one",
    "alter schema system rename to gone",
    "alter schema auth owner to project_admin",
    "drop schema system cascade",
    "drop table system.secrets",
    "drop table storage.objects",
    "truncate system.audit_logs",
    "update system.secrets set value_ciphertext = ''",
    "insert into system.secrets (key, value_ciphertext) values ('X', 'x')",
    "delete from system.audit_logs",
    "delete from system.audit_requests",
    "update system.migrations set name = 'x'",
    "delete from system.protected_tables",
    "alter table system.secrets add column attack int",
    "alter table auth.users disable trigger all",
    "alter table auth.users owner to project_admin",
    "alter table storage.objects drop column etag",
    "alter table storage.objects drop constraint objects_bucket_fkey",
    "alter table storage.objects owner to authenticator",
    "alter table storage.objects alter column size type bigint",
    "alter table storage.objects rename to gone",
    "alter table storage.objects set schema public",
    "alter table realtime.messages disable trigger trg_message_notify",
    "drop trigger trg_message_notify on realtime.messages",
    "create rule attack as on insert to storage.objects do instead nothing",
    "create policy attack on auth.users using (true)",
    "create policy attack on system.secrets using (true)",
    "alter table system.secrets enable row level security",
    "create index on system.secrets ((1 / 0))",
    "alter default privileges for role postgres grant all on tables to anon",
    "alter default privileges for role hearth_superuser grant all on tables to project_admin",
    "comment on table system.secrets is 'x'",
    "create table attack_child () inherits (auth.users)",
    "alter table attack inherit system.secrets",
    "drop owned by postgres",
    "reassign owned by postgres to project_admin",
    "grant postgres to anon",
    "security label on table attack is 'x'",
    "create publication attack for all tables",
];

/// What Postgres answers with a warning and does not do.
const WITHOUT_EFFECT: &[&str] = &[
    "grant select on system.secrets to anon",
    "grant usage on schema system to anon",
    "grant all on auth.users to anon",
    "grant execute on function realtime.publish(text, text, jsonb) to anon",
    "revoke all on system.secrets from postgres",
];

/// Words that say why something is refused.
const REASONS: &[&str] = &[
    "permission denied",
    "must be",
    "must have",
    "not allowed",
    "restricted operations",
    "rejected",
    "does not exist",
    "is not available",
    "not supported",
    "internal table",
    "could not open extension control file",
    "no security label providers",
    "cannot be",
    "access to library",
    "not a member",
    "could not access file",
    "system catalog",
    "Only ",
    "only ",
    "is not an ordinary file",
    "cannot",
    "no valid",
    "has no installation script",
    "unsupported",
    "reserved",
    "has no update path",
];

struct Attacks {
    project: Project,
    neighbour: Project,
    /// What was allowed, or refused without a clear reason.
    failures: Mutex<Vec<String>>,
}

impl Attacks {
    async fn begin() -> Self {
        let project = Project::with_schema("create table attack (line text); grant all on attack to anon").await;
        let neighbour = Project::with_schema("create table theirs (id int); insert into theirs values (42)").await;
        Self { project, neighbour, failures: Mutex::default() }
    }

    fn fill(&self, attack: &str) -> String {
        attack
            .replace("{folder}", &self.project.folder().display().to_string())
            .replace("{neighbour}", &self.neighbour.folder().display().to_string())
    }

    async fn by(&self, way: &str, sql: &str, number: usize) -> Reply {
        let project = &self.project;
        match way {
            "raw SQL" => project.sql(sql).await,
            "unrestricted" => {
                let body = json!({"query": sql});
                project.admin(Method::POST, "/api/database/advance/rawsql/unrestricted", Some(body)).await
            }
            "migration" => {
                let body = json!({"version": (1000 + number).to_string(), "name": "attack", "sql": sql});
                project.admin(Method::POST, "/api/database/migrations", Some(body)).await
            }
            "import" => project.form("/api/database/advance/import", API_KEY, ("a.sql", sql.as_bytes()), &[]).await,
            other => panic!("{other}"),
        }
    }

    async fn must_fail(&self, way: &str, sql: &str, number: usize) {
        let reply = self.by(way, sql, number).await;
        // Functions that tell success by a value: nothing was done when none was true.
        let did_nothing = reply.status == 200 && sql.contains("_backend(pid)") && !reply.text.contains("true");
        if did_nothing {
            return;
        }
        if reply.status < 400 {
            self.note(format!("{way} allowed {sql}: {}", reply.text));
            return;
        }
        let message = reply.json()["message"].as_str().unwrap_or_default().to_owned();
        if !REASONS.iter().any(|reason| message.contains(reason)) {
            self.note(format!("{way}: {sql}: unclear: {} {message}", reply.status));
        }
    }

    fn note(&self, failure: String) {
        self.failures.lock().expect("no holder panics").push(failure);
    }

    /// Fails when any attack did not fail as it must.
    fn end(&self) {
        let failures = self.failures.lock().expect("no holder panics");
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}

/// The same from within a block, where only Postgres sees it.
fn hidden(sql: &str) -> String {
    // Only the attacks that leave their role are made of several statements.
    let separator = if sql.starts_with("reset role") || sql.starts_with("set role none") { "; " } else { "\0" };
    let executes: String = sql.split(separator).map(|part| format!("execute $attack${part}$attack$; ")).collect();
    format!("do $block$ begin {executes}end $block$")
}

/// Everything that an attack would have left changed. The process makes its signing key some time after its start by itself.
const STATE: &str = "select md5(string_agg(line, '|' order by line)) from (
    select concat_ws(' ', rolname, rolsuper, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls) as line from pg_roles
    union all select concat_ws(' ', roleid::regrole, member::regrole, admin_option) from pg_auth_members
    union all select concat_ws(' ', evtname, evtenabled, evtfoid::regproc) from pg_event_trigger
    union all select concat_ws(' ', setdatabase, setrole, setconfig) from pg_db_role_setting
    union all select concat_ws(' ', p.oid::regprocedure, md5(p.prosrc), prosecdef, proowner, proacl) from pg_proc p join pg_namespace n on n.oid = pronamespace
        where n.nspname in ('auth', 'system', 'storage', 'realtime', 'schedules', 'payments', 'pg_catalog')
    union all select concat_ws(' ', c.oid::regclass, relowner, relrowsecurity, relacl) from pg_class c join pg_namespace n on n.oid = relnamespace
        where n.nspname in ('auth', 'system', 'storage', 'realtime', 'schedules', 'payments')
    union all select concat_ws(' ', extname, extversion) from pg_extension
    union all select concat_ws(' ', key, value_ciphertext, is_active) from system.secrets where key not like 'JWT%KEY%'
    union all select concat_ws(' ', nspname, nspowner, nspacl) from pg_namespace where nspname !~ '^pg_'
    union all select concat_ws(' ', datname, datdba, datacl, datconnlimit) from pg_database) s";

async fn state(project: &Project) -> String {
    project.superuser().await.query_one(STATE, &[]).await.expect("the state").get(0)
}

#[tokio::test]
async fn nobody_becomes_superuser_reads_files_or_runs_programs() {
    let attacks = Attacks::begin().await;
    let before = state(&attacks.project).await;
    for (number, attack) in FOR_NOBODY.iter().enumerate() {
        let sql = attacks.fill(attack);
        for way in ["raw SQL", "unrestricted", "migration", "import"] {
            attacks.must_fail(way, &sql, number).await;
        }
        for way in ["raw SQL", "unrestricted"] {
            attacks.must_fail(way, &hidden(&sql), number).await;
        }
    }
    attacks.end();
    assert_eq!(state(&attacks.project).await, before, "an attack left something behind");
    assert!(!attacks.project.folder().join("pwned").exists());
    assert_eq!(attacks.neighbour.rows("theirs").await, json!([{"id": 42}]));
}

#[tokio::test]
async fn the_administrator_does_not_touch_what_is_the_platforms() {
    let attacks = Attacks::begin().await;
    let before = state(&attacks.project).await;
    for (number, attack) in FOR_THE_PLATFORM.iter().enumerate() {
        for way in ["raw SQL", "migration", "import"] {
            attacks.must_fail(way, attack, number).await;
        }
        attacks.must_fail("raw SQL", &hidden(attack), number).await;
        attacks.must_fail("migration", &hidden(attack), number).await;
    }
    for (number, attack) in WITHOUT_EFFECT.iter().enumerate() {
        attacks.by("raw SQL", attack, number).await;
        attacks.by("raw SQL", &hidden(attack), number).await;
    }
    attacks.end();
    assert_eq!(state(&attacks.project).await, before, "an attack left something behind");
}

#[tokio::test]
async fn functions_of_the_tenant_never_run_with_more_than_its_rights() {
    let project = Project::with_schema(
        "create table loot (who text, super boolean, seen text);
         grant all on loot to public;
         create function note() returns void language plpgsql as $$ begin
             insert into public.loot select current_user, rolsuper, current_setting('is_superuser') from pg_roles where rolname = current_user;
         end $$;
         create function trap() returns trigger language plpgsql as $$ begin perform public.note(); return coalesce(new, old); end $$;
         -- Captures of names that the platform's own statements use.
         create function public.now() returns timestamptz language sql as 'select public.note(); select pg_catalog.clock_timestamp()';
         create function public.count(text) returns bigint language sql as 'select public.note(); select 1::bigint';
         create function public.json_agg(text) returns json language sql as 'select public.note(); select null::json';
         create function public.array_position(text[], text) returns int language sql as 'select public.note(); select 1';
         create function public.format(text, text, text) returns text language sql as 'select public.note(); select $1';
         create function public.quote_ident(name) returns text language sql as 'select public.note(); select $1::text';
         create function public.equal(name, text) returns boolean language sql as 'select public.note(); select true';
         create operator public.= (leftarg = name, rightarg = text, function = public.equal);
         create table public.pg_class (oid oid, relname name);
         create table public.migrations (name text);
         create schema trap;
         create function trap.now() returns timestamptz language sql as 'select public.note(); select pg_catalog.clock_timestamp()';
         create trigger trap before insert or update or delete on storage.objects for each row execute function trap();
         create trigger trap before insert or update or delete on auth.users for each row execute function trap();
         create table victim (id int primary key, n int generated always as (1) stored);
         create trigger trap before insert on victim for each row execute function trap();
         create function refuse_superuser(int) returns int immutable language plpgsql as $$ begin
             if (select rolsuper from pg_roles where rolname = current_user) then raise exception 'run by a superuser'; end if;
             return $1;
         end $$;
         create index on victim (public.refuse_superuser(id));
         create function noted() returns int language plpgsql as $$ begin perform public.note(); return 1; end $$;
         create materialized view seen as select public.noted() as one;
         create domain picky as int check (public.refuse_superuser(value) > 0);
         create table fussy (n picky default 1, m int generated always as (public.refuse_superuser(1)) stored);",
    )
    .await;
    // Whatever the platform does on its own account meets the traps.
    project.admin(Method::POST, "/api/storage/buckets", Some(json!({"bucketName": "b"}))).await.expect(201);
    let (content_type, body) = crate::database_harness::form_body(Some(("a.txt", b"x")), &[]);
    assert_eq!(
        project.send(Method::PUT, "/api/storage/buckets/b/objects/a.txt", API_KEY, &content_type, body).await.status,
        200
    );
    let account = json!({"email": "a@example.org", "password": "a-long-password"});
    assert_eq!(project.call(Method::POST, "/api/auth/users", ANON_KEY, Some(account), &[]).await.status, 200);
    project.sql("insert into victim (id) values (1); insert into fussy default values").await.expect(200);
    for path in [
        "/api/metadata",
        "/api/database/tables/victim/schema",
        "/api/database/policies",
        "/api/database/indexes",
        "/api/metadata/victim",
        "/api/database/records/victim",
    ] {
        project.get(path).await.expect(200);
    }
    for format in ["sql", "json"] {
        let wanted =
            json!({"format": format, "includeFunctions": true, "includeViews": true, "includeSequences": true});
        project.admin(Method::POST, "/api/database/advance/export", Some(wanted)).await.expect(200);
    }
    let scan = project.admin(Method::POST, "/api/advisor/scan", None).await.expect(201);
    crate::database_harness::eventually("the scan ends", async || {
        let latest = project.get("/api/advisor/latest").await.json();
        (latest["scanId"] == scan["scanId"] && latest["status"] == "completed").then_some(())
    })
    .await;
    // Trusted extensions run their scripts as a superuser, in a schema that is full of traps.
    project.sql("create extension hstore schema trap").await.expect(200);
    project.sql("create extension citext schema public").await.expect(200);
    // A superuser's own migrations ignore the traps, too.
    let superuser = project.superuser().await;
    superuser
        .batch_execute(
            "begin; set local session_replication_role = replica; update auth.users set updated_at = now(); commit",
        )
        .await
        .expect("an update");
    for upkeep in ["analyze", "vacuum", "reindex table public.victim", "refresh materialized view public.seen"] {
        superuser.batch_execute(upkeep).await.unwrap_or_else(|error| panic!("{upkeep}: {error:?}"));
    }
    let found = project.sql("select distinct who, super from loot where super or who not in ('project_admin', 'postgres', 'anon', 'authenticated', 'authenticator')").await.expect(200);
    assert_eq!(found["rows"], json!([]), "a trap ran as a superuser");
    assert!(
        project.sql("select count(*)::int as n from loot").await.expect(200)["rows"][0]["n"].as_i64() > Some(0),
        "no trap was met at all"
    );
}

#[tokio::test]
async fn callers_of_the_data_api_stay_in_their_role() {
    let project = Project::with_schema(
        "create table mine (id int, owner text default current_user);
         create function try(statement text) returns text language plpgsql as $$ begin execute statement; return current_user; end $$;
         create table private (id int); revoke all on private from anon, authenticated; insert into private values (1)",
    )
    .await;
    let call = async |statement: &str| {
        project.call(Method::POST, "/api/database/rpc/try", ANON_KEY, Some(json!({"statement": statement})), &[]).await
    };
    for statement in [
        "select * from private",
        "select * from auth.users",
        "select * from system.secrets",
        "set role postgres",
        "set role hearth_superuser",
        "set session authorization postgres",
        "create table public.x (id int)",
        "create schema x",
        "copy mine to program 'id'",
        "select pg_read_file('/etc/passwd')",
        "alter table mine owner to anon",
        "grant select on private to anon",
        "select realtime.publish('a', 'b', '{}')",
        "alter role anon superuser",
        "create extension dblink",
    ] {
        let reply = call(statement).await;
        assert!((400..500).contains(&reply.status), "{statement}: {} {}", reply.status, reply.text);
    }
    assert_eq!(call("notify pgrst, 'reload schema'").await.expect(200), json!("anon"));
    // A lock or a setting that a call leaves behind is not another caller's.
    call("select set_config('request.jwt.claims', '{\"role\": \"project_admin\", \"sub\": \"x\"}', false)")
        .await
        .expect(200);
    call("select set_config('role', 'authenticated', false)").await;
    for _ in 0..12 {
        assert_eq!(call("select 1").await.expect(200), json!("anon"));
    }
    // No key at all is no one.
    let nobody = project.call(Method::GET, "/api/database/records/private", "anon_wrong", None, &[]).await;
    assert_eq!(nobody.status, 401);
}

#[tokio::test]
async fn statements_that_would_wait_for_ever_do_not() {
    let project = Project::with_schema("create table t (id int)").await;
    for _ in 0..15 {
        assert_eq!(project.sql("copy t from stdin").await.status, 403);
        assert_eq!(project.sql("copy t to stdout").await.status, 403);
    }
    // More than there are connections, had they been kept.
    assert_eq!(project.sql("select 1 as one").await.expect(200)["rows"], json!([{"one": 1}]));
    // A lock that one request takes does not outlive it.
    project.sql("select pg_advisory_lock(hashtext('system.custom_migrations'))").await.expect(200);
    project.migrate("5", "select 1").await;
}

#[tokio::test]
async fn settings_that_a_tenant_gives_its_session_user_change_nothing() {
    let project = Project::with_schema("create table t (id int primary key, body text); grant all on t to anon").await;
    let superuser = project.superuser().await;
    for setting in [
        "role = 'project_admin'",
        "search_path = 'nowhere'",
        "standard_conforming_strings = off",
        "row_security = off",
        "default_transaction_read_only = on",
        "default_transaction_isolation = 'serializable'",
        "statement_timeout = '1ms'",
        "timezone = 'Asia/Tokyo'",
    ] {
        let sql = format!(
            "do $block$ begin execute 'reset role'; execute $x$alter role authenticator set {setting}$x$; end $block$"
        );
        project.sql(&sql).await.expect(200);
    }
    let row = superuser
        .query_one(
            "select cardinality(setconfig) from pg_db_role_setting where setrole = 'authenticator'::regrole",
            &[],
        )
        .await;
    assert_eq!(row.expect("the settings are there").get::<_, i32>(0), 8);
    // Sessions that begin from now on are as ever.
    superuser
        .batch_execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'authenticator'")
        .await
        .expect("ended");
    let body = json!({"id": 1, "body": "it's \\ here"});
    let insert =
        async || project.call(Method::POST, "/api/database/records/t", ANON_KEY, Some(body.clone()), &[]).await;
    let stored = crate::database_harness::eventually("a new session serves", async || {
        let reply = insert().await;
        (reply.status != 503 && reply.status != 500).then_some(reply)
    })
    .await;
    assert_eq!(stored.status, 201, "{}", stored.text);
    assert_eq!(project.rows("t").await, json!([{"id": 1, "body": "it's \\ here"}]));
    let shown =
        project.sql("select current_setting('timezone') as zone, current_user as who, body from t").await.expect(200);
    assert_eq!(shown["rows"], json!([{"zone": "UTC", "who": "project_admin", "body": "it's \\ here"}]));
}
