//! Seals what the previous master key sealed with the present one, so that the previous one can be thrown away. Nothing is done, and nothing
//! read, while there is no previous one.

use std::{sync::Arc, time::Duration};

use model::{
    sealing::SealingError,
    secrets::{project_key_context, signing_key_context, webhook_context},
};
use saga::StepError;
use store::{project_secrets, signing_keys, webhook_endpoints};
use tokio::time::sleep;

use crate::{
    World,
    activities::{Outcome, store_failed},
    reconciler::Reconciler,
};

/// Rows read at once.
const PAGE: i64 = 500;
const RETRY: Duration = Duration::from_secs(60);

/// What was sealed anew, and what could not be opened with either key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Sealed with the present key now.
    pub changed: u64,
    /// Sealed with neither key.
    pub lost: u64,
}

/// Does it once.
pub(crate) fn start(world: Arc<World>) -> Reconciler {
    Reconciler::start("reseal", move |stop| async move {
        let work = async {
            while world.master_key.rotating() {
                match everything(&world).await {
                    Ok(Resealed { changed, lost: 0 }) => {
                        tracing::info!(
                            changed,
                            "nothing in the control database needs the previous master key any more"
                        );
                        return;
                    }
                    Ok(Resealed { changed, lost }) => {
                        tracing::error!(
                            changed,
                            lost,
                            "secrets are sealed with neither the present master key nor the previous one"
                        );
                        return;
                    }
                    Err(error) => {
                        tracing::warn!(
                            error = telemetry::chain(&error),
                            "sealing with the present master key goes on later"
                        );
                        sleep(RETRY).await;
                    }
                }
            }
        };
        stop.run_until_cancelled(work).await.unwrap_or(());
    })
}

/// Seals everything anew that needs it. Several may do so at once, and any number of times.
///
/// # Errors
/// When the control database is not available; the next call goes on.
pub async fn everything(world: &World) -> Outcome<Resealed> {
    let mut resealed = Resealed::default();
    let mut conn = world.pool.acquire().await.map_err(store_failed)?;
    let mut after = None;
    loop {
        let page = project_secrets::wrapped_keys(&mut conn, after, PAGE).await.map_err(store_failed)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        for (id, before) in page {
            if let Some(now) = resealed.note(world.master_key.reseal(&project_key_context(id), &before)) {
                project_secrets::replace_wrapped_key(&mut conn, id, &before, &now).await.map_err(store_failed)?;
            }
        }
    }
    let mut after = None;
    loop {
        let page = webhook_endpoints::sealed_secrets(&mut conn, after, PAGE).await.map_err(store_failed)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        for (id, before) in page {
            if let Some(now) = resealed.note(world.master_key.reseal(&webhook_context(id), &before)) {
                webhook_endpoints::replace_sealed_secret(&mut conn, id, &before, &now).await.map_err(store_failed)?;
            }
        }
    }
    for key in signing_keys::list(&mut conn).await.map_err(store_failed)? {
        let before = &key.sealed_private_key;
        if let Some(now) = resealed.note(world.master_key.reseal(&signing_key_context(&key.id), before)) {
            signing_keys::replace_sealed(&mut conn, &key.id, before, &now).await.map_err(store_failed)?;
        }
    }
    Ok::<_, StepError>(resealed)
}

impl Resealed {
    fn note(&mut self, outcome: Result<Option<Vec<u8>>, SealingError>) -> Option<Vec<u8>> {
        match outcome {
            Ok(sealed) => {
                self.changed += u64::from(sealed.is_some());
                sealed
            }
            Err(_) => {
                self.lost += 1;
                None
            }
        }
    }
}
