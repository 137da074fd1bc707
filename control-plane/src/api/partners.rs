//! Partners, for operators of this cloud. Everybody else is told that there is nothing.

use axum::{
    Json, Router,
    extract::State as AxumState,
    routing::{get, post},
};
use http::StatusCode;
use ids::PartnerId;
use model::{
    Error,
    instances::InstanceType,
    limits::{self, Plan},
    partners::{Allowances, PartnerKind},
    regions::Region,
};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{partner_secrets::PartnerSecret, partners::Partner};
use utoipa::ToSchema;

use super::{Answer, time};
use crate::{
    app::{
        Ctx, Failure,
        audit::{self, Subject},
        partners::manage::{self, Changes, NewPartner},
    },
    http::extract::{Body, PartnerPath},
    state::State,
};

pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/partners/v1", get(list_partners).post(create_partner))
        .route("/partners/v1/{id}", get(get_partner).put(update_partner))
        .route("/partners/v1/{id}/rotate-secret", post(rotate_partner_secret))
        .route("/partners/v1/{id}/disable", post(disable_partner))
        .route("/partners/v1/{id}/enable", post(enable_partner))
}

/// A partner.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartnerOut {
    /// `ps_…`.
    id: String,
    /// Whose a white-label partner's projects are; its quotas are changed there.
    organization_id: uuid::Uuid,
    name: String,
    #[schema(value_type = String)]
    kind: PartnerKind,
    #[schema(value_type = String)]
    plan: Plan,
    /// Active projects it may have; absent means no limit beyond the plan's.
    project_limit: Option<u32>,
    /// Absent means all.
    #[schema(value_type = Option<Vec<String>>)]
    regions: Option<Vec<Region>>,
    /// Absent means all.
    #[schema(value_type = Option<Vec<String>>)]
    instance_types: Option<Vec<InstanceType>>,
    disabled_at: Option<String>,
    created_at: String,
}

impl From<Partner> for PartnerOut {
    fn from(partner: Partner) -> Self {
        let Allowances { project_limit, regions, instance_types } = partner.allowances;
        Self {
            id: partner.id.to_string(),
            organization_id: partner.organization_id.as_uuid(),
            name: partner.name,
            kind: partner.kind,
            plan: partner.plan,
            project_limit,
            regions,
            instance_types,
            disabled_at: partner.disabled_at.map(time),
            created_at: time(partner.created_at),
        }
    }
}

/// A partner with its secret, which is shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartnerWithSecret {
    partner: PartnerOut,
    secret: String,
}

/// One partner.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartnerEnvelope {
    partner: PartnerOut,
}

/// All partners.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartnerList {
    partners: Vec<PartnerOut>,
}

/// A secret that still works, without the secret itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartnerSecretOut {
    id: uuid::Uuid,
    created_at: String,
    /// Set once it was rotated.
    expires_at: Option<String>,
    last_used_at: Option<String>,
}

impl From<PartnerSecret> for PartnerSecretOut {
    fn from(secret: PartnerSecret) -> Self {
        Self {
            id: secret.id.as_uuid(),
            created_at: time(secret.created_at),
            expires_at: secret.expires_at.map(time),
            last_used_at: secret.last_used_at.map(time),
        }
    }
}

/// One partner and its secrets.
#[derive(Serialize, ToSchema)]
pub(crate) struct DetailedPartner {
    partner: PartnerOut,
    secrets: Vec<PartnerSecretOut>,
}

fn operator(ctx: &Ctx) -> Result<(), Error> {
    if ctx.user()?.operator { Ok(()) } else { Err(Error::not_found("route.not_found", "Route")) }
}

/// What an operator chooses.
#[derive(Deserialize, ToSchema)]
pub(crate) struct CreatePartnerIn {
    name: String,
    #[schema(value_type = String)]
    kind: PartnerKind,
    /// `pro` when absent.
    #[schema(value_type = Option<String>)]
    plan: Option<Plan>,
    project_limit: Option<u32>,
    #[schema(value_type = Option<Vec<String>>)]
    regions: Option<Vec<Region>>,
    #[schema(value_type = Option<Vec<String>>)]
    instance_types: Option<Vec<InstanceType>>,
}

/// Makes a partner. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/partners/v1", tag = "partners", request_body = CreatePartnerIn,
    responses((status = 201, body = PartnerWithSecret), (status = 400), (status = 401), (status = 404)))]
pub(crate) async fn create_partner(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    Body(input): Body<CreatePartnerIn>,
) -> Answer<(StatusCode, Json<PartnerWithSecret>)> {
    operator(&ctx)?;
    let CreatePartnerIn { name, kind, plan, project_limit, regions, instance_types } = input;
    let mut tx = state.begin().await?;
    let subject = Subject { detail: json!({ "name": name, "kind": kind }), ..Subject::default() };
    let audit_id = audit::open(&mut tx, &state, &ctx, "partner.create", subject).await?;
    let wanted = NewPartner {
        name,
        kind,
        plan: plan.unwrap_or(Plan::Pro),
        allowances: Allowances { project_limit, regions, instance_types },
    };
    let (partner, secret) = manage::create(&mut tx, wanted, state.clock.now()).await.map_err(Failure::from)?;
    audit::close_done(&mut tx, &state, audit_id).await?;
    tx.commit().await?;
    let body = PartnerWithSecret { partner: partner.into(), secret: secret.expose_secret().to_owned() };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Lists all partners.
#[utoipa::path(get, path = "/partners/v1", tag = "partners",
    responses((status = 200, body = PartnerList), (status = 401), (status = 404)))]
pub(crate) async fn list_partners(AxumState(state): AxumState<State>, ctx: Ctx) -> Answer<Json<PartnerList>> {
    operator(&ctx)?;
    let partners = manage::list(&mut *state.connection().await?).await.map_err(Failure::from)?;
    Ok(Json(PartnerList { partners: partners.into_iter().map(PartnerOut::from).collect() }))
}

/// Shows a partner and which secrets of it work.
#[utoipa::path(get, path = "/partners/v1/{id}", tag = "partners", params(("id" = String, Path)),
    responses((status = 200, body = DetailedPartner), (status = 401), (status = 404)))]
pub(crate) async fn get_partner(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    PartnerPath(id): PartnerPath,
) -> Answer<Json<DetailedPartner>> {
    operator(&ctx)?;
    let mut conn = state.connection().await?;
    let partner = manage::get(&mut conn, id).await.map_err(Failure::from)?;
    let secrets = manage::secrets(&mut conn, id, state.clock.now()).await.map_err(Failure::from)?;
    Ok(Json(DetailedPartner {
        partner: partner.into(),
        secrets: secrets.into_iter().map(PartnerSecretOut::from).collect(),
    }))
}

/// What to change. What a partner may choose is replaced as a whole.
#[derive(Deserialize, ToSchema)]
pub(crate) struct UpdatePartnerIn {
    name: Option<String>,
    #[schema(value_type = Option<String>)]
    plan: Option<Plan>,
    allowances: Option<AllowancesIn>,
}

/// What a partner may choose.
#[derive(Deserialize, ToSchema)]
pub(crate) struct AllowancesIn {
    project_limit: Option<u32>,
    #[schema(value_type = Option<Vec<String>>)]
    regions: Option<Vec<Region>>,
    #[schema(value_type = Option<Vec<String>>)]
    instance_types: Option<Vec<InstanceType>>,
}

/// Changes a partner's name, plan or what it may choose.
#[utoipa::path(put, path = "/partners/v1/{id}", tag = "partners", params(("id" = String, Path)), request_body = UpdatePartnerIn,
    responses((status = 200, body = PartnerEnvelope), (status = 400), (status = 401), (status = 404)))]
pub(crate) async fn update_partner(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    PartnerPath(id): PartnerPath,
    Body(input): Body<UpdatePartnerIn>,
) -> Answer<Json<PartnerEnvelope>> {
    operator(&ctx)?;
    let allowances = input.allowances.map(|AllowancesIn { project_limit, regions, instance_types }| Allowances {
        project_limit,
        regions,
        instance_types,
    });
    let changes = Changes { name: input.name, plan: input.plan, allowances };
    let partner =
        audited(&state, &ctx, id, "partner.update", async |conn, now| manage::update(conn, id, changes, now).await)
            .await?;
    Ok(Json(PartnerEnvelope { partner: partner.into() }))
}

/// How to rotate.
#[derive(Deserialize, ToSchema)]
pub(crate) struct RotatePartnerSecretIn {
    /// How long the present secret works beside the new one; 24 when absent.
    grace_hours: Option<i64>,
}

/// A new secret, shown once.
#[derive(Serialize, ToSchema)]
pub(crate) struct RotatedPartnerSecret {
    id: String,
    secret: String,
}

/// Gives a partner a new secret.
#[utoipa::path(post, path = "/partners/v1/{id}/rotate-secret", tag = "partners", params(("id" = String, Path)),
    request_body = RotatePartnerSecretIn,
    responses((status = 200, body = RotatedPartnerSecret), (status = 400), (status = 401), (status = 404)))]
pub(crate) async fn rotate_partner_secret(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    PartnerPath(id): PartnerPath,
    Body(input): Body<RotatePartnerSecretIn>,
) -> Answer<Json<RotatedPartnerSecret>> {
    operator(&ctx)?;
    let hours = input.grace_hours.unwrap_or(limits::PARTNER_SECRET_GRACE_HOURS);
    let secret = audited(&state, &ctx, id, "partner.rotate_secret", async |conn, now| {
        manage::rotate_secret(conn, id, hours, now).await
    })
    .await?;
    Ok(Json(RotatedPartnerSecret { id: id.to_string(), secret: secret.expose_secret().to_owned() }))
}

/// Refuses a partner from now on. Its projects go on.
#[utoipa::path(post, path = "/partners/v1/{id}/disable", tag = "partners", params(("id" = String, Path)),
    responses((status = 200, body = PartnerEnvelope), (status = 401), (status = 404)))]
pub(crate) async fn disable_partner(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    PartnerPath(id): PartnerPath,
) -> Answer<Json<PartnerEnvelope>> {
    set_disabled(&state, &ctx, id, true, "partner.disable").await
}

/// Lets a disabled partner in again.
#[utoipa::path(post, path = "/partners/v1/{id}/enable", tag = "partners", params(("id" = String, Path)),
    responses((status = 200, body = PartnerEnvelope), (status = 401), (status = 404)))]
pub(crate) async fn enable_partner(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    PartnerPath(id): PartnerPath,
) -> Answer<Json<PartnerEnvelope>> {
    set_disabled(&state, &ctx, id, false, "partner.enable").await
}

async fn set_disabled(
    state: &State,
    ctx: &Ctx,
    id: PartnerId,
    disabled: bool,
    action: &'static str,
) -> Answer<Json<PartnerEnvelope>> {
    operator(ctx)?;
    let partner =
        audited(state, ctx, id, action, async |conn, now| manage::set_disabled(conn, id, disabled, now).await).await?;
    Ok(Json(PartnerEnvelope { partner: partner.into() }))
}

/// Does something to a partner in one transaction with its audit row.
async fn audited<T>(
    state: &State,
    ctx: &Ctx,
    id: PartnerId,
    action: &'static str,
    act: impl AsyncFnOnce(&mut sqlx::PgConnection, chrono::DateTime<chrono::Utc>) -> Result<T, manage::Refused>,
) -> Answer<T> {
    let mut tx = state.begin().await?;
    let subject = Subject { detail: json!({ "partner_id": id }), ..Subject::default() };
    let audit_id = audit::open(&mut tx, state, ctx, action, subject).await?;
    let done = act(&mut tx, state.clock.now()).await.map_err(Failure::from)?;
    audit::close_done(&mut tx, state, audit_id).await?;
    tx.commit().await?;
    Ok(done)
}
