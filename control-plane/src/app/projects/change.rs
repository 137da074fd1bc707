//! Changing what a project is called, its custom domain and its disk: no work follows.

use ids::ProjectId;
use model::{
    Error, branches,
    events::EventType,
    limits::{DISK_GIB_MAX, DISK_GIB_MIN},
    organizations::check_name,
    projects::check_custom_domain,
};
use serde_json::json;
use sqlx::PgConnection;
use store::{events::NewEvent, projects::Project};

use super::{ProjectView, find_locked, view};
use crate::{
    app::{
        Ctx, Failure,
        audit::{self, Subject},
    },
    state::State,
};

/// What a caller may change. An absent field stays.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) name: Option<String>,
    /// Empty text removes the domain.
    pub(crate) customized_domain: Option<String>,
    pub(crate) disk_gib: Option<i64>,
}

/// Applies the changes.
pub(crate) async fn update(state: &State, ctx: &Ctx, id: ProjectId, changes: Changes) -> Result<ProjectView, Failure> {
    let mut tx = state.begin().await?;
    let mut project = find_locked(&mut tx, ctx, id).await?;
    if let Some(name) = &changes.name {
        project.name = if project.parent_id.is_some() {
            branches::check_name(name)?;
            name.clone()
        } else {
            check_name("name", name)?
        };
    }
    if let Some(domain) = &changes.customized_domain {
        project.customized_domain = custom_domain(&mut tx, &project, domain).await?;
    }
    let detail =
        json!({ "name": project.name, "customized_domain": project.customized_domain, "disk_gib": changes.disk_gib });
    let subject = Subject { organization_id: Some(project.organization_id), project_id: Some(id), detail };
    let audit_id = audit::open(&mut tx, state, ctx, "project.update", subject).await?;
    if let Some(disk_gib) = changes.disk_gib {
        grow_disk(&mut tx, id, disk_gib).await?;
    }
    project.updated_at = state.clock.now();
    let stored = store::projects::set_profile(
        &mut tx,
        id,
        &project.name,
        project.customized_domain.as_deref(),
        project.updated_at,
    )
    .await;
    stored.map_err(|error| match store::violated_constraint(&error) {
        Some("projects_branch_name_key") => {
            Failure(Error::already_exists("branch.name_conflict", "A branch with this name already exists"))
        }
        _ => error.into(),
    })?;
    tell(&mut tx, &project).await?;
    audit::close_done(&mut tx, state, audit_id).await?;
    let view = view(&mut tx, project).await?;
    tx.commit().await?;
    Ok(view)
}

async fn tell(conn: &mut PgConnection, project: &Project) -> Result<(), Failure> {
    let branch = project.parent_id.is_some();
    let event = NewEvent {
        kind: if branch { EventType::BranchRenamed } else { EventType::ProjectUpdated },
        organization_id: project.organization_id,
        partner_id: project.partner_id,
        project_id: Some(project.id),
        data: json!({
            "organization_id": project.organization_id, "project_id": project.id, "parent_project_id": project.parent_id,
            "name": project.name, "customized_domain": project.customized_domain,
        }),
    };
    Ok(store::events::insert(conn, &event, project.updated_at).await?)
}

/// A disk as it was and as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disk {
    pub(crate) previous_gib: i64,
    pub(crate) new_gib: i64,
}

/// Grows the disk if a size is given, and says what it was and is.
pub(crate) async fn resize_disk(state: &State, ctx: &Ctx, id: ProjectId, gib: Option<i64>) -> Result<Disk, Failure> {
    let mut tx = state.begin().await?;
    let project = find_locked(&mut tx, ctx, id).await?;
    let previous_gib = store::projects::disk_gib(&mut tx, id).await?;
    let Some(new_gib) = gib else { return Ok(Disk { previous_gib, new_gib: previous_gib }) };
    let detail = json!({ "disk_gib": new_gib });
    let subject = Subject { organization_id: Some(project.organization_id), project_id: Some(id), detail };
    let audit_id = audit::open(&mut tx, state, ctx, "project.update", subject).await?;
    grow_disk(&mut tx, id, new_gib).await?;
    audit::close_done(&mut tx, state, audit_id).await?;
    tx.commit().await?;
    Ok(Disk { previous_gib, new_gib })
}

async fn custom_domain(conn: &mut PgConnection, project: &Project, text: &str) -> Result<Option<String>, Failure> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let domain = check_custom_domain(text)?;
    if store::projects::domain_taken(conn, &domain, project.id).await? {
        return Err(Error::already_exists("project.domain_taken", "This domain is used by another project").into());
    }
    Ok(Some(domain))
}

async fn grow_disk(conn: &mut PgConnection, id: ProjectId, disk_gib: i64) -> Result<(), Failure> {
    let invalid = |text: String| Failure(Error::invalid("storageDiskSize", text));
    if !(DISK_GIB_MIN..=DISK_GIB_MAX).contains(&disk_gib) {
        return Err(invalid(format!("storageDiskSize must be between {DISK_GIB_MIN} and {DISK_GIB_MAX} GiB")));
    }
    let present = store::projects::disk_gib(conn, id).await?;
    if disk_gib < present {
        return Err(invalid(format!("storageDiskSize can only grow; it is {present} GiB")));
    }
    Ok(store::projects::set_disk_gib(conn, id, disk_gib).await?)
}
