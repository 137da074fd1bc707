//! A small client of the control plane's API. Typed where tests look at fields, raw where they look at the wire.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use reqwest::{
    Certificate, Client, Method,
    dns::{Addrs, Name, Resolve, Resolving},
    header::HeaderMap,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::wait;

/// Longest wait for a durable operation; debug builds on two busy cores are slow.
pub const OPERATION_LIMIT: Duration = Duration::from_secs(120);

/// Every name is this machine: projects' hosts are names below `localhost`, which not every resolver knows.
#[derive(Debug)]
struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// An HTTP client that resolves every name to this machine and trusts the given certificate authority.
///
/// # Panics
/// When the certificate is not one.
#[must_use]
pub fn http_client(ca_pem: Option<&str>) -> Client {
    let mut builder = Client::builder().dns_resolver(Arc::new(Loopback)).timeout(Duration::from_secs(150)).no_proxy();
    if let Some(pem) = ca_pem {
        builder = builder
            .add_root_certificate(Certificate::from_pem(pem.as_bytes()).expect("the certificate authority is PEM"));
    }
    builder.build().expect("the client has no unusual settings")
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
    /// The body as JSON; null where it is none.
    pub body: Value,
    request: String,
}

impl Reply {
    /// Reads a response to the end.
    pub(crate) async fn read(request: String, response: reqwest::Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Self { status, headers, text, body, request })
    }

    /// The body, if the status is this one.
    ///
    /// # Panics
    /// When it is another.
    #[track_caller]
    #[must_use]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.request, self.text);
        self.body
    }

    /// The body of a success.
    ///
    /// # Panics
    /// When it is none.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{}: {} {}", self.request, self.status, self.text);
        self.body
    }

    /// A header field as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The machine-readable code of an error body.
    #[must_use]
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

/// A project as the API shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Project {
    /// Id.
    pub id: String,
    /// Owner.
    pub organization_id: String,
    /// Name.
    pub name: String,
    /// DNS label.
    pub appkey: String,
    /// Region.
    pub region: String,
    /// Status.
    pub status: String,
    /// Running operation.
    pub operation_status: Option<String>,
    /// Backend version.
    pub service_version: Option<String>,
    /// Public URL on the gateway.
    pub access_host: Option<String>,
    /// The data plane's own address.
    pub direct_url: Option<String>,
}

/// A branch as the API shows it.
#[derive(Clone, Debug, Deserialize)]
pub struct Branch {
    /// Id; also a project id.
    pub id: String,
    /// The project it was cloned from.
    pub parent_project_id: String,
    /// Name.
    pub name: String,
    /// DNS label.
    pub appkey: String,
    /// Region.
    pub region: String,
    /// State.
    pub branch_state: String,
}

/// The control plane's API as one caller.
#[derive(Clone, Debug)]
pub struct Api {
    http: Client,
    base: String,
    token: Option<String>,
}

impl Api {
    /// An anonymous caller.
    #[must_use]
    pub fn new(base: &str, ca_pem: Option<&str>) -> Self {
        Self { http: http_client(ca_pem), base: base.trim_end_matches('/').to_owned(), token: None }
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same without any.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// A request to be completed by the caller.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends one.
    ///
    /// # Panics
    /// When no response comes.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let described = format!("{method} {path}");
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.unwrap_or_else(|error| panic!("{described}: {error:?}"));
        Reply::read(described.clone(), response).await.unwrap_or_else(|error| panic!("{described}: {error:?}"))
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    /// GET of something that may not be listening.
    pub async fn try_get(&self, path: &str) -> Option<Reply> {
        let response = self.request(Method::GET, path).send().await.ok()?;
        Reply::read(format!("GET {path}"), response).await.ok()
    }

    /// POST with a body.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, Some(body)).await
    }

    /// POST without a body, with the JSON content type, as the command-line client sends it.
    ///
    /// # Panics
    /// When no response comes.
    pub async fn post_empty(&self, path: &str) -> Reply {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        let response = request.send().await.unwrap_or_else(|error| panic!("POST {path}: {error:?}"));
        Reply::read(format!("POST {path}"), response).await.unwrap_or_else(|error| panic!("POST {path}: {error:?}"))
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None).await
    }

    /// Asks for a project; it is still being made when this returns.
    pub async fn create_project(&self, organization: &str, name: &str) -> Project {
        let reply = self.post(&format!("/organizations/v1/{organization}/projects"), &json!({ "name": name })).await;
        parse(&reply.ok()["project"])
    }

    /// Asks for a project and waits until it is active.
    pub async fn new_project(&self, organization: &str, name: &str) -> Project {
        let project = self.create_project(organization, name).await;
        self.wait_project(&project.id, "active").await
    }

    /// A project, if it is there.
    pub async fn project(&self, id: &str) -> Option<Project> {
        let reply = self.get(&format!("/projects/v1/{id}")).await;
        match reply.status {
            404 => None,
            _ => Some(parse(&reply.expect(200)["project"])),
        }
    }

    /// Waits until a project has a status and no operation.
    pub async fn wait_project(&self, id: &str, status: &str) -> Project {
        wait::until(&format!("project {id} becomes {status}"), OPERATION_LIMIT, || async {
            let project = self.project(id).await?;
            assert_ne!(project.status, "failed", "{project:?}");
            (project.status == status && project.operation_status.is_none()).then_some(project)
        })
        .await
    }

    /// Waits until a project or branch is gone.
    pub async fn wait_gone(&self, id: &str) {
        wait::until(&format!("project {id} is gone"), OPERATION_LIMIT, || async {
            self.project(id).await.is_none().then_some(())
        })
        .await;
    }

    /// Projects of an organization.
    pub async fn projects(&self, organization: &str) -> Vec<Project> {
        let reply = self.get(&format!("/organizations/v1/{organization}/projects")).await;
        parse(&reply.expect(200)["projects"])
    }

    /// The admin key of a project or branch.
    ///
    /// # Panics
    /// When there is none.
    pub async fn access_api_key(&self, id: &str) -> String {
        let body = self.get(&format!("/projects/v1/{id}/access-api-key")).await.expect(200);
        body["access_api_key"].as_str().expect("the key is text").to_owned()
    }

    /// Asks for a branch; it is still being made when this returns.
    pub async fn create_branch(&self, parent: &str, name: &str, mode: &str) -> Branch {
        let reply = self.post(&format!("/projects/v1/{parent}/branches"), &json!({ "mode": mode, "name": name })).await;
        parse(&reply.ok()["branch"])
    }

    /// Asks for a branch and waits until it is ready.
    pub async fn new_branch(&self, parent: &str, name: &str, mode: &str) -> Branch {
        let branch = self.create_branch(parent, name, mode).await;
        self.wait_branch(&branch.id, &["ready"]).await
    }

    /// A branch, if it is there.
    pub async fn branch(&self, id: &str) -> Option<Branch> {
        let reply = self.get(&format!("/projects/v1/branches/{id}")).await;
        if reply.status == 404 {
            return None;
        }
        let branch: Branch = parse(&reply.expect(200)["branch"]);
        (branch.branch_state != "deleted").then_some(branch)
    }

    /// Waits until a branch is in one of these states.
    pub async fn wait_branch(&self, id: &str, states: &[&str]) -> Branch {
        wait::until(&format!("branch {id} becomes {states:?}"), OPERATION_LIMIT, || async {
            self.branch(id).await.filter(|branch| states.contains(&branch.branch_state.as_str()))
        })
        .await
    }

    /// Waits until a branch is gone.
    pub async fn wait_branch_gone(&self, id: &str) {
        wait::until(&format!("branch {id} is gone"), OPERATION_LIMIT, || async {
            self.branch(id).await.is_none().then_some(())
        })
        .await;
    }

    /// Dry run of a merge.
    pub async fn merge_dry_run(&self, branch: &str) -> Value {
        self.post_empty(&format!("/projects/v1/branches/{branch}/merge?dryRun=true")).await.expect(200)
    }

    /// A merge.
    pub async fn merge(&self, branch: &str) -> Reply {
        self.post_empty(&format!("/projects/v1/branches/{branch}/merge")).await
    }

    /// What an organization has used.
    pub async fn usage(&self, organization: &str) -> Value {
        self.get(&format!("/usage/v1/organizations/{organization}")).await.expect(200)
    }

    /// A durable operation.
    pub async fn operation(&self, id: &str) -> Value {
        let body = self.get(&format!("/operations/v1/{id}")).await.expect(200);
        body.get("operation").cloned().unwrap_or(body)
    }
}

#[track_caller]
fn parse<T: for<'de> Deserialize<'de>>(value: &Value) -> T {
    T::deserialize(value).unwrap_or_else(|error| panic!("{error} in {value}"))
}
