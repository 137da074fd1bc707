//! What partners' projects have used, from days and totals alone.

use chrono::{DateTime, NaiveDate, Utc};
use ids::ProjectId;
use model::usage::Period;
use store::{partners::Partner, usage_days, usage_totals::Scope};

use super::partner;
use crate::{
    app::{
        Ctx, Failure,
        projects::{self, ProjectView},
        usage::{self, Amounts, daily, zero},
    },
    state::State,
};

/// What a project has used, day by day.
pub(crate) struct ProjectReport {
    pub(crate) view: ProjectView,
    pub(crate) last_activity_at: Option<DateTime<Utc>>,
    /// Maximum over the days of a peak metric, sum of the others.
    pub(crate) total: Amounts,
    pub(crate) days: Vec<(NaiveDate, Amounts)>,
}

/// What all projects of a partner have used, deleted ones included.
pub(crate) struct PartnerReport {
    pub(crate) partner: Partner,
    pub(crate) period: Period,
    /// Of a peak metric the maximum over the days of the sum over the projects.
    pub(crate) total: Amounts,
    /// What came in the period and was of days too long past. It is in no total.
    pub(crate) late: Amounts,
}

/// What a project of the partner has used.
pub(crate) async fn of_project(
    state: &State,
    ctx: &Ctx,
    id: ProjectId,
    period: Period,
) -> Result<ProjectReport, Failure> {
    partner(ctx)?;
    let mut conn = state.snapshot().await?;
    let project = projects::find(&mut conn, ctx, id).await?;
    let recorded = usage_days::of_projects(&mut conn, &[id], period).await?;
    let carried = usage_days::carried(&mut conn, &[id], period.start).await?;
    let carried: Amounts = carried.into_iter().map(|held| (held.metric, held.amount)).collect();
    let days = daily::days(&recorded, &carried, period);
    let mut total = zero();
    for (metric, amount) in days.values().flatten() {
        let slot = total.entry(*metric).or_insert(0);
        *slot = metric.combine(*slot, *amount);
    }
    let last_activity_at = store::project_activity::find(&mut conn, id).await?;
    let view = projects::view(&mut conn, project).await?;
    Ok(ProjectReport { view, last_activity_at, total, days: days.into_iter().collect() })
}

/// What all projects of the partner have used.
pub(crate) async fn of_partner(state: &State, ctx: &Ctx, period: Period) -> Result<PartnerReport, Failure> {
    let partner = partner(ctx)?.clone();
    let scope = Scope::Partner(partner.id);
    let mut conn = state.snapshot().await?;
    let total = usage::total(&mut conn, scope, period).await?;
    let late = usage::late(&mut conn, scope, period).await?;
    Ok(PartnerReport { partner, period, total, late })
}
