//! A running cloud's API, as far as this command needs it.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::{announcement::Announcement, failure::Failure, home::Home, settings::BranchDiffSettings};

/// The API as one caller.
pub(super) struct Api {
    http: reqwest::Client,
    url: String,
    token: SecretString,
}

impl Api {
    /// The one that the settings name; what they do not say is read from the home of the cloud on this machine.
    pub(super) fn find(settings: &BranchDiffSettings) -> Result<Self, Failure> {
        let (url, token) = match (&settings.api_url, &settings.token) {
            (Some(url), Some(token)) => (url.clone(), token.clone()),
            (url, token) => {
                let home = Home::locate(&settings.home)?;
                let path = home.join("hearth.json");
                let known = Announcement::read(&path).ok_or_else(|| {
                    Failure::new(format!("{} cannot be read: give --api-url and --token.", path.display()))
                })?;
                (url.clone().unwrap_or(known.api_url), token.clone().unwrap_or(known.admin.user_api_key))
            }
        };
        if !url.starts_with("http://") {
            let text =
                "The API's URL must begin with http://: run this beside the control plane, or through a tunnel to it.";
            return Err(Failure::new(text));
        }
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|cause| Failure::caused("Could not make an HTTP client", cause))?;
        Ok(Self { http, url: url.trim_end_matches('/').to_owned(), token: SecretString::from(token) })
    }

    /// The id of a branch that is given by id or by name.
    pub(super) async fn branch(&self, text: &str) -> Result<String, Failure> {
        if text.parse::<ids::ProjectId>().is_ok() {
            return Ok(text.to_owned());
        }
        let mut found = Vec::new();
        for organization in list(&self.get("/organizations/v1").await?, "organizations") {
            let projects = self.get(&format!("/organizations/v1/{}/projects", id(organization))).await?;
            for project in list(&projects, "projects") {
                let branches = self.get(&format!("/projects/v1/{}/branches", id(project))).await?;
                let named = list(&branches, "data").iter().filter(|branch| branch["name"] == text);
                found.extend(named.map(|branch| id(branch).to_owned()));
            }
        }
        match found.as_slice() {
            [only] => Ok(only.clone()),
            [] => Err(Failure::new(format!("There is no branch {text}."))),
            several => Err(Failure::new(format!("Several branches are named {text}: {}.", several.join(", ")))),
        }
    }

    /// The diff of a dry run, and the reason when it was refused in spite of it.
    pub(super) async fn dry_run(&self, path: &str) -> Result<(Value, Option<String>), Failure> {
        let (status, body) = self.send(self.http.post(format!("{}{path}", self.url))).await?;
        if status.is_success() {
            return Ok((body, None));
        }
        let reason = reason(status, &body);
        match body.get("diff").filter(|diff| diff.is_object()) {
            Some(diff) => Ok((diff.clone(), Some(reason))),
            None => Err(Failure::new(reason)),
        }
    }

    async fn get(&self, path: &str) -> Result<Value, Failure> {
        let (status, body) = self.send(self.http.get(format!("{}{path}", self.url))).await?;
        if status.is_success() { Ok(body) } else { Err(Failure::new(reason(status, &body))) }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<(reqwest::StatusCode, Value), Failure> {
        let unreachable = |cause: reqwest::Error| {
            Failure::caused(format!("Could not reach the API at {}", self.url), cause.without_url())
        };
        let request = request.bearer_auth(self.token.expose_secret());
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let text = response.text().await.map_err(unreachable)?;
        Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }
}

fn list<'a>(body: &'a Value, name: &str) -> &'a [Value] {
    body[name].as_array().or_else(|| body.as_array()).map(Vec::as_slice).unwrap_or_default()
}

fn id(value: &Value) -> &str {
    value["id"].as_str().unwrap_or_default()
}

fn reason(status: reqwest::StatusCode, body: &Value) -> String {
    match body["error"].as_str() {
        Some(text) => format!("{}.", text.trim_end_matches('.')),
        None => format!("The API answered with status {status}."),
    }
}
