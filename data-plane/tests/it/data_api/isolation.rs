//! Nobody reads or changes the rows of another: a matrix of callers, tables, policies and ways to ask.

use super::{case::Case, twin::Stage};

/// Tables with a policy each; every row belongs to the one in `owner`.
const POLICIES: [(&str, &str); 4] = [
    ("by_claim", "owner = auth.jwt() ->> 'sub'"),
    ("by_setting", "owner = current_setting('request.jwt.claims', true)::json ->> 'sub'"),
    ("by_member", "exists (select from members m where m.room = by_member.room and m.member = auth.jwt() ->> 'sub')"),
    ("by_role", "current_user = 'authenticated' and owner = auth.jwt() ->> 'sub'"),
];

const CALLERS: [&str; 3] = ["user-a", "user-b", "anon"];

#[tokio::test]
async fn nobody_reads_or_changes_the_rows_of_another() {
    let stage = Stage::start().await;
    let direct = stage.project.superuser().await;
    let mut sql = String::from(
        "set role project_admin; create table members (room text, member text); insert into members values ('ra', 'user-a'), ('rb', 'user-b');",
    );
    for (table, policy) in POLICIES {
        sql.push_str(&format!(
            "create table {table} (id int primary key, owner text, room text, body text);
             create table {table}_parts (id int primary key, {table}_id int references {table} (id), owner text, room text);
             insert into {table} values (1, 'user-a', 'ra', 'of user-a'), (2, 'user-b', 'rb', 'of user-b');
             insert into {table}_parts values (1, 1, 'user-a', 'ra'), (2, 2, 'user-b', 'rb');
             alter table {table} enable row level security;
             create policy own on {table} using ({policy}) with check ({policy});
             create view {table}_shown with (security_invoker = on) as select * from {table};
             create function {table}_all() returns setof {table} language sql stable as 'select * from {table}';"
        ));
    }
    sql.push_str("reset role; notify pgrst, 'reload schema';");
    direct.batch_execute(&sql).await.expect("the schema is sound");
    let mut asked = 0;
    for (table, _) in POLICIES {
        for caller in CALLERS {
            let others: Vec<String> =
                CALLERS.iter().filter(|other| **other != caller).map(|other| format!("of {other}")).collect();
            for case in ways(table, caller) {
                let case = Case { caller: Some(caller.to_owned()), ..case };
                let answer = stage.ask(&case).await;
                let text = format!("{} {:?}", answer.body, answer.headers);
                assert!(
                    others.iter().all(|other| !text.contains(other.as_str())),
                    "{caller}: {}: {text}",
                    case.request
                );
                asked += 1;
            }
            for id in [1, 2] {
                let owner = if id == 1 { "user-a" } else { "user-b" };
                let body: String = direct
                    .query_one(&format!("select body from {table} where id = $1"), &[&id])
                    .await
                    .expect("the row is still there")
                    .get(0);
                assert!(caller == owner || body != format!("changed by {caller}"), "{caller} changed {table} {id}");
                direct
                    .execute(&format!("update {table} set body = 'of ' || owner where id = $1"), &[&id])
                    .await
                    .expect("a superuser may");
            }
        }
    }
    assert!(asked >= 150, "only {asked} requests");
}

fn ways(table: &str, caller: &str) -> Vec<Case> {
    let read = |path: String| Case::new(format!("GET {path}"));
    let mut ways = vec![
        read(format!("/{table}")),
        read(format!("/{table}?select=body&order=id.desc")),
        read(format!("/{table}?or=(id.eq.1,id.eq.2)")),
        read(format!("/{table}?body=like.of*&select=label:body::text")),
        read(format!("/{table}_shown?select=*")),
        read(format!("/{table}_parts?select=id,{table}(body)")),
        read(format!("/{table}_parts?select=id,...{table}(body)")),
        read(format!("/{table}_parts?select=id,{table}!inner(body)&{table}.body=not.is.null")),
        read(format!("/rpc/{table}_all?select=body")),
        read(format!("/{table}?select=*,{table}_parts(*)")),
    ];
    let mut write = |request: String, prefer: &str, body: Option<String>| {
        let mut case = Case::new(request);
        case.headers.insert("prefer".to_owned(), prefer.to_owned());
        case.body = body;
        ways.push(case);
    };
    let changed = format!("{{\"body\": \"changed by {caller}\"}}");
    write(format!("PATCH /{table}"), "return=representation", Some(changed.clone()));
    write(format!("PATCH /{table}_shown?id=gt.0"), "count=exact", Some(changed));
    write(format!("DELETE /{table}?owner=neq.{caller}"), "return=representation", None);
    for id in [1, 2] {
        let row =
            format!("{{\"id\": {id}, \"owner\": \"{caller}\", \"room\": \"rc\", \"body\": \"changed by {caller}\"}}");
        for resolution in ["merge-duplicates", "ignore-duplicates"] {
            let others = (id == 1) != (caller == "user-a");
            if others {
                let prefer = format!("resolution={resolution}, return=representation");
                write(format!("POST /{table}"), &prefer, Some(row.clone()));
            }
        }
    }
    ways
}
