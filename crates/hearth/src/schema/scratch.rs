//! The server on which files become databases: one that is started for the purpose, or one that the caller names.

use std::path::Path;

use providers_local::postgres::{Distribution, ScratchServer, find_distributions};
use tokio_postgres::{Client, Config};

use super::{files::Loader, place, reading::connect};
use crate::{failure::Failure, settings::SchemaSettings};

/// Roles that projects' schemas refer to.
const PROJECT_ROLES: [&str; 3] = ["anon", "authenticated", "project_admin"];

/// A server with throw-away databases.
pub(crate) struct Scratch {
    embedded: Option<ScratchServer>,
    /// As a superuser, to whichever database is named.
    server: Config,
    /// As whom files are run.
    loader: Loader,
    /// Removed at the end.
    databases: Vec<String>,
}

impl Scratch {
    /// Connects to the caller's server, or starts one.
    pub(crate) async fn open(settings: &SchemaSettings) -> Result<Self, Failure> {
        let distributions = find_distributions(&settings.postgres_distributions);
        match &settings.scratch {
            Some(text) => {
                let server = place::dsn(text)?;
                // Without an installation of its own, the program that the search path has must do.
                let psql = distributions.ok().and_then(|found| psql(found.first()?)).unwrap_or_else(|| "psql".into());
                let loader = Loader { psql, user: server.get_user().map(str::to_owned), missing_roles: false };
                Ok(Self { embedded: None, server, loader, databases: Vec::new() })
            }
            None => {
                let found =
                    distributions.map_err(|cause| Failure::caused("Could not start a scratch server", cause))?;
                let distribution = found.first().ok_or_else(|| Failure::new("No Postgres was found."))?;
                Self::embedded(settings, distribution).await
            }
        }
    }

    async fn embedded(settings: &SchemaSettings, distribution: &Distribution) -> Result<Self, Failure> {
        let psql = psql(distribution).ok_or_else(|| {
            Failure::new(format!(
                "{} has no psql; on Debian: apt install postgresql-client-{}.",
                distribution.bin.display(),
                distribution.major
            ))
        })?;
        let embedded = ScratchServer::start(distribution)
            .await
            .map_err(|cause| Failure::caused("Could not start a scratch server", cause))?;
        let mut server = Config::new();
        server.host_path(embedded.socket_folder()).port(embedded.port()).user(embedded.superuser()).dbname("postgres");
        let user = if settings.superuser { embedded.superuser() } else { settings.owner.as_str() };
        let loader = Loader { psql, user: Some(user.to_owned()), missing_roles: true };
        let scratch = Self { embedded: Some(embedded), server, loader, databases: Vec::new() };
        match scratch.prepare_roles(&settings.owner).await {
            Ok(()) => Ok(scratch),
            Err(failure) => scratch.close().await.and(Err(failure)),
        }
    }

    async fn prepare_roles(&self, owner: &str) -> Result<(), Failure> {
        let admin = self.admin().await?;
        let mut roles = vec![owner];
        roles.extend(PROJECT_ROLES.iter().filter(|role| **role != owner));
        for role in roles {
            create_role(&admin, role, owner).await?;
        }
        let login = format!("alter role {} login", quoted(owner));
        admin.batch_execute(&login).await.map_err(|cause| unusable(&cause))
    }

    /// Makes a database of what a file says, with `prelude` run before it.
    pub(crate) async fn load(&mut self, file: &Path, prelude: Option<&Path>) -> Result<Config, Failure> {
        loop {
            let database = self.create("template0").await?;
            if let Some(prelude) = prelude {
                self.loader.run(prelude, &database, self.server.get_user()).await?;
            }
            match self.loader.run(file, &database, self.loader.user.as_deref()).await {
                Ok(()) => return Ok(database),
                Err(failed) => self.make_up_role(failed).await?,
            }
        }
    }

    /// Makes a database of what a file changes in another.
    pub(crate) async fn load_onto(&mut self, base: &Config, file: &Path) -> Result<Config, Failure> {
        let template = base.get_dbname().unwrap_or_default().to_owned();
        loop {
            let database = self.create(&template).await?;
            match self.loader.run(file, &database, self.loader.user.as_deref()).await {
                Ok(()) => return Ok(database),
                Err(failed) => self.make_up_role(failed).await?,
            }
        }
    }

    /// On a server of our own, a role that a file takes for granted is made, and the file tried again in a new database.
    async fn make_up_role(&self, failed: super::files::Failed) -> Result<(), Failure> {
        let Some(role) = failed.missing_role.as_ref().filter(|_| self.loader.missing_roles) else {
            return Err(failed.failure);
        };
        create_role(&self.admin().await?, role, self.loader.user.as_deref().unwrap_or_default()).await
    }

    async fn create(&mut self, template: &str) -> Result<Config, Failure> {
        let name = format!("hearth_schema_{}", ids::OperationId::generate().as_uuid().simple());
        self.databases.push(name.clone());
        let admin = self.admin().await?;
        // A template may have no connections; those that loaded it may not have ended yet.
        admin
            .query(
                "select pg_catalog.pg_terminate_backend(pid, 5000) from pg_catalog.pg_stat_activity where datname = $1",
                &[&template],
            )
            .await
            .map_err(|cause| unusable(&cause))?;
        let owner = match (&self.embedded, &self.loader.user) {
            (Some(_), Some(user)) => format!(" owner {}", quoted(user)),
            _ => String::new(),
        };
        let create = format!("create database {name} template {}{owner}", quoted(template));
        admin.batch_execute(&create).await.map_err(|cause| unusable(&cause))?;
        let mut config = self.server.clone();
        config.dbname(&name);
        Ok(config)
    }

    async fn admin(&self) -> Result<Client, Failure> {
        connect(&self.server).await
    }

    /// Removes every database, and the server if it was started here.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        if let Some(embedded) = self.embedded {
            return embedded.stop().await.map_err(|cause| Failure::caused("Could not stop the scratch server", cause));
        }
        let admin = self.admin().await?;
        for name in &self.databases {
            let drop = format!("drop database if exists {name} with (force)");
            admin.batch_execute(&drop).await.map_err(|cause| unusable(&cause))?;
        }
        Ok(())
    }
}

fn psql(distribution: &Distribution) -> Option<std::path::PathBuf> {
    Some(distribution.program("psql")).filter(|program| program.exists())
}

async fn create_role(admin: &Client, role: &str, member: &str) -> Result<(), Failure> {
    let known = admin
        .query_opt("select from pg_catalog.pg_roles where rolname = $1", &[&role])
        .await
        .map_err(|cause| unusable(&cause))?;
    let mut sql = if known.is_none() { format!("create role {};", quoted(role)) } else { String::new() };
    if role != member {
        sql += &format!("grant {} to {}", quoted(role), quoted(member));
    }
    admin.batch_execute(&sql).await.map_err(|cause| unusable(&cause))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn unusable(cause: &tokio_postgres::Error) -> Failure {
    Failure::caused("The scratch server cannot be used", telemetry::chain(cause))
}
