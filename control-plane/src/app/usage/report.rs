//! What an organization uses in its present billing period.

use std::collections::{BTreeMap, HashMap};

use ids::{OrganizationId, ProjectId};
use model::{
    instances::InstanceType,
    projects::Status,
    usage::{Period, current_period},
};
use store::{
    organizations::Organization,
    projects::Project,
    usage_days,
    usage_totals::{self, Scope},
};

use super::{Amounts, late, zero};
use crate::{
    app::{
        Ctx, Failure, organizations,
        projects::{self, ProjectView},
    },
    state::State,
};

/// Counters of the period and present sizes. Deleted projects keep their counters.
pub(crate) struct Report {
    pub(crate) organization: Organization,
    pub(crate) period: Period,
    pub(crate) total: Amounts,
    /// Seconds of compute by instance type, branches included.
    pub(crate) compute: BTreeMap<InstanceType, i64>,
    pub(crate) projects: Vec<(ProjectView, Amounts)>,
    /// The total without the projects.
    pub(crate) unattributed: Amounts,
    /// What came in the period and was of days too long past. It is in no total.
    pub(crate) late: Amounts,
}

/// What an organization has used.
pub(crate) async fn report(state: &State, ctx: &Ctx, organization_id: OrganizationId) -> Result<Report, Failure> {
    let mut conn = state.snapshot().await?;
    let organization = organizations::find(&mut conn, ctx, organization_id).await?.organization;
    let (period, scope) = (current_period(state.clock.now()), Scope::Organization(organization_id));
    let mut used: HashMap<ProjectId, Amounts> = HashMap::new();
    let mut unattributed = zero();
    let mut total = zero();
    let sizes = usage_days::current_sizes(&mut conn, organization_id).await?;
    for size in &sizes {
        *total.entry(size.metric).or_insert(0) += size.amount;
    }
    total.extend(usage_totals::counters(&mut conn, scope, period).await?);
    let compute = usage_totals::compute(&mut conn, scope, period).await?.into_iter().collect();
    unattributed.extend(&total);
    for part in usage_days::counters(&mut conn, organization_id, period).await?.into_iter().chain(sizes) {
        used.entry(part.project_id).or_default().insert(part.metric, part.amount);
        *unattributed.entry(part.metric).or_insert(0) -= part.amount;
    }
    let relevant = |project: &Project| project.deleted_at.is_none() || used.contains_key(&project.id);
    let history = store::projects::history(&mut conn, organization_id).await?;
    let views = projects::views(&mut conn, history.into_iter().filter(relevant).collect()).await?;
    let late = late(&mut conn, scope, period).await?;
    let mut projects = Vec::new();
    for view in views {
        let mut amounts = zero();
        amounts.extend(used.remove(&view.project.id).unwrap_or_default());
        // A failed creation that used nothing is nobody's concern.
        if view.status() != Status::Deleted || amounts.values().any(|&amount| amount > 0) {
            projects.push((view, amounts));
        }
    }
    Ok(Report { organization, period, total, compute, projects, unattributed, late })
}
