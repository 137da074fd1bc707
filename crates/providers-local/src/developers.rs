//! How a project's developers come to its Postgres: over the cluster's own socket, as one role that Postgres asks for its password.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
};

use hyper::Method;
use ids::ProjectId;
use model::secrets::database_password;
use postgres_protocol::password::scram_sha_256;
use providers::{Error, Result};
use secrecy::ExposeSecret as _;
use tokio::net::UnixStream;

use crate::{
    data_planes::data_plane_address,
    environment::{PLATFORM_TOKEN, value},
    failure::{Doing as _, chain},
    layout::ProjectFolder,
    node::Node,
    postgres::{DATABASE, DEVELOPER_ROLE, PORT, RESERVED_CONNECTIONS, SUPERUSER},
    process::{Identity, Noted},
    record::Record,
    waking::tell,
};

/// The server process in which the role is known to have its password and its limit.
type Prepared = Arc<tokio::sync::Mutex<Option<Identity>>>;

/// What is known of developers' access.
#[derive(Debug, Default)]
pub(crate) struct Developers(Mutex<HashMap<ProjectId, Prepared>>);

impl Developers {
    fn of(&self, id: ProjectId) -> Prepared {
        Arc::clone(self.0.lock().expect("no holder of this lock panics").entry(id).or_default())
    }

    /// Forgets a project that is removed.
    pub(crate) fn forget(&self, id: ProjectId) {
        self.0.lock().expect("no holder of this lock panics").remove(&id);
    }
}

impl Node {
    /// A connection to the project's Postgres, with nothing said on it yet; `None` while it does not run.
    pub(crate) async fn connect_postgres(&self, id: ProjectId) -> Result<Option<UnixStream>> {
        let folder = self.layout.project(id);
        let Some(serving) = Noted::serving(&folder.postgres_process()).filter(|_| self.wanted(id)) else {
            return Ok(None);
        };
        let missing = || Error::Missing(format!("the database of project {id}"));
        let record = Record::load(&folder)?.filter(Record::startable).ok_or_else(missing)?;
        self.prepare_role(id, &folder, &record, serving).await?;
        let path = folder.run().join(format!(".s.PGSQL.{PORT}"));
        let stream = match UnixStream::connect(&path).await {
            Ok(stream) => stream,
            Err(cause) if matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            failed => failed.doing(|| format!("connecting to the Postgres of project {id}"))?,
        };
        // The folder is the project's own user's, who must not lead anybody to another's server by a link.
        let listener = stream.peer_cred().doing(|| format!("looking at the Postgres of project {id}"))?.uid();
        if record.owner.is_some_and(|owner| owner.uid != listener) {
            return Err(Error::Refused(format!("another user's process listens as the Postgres of project {id}")));
        }
        self.say_developer_came(id, &folder, &record);
        Ok(Some(stream))
    }

    /// Lets the data plane know in the background: what the developer does passes by it.
    fn say_developer_came(&self, id: ProjectId, folder: &ProjectFolder, record: &Record) {
        let Some(plane) = record.data_plane else { return };
        let token = match self.open_environment(id, folder) {
            Ok(variables) => variables.and_then(|variables| value(&variables, PLATFORM_TOKEN).cloned()),
            Err(_) => None,
        };
        let Some(token) = token else { return };
        let address = data_plane_address(plane.port);
        drop(tokio::spawn(async move {
            if let Err(error) = tell(address, &token, Method::POST, "/developers").await {
                tracing::debug!(project.id = %id, error = chain(&error), "a data plane was not told of a developer");
            }
        }));
    }

    /// Gives the role its password and its limit, once per start of the server: a clone has its original's, a reset what was then, and a
    /// developer may have changed the password.
    async fn prepare_role(
        &self,
        id: ProjectId,
        folder: &ProjectFolder,
        record: &Record,
        serving: Identity,
    ) -> Result<()> {
        let prepared = self.developers.of(id);
        let mut prepared = prepared.lock().await;
        if prepared.as_ref() == Some(&serving) {
            return Ok(());
        }
        let doing = || format!("preparing developers' access to project {id}");
        let variables = self.open_environment(id, folder)?.unwrap_or_default();
        let token = value(&variables, PLATFORM_TOKEN)
            .ok_or_else(|| Error::Refused("the project has no platform token".to_owned()))?;
        // Postgres gets a hash to check the password by; the password itself could end in its log.
        let verifier = scram_sha_256(database_password(token).expose_secret().as_bytes());
        let client = self.cluster(folder, record)?.connect(SUPERUSER, DATABASE).await?;
        let row = client.query_one("select current_setting('max_connections')::int", &[]).await.doing(doing)?;
        let limit = row.get::<_, i32>(0).unsigned_abs().saturating_sub(RESERVED_CONNECTIONS);
        let role = format!("alter role {DEVELOPER_ROLE} login connection limit {limit} password '{verifier}'");
        client.batch_execute(&role).await.doing(doing)?;
        *prepared = Some(serving);
        Ok(())
    }

    /// Whether a developer's statement runs now. One that waits for its client does not count: the client is silent.
    pub(crate) async fn developers_work(&self, id: ProjectId, folder: &ProjectFolder, record: &Record) -> Result<bool> {
        let prepared = self.developers.of(id);
        if prepared.lock().await.is_none() || !self.postgres_runs(folder) {
            return Ok(false);
        }
        let doing = || format!("asking for developers' statements in project {id}");
        let client = self.cluster(folder, record)?.connect(SUPERUSER, DATABASE).await?;
        let running = "select exists (select from pg_stat_activity
                                      where usename = $1 and state in ('active', 'fastpath function call')
                                        and wait_event_type is distinct from 'Client')";
        Ok(client.query_one(running, &[&DEVELOPER_ROLE]).await.doing(doing)?.get(0))
    }
}
