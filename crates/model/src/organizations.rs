//! Organizations: their kinds, the roles of their members, and who may do what.

use crate::{Error, limits, words::words};

words! {
    /// What an organization is.
    OrganizationType is a "organization type" {
        /// One person's.
        Personal = "personal",
        /// A team's.
        Team = "team",
        /// A company's.
        Company = "company",
    }
}

words! {
    /// What a member may do. Later ones may do everything that earlier ones may.
    Role is a "role" {
        /// Works with all projects.
        Developer = "developer",
        /// Also changes the organization, its members and its plan.
        Administrator = "administrator",
        /// Also deletes the organization; there is one.
        Owner = "owner",
    }
}

impl Role {
    /// Whether the organization itself may be changed.
    #[must_use]
    pub fn may_administer(self) -> bool {
        self >= Self::Administrator
    }

    /// Whether the organization may be deleted.
    #[must_use]
    pub fn may_delete(self) -> bool {
        self == Self::Owner
    }
}

/// Trims and checks the name of a project, an organization or a key.
///
/// # Errors
/// Invalid, naming `field`.
pub fn check_name(field: &str, name: &str) -> Result<String, Error> {
    let name = name.trim();
    let length = name.chars().count();
    if length < limits::NAME_MIN {
        return Err(Error::invalid(field, format!("Name must be at least {} characters", limits::NAME_MIN)));
    }
    if length > limits::NAME_MAX {
        return Err(Error::invalid(field, format!("Name must be at most {} characters", limits::NAME_MAX)));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid(field, "Name must not contain control characters"));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(check_name("name", "  shop ").expect("valid"), "shop");
        assert!(check_name("name", &"ü".repeat(64)).is_ok());
        for name in ["", " a ", &"x".repeat(65), "a\0b", "a\nb"] {
            assert!(check_name("name", name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn roles_are_ordered() {
        assert!(!Role::Developer.may_administer());
        assert!(Role::Administrator.may_administer() && !Role::Administrator.may_delete());
        assert!(Role::Owner.may_delete() && Role::Owner.may_administer());
    }
}
