//! The days a report is asked for.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use model::{Error, limits, usage::Period};

/// Days without a start, counted back from the last one.
const DEFAULT_DAYS: i64 = 7;

/// The period asked for: whole UTC days, none of them in the future, a year at most.
pub(crate) fn period(start: Option<&str>, end: Option<&str>, now: DateTime<Utc>) -> Result<Period, Error> {
    let read = |field: &str, text: &str| {
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|date| date.to_string() == text);
        date.ok_or_else(|| Error::invalid(field, format!("{field} must be a date such as 2026-01-31")))
    };
    let today = now.date_naive();
    let end = end.map_or(Ok(today), |text| read("end_date", text))?;
    let start = start.map_or(Ok(end - Duration::days(DEFAULT_DAYS)), |text| read("start_date", text))?;
    if end > today {
        return Err(Error::invalid("end_date", "end_date must not be in the future"));
    }
    if start > end {
        return Err(Error::invalid("start_date", "start_date must not be after end_date"));
    }
    if (end - start).num_days() >= limits::USAGE_PERIOD_DAYS_MAX {
        let text = format!("A period may have up to {} days", limits::USAGE_PERIOD_DAYS_MAX);
        return Err(Error::invalid("start_date", text));
    }
    Ok(Period { start, end })
}
