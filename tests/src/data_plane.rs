//! A small client of one project's data plane, through the gateway or directly.

use reqwest::{Client, Method, multipart};
use serde_json::{Value, json};

use crate::{Cloud, Reply, api::http_client, wait};

/// A data plane as its administrator, or as whoever a token belongs to.
#[derive(Clone, Debug)]
pub struct DataPlane {
    http: Client,
    base: String,
    token: Option<String>,
}

impl DataPlane {
    /// A project or branch through the gateway, as its administrator.
    pub async fn of(cloud: &Cloud, id: &str) -> Self {
        let api = cloud.api();
        let project = api.project(id).await.unwrap_or_else(|| panic!("project {id} is there"));
        let key = api.access_api_key(id).await;
        Self::through_gateway(cloud, &project.appkey, &project.region).with_token(&key)
    }

    /// A host on the gateway, anonymously.
    #[must_use]
    pub fn through_gateway(cloud: &Cloud, appkey: &str, region: &str) -> Self {
        let port = cloud.ports().gateway_http.port();
        Self::at(&format!("http://{appkey}.{region}.localhost:{port}"), None)
    }

    /// The same host over TLS.
    #[must_use]
    pub fn through_gateway_tls(cloud: &Cloud, appkey: &str, region: &str) -> Self {
        let port = cloud.ports().gateway_https.port();
        Self::at(&format!("https://{appkey}.{region}.localhost:{port}"), cloud.announcement().ca_pem.as_deref())
    }

    /// Any base URL, anonymously.
    #[must_use]
    pub fn at(base: &str, ca_pem: Option<&str>) -> Self {
        Self { http: http_client(ca_pem), base: base.trim_end_matches('/').to_owned(), token: None }
    }

    /// The same with a bearer token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// Base URL.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request to be completed by the caller.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends a request, reporting a broken connection.
    ///
    /// # Errors
    /// When no response comes.
    pub async fn try_send(&self, method: Method, path: &str, body: Option<&Value>) -> reqwest::Result<Reply> {
        let described = format!("{method} {}{path}", self.base);
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        Reply::read(described, request.send().await?).await
    }

    /// Sends a request.
    ///
    /// # Panics
    /// When no response comes.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        self.try_send(method, path, body).await.unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, Some(body)).await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, None).await
    }

    /// Whether `/api/health` answers 200 now.
    pub async fn healthy(&self) -> bool {
        matches!(self.try_send(Method::GET, "/api/health", None).await, Ok(reply) if reply.status == 200)
    }

    /// Waits until it is healthy.
    pub async fn wait_healthy(&self) {
        wait::until(&format!("{} is healthy", self.base), std::time::Duration::from_secs(30), || async {
            self.healthy().await.then_some(())
        })
        .await;
    }

    /// Runs SQL as the project's administrator and returns the rows.
    pub async fn sql(&self, query: &str) -> Vec<Value> {
        let mut body = self.post("/api/database/advance/rawsql", &json!({ "query": query })).await.expect(200);
        match body["rows"].take() {
            Value::Array(rows) => rows,
            other => panic!("rows are an array, not {other}"),
        }
    }

    /// The one value of a query that gives one row with one column.
    pub async fn sql_value(&self, query: &str) -> Value {
        let rows = self.sql(query).await;
        assert_eq!(rows.len(), 1, "{query}: {rows:?}");
        rows[0].as_object().and_then(|row| row.values().next()).cloned().unwrap_or_else(|| panic!("{query}: {rows:?}"))
    }

    /// The one value as an integer; Postgres' bigint travels as text.
    pub async fn sql_count(&self, query: &str) -> i64 {
        let value = self.sql_value(query).await;
        value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or_else(|| panic!("{query}: {value}"))
    }

    /// Applies a migration.
    pub async fn migrate(&self, version: &str, name: &str, sql: &str) -> Value {
        let body = json!({ "version": version, "name": name, "sql": sql });
        self.post("/api/database/migrations", &body).await.expect(201)
    }

    /// The key of anonymous callers.
    pub async fn anon_key(&self) -> String {
        let body = self.get("/api/metadata/anon-key").await.expect(200);
        body["anonKey"].as_str().unwrap_or_else(|| panic!("anonKey in {body}")).to_owned()
    }

    /// Inserts one row through the records interface.
    ///
    /// # Errors
    /// When no response comes.
    pub async fn try_insert(&self, table: &str, row: &Value) -> reqwest::Result<Reply> {
        self.try_send(Method::POST, &format!("/api/database/records/{table}"), Some(row)).await
    }

    /// Makes a bucket.
    pub async fn create_bucket(&self, name: &str, public: bool) {
        let body = json!({ "bucketName": name, "isPublic": public });
        let _ = self.post("/api/storage/buckets", &body).await.expect(201);
    }

    /// Names of the buckets.
    pub async fn buckets(&self) -> Vec<String> {
        let body = self.get("/api/storage/buckets").await.expect(200);
        let rows = body.as_array().cloned().unwrap_or_default();
        rows.iter().filter_map(|row| row["name"].as_str().map(str::to_owned)).collect()
    }

    /// Stores an object.
    ///
    /// # Panics
    /// When no response comes.
    pub async fn upload(&self, bucket: &str, key: &str, bytes: Vec<u8>) -> Reply {
        let path = format!("/api/storage/buckets/{bucket}/objects/{key}");
        let part = multipart::Part::bytes(bytes).file_name(key.to_owned());
        let request = self.request(Method::PUT, &path).multipart(multipart::Form::new().part("file", part));
        let response = request.send().await.unwrap_or_else(|error| panic!("PUT {path}: {error:?}"));
        Reply::read(format!("PUT {path}"), response).await.unwrap_or_else(|error| panic!("PUT {path}: {error:?}"))
    }

    /// Fetches an object.
    pub async fn download(&self, bucket: &str, key: &str) -> Reply {
        self.get(&format!("/api/storage/buckets/{bucket}/objects/{key}")).await
    }
}
