//! Domains that allow fewer values than before, under arrays, rows and ranges that hold them.

use super::Search;
use crate::catalog::{Fact, Identity, Kind, MAX_DEPTH};

impl Search<'_> {
    /// The domain that a new check, or the domain's null rule, allows fewer values than before.
    pub(super) fn stricter_domain<'n>(&self, new: &'n Fact) -> Option<&'n Identity> {
        let old = self.from.get(&new.identity);
        let (domain, stricter) = match new.kind {
            Kind::Domain => (&new.identity, old.is_some_and(|old| !old.flag("not_null") && new.flag("not_null"))),
            Kind::DomainConstraint => {
                let checked =
                    !new.text("definition").ends_with(" NOT VALID") && old.is_none_or(|old| !old.says_the_same(new));
                (new.parent.as_ref()?, checked)
            }
            _ => return None,
        };
        (stricter && self.from.contains(domain)).then_some(domain)
    }

    /// True when stored arrays, rows or ranges have values of the domain in them: Postgres looks for the values that break a new rule in
    /// columns of the domain alone, and refuses where there are others.
    pub(super) fn held_inside(&self, domain: &Identity, depth: usize) -> bool {
        let dependents = self.dependents.get(domain).into_iter().flatten();
        dependents.filter(|user| user.parent.as_ref() != Some(domain)).any(|user| match user.kind {
            Kind::Column => user.text("type").ends_with("[]"),
            Kind::Attribute => self.holds_values(user.parent.as_ref()),
            Kind::Range => self.holds_values(Some(&user.identity)),
            Kind::Domain if user.text("base").ends_with("[]") => self.holds_values(Some(&user.identity)),
            Kind::Domain => depth < MAX_DEPTH && self.held_inside(&user.identity, depth + 1),
            _ => false,
        })
    }
}
