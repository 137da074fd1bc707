//! A partner's users. A co-branded partner's have accounts here; a white-label partner's are known to it alone.

use ids::{MemberId, OrganizationId, PartnerUserId, UserId};
use model::{
    Error, limits,
    limits::Plan,
    organizations::{OrganizationType, Role, check_name},
    partners::PartnerKind,
};
use serde_json::json;
use sqlx::PgConnection;
use store::{organizations::Organization, partner_users::PartnerUser, users::User};

use super::partner;
use crate::{
    app::{
        Ctx, Failure,
        audit::{self, Subject},
    },
    state::State,
};

/// Connects a person by address, and says who that is for this partner: the same for the same address, whatever its case.
pub(crate) async fn connect(state: &State, ctx: &Ctx, name: &str, email: &str) -> Result<PartnerUserId, Failure> {
    let partner = partner(ctx)?;
    let name = check_name("name", name)?;
    let email = check_email(email)?;
    let now = state.clock.now();
    let mut tx = state.begin().await?;
    store::partners::lock(&mut tx, partner.id).await?;
    let subject = Subject { detail: json!({ "partner_id": partner.id }), ..Subject::default() };
    let audit_id = audit::open(&mut tx, state, ctx, "partner.connect_user", subject).await?;
    let user_id = match partner.kind {
        PartnerKind::CoBranded => Some(account(&mut tx, state, &name, &email).await?),
        PartnerKind::WhiteLabel => None,
    };
    let person =
        PartnerUser { id: PartnerUserId::generate(), partner_id: partner.id, name, email, user_id, created_at: now };
    let id = store::partner_users::connect(&mut tx, &person).await?;
    audit::close_done(&mut tx, state, audit_id).await?;
    tx.commit().await?;
    Ok(id)
}

/// The account with this address, or a new one that has no password yet.
async fn account(conn: &mut PgConnection, state: &State, name: &str, email: &str) -> Result<UserId, Failure> {
    if let Some((user, _)) = store::users::find_by_email(conn, email).await? {
        return Ok(user.id);
    }
    let user = User {
        id: UserId::generate(),
        email: email.to_owned(),
        name: name.to_owned(),
        avatar_url: None,
        email_verified: false,
        operator: false,
        created_at: state.clock.now(),
    };
    let inserted = store::users::insert(conn, &user, None).await;
    inserted.map_err(|error| match store::violated_constraint(&error) {
        Some("users_email_key") => {
            Failure(Error::unavailable("unavailable", "The account is being made right now. Try again."))
        }
        _ => error.into(),
    })?;
    Ok(user.id)
}

/// The organization that a user's projects go to: the first that is their own, made if there is none.
pub(crate) async fn organization(
    conn: &mut PgConnection,
    state: &State,
    user_id: UserId,
) -> Result<(OrganizationId, Plan), Failure> {
    store::users::lock(conn, user_id).await?;
    let memberships = store::organizations::list(conn, user_id).await?;
    if let Some(owned) = memberships.into_iter().find(|membership| membership.role == Role::Owner) {
        return Ok((owned.organization.id, owned.organization.plan));
    }
    let now = state.clock.now();
    let organization = Organization {
        id: OrganizationId::generate(),
        name: "Personal".to_owned(),
        kind: OrganizationType::Personal,
        plan: Plan::Free,
        created_at: now,
        updated_at: now,
    };
    store::organizations::insert(conn, &organization).await?;
    store::members::insert(conn, MemberId::generate(), organization.id, user_id, Role::Owner, now).await?;
    Ok((organization.id, organization.plan))
}

fn check_email(text: &str) -> Result<String, Error> {
    let email = text.trim();
    let plausible = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.')
    });
    let clean = !email.chars().any(|character| character.is_whitespace() || character.is_control());
    if plausible && clean && email.matches('@').count() == 1 && email.len() <= limits::EMAIL_MAX {
        return Ok(email.to_owned());
    }
    Err(Error::invalid("email", "email must be an e-mail address"))
}
