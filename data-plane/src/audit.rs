//! Audit rows. Every change that an administrator or the platform asks for is noted before it is looked at, an administrator's session before
//! it is opened, and closed with its outcome once it is answered ([`Watch`]); every change that was made writes a row of its own ([`Audit`]).
//! A change whose rows cannot be written fails. Records, objects and mails are the application's own doing, also where it uses the API key.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use data_plane_contract::{PLATFORM_PREFIX, postgres::DEVELOPER_CAME};
use http::{Method, StatusCode, request::Parts};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_postgres::Client;
use uuid::Uuid;

use crate::{
    authentication::Caller,
    http::{ClientAddress, Error, Result},
    state::App,
};

/// Longer paths are cut: they name nothing of ours.
const PATH_MAX: usize = 256;

/// What the platform is called in audit rows.
pub(crate) const PLATFORM: &str = "platform";

/// What a request asks for, and the row that says so once it is known who asks.
#[derive(Debug)]
struct Noted {
    request: String,
    /// Held while the row is written.
    row: Arc<Mutex<Option<Uuid>>>,
}

/// Closes the row of a request that may change something. Dropped before the answer, it says that the client has left or a handler panicked.
pub(crate) struct Watch {
    app: Arc<App>,
    noted: Arc<Noted>,
    status: Option<StatusCode>,
    closed: bool,
}

impl Watch {
    /// Prepares a request for [`open`]; nothing for one of which no row is kept.
    pub(crate) fn begin(app: &Arc<App>, request: &mut Request) -> Option<Self> {
        let path = request.uri().path();
        let only_reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method());
        let is_news = path.strip_prefix(PLATFORM_PREFIX) == Some(DEVELOPER_CAME);
        if only_reads || is_news {
            return None;
        }
        let path: String = path.chars().take(PATH_MAX).collect();
        let noted = Arc::new(Noted { request: format!("{} {path}", request.method()), row: Arc::default() });
        request.extensions_mut().insert(Arc::clone(&noted));
        Some(Self { app: Arc::clone(app), noted, status: None, closed: false })
    }

    /// Notes how the request was answered.
    pub(crate) async fn end(mut self, status: StatusCode) {
        self.status = Some(status);
        let row = *self.noted.row.lock().await;
        if let Some(id) = row {
            close(&self.app, id, status.as_str()).await;
        }
        self.closed = true;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.closed {
            return;
        }
        let outcome = match self.status {
            Some(status) => status.as_str().to_owned(),
            None if std::thread::panicking() => "500".to_owned(),
            None => "abandoned".to_owned(),
        };
        let (app, row) = (Arc::clone(&self.app), Arc::clone(&self.noted.row));
        runtime.spawn(async move {
            let row = *row.lock().await;
            if let Some(id) = row {
                close(&app, id, &outcome).await;
            }
        });
    }
}

/// The row of a request before it is known who asks.
pub(crate) struct Unopened {
    app: Arc<App>,
    noted: Option<Arc<Noted>>,
    address: ClientAddress,
}

impl Unopened {
    fn of(app: &Arc<App>, parts: &Parts) -> Self {
        Self {
            app: Arc::clone(app),
            noted: parts.extensions.get::<Arc<Noted>>().cloned(),
            address: ClientAddress::of(&parts.headers, &parts.extensions, &app.config.trust_proxy),
        }
    }

    /// Notes that `actor` asks for the change, once for each request.
    ///
    /// # Errors
    /// 500 `Failed to create audit log`.
    pub(crate) async fn open(self, actor: &str) -> Result<()> {
        let Self { app, noted: Some(noted), address: ClientAddress(address) } = self else { return Ok(()) };
        let mut row = Arc::clone(&noted.row).lock_owned().await;
        if row.is_some() {
            return Ok(());
        }
        let actor = actor.to_owned();
        // A task of its own: when the client leaves meanwhile, it is still known which row is to be closed.
        let written = tokio::spawn(async move {
            let client = app.pools.internal().await?;
            let sql = "insert into system.audit_requests (actor, request, ip_address) values ($1, $2, $3) returning id";
            let inserted = client.query_one(sql, &[&actor, &noted.request, &address]).await;
            *row = Some(inserted.map_err(|error| unwritten(&error))?.get(0));
            Ok::<_, Error>(())
        });
        written.await.map_err(|error| Error::internal("write an audit row", &error))?
    }
}

impl FromRequestParts<Arc<App>> for Unopened {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        Ok(Self::of(app, parts))
    }
}

/// Notes that `actor` asks for a change, once for each request.
///
/// # Errors
/// 500 `Failed to create audit log`.
pub(crate) async fn open(app: &Arc<App>, parts: &Parts, actor: &str) -> Result<()> {
    Unopened::of(app, parts).open(actor).await
}

/// The act is done or refused; that its row stays open is for the operator to know, not for the caller.
async fn close(app: &App, id: Uuid, outcome: &str) {
    let closed = async {
        let client = app.pools.internal().await?;
        let sql = "update system.audit_requests set closed_at = now(), outcome = $2 where id = $1";
        client.execute(sql, &[&id, &outcome]).await?;
        Ok::<_, Error>(())
    };
    if let Err(error) = closed.await {
        tracing::warn!(audit.id = %id, cause = error.message(), "an audit row was not closed");
    }
}

/// Says in the audit trail which requests an earlier process did not come to answer.
///
/// # Errors
/// Postgres refuses.
pub(crate) async fn report_interrupted(app: &App) -> Result<()> {
    let client = app.pools.internal().await?;
    client
        .execute(
            "with interrupted as (
                update system.audit_requests set closed_at = now(), outcome = 'interrupted' where closed_at is null
                returning actor, request, ip_address, opened_at)
             insert into system.audit_logs (actor, action, module, details, ip_address)
             select actor, 'INTERRUPTED_REQUEST', 'SYSTEM', jsonb_build_object('request', request, 'openedAt',
                to_char(opened_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')), ip_address
             from interrupted order by opened_at",
            &[],
        )
        .await?;
    Ok(())
}

/// What a restored database has open was asked of the one it was taken from.
pub(crate) async fn close_restored(client: &Client) -> Result<()> {
    let sql = "update system.audit_requests set closed_at = now(), outcome = 'restored' where closed_at is null";
    client.execute(sql, &[]).await?;
    Ok(())
}

fn unwritten(error: &tokio_postgres::Error) -> Error {
    tracing::error!(cause = telemetry::chain(error), "an audit row was not written");
    Error::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "Failed to create audit log")
}

/// Where audit rows of one request go and what address they name.
#[derive(Clone)]
pub struct Audit {
    app: Arc<App>,
    address: ClientAddress,
}

impl FromRequestParts<Arc<App>> for Audit {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let address = ClientAddress::from_request_parts(parts, app).await?;
        Ok(Self { app: Arc::clone(app), address })
    }
}

impl Audit {
    /// Writes a row. `module` and `action` are upper-case words such as `SECRETS` and `CREATE_SECRET`; details name no secret.
    ///
    /// # Errors
    /// 500 `Failed to create audit log`.
    pub async fn record(&self, caller: &Caller, module: &str, action: &str, details: Value) -> Result<()> {
        let client = self.app.pools.internal().await?;
        client
            .execute(
                "insert into system.audit_logs (actor, action, module, details, ip_address)
                 values ($1, $2, $3, $4, $5)",
                &[&caller.actor(), &action, &module, &details, &self.address.0],
            )
            .await
            .map_err(|error| unwritten(&error))?;
        Ok(())
    }
}
