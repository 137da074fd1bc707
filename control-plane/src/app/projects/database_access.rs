//! How a project's Postgres is reached from outside: by whoever may see the project, and by its own data plane, which tells its administrators.

use data_plane_contract::postgres::{DATABASE, DEVELOPER_ROLE};
use ids::ProjectId;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use model::{
    Error,
    projects::host,
    secrets::{ProjectSecrets, database_password},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sqlx::PgConnection;
use store::projects::Project;

use super::{find, not_found};
use crate::{
    app::{
        Ctx, Failure,
        audit::{self, Subject},
    },
    config::Config,
    state::State,
};

/// Stands for the password, which is asked for by itself so that every reading of it is audited.
pub(crate) const MASK: &str = "********";

/// What clients are told to ask for at least. `verify-full` works too, with the certificate authority of the gateway.
pub(crate) const SSL_MODE: &str = "require";

/// Who asks.
pub(crate) enum Reader {
    /// Somebody who may see the project.
    Caller(Box<Ctx>),
    /// The project's own data plane.
    DataPlane { project_id: ProjectId, request_id: String },
}

/// How a project's Postgres is reached.
pub(crate) struct Connection {
    /// For Postgres clients, with the mask for the password.
    pub(crate) url: String,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// All that a data plane signs, and no more: the project's secret signs other tokens too, such as those of its users.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    sub: String,
    #[serde(default, rename = "iat")]
    _iat: Option<i64>,
    exp: i64,
}

/// Recognises a project's data plane by what it signed with the project's own secret. A branch shares its parent's secret: only the subject
/// tells the two apart.
pub(crate) async fn recognise(
    state: &State,
    sign: &str,
    project_id: ProjectId,
    request_id: String,
) -> Result<Reader, Failure> {
    let refused = || Error::unauthenticated("auth.unauthenticated", "Invalid sign token");
    let sealed = store::project_secrets::find(&mut *state.connection().await?, project_id).await?;
    let secrets =
        ProjectSecrets::open(&sealed.ok_or_else(refused)?, &state.master_key, project_id).map_err(Error::internal)?;
    let key = DecodingKey::from_secret(secrets.jwt_secret.expose_secret().as_bytes());
    let mut validation = Validation::new(Algorithm::HS256);
    // Expiry is checked below, against the clock that tests can turn.
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Claims>(sign, &key, &validation).map_err(|_| refused())?.claims;
    if claims.exp <= state.clock.now().timestamp() {
        return Err(refused().into());
    }
    if claims.sub.parse() != Ok(project_id) {
        return Err(Error::forbidden("project_id mismatch").into());
    }
    Ok(Reader::DataPlane { project_id, request_id })
}

/// Where the project's Postgres is.
pub(crate) async fn connection(state: &State, reader: &Reader, id: ProjectId) -> Result<Connection, Failure> {
    let project = readable(&mut *state.connection().await?, reader, id).await?;
    Ok(describe(&state.config, &project)?)
}

/// The password of the developers' role. Every reading is audited.
pub(crate) async fn password(state: &State, reader: &Reader, id: ProjectId) -> Result<SecretString, Failure> {
    const ACTION: &str = "project.read_database_password";
    let mut tx = state.begin().await?;
    let project = readable(&mut tx, reader, id).await?;
    describe(&state.config, &project)?;
    let sealed = store::project_secrets::find(&mut tx, id).await?.ok_or_else(not_found)?;
    let subject =
        Subject { organization_id: Some(project.organization_id), project_id: Some(id), ..Subject::default() };
    let audit_id = match reader {
        Reader::Caller(ctx) => audit::open(&mut tx, state, ctx, ACTION, subject).await?,
        Reader::DataPlane { request_id, .. } => {
            audit::open_by_data_plane(&mut tx, state, request_id, ACTION, subject).await?
        }
    };
    let token = sealed.open_platform_token(&state.master_key, id).map_err(Error::internal)?;
    audit::close_done(&mut tx, state, audit_id).await?;
    tx.commit().await?;
    Ok(database_password(&token))
}

async fn readable(conn: &mut PgConnection, reader: &Reader, id: ProjectId) -> Result<Project, Failure> {
    match reader {
        Reader::Caller(ctx) => find(conn, ctx, id).await,
        Reader::DataPlane { project_id, .. } if *project_id == id => {
            Ok(store::projects::find_for_operation(conn, id).await?.ok_or_else(not_found)?)
        }
        Reader::DataPlane { .. } => Err(not_found().into()),
    }
}

fn describe(config: &Config, project: &Project) -> Result<Connection, Error> {
    let port = config.gateway.postgres_port.ok_or_else(|| {
        Error::conflict(
            "project.database_access_off",
            "The operator of this cloud has switched direct access to databases off",
        )
    })?;
    let host = host(&project.app_key, project.region, &config.base_domain);
    let url = url(&host, project.app_key.as_str(), port, &config.base_domain);
    Ok(Connection { url, host, port })
}

/// Few resolvers know names below `localhost`, so there the project is named by an option instead, which needs none.
fn url(host: &str, app_key: &str, port: u16, base_domain: &str) -> String {
    let base = base_domain.to_ascii_lowercase();
    let on_this_machine = base == "localhost" || base.ends_with(".localhost");
    let (host, option) = match on_this_machine {
        true => ("localhost", format!("&options=endpoint%3D{app_key}")),
        false => (host, String::new()),
    };
    format!("postgresql://{DEVELOPER_ROLE}:{MASK}@{host}:{port}/{DATABASE}?sslmode={SSL_MODE}{option}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_named_by_its_host_or_where_nobody_resolves_it_by_an_option() {
        assert_eq!(
            url("abcd1234.us-east.apps.example", "abcd1234", 5432, "Apps.Example"),
            "postgresql://project_admin:********@abcd1234.us-east.apps.example:5432/insforge?sslmode=require"
        );
        assert_eq!(
            url("abcd1234.us-east.localhost", "abcd1234", 7132, "localhost"),
            "postgresql://project_admin:********@localhost:7132/insforge?sslmode=require&options=endpoint%3Dabcd1234"
        );
    }
}
