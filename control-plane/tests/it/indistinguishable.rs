//! What is somebody else's cannot be told from what is not there: not by what is answered, and not by how long that takes.
//!
//! Time is not measured here, where a loaded machine would decide. What takes time is what the control database is asked: for both it must be
//! asked the same, in the same order, and find as many rows.

use http::Method;
use model::limits::Plan;
use serde_json::{Value, json};

use crate::{
    bad_input::{NOBODY, ROUTES},
    harness::{App, Reply},
    partners::{ENDPOINTS, Names, Partner},
};

/// All that a caller sees, without what is each request's own.
fn seen(reply: &Reply) -> (u16, Value, Vec<&str>) {
    let mut body = reply.body.clone();
    assert!(body["requestId"].is_string(), "{}", reply.text);
    body["requestId"] = Value::Null;
    (reply.status, body, reply.headers.keys().map(http::HeaderName::as_str).collect())
}

/// A body that every route takes.
fn whole() -> Value {
    json!({
        "name": "valid-name", "project_name": "valid-name", "mode": "full", "type": "team", "url": "https://a.example.com/",
        "instanceType": "micro", "instance_type": "small", "reason": "none", "plan": "pro", "caps": {},
    })
}

#[track_caller]
fn assert_same(what: &str, strange: (Reply, Vec<String>), absent: (Reply, Vec<String>)) {
    assert_eq!(strange.0.status, 404, "{what}: {}", strange.0.text);
    assert_eq!(seen(&strange.0), seen(&absent.0), "{what}");
    assert!(!strange.1.is_empty(), "{what}: nothing was asked");
    assert_eq!(strange.1, absent.1, "{what}");
}

#[tokio::test]
async fn a_partner_cannot_tell_anothers_from_what_is_not_there() {
    let app = App::start().await;
    let (owner, other) = (Partner::white_label(&app).await, Partner::white_label(&app).await);
    let (theirs, nobodys) = (Names::of(&app, &owner).await, Names::nobody());
    // That a secret was used is noted once a minute.
    other.get("/projects").await.expect(200);
    let mut tried = 0;
    for (method, pattern) in ENDPOINTS.iter().filter(|(_, pattern)| pattern.contains(':')) {
        let mut replies = Vec::new();
        for names in [&theirs, &nobodys] {
            let method: Method = method.parse().expect("a method");
            app.statements();
            let reply = other.send(method, &names.fill(pattern), Some(&whole())).await;
            replies.push((reply, app.statements()));
        }
        let (absent, strange) = (replies.pop().expect("two"), replies.pop().expect("two"));
        assert_same(&format!("{method} {pattern}"), strange, absent);
        tried += 1;
    }
    assert_eq!(tried, 19);
    let mut pages = Vec::new();
    for id in [&theirs, &nobodys].map(|names| names.fill(":project")) {
        app.statements();
        let reply = other.get(&format!("/projects?after={id}")).await;
        pages.push((reply, app.statements()));
    }
    let (absent, strange) = (pages.pop().expect("two"), pages.pop().expect("two"));
    assert_same("a page after a project", strange, absent);
}

#[tokio::test]
async fn a_user_cannot_tell_anothers_from_what_is_not_there() {
    let app = App::start().await;
    let (owner, other) = (app.user("owner", Plan::Pro).await, app.user("other", Plan::Pro).await);
    let partner = Partner::white_label(&app).await;
    let project = owner.project("shop").await;
    let branch = owner.branch(&project, "next").await;
    // That a key was used is noted once a minute.
    other.get("/auth/v1/profile").await.expect(200);
    for (method, route) in ROUTES.iter().filter(|(_, route)| route.contains(':')) {
        let mut replies = Vec::new();
        let [theirs, nobodys] = [
            [&*owner.organization, &*project, &*branch, &*partner.id],
            [NOBODY, NOBODY, NOBODY, "ps_0000000000004000800000000000dead"],
        ];
        for ids in [theirs, nobodys] {
            let names = [":org", ":project", ":branch", ":partner"];
            let path = names.into_iter().zip(ids).fold((*route).to_owned(), |path, (name, id)| path.replace(name, id));
            let method: Method = method.parse().expect("a method");
            app.statements();
            let reply = other.send(method, &path, &[], Some(&whole())).await;
            replies.push((reply, app.statements()));
        }
        let (absent, strange) = (replies.pop().expect("two"), replies.pop().expect("two"));
        assert_same(&format!("{method} {route}"), strange, absent);
    }
}
