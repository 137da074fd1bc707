//! A connection to the control database of the cloud that runs in a home folder.

use sqlx::{Connection as _, PgConnection, postgres::PgConnectOptions};

use crate::{failure::Failure, home::Home};

/// Connects over the socket that the running cloud keeps in its home.
pub(crate) async fn open(home: &Home) -> Result<PgConnection, Failure> {
    let options =
        PgConnectOptions::new_without_pgpass().socket(home.join("control/run")).username("hearth").database("hearth");
    PgConnection::connect_with(&options).await.map_err(|cause| {
        Failure::caused(
            format!("Could not reach the control database of {}: is hearth running?", home.path().display()),
            cause,
        )
    })
}
