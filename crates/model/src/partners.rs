//! Partners: who creates and runs projects under a brand of their own, and what they may choose.

use crate::{Error, instances::InstanceType, regions::Region, words::words};

words! {
    /// Whose customers a partner's users are.
    PartnerKind is a "partner kind" {
        /// Users have accounts here, see their projects here and pay by their own plan.
        CoBranded = "co-branded",
        /// Users know only the partner. Its projects are its own and shown to nobody else.
        WhiteLabel = "white-label",
    }
}

/// What a partner may choose. Absent means everything there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowances {
    /// Projects that are neither paused nor deleted.
    pub project_limit: Option<u32>,
    /// Where its projects may live.
    pub regions: Option<Vec<Region>>,
    /// What its projects may use.
    pub instance_types: Option<Vec<InstanceType>>,
}

impl Allowances {
    /// The region of this name, the default one without a name.
    ///
    /// # Errors
    /// Invalid for an unknown name, forbidden for one the partner may not use.
    pub fn region(&self, name: Option<&str>) -> Result<Region, Error> {
        let region = Region::wanted(name)?;
        match &self.regions {
            Some(allowed) if !allowed.contains(&region) => {
                Err(Error::forbidden(format!("This partner may not use the region {region}")))
            }
            _ => Ok(region),
        }
    }

    /// The instance type of this name, the smallest one without a name.
    ///
    /// # Errors
    /// Invalid for an unknown name, forbidden for one the partner may not use.
    pub fn instance_type(&self, name: Option<&str>) -> Result<InstanceType, Error> {
        let wanted = name.map_or(Ok(InstanceType::Nano), |name| InstanceType::wanted("instance_type", name))?;
        match &self.instance_types {
            Some(allowed) if !allowed.contains(&wanted) => {
                Err(Error::forbidden(format!("This partner may not use the instance type {}", wanted.as_str())))
            }
            _ => Ok(wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_checked_against_what_is_allowed() {
        let all = Allowances::default();
        assert_eq!(all.region(None).expect("a default"), Region::default());
        assert_eq!(all.region(Some("eu-west")).expect("documented"), Region::EuCentral);
        assert!(all.region(Some("moon")).is_err() && all.instance_type(Some("huge")).is_err());
        let some = Allowances {
            regions: Some(vec![Region::EuCentral]),
            instance_types: Some(vec![InstanceType::Nano, InstanceType::Small]),
            ..all
        };
        assert!(some.region(Some("eu-central")).is_ok() && some.region(None).is_err());
        assert!(some.instance_type(None).is_ok() && some.instance_type(Some("xl")).is_err());
    }
}
