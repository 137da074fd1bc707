//! A partner's projects, one by one and in pages.

use axum::{Json, extract::State as AxumState};
use model::projects::Status;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{PartnerProject, PartnerProjectEnvelope};
use crate::{
    api::{
        Answer, page_limit,
        projects::{RestrictionOut, access_host},
        time,
    },
    app::{Ctx, partners::projects, projects::not_found},
    http::extract::{PartnerUserPath, ProjectPath, Query, UserProjectPath},
    state::State,
};

/// What is needed to use a project, and more.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartnerProjectMetadata {
    #[serde(flatten)]
    project: PartnerProject,
    region: &'static str,
    instance_type: &'static str,
    /// True within a minute; absent before the first request.
    last_activity_at: Option<String>,
    /// What is done about it for using more than it is allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    restriction: Option<RestrictionOut>,
}

/// Shows a project of the partner.
#[utoipa::path(get, path = "/partnership/v1/{partner}/{id}/metadata", tag = "partnership",
    params(("partner" = String, Path), ("id" = uuid::Uuid, Path, description = "The project")), security(("partner" = [])),
    responses((status = 200, body = PartnerProjectEnvelope<PartnerProjectMetadata>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn get_partner_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    ProjectPath(id): ProjectPath,
) -> Answer<Json<PartnerProjectEnvelope<PartnerProjectMetadata>>> {
    let connection = projects::connection(&state, &ctx, id).await?;
    let project = PartnerProjectMetadata {
        project: PartnerProject::new(&state, &connection),
        region: connection.view.project.region.as_str(),
        instance_type: connection.view.project.instance_type.as_str(),
        last_activity_at: connection.last_activity_at.map(time),
        restriction: connection.view.restriction.map(RestrictionOut::from),
    };
    Ok(Json(PartnerProjectEnvelope { project }))
}

/// Shows a project of one of the partner's users.
#[utoipa::path(get, path = "/partnership/v1/{partner}/{id}/{project}/metadata", tag = "partnership",
    params(("partner" = String, Path), ("id" = uuid::Uuid, Path, description = "The user"), ("project" = uuid::Uuid, Path)),
    security(("partner" = [])),
    responses((status = 200, body = PartnerProjectEnvelope<PartnerProject>), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn get_partner_user_project(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    PartnerUserPath(user_id): PartnerUserPath,
    UserProjectPath(id): UserProjectPath,
) -> Answer<Json<PartnerProjectEnvelope<PartnerProject>>> {
    let connection = projects::connection_of_user(&state, &ctx, user_id, id).await?;
    Ok(Json(PartnerProjectEnvelope { project: PartnerProject::new(&state, &connection) }))
}

/// A project in a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListedPartnerProject {
    id: uuid::Uuid,
    name: String,
    access_host: String,
    #[schema(value_type = String)]
    status: Status,
    region: &'static str,
    instance_type: &'static str,
    user_id: Option<uuid::Uuid>,
    created_at: String,
}

/// A page of projects.
#[derive(Serialize, ToSchema)]
pub(crate) struct PartnerProjectList {
    projects: Vec<ListedPartnerProject>,
    /// Send it as `after` for the next page; absent on the last one.
    next: Option<uuid::Uuid>,
}

/// Which page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// The last project of the page before.
    after: Option<String>,
    /// At most 100, which is the default.
    limit: Option<i64>,
}

/// Lists the partner's projects in the order of their creation.
#[utoipa::path(get, path = "/partnership/v1/{partner}/projects", tag = "partnership", params(("partner" = String, Path), PageQuery),
    security(("partner" = [])),
    responses((status = 200, body = PartnerProjectList), (status = 400), (status = 401), (status = 403), (status = 404)))]
pub(crate) async fn list_partner_projects(
    AxumState(state): AxumState<State>,
    ctx: Ctx,
    Query(query): Query<PageQuery>,
) -> Answer<Json<PartnerProjectList>> {
    let limit = page_limit(query.limit)?;
    let after = query.after.as_deref().map(str::parse).transpose().map_err(|_| not_found())?;
    let views = projects::page(&state, &ctx, after, limit).await?;
    let full = i64::try_from(views.len()).is_ok_and(|length| length == limit);
    let projects: Vec<_> = views
        .into_iter()
        .map(|view| ListedPartnerProject {
            id: view.project.id.as_uuid(),
            access_host: access_host(&state, &view.project),
            status: view.status(),
            region: view.project.region.as_str(),
            instance_type: view.project.instance_type.as_str(),
            user_id: view.project.partner_user_id.map(uuid::Uuid::from),
            created_at: time(view.project.created_at),
            name: view.project.name,
        })
        .collect();
    let next = projects.last().filter(|_| full).map(|last| last.id);
    Ok(Json(PartnerProjectList { projects, next }))
}
