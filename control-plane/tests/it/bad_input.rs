//! Bad input for every route: the contract's error shape, a client's status, and nothing created or started.

use http::Method;
use serde_json::{Value, json};

use crate::{
    harness::{App, Reply},
    partners::ENDPOINTS,
};

pub(crate) const NOBODY: &str = "00000000-0000-4000-8000-00000000dead";

/// Every route for users, with `:org`, `:project`, `:branch` for ids.
pub(crate) const ROUTES: &[(&str, &str)] = &[
    ("GET", "/auth/v1/profile"),
    ("GET", "/auth/v1/api-keys"),
    ("POST", "/auth/v1/api-keys"),
    ("DELETE", "/auth/v1/api-keys/:project"),
    ("GET", "/organizations/v1"),
    ("POST", "/organizations/v1"),
    ("PUT", "/organizations/v1/:org"),
    ("DELETE", "/organizations/v1/:org"),
    ("GET", "/organizations/v1/:org/subscription-status"),
    ("GET", "/organizations/v1/:org/billing-cycles"),
    ("GET", "/organizations/v1/:org/payment-history"),
    ("GET", "/billing/v1/:org/credits"),
    ("POST", "/billing/v1/stripe/checkout-session"),
    ("POST", "/billing/v1/stripe/portal-session"),
    ("GET", "/organizations/v1/:org/projects"),
    ("POST", "/organizations/v1/:org/projects"),
    ("GET", "/projects/v1/:project"),
    ("PUT", "/projects/v1/:project"),
    ("DELETE", "/projects/v1/:project"),
    ("GET", "/projects/v1/:project/access-api-key"),
    ("GET", "/projects/v1/:project/database-connection-string"),
    ("GET", "/projects/v1/:project/database-password"),
    ("POST", "/projects/v1/:project/pause"),
    ("POST", "/projects/v1/:project/restore"),
    ("POST", "/projects/v1/:project/restart"),
    ("POST", "/projects/v1/:project/upgrade-instance"),
    ("GET", "/projects/v1/:project/operations"),
    ("GET", "/projects/v1/:project/branches"),
    ("POST", "/projects/v1/:project/branches"),
    ("GET", "/projects/v1/branches/:branch"),
    ("DELETE", "/projects/v1/branches/:branch"),
    ("POST", "/projects/v1/branches/:branch/reset"),
    ("POST", "/projects/v1/branches/:branch/merge"),
    ("POST", "/projects/v1/branches/:branch/merge/undo"),
    ("POST", "/projects/v1/branches/:branch/update"),
    ("GET", "/operations/v1/:project"),
    ("GET", "/operations/v1/:project/events"),
    ("GET", "/usage/v1/organizations/:org"),
    ("GET", "/organizations/v1/:org/quotas"),
    ("PUT", "/organizations/v1/:org/quotas"),
    ("GET", "/organizations/v1/:org/events"),
    ("GET", "/organizations/v1/:org/webhook-endpoints"),
    ("POST", "/organizations/v1/:org/webhook-endpoints"),
    ("GET", "/organizations/v1/:org/webhook-endpoints/:project"),
    ("PUT", "/organizations/v1/:org/webhook-endpoints/:project"),
    ("DELETE", "/organizations/v1/:org/webhook-endpoints/:project"),
    ("POST", "/organizations/v1/:org/webhook-endpoints/:project/rotate-secret"),
    ("POST", "/organizations/v1/:org/webhook-endpoints/:project/disable"),
    ("POST", "/organizations/v1/:org/webhook-endpoints/:project/enable"),
    ("GET", "/organizations/v1/:org/webhook-endpoints/:project/deliveries"),
    ("GET", "/organizations/v1/:org/webhook-endpoints/:project/deliveries/:branch/attempts"),
    ("POST", "/organizations/v1/:org/webhook-endpoints/:project/deliveries/:branch/redeliver"),
    ("GET", "/partners/v1/:partner/events"),
    ("GET", "/partners/v1/:partner/webhook-endpoints"),
    ("POST", "/partners/v1/:partner/webhook-endpoints"),
    ("GET", "/partners/v1/:partner/webhook-endpoints/:project"),
    ("PUT", "/partners/v1/:partner/webhook-endpoints/:project"),
    ("DELETE", "/partners/v1/:partner/webhook-endpoints/:project"),
    ("POST", "/partners/v1/:partner/webhook-endpoints/:project/rotate-secret"),
    ("POST", "/partners/v1/:partner/webhook-endpoints/:project/disable"),
    ("POST", "/partners/v1/:partner/webhook-endpoints/:project/enable"),
    ("GET", "/partners/v1/:partner/webhook-endpoints/:project/deliveries"),
    ("GET", "/partners/v1/:partner/webhook-endpoints/:project/deliveries/:branch/attempts"),
    ("POST", "/partners/v1/:partner/webhook-endpoints/:project/deliveries/:branch/redeliver"),
    ("GET", "/usage/v1/organizations/:org/daily"),
    ("GET", "/billing/v1/plans"),
    ("GET", "/billing/v1/:org/invoice-preview"),
    ("GET", "/partners/v1"),
    ("POST", "/partners/v1"),
    ("GET", "/partners/v1/:partner"),
    ("PUT", "/partners/v1/:partner"),
    ("POST", "/partners/v1/:partner/rotate-secret"),
    ("POST", "/partners/v1/:partner/disable"),
    ("POST", "/partners/v1/:partner/enable"),
];

#[track_caller]
fn assert_refused(reply: &Reply, statuses: &[u16], what: &str) {
    assert!(statuses.contains(&reply.status), "{what}: {} instead of {statuses:?}: {}", reply.status, reply.text);
    let (_, code) = reply.refusal();
    assert!(!code.is_empty(), "{what}: {}", reply.text);
    for internal in ["sqlx", "postgres", "constraint \"", "panicked", "src/", "/home", "serde", "struct "] {
        assert!(!reply.text.to_lowercase().contains(internal), "{what} names internals: {}", reply.text);
    }
}

/// Whether a documented route is one of these, whatever its parameters are called.
fn lists(routes: &[(&str, &str)], method: &str, path: &str) -> bool {
    routes.iter().any(|(verb, route)| {
        let same = |(left, right): (&str, &str)| left == right || (left.starts_with(':') && right.starts_with('{'));
        verb.eq_ignore_ascii_case(method)
            && route.split('/').count() == path.split('/').count()
            && route.split('/').zip(path.split('/')).all(same)
    })
}

#[test]
fn every_documented_route_for_users_is_tried() {
    let document: Value = serde_json::from_str(&control_plane::openapi_document()).expect("it is JSON");
    let public = [
        "/auth/v1/login",
        "/api/oauth/v1/token",
        "/platform/insforge/latest-version",
        "/.well-known/jwks.json",
        "/health",
        "/auth/v1/shared/{provider}",
        "/auth/v1/shared/{provider}/callback",
        "/oauth/twitter",
    ];
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            let tried = match path.strip_prefix("/partnership/v1/{partner}") {
                Some(rest) => lists(ENDPOINTS, method, rest),
                None => lists(ROUTES, method, path),
            };
            assert!(tried || public.contains(&path.as_str()), "{method} {path} is not tried with bad input");
        }
    }
}

#[tokio::test]
async fn wrong_credentials_and_foreign_ids_get_nowhere() {
    let app = App::start().await;
    let good = json!({ "name": "valid-name", "mode": "full", "type": "team", "instanceType": "micro", "url": "https://a.example.com/", "reason": "none" });
    for (verb, route) in ROUTES {
        let method: Method = verb.parse().expect("a method");
        let fill = |id: &str| {
            [":org", ":project", ":branch", ":partner"]
                .iter()
                .fold((*route).to_owned(), |path, name| path.replace(name, id))
        };
        for token in [None, Some("uak_0000"), Some("eyJhbGciOiJub25lIn0.e30."), Some("Zm9v"), Some("")] {
            let reply = app.admin.with_token(token).send(method.clone(), &fill(NOBODY), &[], Some(&good)).await;
            assert_refused(&reply, &[401], &format!("{verb} {route} with {token:?}"));
        }
        if route.contains(':') {
            for id in [NOBODY, "not-an-id", "%00", "..%2f..", "null", &"9".repeat(300)] {
                let reply = app.admin.send(method.clone(), &fill(id), &[], Some(&good)).await;
                assert_refused(&reply, &[404], &format!("{verb} {route} with {id}"));
            }
        }
    }
    assert_eq!((app.count("projects").await, app.engine.starts().len()), (0, 0));
}

#[tokio::test]
async fn wrong_bodies_create_nothing() {
    let app = App::start().await;
    let project = app.admin.project("present").await;
    let projects = app.admin.projects_path();
    let (organization, own) =
        (format!("/organizations/v1/{}", app.admin.organization), format!("/projects/v1/{project}"));
    let (branches, resize) = (format!("{own}/branches"), format!("{own}/upgrade-instance"));
    let long = "x".repeat(100_000);
    let cases: Vec<(&str, &str, Value)> = vec![
        ("POST", &projects, json!({})),
        ("POST", &projects, json!([])),
        ("POST", &projects, json!(["shop", null])),
        ("POST", &projects, json!("shop")),
        ("POST", &projects, json!({ "name": 7 })),
        ("POST", &projects, json!({ "name": null })),
        ("POST", &projects, json!({ "name": { "a": 1 } })),
        ("POST", &projects, json!({ "name": "" })),
        ("POST", &projects, json!({ "name": " x " })),
        ("POST", &projects, json!({ "name": long })),
        ("POST", &projects, json!({ "name": "nul\u{0}l" })),
        ("POST", &projects, json!({ "name": "line\nbreak" })),
        ("POST", &projects, json!({ "name": "fine", "region": "mars-north" })),
        ("POST", &projects, json!({ "name": "fine", "region": 3 })),
        ("POST", &projects, json!({ "name": "fine", "region": "" })),
        ("POST", "/organizations/v1", json!({ "name": "x", "type": "team" })),
        ("POST", "/organizations/v1", json!({ "name": "fine", "type": "cult" })),
        ("POST", "/organizations/v1", json!({ "name": "fine", "type": 1 })),
        ("POST", "/organizations/v1", json!({ "type": "team" })),
        ("PUT", &organization, json!({ "name": 1 })),
        ("PUT", &organization, json!({ "name": "" })),
        ("PUT", &organization, json!({ "type": "cult" })),
        ("PUT", &own, json!({ "name": "" })),
        ("PUT", &own, json!({ "name": [] })),
        ("PUT", &own, json!({ "customizedDomain": "not a host" })),
        ("PUT", &own, json!({ "customizedDomain": 4 })),
        ("PUT", &own, json!({ "storageDiskSize": 7 })),
        ("PUT", &own, json!({ "storageDiskSize": 8.5 })),
        ("PUT", &own, json!({ "storageDiskSize": "10" })),
        ("PUT", &own, json!({ "storageDiskSize": 99_999_999 })),
        ("POST", &resize, json!({})),
        ("POST", &resize, json!({ "instanceType": "tiny" })),
        ("POST", &resize, json!({ "instanceType": 2 })),
        ("POST", &branches, json!({})),
        ("POST", &branches, json!({ "name": "ok" })),
        ("POST", &branches, json!({ "mode": "full" })),
        ("POST", &branches, json!({ "name": "ok", "mode": "half" })),
        ("POST", &branches, json!({ "name": "-leading", "mode": "full" })),
        ("POST", &branches, json!({ "name": "under_score", "mode": "full" })),
        ("POST", &branches, json!({ "name": "", "mode": "full" })),
        ("POST", &branches, json!({ "name": "x".repeat(65), "mode": "full" })),
        ("POST", "/auth/v1/api-keys", json!({ "name": 12 })),
        ("POST", "/auth/v1/api-keys", json!({ "name": "fine", "expires_in_days": 0 })),
        ("POST", "/auth/v1/api-keys", json!({ "name": "fine", "expires_in_days": -5 })),
        ("POST", "/auth/v1/api-keys", json!({ "name": "fine", "expires_in_days": 9_000_000_000_000_i64 })),
        ("POST", "/auth/v1/api-keys", json!({ "name": "fine", "expires_in_days": "soon" })),
        ("POST", "/auth/v1/login", json!({})),
        ("POST", "/auth/v1/login", json!({ "email": "x" })),
        ("POST", "/auth/v1/login", json!({ "email": "x", "password": 1 })),
        ("POST", "/auth/v1/login", json!({ "email": "x\u{0}", "password": "y" })),
        ("POST", "/auth/v1/login", json!({ "email": long, "password": "y" })),
        ("POST", "/auth/v1/login", json!({ "email": "x", "password": long })),
        ("POST", "/auth/v1/login", json!("text")),
    ];
    for (verb, path, body) in &cases {
        let what: String = format!("{verb} {path} {body}").chars().take(160).collect();
        assert_refused(&app.admin.send(verb.parse().expect("a method"), path, &[], Some(body)).await, &[400], &what);
    }
    for text in ["{", "nonsense", "{\"name\":\"a\",}", "\u{feff}{}"] {
        let reply = app.admin.send_text(Method::POST, &projects, &[], text.to_owned()).await;
        assert_refused(&reply, &[400], text);
    }
    let huge = format!("{{\"name\":\"{}\"}}", "x".repeat(2 * 1024 * 1024));
    assert_refused(&app.admin.send_text(Method::POST, &projects, &[], huge).await, &[400, 413], "two megabytes");
    assert_eq!((app.count("projects").await, app.count("organizations").await, app.count("api_keys").await), (1, 1, 1));
    assert_eq!(app.engine.starts().len(), 1);
}

#[tokio::test]
async fn wrong_queries_are_refused() {
    let app = App::start().await;
    let project = app.admin.project("present").await;
    let branch = app.admin.branch(&project, "b1").await;
    for path in [
        format!("/projects/v1/{project}/restart?waitForCompletion=perhaps"),
        format!("/projects/v1/{project}/restart?insforgeOssVersion=v1"),
        format!("/projects/v1/{project}/restart?insforgeOssVersion="),
        format!("/projects/v1/{project}/pause?waitForCompletion=7"),
        format!("/projects/v1/branches/{branch}/merge?dryRun=maybe"),
        format!("/projects/v1/branches/{branch}/merge/undo?dryRun=2"),
        format!("/projects/v1/branches/{branch}/update?dryRun="),
    ] {
        assert_refused(&app.admin.post_empty(&path).await, &[400], &path);
    }
    assert_eq!(app.engine.starts().len(), 2);
    let organization = &app.admin.organization;
    for query in [
        "start_date=2026-02-30",
        "start_date=2026-2-3",
        "start_date=tomorrow",
        "start_date=",
        "end_date=2999-01-01",
        "start_date=2026-02-01&end_date=2026-01-01",
        "start_date=2020-01-01",
        "format=xml",
    ] {
        let path = format!("/usage/v1/organizations/{organization}/daily?{query}");
        assert_refused(&app.admin.get(&path).await, &[400], &path);
    }
    for query in [
        "cycle=next",
        "cycle=2026-13",
        "cycle=2026-1",
        "cycle=2026-01-01",
        "cycle=2999-01",
        "cycle=2019-01",
        "cycle=-2026-01",
        "cycle=",
        "format=pdf",
        "by_project=some",
    ] {
        let path = format!("/billing/v1/{organization}/invoice-preview?{query}");
        assert_refused(&app.admin.get(&path).await, &[400], &path);
    }
}
