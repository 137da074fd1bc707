//! Which calls of the fake fail, and the record of calls.

use std::collections::BTreeMap;

use ids::ProjectId;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Fails, retryable, and did nothing.
    Before,
    /// Fails, retryable, although it did everything.
    After,
    /// Never answers, and did nothing; the caller's own timeout ends it.
    HangBefore,
    /// Never answers, although it did everything.
    HangAfter,
    /// Fails for good, and did nothing.
    Refused,
}

/// One call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The trait's method.
    pub name: &'static str,
    /// Whom it was about; `None` for lists.
    pub project_id: Option<ProjectId>,
}

/// Planned faults by position among all changes, and by position among the calls of one name.
#[derive(Debug, Default)]
pub(super) struct Plan {
    changes: Vec<Call>,
    calls: BTreeMap<&'static str, usize>,
    by_change: BTreeMap<usize, Fault>,
    by_call: BTreeMap<(&'static str, usize), Fault>,
}

impl Plan {
    pub(super) fn at_change(&mut self, nth: usize, fault: Fault) {
        self.by_change.insert(self.changes.len() + nth, fault);
    }

    pub(super) fn at_call(&mut self, name: &'static str, nth: usize, fault: Fault) {
        let made = self.calls.get(name).copied().unwrap_or(0);
        self.by_call.insert((name, made + nth), fault);
    }

    pub(super) fn clear(&mut self) {
        self.by_change.clear();
        self.by_call.clear();
    }

    pub(super) fn pending(&self) -> usize {
        self.by_change.len() + self.by_call.len()
    }

    pub(super) fn changes(&self) -> Vec<Call> {
        self.changes.clone()
    }

    /// Counts a call and takes the fault planned for it.
    pub(super) fn next(&mut self, name: &'static str, project_id: Option<ProjectId>) -> Option<Fault> {
        let made = self.calls.entry(name).or_insert(0);
        *made += 1;
        let by_call = self.by_call.remove(&(name, *made));
        if name.starts_with("describe_") || name.starts_with("list_") {
            return by_call;
        }
        self.changes.push(Call { name, project_id });
        let by_change = self.by_change.remove(&self.changes.len());
        by_call.or(by_change)
    }
}
