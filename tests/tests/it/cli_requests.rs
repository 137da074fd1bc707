//! The requests that the InsForge CLI's commands make, to both planes, and the fields that it reads of the answers.
//!
//! It names a JSON body with every request of the platform, also where there is none, and looks for what it needs in the places below.

use reqwest::{Method, RequestBuilder, header::CONTENT_TYPE, multipart};
use serde_json::{Value, json};
use tests::{Api, Cloud, DataPlane};

/// One request of a command.
struct Call {
    command: &'static str,
    method: Method,
    path: String,
    body: Option<Value>,
    /// JSON pointers and what is there; `any` may be null.
    reads: &'static [&'static str],
}

fn call(command: &'static str, method: Method, path: impl Into<String>, reads: &'static [&'static str]) -> Call {
    Call { command, method, path: path.into(), body: None, reads }
}

impl Call {
    fn with(self, body: Value) -> Self {
        Self { body: Some(body), ..self }
    }

    /// Sends it as the CLI does; the status and the body.
    async fn send(&self, request: impl Fn(Method, &str) -> RequestBuilder) -> (u16, Value) {
        let request = request(self.method.clone(), &self.path).header(CONTENT_TYPE, "application/json");
        let request = match &self.body {
            Some(body) => request.body(body.to_string()),
            None => request,
        };
        let response = request.send().await.unwrap_or_else(|error| panic!("{}: {error:?}", self.command));
        let status = response.status().as_u16();
        let text = response.text().await.unwrap_or_else(|error| panic!("{}: {error:?}", self.command));
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Sends it and looks for what the command reads.
    async fn succeeds(&self, request: impl Fn(Method, &str) -> RequestBuilder) -> Value {
        let Self { command, method, path, .. } = self;
        let (status, body) = self.send(request).await;
        assert!((200..300).contains(&status), "{command}: {method} {path}: {status} {body}");
        for read in self.reads {
            let (pointer, kind) = read.split_once(' ').expect("a pointer and a kind");
            let found = body.pointer(pointer).unwrap_or_else(|| panic!("{command}: no {pointer} in {body}"));
            let right = match kind {
                "string" => found.is_string(),
                "number" => found.is_number(),
                "bool" => found.is_boolean(),
                "array" => found.is_array(),
                "object" => found.is_object(),
                "any" => true,
                other => panic!("{command}: what is {other}?"),
            };
            assert!(right, "{command}: {pointer} is no {kind} in {body}");
        }
        body
    }
}

async fn platform(api: &Api, call: Call) -> Value {
    call.succeeds(|method, path| api.request(method, path)).await
}

async fn project(plane: &DataPlane, call: Call) -> Value {
    call.succeeds(|method, path| plane.request(method, path)).await
}

const PROJECT: &[&str] = &[
    "/project/id string",
    "/project/organization_id string",
    "/project/name string",
    "/project/appkey string",
    "/project/region string",
    "/project/status string",
    "/project/operation_status any",
    "/project/instance_type string",
    "/project/service_version any",
    "/project/customized_domain any",
    "/project/created_at string",
    "/project/updated_at string",
];

const BRANCH: &[&str] = &[
    "/branch/id string",
    "/branch/parent_project_id string",
    "/branch/organization_id string",
    "/branch/name string",
    "/branch/appkey string",
    "/branch/region string",
    "/branch/branch_state string",
    "/branch/branch_created_at string",
    "/branch/branch_metadata/mode string",
];

#[tokio::test]
async fn the_platforms_commands_find_what_they_read() {
    use Method as M;
    let cloud = Cloud::start().await;
    let api = &cloud.api();
    let admin = &cloud.announcement().admin;
    let log_in = json!({ "email": admin.email, "password": admin.password });
    let reads = &["/token string", "/user/id string", "/user/email string"];
    let signed_in =
        platform(&api.anonymous(), call("login --email", M::POST, "/auth/v1/login", reads).with(log_in)).await;
    let reads = &[
        "/user/id string",
        "/user/email string",
        "/user/name string",
        "/user/avatar_url any",
        "/user/email_verified bool",
    ];
    let token = signed_in["token"].as_str().expect("a text");
    platform(&api.with_token(token), call("whoami", M::GET, "/auth/v1/profile", reads)).await;

    let organization = cloud.organization();
    let reads = &["/organizations/0/id string", "/organizations/0/name string", "/organizations/0/type string"];
    platform(api, call("orgs list", M::GET, "/organizations/v1", reads)).await;
    let reads = &["/organization/id string", "/organization/name string", "/organization/type string"];
    let made =
        call("orgs create", M::POST, "/organizations/v1", reads).with(json!({ "name": "Workshop", "type": "team" }));
    let made = platform(api, made).await["organization"]["id"].as_str().expect("a text").to_owned();
    let path = format!("/organizations/v1/{made}");
    platform(api, call("orgs update", M::PUT, &path, reads).with(json!({ "name": "Forge" }))).await;
    platform(api, call("orgs delete", M::DELETE, &path, &["/message string", "/organizationId string"])).await;

    let path = format!("/organizations/v1/{organization}/projects");
    let created = platform(api, call("create", M::POST, &path, PROJECT).with(json!({ "name": "Listed" }))).await;
    let id = created["project"]["id"].as_str().expect("a text").to_owned();
    let active = api.wait_project(&id, "active").await;
    let reads =
        &["/projects/0/id string", "/projects/0/name string", "/projects/0/appkey string", "/projects/0/region string"];
    platform(api, call("list", M::GET, &path, reads)).await;
    let path = format!("/projects/v1/{id}");
    platform(api, call("projects get", M::GET, &path, PROJECT)).await;
    let reads = &["/access_api_key string"];
    platform(api, call("link", M::GET, format!("{path}/access-api-key"), reads)).await;
    platform(api, call("projects update", M::PUT, &path, PROJECT).with(json!({ "name": "Found" }))).await;

    let branch = branches(&cloud, api, &id).await;
    let reads = &["/version string", "/cached bool"];
    let latest =
        platform(api, call("projects update-version", M::GET, "/platform/insforge/latest-version", reads)).await;
    let version = latest["version"].as_str().expect("a text");
    let restart = format!("{path}/restart?insforgeOssVersion={version}&waitForCompletion=true");
    platform(api, call("projects update-version", M::POST, restart, PROJECT)).await;
    let reads = &[
        "/message string",
        "/project/id string",
        "/previousInstanceType string",
        "/newInstanceType string",
        "/previousVolumeSizeGiB number",
        "/newVolumeSizeGiB number",
    ];
    let upgrade = call("projects upgrade-instance", M::POST, format!("{path}/upgrade-instance"), reads);
    platform(api, upgrade.with(json!({ "instanceType": "micro" }))).await;
    api.wait_project(&id, "active").await;
    api.post_empty(&format!("{path}/pause")).await.ok();
    api.wait_project(&id, "paused").await;
    platform(api, call("projects restore", M::POST, format!("{path}/restore"), PROJECT)).await;
    api.wait_project(&id, "active").await;

    money(api, organization).await;
    platform(api, call("branch delete", M::DELETE, format!("/projects/v1/branches/{branch}"), &[])).await;
    api.wait_branch_gone(&branch).await;
    assert_eq!(active.organization_id, organization);
    platform(api, call("projects delete", M::DELETE, &path, &[])).await;
    api.wait_gone(&id).await;
    cloud.finish().await;
}

/// Everything about branches but deleting; the branch that is left.
async fn branches(cloud: &Cloud, api: &Api, parent: &str) -> String {
    use Method as M;
    let path = format!("/projects/v1/{parent}/branches");
    let body = json!({ "mode": "full", "name": "feature" });
    let created = platform(api, call("branch create", M::POST, &path, BRANCH).with(body)).await;
    let id = created["branch"]["id"].as_str().expect("a text").to_owned();
    let branch = api.wait_branch(&id, &["ready"]).await;
    let own = format!("/projects/v1/branches/{id}");
    platform(api, call("branch create", M::GET, &own, BRANCH)).await;
    DataPlane::through_gateway(cloud, &branch.appkey, &branch.region).wait_healthy().await;
    let reads = &[
        "/data/0/id string",
        "/data/0/name string",
        "/data/0/branch_state string",
        "/data/0/branch_created_at string",
        "/data/0/branch_metadata/mode string",
    ];
    platform(api, call("branch list", M::GET, &path, reads)).await;
    platform(
        api,
        call("branch switch", M::GET, format!("/projects/v1/{id}/access-api-key"), &["/access_api_key string"]),
    )
    .await;

    let reset = platform(api, call("branch reset", M::POST, format!("{own}/reset"), BRANCH)).await;
    assert_eq!(reset["branch"]["branch_state"], "resetting", "its first look must not find it ready");
    api.wait_branch(&id, &["ready"]).await;
    DataPlane::of(cloud, &id).await.migrate("0001", "notes", "create table notes (id int primary key)").await;
    let reads = &[
        "/summary/added number",
        "/summary/modified number",
        "/summary/conflicts number",
        "/rendered_sql string",
        "/changes/0/schema string",
        "/changes/0/object string",
        "/changes/0/type string",
        "/changes/0/action string",
        "/changes/0/sql string",
        "/conflicts array",
    ];
    platform(api, call("branch merge --dry-run", M::POST, format!("{own}/merge?dryRun=true"), reads)).await;
    let reads = &["/branchId string", "/status string", "/diff/summary/added number", "/diff/rendered_sql string"];
    let merged = platform(api, call("branch merge", M::POST, format!("{own}/merge"), reads)).await;
    assert_eq!(merged["status"], "merged");
    id
}

async fn money(api: &Api, organization: &str) {
    use Method as M;
    let of = |what: &str| format!("/organizations/v1/{organization}/{what}");
    platform(api, call("billing status", M::GET, of("subscription-status"), &["/status string", "/plan string"])).await;
    platform(api, call("billing history", M::GET, of("payment-history"), &["/payments array"])).await;
    let reads = &["/current/start_date string", "/current/end_date string"];
    platform(api, call("billing cycles", M::GET, of("billing-cycles"), reads)).await;
    let reads = &["/creditBalanceCents number", "/creditBalanceFormatted string", "/transactions array"];
    platform(api, call("billing credits", M::GET, format!("/billing/v1/{organization}/credits"), reads)).await;
    let reads = &["/organization/name string", "/usage_summary object", "/projects array"];
    let usage = platform(api, call("usage", M::GET, format!("/usage/v1/organizations/{organization}"), reads)).await;
    let summary = usage["usage_summary"].as_object().expect("an object");
    assert!(summary.values().all(Value::is_number), "each is printed as a number: {usage}");
}

#[tokio::test]
async fn the_projects_commands_find_what_they_read() {
    use Method as M;
    let cloud = Cloud::start().await;
    let made = cloud.api().new_project(cloud.organization(), "Commanded").await;
    let plane = &DataPlane::of(&cloud, &made.id).await;
    database(plane).await;
    agents(plane).await;
    storage(plane).await;
    secrets(plane).await;
    let ping = plane.request(M::POST, "/api/usage/mcp").header("x-api-key", cloud.api().access_api_key(&made.id).await);
    let ping = ping.json(&json!({ "tool_name": "cli.link", "success": true })).send().await.expect("an answer");
    assert_eq!(ping.status(), 200);
    project(plane, call("create", M::POST, "/api/auth/tokens/anon", &["/accessToken string"])).await;
    cloud.finish().await;
}

async fn database(plane: &DataPlane) {
    use Method as M;
    let sql = "create table notes (id int primary key, text text default 'new');
               create function twice(n int) returns int immutable language sql as 'select 2 * n'";
    let body = json!({ "version": "0001", "name": "notes", "sql": sql });
    let reads = &["/version string", "/name string", "/statements array", "/createdAt string", "/message string"];
    project(plane, call("db migrations up", M::POST, "/api/database/migrations", reads).with(body)).await;
    let reads = &["/migrations/0/version string", "/migrations/0/name string", "/migrations/0/statements/0 string"];
    project(plane, call("db migrations list", M::GET, "/api/database/migrations", reads)).await;
    let reads = &["/rows/0/sum number", "/rowCount number", "/fields/0/name string"];
    for path in ["/api/database/advance/rawsql", "/api/database/advance/rawsql/unrestricted"] {
        let body = json!({ "query": "select 1 + 1 as sum" });
        project(plane, call("db query", M::POST, path, reads).with(body)).await;
    }
    project(plane, call("db tables", M::GET, "/api/database/tables", &["/0 string"])).await;
    let reads = &["/functions/0/functionName string", "/functions/0/functionDef string"];
    project(plane, call("db functions", M::GET, "/api/database/functions", reads)).await;
    let reads = &["/indexes/0/tableName string", "/indexes/0/indexName string", "/indexes/0/isUnique bool"];
    project(plane, call("db indexes", M::GET, "/api/database/indexes", reads)).await;
    project(plane, call("db policies", M::GET, "/api/database/policies", &["/policies array"])).await;
    project(plane, call("db triggers", M::GET, "/api/database/triggers", &["/triggers array"])).await;
    project(plane, call("db rpc", M::POST, "/api/database/rpc/twice", &[" number"]).with(json!({ "n": 4 }))).await;
    let rows = json!([{ "id": 1 }, { "id": 2 }]);
    project(plane, call("records create", M::POST, "/api/database/records/notes", &[]).with(rows)).await;
    let path = "/api/database/records/notes?select=id,text&order=id.desc&limit=1";
    project(plane, call("records list", M::GET, path, &["/0/id number", "/0/text string"])).await;
    let path = "/api/database/records/notes?id=eq.1";
    project(plane, call("records update", M::PATCH, path, &[]).with(json!({ "text": "old" }))).await;
    project(plane, call("records delete", M::DELETE, path, &[])).await;
    for (format, data) in [("sql", &["/format string", "/data string"]), ("json", &["/format string", "/data object"])]
    {
        let body = json!({ "format": format, "includeData": true, "includeFunctions": true });
        project(plane, call("db export", M::POST, "/api/database/advance/export", data).with(body)).await;
    }
    let file = multipart::Part::text("insert into notes values (3)").file_name("more.sql");
    let form = multipart::Form::new().part("file", file).text("truncate", "true");
    let import =
        plane.request(M::POST, "/api/database/advance/import").multipart(form).send().await.expect("an answer");
    let imported: Value = import.json().await.expect("JSON");
    assert_eq!(
        (&imported["rowsImported"], &imported["tables"]),
        (&json!(1), &json!(["notes"])),
        "db import: {imported}"
    );
    let reads = &["/connectionURL string", "/parameters/host string", "/parameters/port number"];
    let path = "/api/metadata/database-connection-string";
    project(plane, call("db connection-string", M::GET, path, reads)).await;
    let path = "/api/metadata/database-password";
    project(plane, call("db connection-string", M::GET, path, &["/databasePassword string"])).await;
}

/// What agents read and configure.
async fn agents(plane: &DataPlane) {
    use Method as M;
    let reads = &[
        "/auth/oAuthProviders array",
        "/auth/passwordMinLength number",
        "/auth/allowedRedirectUrls array",
        "/auth/smtpConfig object",
        "/database/tables/0/tableName string",
        "/database/tables/0/recordCount number",
        "/storage/buckets array",
        "/functions array",
        "/version string",
    ];
    project(plane, call("metadata", M::GET, "/api/metadata", reads)).await;
    let body = json!({ "passwordMinLength": 8, "allowedRedirectUrls": ["https://app.example/**"] });
    project(plane, call("config apply", M::PUT, "/api/auth/config", &["/passwordMinLength number"]).with(body)).await;
    project(plane, call("docs", M::GET, "/api/docs", &["/0/type string", "/0/endpoint string"])).await;
    project(plane, call("diagnose logs", M::GET, "/api/logs/sources", &["/0/name string"])).await;
    for source in ["insforge.logs", "postgREST.logs", "postgres.logs", "function.logs"] {
        let path = format!("/api/logs/{source}?limit=20");
        project(plane, call("logs", M::GET, path, &["/logs array", "/total number"])).await;
    }
    project(plane, call("advisor scan", M::POST, "/api/advisor/scan", &["/scanId string"])).await;
    tests::wait::until("the scan ends", tests::api::OPERATION_LIMIT, || async {
        let latest = plane.get("/api/advisor/latest").await.expect(200);
        (latest["status"] == "completed").then_some(())
    })
    .await;
    let reads = &["/scanId string", "/status string", "/summary/total number", "/summary/critical number"];
    project(plane, call("diagnose advisor", M::GET, "/api/advisor/latest", reads)).await;
    let reads = &["/issues/0/ruleId string", "/issues/0/severity string", "/issues/0/title string", "/total number"];
    project(plane, call("diagnose advisor", M::GET, "/api/advisor/issues?limit=50", reads)).await;
    let body = json!({ "ruleId": "rls-disabled", "scope": "rule", "reason": "accepted_risk" });
    let suppressed = call("advisor suppress", M::POST, "/api/advisor/suppressions", &["/id string"]).with(body);
    let suppressed = project(plane, suppressed).await;
    let reads = &["/suppressions/0/id string", "/suppressions/0/ruleId string", "/suppressions/0/reason string"];
    project(plane, call("advisor suppressions", M::GET, "/api/advisor/suppressions", reads)).await;
    let path = format!("/api/advisor/suppressions/{}", suppressed["id"].as_str().expect("a text"));
    project(plane, call("advisor unsuppress", M::DELETE, path, &["/deleted bool"])).await;

    let code = "export default async () => new Response('hello')";
    let body = json!({ "slug": "hello", "name": "hello", "code": code, "status": "active" });
    project(plane, call("functions deploy", M::POST, "/api/functions", &["/success bool"]).with(body)).await;
    project(plane, call("functions code", M::GET, "/api/functions/hello", &["/slug string", "/code string"])).await;
    project(plane, call("functions list", M::GET, "/api/functions", &["/functions/0/slug string"])).await;
    project(plane, call("functions delete", M::DELETE, "/api/functions/hello", &[])).await;
}

async fn storage(plane: &DataPlane) {
    use Method as M;
    let body = json!({ "bucketName": "files", "isPublic": false });
    project(plane, call("storage create-bucket", M::POST, "/api/storage/buckets", &["/bucketName string"]).with(body))
        .await;
    project(plane, call("storage buckets", M::GET, "/api/storage/buckets", &["/0/name string", "/0/public bool"]))
        .await;
    assert_eq!(plane.upload("files", "a/b.txt", b"bytes".to_vec()).await.status, 200, "storage upload");
    let reads = &["/data/0/key string", "/data/0/size number", "/pagination/total number"];
    let path = "/api/storage/buckets/files/objects?limit=100&offset=0&prefix=a";
    project(plane, call("storage list-objects", M::GET, path, reads)).await;
    assert_eq!(plane.download("files", "a/b.txt").await.text, "bytes", "storage download");
    project(plane, call("storage delete-bucket", M::DELETE, "/api/storage/buckets/files", &["/message string"])).await;
}

async fn secrets(plane: &DataPlane) {
    use Method as M;
    let body = json!({ "key": "STRIPE_KEY", "value": "sk_1", "isReserved": false });
    project(plane, call("secrets add", M::POST, "/api/secrets", &["/success bool", "/id string"]).with(body)).await;
    let reads = &["/secrets/0/key string", "/secrets/0/isActive bool", "/secrets/0/isReserved bool"];
    project(plane, call("secrets list", M::GET, "/api/secrets", reads)).await;
    project(plane, call("secrets get", M::GET, "/api/secrets/STRIPE_KEY", &["/key string", "/value string"])).await;
    let body = json!({ "value": "sk_2" });
    project(plane, call("secrets update", M::PUT, "/api/secrets/STRIPE_KEY", &["/message string"]).with(body)).await;
    project(plane, call("secrets delete", M::DELETE, "/api/secrets/STRIPE_KEY", &["/message string"])).await;
    let reads = &["/anonKey string", "/oldKeyExpiresAt string"];
    let path = "/api/secrets/anon-key/rotate";
    project(plane, call("secrets rotate", M::POST, path, reads).with(json!({ "gracePeriodHours": 1 }))).await;
    let reads = &["/apiKey string", "/oldKeyExpiresAt string"];
    project(plane, call("secrets rotate", M::POST, "/api/secrets/api-key/rotate", reads).with(json!({}))).await;
}

/// Requests of commands whose areas this cloud does not have. The list shrinks as they come.
#[tokio::test]
async fn commands_of_areas_that_are_not_here_are_told_so() {
    use Method as M;
    let cloud = Cloud::start().await;
    let api = &cloud.api();
    let made = api.new_project(cloud.organization(), "Bounded").await;
    let (organization, id) = (cloud.organization(), &made.id);
    for (command, method, path) in [
        ("login", M::GET, "/api/oauth/v1/authorize?client_id=clf_x".to_owned()),
        ("login --device", M::POST, "/api/oauth/v1/device_authorization".to_owned()),
        ("orgs leave", M::POST, format!("/organizations/v1/{organization}/leave")),
        ("orgs members list", M::GET, format!("/organizations/v1/{organization}/members")),
        ("projects transfer", M::POST, format!("/projects/v1/{id}/transfer")),
        ("backups list", M::GET, format!("/projects/v1/{id}/backups")),
        ("diagnose metrics", M::GET, format!("/projects/v1/{id}/metrics?range=1h")),
        ("diagnose incident", M::GET, format!("/projects/v1/{id}/diagnose/incident")),
        ("diagnose --ai", M::POST, "/diagnostic/v1/analyze".to_owned()),
        ("posthog setup", M::GET, format!("/integrations/posthog/v1/cli-start?p={id}")),
    ] {
        let (status, body) = call(command, method, path, &[]).send(|method, path| api.request(method, path)).await;
        assert_eq!((status, &body["code"]), (404, &json!("route.not_found")), "{command}: {body}");
        assert!(body["error"].is_string(), "{command}: {body}");
    }
    let plane = &DataPlane::of(&cloud, id).await;
    for (command, path) in [
        ("schedules list", "/api/schedules"),
        ("deployments list", "/api/deployments"),
        ("compute list", "/api/compute/services"),
        ("payments stripe status", "/api/payments/stripe/status"),
        ("ai overview", "/api/ai/overview"),
        ("memory list", "/api/memory"),
        ("storage s3-keys list", "/api/storage/s3/access-keys"),
    ] {
        let (status, body) = call(command, M::GET, path, &[]).send(|method, path| plane.request(method, path)).await;
        assert_eq!((status, &body["error"]), (404, &json!("NOT_FOUND")), "{command}: {body}");
    }
    cloud.finish().await;
}
