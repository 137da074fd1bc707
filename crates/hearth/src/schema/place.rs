//! What a schema is read from: a running database or a file of SQL.

use std::path::PathBuf;

use tokio_postgres::Config;

use crate::failure::Failure;

/// Where a schema is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// A database that runs.
    Database(Box<Config>),
    /// SQL that makes the schema.
    File(PathBuf),
}

impl Place {
    /// Understands a DSN (`postgres://…` or `host=… dbname=…`) or the path of a file. A DSN may hold a password and is never repeated.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let path = PathBuf::from(text);
        if path.is_file() {
            return Ok(Self::File(path));
        }
        if text.contains("://") || text.contains('=') {
            return dsn(text).map(|config| Self::Database(Box::new(config)));
        }
        Err(Failure::new(format!("{text} is neither a file nor a DSN such as postgres://user@host/database.")))
    }
}

/// A DSN with a user, as the client library of Postgres fills it in.
pub(crate) fn dsn(text: &str) -> Result<Config, Failure> {
    let mut config: Config = text
        .parse()
        .map_err(|cause| Failure::caused("A DSN could not be read", tokio_postgres::Error::to_string(&cause)))?;
    if config.get_user().is_none() {
        let name = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name);
        config.user(name.as_deref().unwrap_or("postgres"));
    }
    config.application_name("hearth schema");
    Ok(config)
}
