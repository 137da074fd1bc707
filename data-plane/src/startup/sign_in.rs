//! Sign-in providers and policy that a process begins with: the cloud's shared clients where it is part of one, else those of the environment,
//! and in a new project those that its platform shares.

use secrecy::ExposeSecret as _;

use crate::{
    auth::oauth::{configs, providers::Provider},
    http::Error,
    state::App,
};

/// Providers that the cloud shares its clients of from the start.
const SHARED: [Provider; 2] = [Provider::Google, Provider::GitHub];

/// Stores what is missing. A failure is logged and keeps nobody from being served.
pub(super) async fn seed(app: &App, first_start: bool) {
    let seeded = async {
        match app.config.part_of_cloud() {
            true => seed_policy(app).await?,
            false => seed_own(app).await?,
        }
        // Once only: processes start often here, and whoever removed a provider wants it gone.
        for provider in SHARED.into_iter().filter(|provider| first_start && app.config.shares_client_of(*provider)) {
            configs::seed(app, provider, None).await?;
        }
        Ok::<_, Error>(())
    };
    if let Err(error) = seeded.await {
        tracing::warn!(cause = error.message(), "sign-in providers were not seeded");
    }
}

async fn seed_policy(app: &App) -> Result<(), Error> {
    let client = app.pools.internal().await?;
    client
        .execute(
            "insert into auth.config (require_email_verification)
             select true where not exists (select from auth.config) on conflict do nothing",
            &[],
        )
        .await?;
    Ok(())
}

async fn seed_own(app: &App) -> Result<(), Error> {
    for (name, id, secret) in app.config.provider_seeds.complete() {
        let provider = Provider::parse(name).expect("seeds are of built-in providers");
        configs::seed(app, provider, Some((id, secret.expose_secret()))).await?;
    }
    Ok(())
}
