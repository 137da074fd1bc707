//! Projects' databases with Postgres clients: sessions through the gateway, what they may do, and how they end.

use std::{process::Output, time::Duration};

use futures::future::join_all;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use tests::{Cloud, DataPlane, Database, Options, api::OPERATION_LIMIT, database::refusal, wait};
use tokio::time::timeout;
use tokio_postgres::NoTls;

/// A client that hears nothing for so long is stuck.
const LIMIT: Duration = Duration::from_secs(60);

#[track_caller]
fn printed(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[track_caller]
fn complaint(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn a_project_and_its_branch_are_reached_with_psql_each_by_a_password_of_its_own() {
    let cloud = Cloud::start().await;
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), "Psql").await;
    let database = Database::of(&cloud, &project.id).await;
    let psql =
        |database: &Database, sql: &str| database.psql(&database.url_with_password(), sql).output().expect("psql runs");
    printed(&psql(&database, "create table notes (text text); insert into notes values ('of the parent')"));
    assert_eq!(printed(&psql(&database, "select current_user || ' ' || session_user")), "project_admin project_admin");
    // What a developer makes here is what an administrator makes through the API.
    let admin = DataPlane::of(&cloud, &project.id).await;
    assert_eq!(admin.get("/api/database/records/notes").await.expect(200), json!([{ "text": "of the parent" }]));

    // The host in the handshake names the project, and the certificate can be checked.
    let by_host = format!(
        "host={} hostaddr=127.0.0.1 port={} user=project_admin dbname=insforge password={} sslmode=verify-full sslrootcert={}",
        database.host,
        database.parameters["port"],
        database.password,
        database.ca_file.display()
    );
    assert_eq!(
        printed(&database.psql(&by_host, "select text from notes").output().expect("psql runs")),
        "of the parent"
    );

    // The data plane tells its administrators the same, and nobody else anything.
    let told = admin.get("/api/metadata/database-connection-string").await.expect(200);
    assert_eq!((&told["parameters"], &told["connectionURL"]), (&database.parameters, &json!(database.url)));
    let told = admin.get("/api/metadata/database-password").await.expect(200);
    assert_eq!(told, json!({ "databasePassword": database.password }));
    let anon = admin.with_token(&admin.anon_key().await);
    assert_eq!(anon.get("/api/metadata/database-password").await.status, 401);

    let branch = api.new_branch(&project.id, "other", "full").await;
    let other = Database::of(&cloud, &branch.id).await;
    assert_ne!(other.password, database.password);
    printed(&psql(&other, "update notes set text = 'of the branch'"));
    assert_eq!(printed(&psql(&database, "select text from notes")), "of the parent");
    for (wrong, right) in [(&other, &database), (&database, &other)] {
        let config = right.config().password(&wrong.password).clone();
        let error = right.connect_as(&config, &right.host).await.expect_err("the password is another's");
        assert_eq!(refusal(&error).0, "28P01");
    }

    // Bytes to clients are egress, whatever protocol they come by, and what grows by this way is noticed.
    printed(&psql(&database, "create table grown as select repeat('x', 200) from generate_series(1, 100000)"));
    let client = database.connect().await.expect("it connects");
    let row = client.query_one("select repeat('x', 5000000)", &[]).await.expect("it answers");
    assert_eq!(row.get::<_, &str>(0).len(), 5_000_000);
    wait::until("egress is reported", OPERATION_LIMIT, || async {
        let usage = api.usage(cloud.organization()).await;
        let row = usage["projects"].as_array()?.iter().find(|row| row["id"] == project.id.as_str())?.clone();
        (row["egress_bytes"].as_i64()? > 5_000_000 && row["database_bytes"].as_i64()? > 25_000_000).then_some(())
    })
    .await;

    // A reset branch is as it was, and keeps its password.
    let reset = api.post_empty(&format!("/projects/v1/branches/{}/reset", branch.id)).await;
    assert!(reset.status < 300, "{}", reset.text);
    api.wait_branch(&branch.id, &["ready"]).await;
    assert_eq!(printed(&psql(&other, "select text from notes")), "of the parent");
    cloud.finish().await;
}

#[tokio::test]
async fn strangers_are_refused_with_a_reason_and_wake_nothing() {
    let cloud = Cloud::start_with(Options { sleep_after_seconds: Some(3), ..Options::default() }).await;
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), "Closed").await;
    let neighbour = api.new_project(cloud.organization(), "Neighbour").await;
    let (database, other) = (Database::of(&cloud, &project.id).await, Database::of(&cloud, &neighbour.id).await);
    asleep(&cloud, &project.id).await;
    asleep(&cloud, &neighbour.id).await;

    let clear = database.url_with_password().replace("sslmode=require", "sslmode=disable");
    let said = complaint(&database.psql(&clear, "select 1").output().expect("psql runs"));
    assert!(said.contains("without TLS are refused"), "{said}");
    assert!(database.tls("evil.example", true, None).await.is_err(), "the certificate does not cover it");
    assert!(database.tls(&database.host, true, Some(b"http/1.1")).await.is_err(), "another protocol");

    let own = database.config();
    let unknown = database.host.replace(&project.appkey, "nobody12");
    let refused = async |config: &tokio_postgres::Config, host: &str| {
        refusal(&database.connect_as(config, host).await.expect_err("it is refused")).0
    };
    assert_eq!(refused(&own, &unknown).await, "08004");
    assert_eq!(refused(&own, "localhost").await, "08004");
    for user in ["postgres", "hearth_superuser", "authenticator", "anon"] {
        assert_eq!(refused(own.clone().user(user), &database.host).await, "28000", "{user}");
    }
    assert_eq!(refused(own.clone().dbname("postgres"), &database.host).await, "3D000");
    assert_eq!(refused(own.clone().options(format!("endpoint={}", neighbour.appkey)), &database.host).await, "08004");
    let nameless = database.tls(&database.host, false, None).await.expect("a handshake without a name");
    let error = own.connect_raw(nameless, NoTls).await.err().expect("no project is named");
    assert_eq!(refusal(&error).0, "08004");
    assert_eq!(cloud.processes_of_project(&project.id), [], "nobody was woken");
    assert_eq!(cloud.processes_of_project(&neighbour.id), [], "nobody was woken");

    // Who names the project in another way comes in, and so does a client that begins with TLS.
    let nameless = database.tls(&database.host, false, None).await.expect("a handshake without a name");
    let by_option = own.clone().options(format!("endpoint={}", project.appkey)).connect_raw(nameless, NoTls).await;
    drop(by_option.expect("the option names the project"));
    let direct = database.tls(&database.host, true, Some(b"postgresql")).await.expect("TLS from the start");
    drop(own.connect_raw(direct, NoTls).await.expect("a session"));
    assert_eq!(refused(own.clone().password("wrong"), &database.host).await, "28P01");
    assert_eq!(refused(own.clone().password(&other.password), &database.host).await, "28P01");
    cloud.finish().await;
}

/// Waits until a project sleeps.
async fn asleep(cloud: &Cloud, id: &str) {
    wait::until("the project sleeps", LIMIT, || async { cloud.processes_of_project(id).is_empty().then_some(()) })
        .await;
}

#[tokio::test]
async fn a_project_wakes_on_connect_and_silent_sessions_do_not_keep_it_awake() {
    let cloud = Cloud::start_with(Options { sleep_after_seconds: Some(3), ..Options::default() }).await;
    let project = cloud.api().new_project(cloud.organization(), "Sleeper").await;
    let database = Database::of(&cloud, &project.id).await;
    asleep(&cloud, &project.id).await;
    let client = database.connect().await.expect("it wakes");
    client.batch_execute("create table notes (text text)").await.expect("it runs");
    client.batch_execute("begin; insert into notes values ('lost')").await.expect("it runs");

    // A statement that runs is work, however silent its session is.
    let busy = database.connect().await.expect("it connects");
    let slept = timeout(LIMIT, busy.query_one("select pg_sleep(8)::text", &[])).await.expect("it ends");
    slept.expect("the project stayed awake for it");

    // Both sessions are silent from here on.
    asleep(&cloud, &project.id).await;
    let ended = timeout(LIMIT, client.batch_execute("commit")).await.expect("it is told");
    assert!(ended.is_err(), "the session ended with the project");
    let again = database.connect().await.expect("it wakes");
    assert_eq!(again.query_one("select count(*) from notes", &[]).await.expect("it answers").get::<_, i64>(0), 0);
    cloud.finish().await;
}

#[tokio::test]
async fn a_statement_is_cancelled_over_tls_and_in_clear_text_and_only_ones_own() {
    let cloud = Cloud::start().await;
    let project = cloud.api().new_project(cloud.organization(), "Cancel").await;
    let database = Database::of(&cloud, &project.id).await;
    let (one, other) = (database.connect().await.expect("a session"), database.connect().await.expect("a session"));
    let cancel = one.cancel_token();
    let undisturbed = tokio::spawn(async move { other.query_one("select pg_sleep(3)::text", &[]).await.map(drop) });
    for clear_text in [true, false] {
        let running = wait::until("the statement runs", LIMIT, || async {
            let watcher = database.connect().await.expect("a session");
            let running = "select 1 from pg_stat_activity where query = 'select pg_sleep(50)' and state = 'active'";
            watcher.query_opt(running, &[]).await.expect("it answers").map(drop)
        });
        let cancelling = async {
            running.await;
            if clear_text {
                let stream = tokio::net::TcpStream::connect(cloud.ports().gateway_postgres).await.expect("it listens");
                cancel.cancel_query_raw(stream, NoTls).await.expect("it is taken");
            } else {
                let stream = database.tls(&database.host, true, None).await.expect("a handshake");
                cancel.cancel_query_raw(stream, NoTls).await.expect("it is taken");
            }
        };
        let statement = one.batch_execute("select pg_sleep(50)");
        let (ended, ()) = timeout(LIMIT, async { tokio::join!(statement, cancelling) }).await.expect("it ends");
        assert_eq!(refusal(&ended.expect_err("it was cancelled")).0, "57014");
    }
    timeout(LIMIT, undisturbed).await.expect("it ends").expect("it ran").expect("nobody cancelled it");
    cloud.finish().await;
}

/// What a developer's session must not get, with clear errors and no effect.
const ATTACKS: &[&str] = &[
    "copy (select 1) to program 'id'",
    "copy notes from program 'id'",
    "copy notes from '/etc/passwd'",
    "copy (select 1) to '/tmp/pwned'",
    "select pg_read_file('/etc/passwd')",
    "select pg_read_binary_file('global/pg_control')",
    "select * from pg_ls_dir('.')",
    "select * from pg_hba_file_rules",
    "select * from pg_authid",
    "select lo_import('/etc/passwd')",
    "select current_setting('data_directory')",
    "select pg_reload_conf()",
    "alter system set work_mem = '1GB'",
    "alter database insforge connection limit 1",
    "alter role project_admin superuser",
    "alter role project_admin connection limit 1000",
    "alter role project_admin bypassrls createrole",
    "alter role authenticator password 'x'",
    "alter role hearth_superuser password 'x'",
    "create role attack",
    "set role hearth_superuser",
    "set role postgres",
    "set role authenticator",
    "set role anon",
    "set session authorization postgres",
    "set session_replication_role = replica",
    "set log_statement = 'all'",
    "set session_preload_libraries = 'x'",
    "load '/etc/passwd'",
    "create language plpython3u",
    "create extension dblink",
    "create extension postgres_fdw",
    "create extension file_fdw",
    "create function attack() returns int language c as 'libc.so.6', 'system'",
    "create event trigger attack on ddl_command_start execute function system.notify_schema_change()",
    "create subscription attack connection 'host=/tmp user=hearth_superuser' publication p",
    "create tablespace attack location '/tmp'",
    "create database attack",
    "update system.secrets set is_active = false",
    "delete from system.audit_logs",
    "drop schema system cascade",
    "alter table auth.users disable trigger all",
    "grant pg_execute_server_program to project_admin",
    "select pg_create_physical_replication_slot('x')",
];

#[tokio::test]
async fn a_developer_has_the_rights_of_raw_sql_and_no_more() {
    let cloud = Cloud::start().await;
    let project = cloud.api().new_project(cloud.organization(), "Escape").await;
    let database = Database::of(&cloud, &project.id).await;
    let client = database.connect().await.expect("a session");
    client.batch_execute("create table notes (text text)").await.expect("developers make tables");
    for attack in ATTACKS {
        for sql in [(*attack).to_owned(), format!("do $attack$ begin {attack}; end $attack$")] {
            let error = timeout(LIMIT, client.batch_execute(&sql)).await.expect("it ends").err();
            // A block that only selects says so; what counts is that nothing comes of it.
            let error = error.unwrap_or_else(|| panic!("went through: {sql}"));
            assert!(error.as_db_error().is_some(), "{sql}: {error}");
        }
    }
    // Settings of the session are the developer's own, and stay in it.
    for setting in ["-c session_preload_libraries=x", "-c role=postgres", "-c session_replication_role=replica"] {
        let error = database.connect_as(database.config().options(setting), &database.host).await;
        assert!(error.is_err(), "{setting}");
    }
    let admin = DataPlane::of(&cloud, &project.id).await;
    assert_eq!(
        admin.sql_count("select count(*) from pg_roles where rolsuper and rolname <> 'hearth_superuser'").await,
        0
    );

    // The role may change its own password; the next start gives it back the one that is shown.
    client.batch_execute("alter role project_admin password 'mine'").await.expect("its own");
    assert!(database.connect().await.is_err());
    let restart = cloud.api().post_empty(&format!("/projects/v1/{}/restart?waitForCompletion=true", project.id)).await;
    assert_eq!(restart.status, 200, "{}", restart.text);
    wait::until("it is let in again", LIMIT, || async { database.connect().await.ok() }).await;
    cloud.finish().await;
}

#[tokio::test]
async fn more_clients_than_places_leave_the_project_its_own() {
    let cloud = Cloud::start().await;
    let project = cloud.api().new_project(cloud.organization(), "Crowd").await;
    let database = Database::of(&cloud, &project.id).await;
    let admin = DataPlane::of(&cloud, &project.id).await;
    let crowd = join_all((0..200).map(|_| database.connect()));
    let (crowd, served) = tokio::join!(crowd, async {
        for _ in 0..20 {
            assert_eq!(admin.sql_count("select 1").await, 1, "the project is served meanwhile");
        }
        true
    });
    assert!(served);
    let (came_in, refused): (Vec<_>, Vec<_>) = crowd.into_iter().partition(Result::is_ok);
    assert_eq!(came_in.len(), 20, "the smallest project has so many places for developers");
    for error in refused.into_iter().filter_map(Result::err) {
        assert_eq!(refusal(&error).0, "53300");
    }
    assert_eq!(join_all((0..30).map(|_| admin.sql_count("select 1"))).await, vec![1; 30]);
    drop(came_in);
    wait::until("places are free again", LIMIT, || async { database.connect().await.ok() }).await;
    cloud.finish().await;
}

#[tokio::test]
async fn sessions_end_with_a_pause_a_crash_and_a_deletion() {
    let mut cloud = Cloud::start().await;
    // Killing a server is something supervision reports.
    cloud.tolerate_error("");
    let api = cloud.api();
    let project = api.new_project(cloud.organization(), "Ends").await;
    let database = Database::of(&cloud, &project.id).await;

    let (client, watcher) =
        (database.connect().await.expect("a session"), database.connect().await.expect("a session"));
    let waiting = tokio::spawn(async move { client.batch_execute("select pg_sleep(50)").await });
    wait::until("the statement runs", LIMIT, || async {
        let running = "select 1 from pg_stat_activity where query = 'select pg_sleep(50)' and state = 'active'";
        watcher.query_opt(running, &[]).await.expect("it answers").map(drop)
    })
    .await;
    let processes = cloud.processes_of_project(&project.id);
    let postgres = processes.iter().find(|process| process.command.contains("bin/postgres")).expect("it has a server");
    kill(Pid::from_raw(postgres.pid), Signal::SIGKILL).expect("it is there");
    let ended = timeout(LIMIT, waiting).await.expect("the client hears of it").expect("it ran");
    ended.expect_err("the session is gone");
    let client = wait::until("it is there again", LIMIT, || async { database.connect().await.ok() }).await;

    let pause = api.post_empty(&format!("/projects/v1/{}/pause?waitForCompletion=true", project.id)).await;
    assert_eq!(pause.status, 200, "{}", pause.text);
    let ended = timeout(LIMIT, client.batch_execute("select 1")).await.expect("the client hears of it");
    ended.expect_err("the session is gone");
    let error = database.connect().await.expect_err("it is paused");
    assert_eq!(refusal(&error), ("57P03".to_owned(), "this project is paused".to_owned()));
    let restore = api.post_empty(&format!("/projects/v1/{}/restore?waitForCompletion=true", project.id)).await;
    assert_eq!(restore.status, 200, "{}", restore.text);
    let client = database.connect().await.expect("it is back");

    let _started = api.delete(&format!("/projects/v1/{}", project.id)).await.ok();
    wait::until("the session ends", LIMIT, || async { client.batch_execute("select 1").await.err() }).await;
    api.wait_gone(&project.id).await;
    let error = database.connect().await.expect_err("it is deleted");
    assert_eq!(refusal(&error).0, "08004");
    cloud.finish().await;
}

#[tokio::test]
async fn direct_access_can_be_switched_off() {
    let arguments = vec!["--no-postgres".to_owned()];
    let cloud = Cloud::start_with(Options { arguments, ..Options::default() }).await;
    let project = cloud.api().new_project(cloud.organization(), "Off").await;
    for what in ["database-connection-string", "database-password"] {
        let reply = cloud.api().get(&format!("/projects/v1/{}/{what}", project.id)).await;
        assert_eq!((reply.status, reply.code()), (409, "project.database_access_off"));
        let admin = DataPlane::of(&cloud, &project.id).await;
        assert_eq!(admin.get(&format!("/api/metadata/{what}")).await.status, 409);
    }
    assert!(tokio::net::TcpStream::connect(cloud.ports().gateway_postgres).await.is_err());
    cloud.finish().await;
}
