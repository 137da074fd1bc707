//! What an operator does with partners. Used by the operator API and by the command line, which holds the control database itself.

use chrono::{DateTime, Duration, Utc};
use ids::{OrganizationId, PartnerId, PartnerSecretId};
use model::{
    Error, limits,
    limits::Plan,
    organizations::{OrganizationType, check_name},
    partners::{Allowances, PartnerKind},
    secrets::random_token,
};
use secrecy::SecretString;
use sqlx::PgConnection;
use store::{organizations::Organization, partner_secrets::PartnerSecret, partners::Partner};

use super::not_found;
use crate::{
    app::{Failure, quotas},
    signing::token_hash,
};

/// What an operator chooses for a new partner.
#[derive(Clone, Debug)]
pub struct NewPartner {
    /// Its display name.
    pub name: String,
    /// Whose customers its users are.
    pub kind: PartnerKind,
    /// The plan of the projects that are its own.
    pub plan: Plan,
    /// What it may choose.
    pub allowances: Allowances,
}

/// Makes a partner with its first secret, which is returned here and nowhere else. The caller owns the transaction.
///
/// # Errors
/// Invalid, for a name that is none or a limit of 0.
pub async fn create(
    conn: &mut PgConnection,
    input: NewPartner,
    now: DateTime<Utc>,
) -> Result<(Partner, SecretString), Refused> {
    let name = check_name("name", &input.name)?;
    check_allowances(&input.allowances)?;
    let organization = Organization {
        id: OrganizationId::generate(),
        name: name.clone(),
        kind: OrganizationType::Company,
        plan: input.plan,
        created_at: now,
        updated_at: now,
    };
    store::organizations::insert(conn, &organization).await?;
    let partner = Partner {
        id: PartnerId::generate(),
        name,
        kind: input.kind,
        organization_id: organization.id,
        plan: input.plan,
        allowances: input.allowances,
        disabled_at: None,
        created_at: now,
    };
    store::partners::insert(conn, &partner).await?;
    let secret = add_secret(conn, partner.id, now).await?;
    Ok((partner, secret))
}

/// Gives a partner a new secret. The one before works beside it for `grace` hours, which may be 0; those before that end at once.
///
/// # Errors
/// Not found; invalid, for more hours than a week has.
pub async fn rotate_secret(
    conn: &mut PgConnection,
    id: PartnerId,
    grace_hours: i64,
    now: DateTime<Utc>,
) -> Result<SecretString, Refused> {
    if !(0..=limits::PARTNER_SECRET_GRACE_HOURS_MAX).contains(&grace_hours) {
        let text = format!("grace_hours must be between 0 and {}", limits::PARTNER_SECRET_GRACE_HOURS_MAX);
        return Err(Error::invalid("grace_hours", text).into());
    }
    store::partners::lock(conn, id).await?;
    store::partners::find(conn, id).await?.ok_or_else(not_found)?;
    store::partner_secrets::retire(conn, id, now + Duration::hours(grace_hours), now).await?;
    Ok(add_secret(conn, id, now).await?)
}

/// Refuses a partner from now on, or lets it in again. Its projects go on.
///
/// # Errors
/// Not found.
pub async fn set_disabled(
    conn: &mut PgConnection,
    id: PartnerId,
    disabled: bool,
    now: DateTime<Utc>,
) -> Result<Partner, Refused> {
    if !store::partners::set_disabled(conn, id, disabled, now).await? {
        return Err(not_found().into());
    }
    get(conn, id).await
}

/// What an operator changes. An absent field stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Its display name.
    pub name: Option<String>,
    /// The plan of the projects that are its own.
    pub plan: Option<Plan>,
    /// What it may choose.
    pub allowances: Option<Allowances>,
}

/// Changes a partner.
///
/// # Errors
/// Not found, or invalid.
pub async fn update(
    conn: &mut PgConnection,
    id: PartnerId,
    changes: Changes,
    now: DateTime<Utc>,
) -> Result<Partner, Refused> {
    store::partners::lock(conn, id).await?;
    let mut partner = get(conn, id).await?;
    if let Some(name) = changes.name {
        partner.name = check_name("name", &name)?;
    }
    if let Some(allowances) = changes.allowances {
        check_allowances(&allowances)?;
        partner.allowances = allowances;
    }
    if let Some(plan) = changes.plan {
        partner.plan = plan;
        store::organizations::set_plan(conn, partner.organization_id, plan, now).await?;
        quotas::limits_changed(conn, partner.organization_id, now).await.map_err(Refused)?;
    }
    store::partners::update(conn, id, &partner.name, &partner.allowances, now).await?;
    Ok(partner)
}

/// A partner.
///
/// # Errors
/// Not found.
pub async fn get(conn: &mut PgConnection, id: PartnerId) -> Result<Partner, Refused> {
    Ok(store::partners::find(conn, id).await?.ok_or_else(not_found)?)
}

/// All partners, oldest first.
///
/// # Errors
/// When the control database fails.
pub async fn list(conn: &mut PgConnection) -> Result<Vec<Partner>, Refused> {
    Ok(store::partners::list(conn).await?)
}

/// A partner's secrets that still work, newest first, without the secrets themselves.
///
/// # Errors
/// When the control database fails.
pub async fn secrets(
    conn: &mut PgConnection,
    id: PartnerId,
    now: DateTime<Utc>,
) -> Result<Vec<PartnerSecret>, Refused> {
    Ok(store::partner_secrets::list(conn, id, now).await?)
}

async fn add_secret(conn: &mut PgConnection, id: PartnerId, now: DateTime<Utc>) -> sqlx::Result<SecretString> {
    let secret = random_token("pss_", 32);
    store::partner_secrets::insert(conn, PartnerSecretId::generate(), id, &token_hash(&secret), now).await?;
    Ok(secret)
}

fn check_allowances(allowances: &Allowances) -> Result<(), Error> {
    let Allowances { project_limit, regions, instance_types } = allowances;
    let empty = regions.as_ref().is_some_and(Vec::is_empty) || instance_types.as_ref().is_some_and(Vec::is_empty);
    if *project_limit == Some(0) || project_limit.is_some_and(|limit| i32::try_from(limit).is_err()) {
        return Err(Error::invalid("project_limit", "project_limit must be between 1 and 2147483647"));
    }
    if empty {
        return Err(Error::invalid(
            "regions",
            "A list of what is allowed must not be empty; leave it out to allow all",
        ));
    }
    Ok(())
}

/// Why nothing was done, with a text for whoever asked.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.0.message())]
pub struct Refused(pub(crate) Failure);

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(error.into())
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self(error.into())
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        refused.0
    }
}
