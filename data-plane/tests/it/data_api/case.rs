//! One request with the answer it must get, as the files in `tests/records/cases` hold them.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Headers of an answer that a case speaks about; all others belong to the transport.
const SPOKEN_ABOUT: [&str; 8] = [
    "content-range",
    "content-location",
    "content-profile",
    "content-type",
    "location",
    "preference-applied",
    "x-tea",
    "cache-control",
];

/// A request and its answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// `METHOD /path?query`, below `/api/database/records` unless the path begins with `/rpc`.
    pub(crate) request: String,
    /// `anon`, or the subject of a signed-in user; absent for the administrator.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub(crate) caller: Option<String>,
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub(crate) headers: IndexMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<String>,
    #[serde(flatten)]
    pub(crate) answer: Answer,
}

/// What is compared of an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    #[serde(rename = "answer_headers")]
    pub(crate) headers: IndexMap<String, String>,
    /// JSON, or a string where the answer is not JSON.
    #[serde(rename = "answer")]
    pub(crate) body: Value,
}

impl Case {
    pub(crate) fn new(request: impl Into<String>) -> Self {
        Self { request: request.into(), caller: None, headers: IndexMap::new(), body: None, answer: Answer::default() }
    }

    pub(crate) fn method(&self) -> Method {
        self.request
            .split_once(' ')
            .and_then(|(method, _)| method.parse().ok())
            .expect("a request begins with a method")
    }

    pub(crate) fn path(&self) -> &str {
        self.request.split_once(' ').map_or("/", |(_, path)| path)
    }

    pub(crate) fn calls(&self) -> bool {
        self.path().starts_with("/rpc/")
    }

    /// Whether the rows are the same afterwards.
    pub(crate) fn reads(&self) -> bool {
        matches!(self.method(), Method::GET | Method::HEAD)
    }

    /// Sends it to a server.
    pub(crate) async fn send(&self, client: &reqwest::Client, prefix: &str, token: &str) -> Answer {
        let mut request = client.request(self.method(), format!("{prefix}{}", self.path())).bearer_auth(token);
        if let Some(body) = &self.body {
            if !self.headers.contains_key("content-type") {
                request = request.header("content-type", "application/json");
            }
            request = request.body(body.clone());
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let again = request.try_clone().expect("a body in memory");
        // A server may have closed the kept connection at this very moment.
        let response = match request.send().await {
            Err(error) if error.is_request() => again.send().await,
            sent => sent,
        };
        let response = response.unwrap_or_else(|error| panic!("{}: {error:?}", self.request));
        let status = response.status().as_u16();
        let headers: IndexMap<String, String> = SPOKEN_ABOUT
            .iter()
            .map(|name| {
                let values = response.headers().get_all(*name).iter();
                // PostgREST 12.0 gives an error two types, of which the first is right.
                let most = if *name == "content-type" { 1 } else { usize::MAX };
                let texts: Vec<&str> = values.filter_map(|value| value.to_str().ok()).take(most).collect();
                ((*name).to_owned(), texts.join(", "))
            })
            .filter(|(_, value)| !value.is_empty())
            .collect();
        let text = response.text().await.unwrap_or_else(|error| panic!("{}: {error:?}", self.request));
        let json = headers.get("content-type").is_none_or(|kind| kind.contains("json"));
        let body = match (text.is_empty(), json) {
            (true, _) => Value::Null,
            (false, true) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            (false, false) if status >= 300 => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            (false, false) => Value::String(text),
        };
        Answer { status, headers, body }
    }
}

impl Answer {
    pub(crate) fn succeeded(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The code of an error.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// What differs from another answer, in words. The order of an object's members means nothing.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.status != other.status {
            found.push(format!("status {} / {}", self.status, other.status));
        }
        for name in SPOKEN_ABOUT {
            let (left, right) = (self.headers.get(name), other.headers.get(name));
            // An error is JSON, whatever was asked for.
            if left != right && self.succeeded() {
                found.push(format!("{name} {left:?} / {right:?}"));
            }
        }
        if self.body != other.body {
            found.push(format!("body\n    {}\n    {}", self.body, other.body));
        }
        found
    }
}

/// The folder of the schema, the rows and the cases.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records")
}

/// A file of that folder.
pub(crate) fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every case file with its cases.
pub(crate) fn files() -> Vec<(PathBuf, Vec<Case>)> {
    let entries = std::fs::read_dir(folder().join("cases")).expect("the folder of cases is there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("a readable file");
            let cases = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path, cases)
        })
        .collect()
}

/// Writes a case file, one case a line.
pub(crate) fn write(path: &Path, cases: &[Case]) {
    let lines: Vec<String> = cases.iter().map(|case| serde_json::to_string(case).expect("plain data")).collect();
    std::fs::write(path, format!("[\n{}\n]\n", lines.join(",\n"))).expect("a writable file");
}
