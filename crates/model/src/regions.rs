//! Regions: where a project lives, and part of its host name.

use crate::{Error, words::words};

words! {
    /// A region.
    #[derive(Default)]
    Region is a "region" {
        /// The default.
        #[default]
        UsEast = "us-east",
        /// United States, west.
        UsWest = "us-west",
        /// Europe.
        EuCentral = "eu-central",
        /// Asia and the Pacific.
        ApSoutheast = "ap-southeast",
    }
}

impl Region {
    /// The region of this name, the default one without a name. Partners' documentation also calls `eu-central` `eu-west`.
    ///
    /// # Errors
    /// Invalid, naming `region`.
    pub fn wanted(name: Option<&str>) -> Result<Self, Error> {
        match name {
            None => Ok(Self::default()),
            Some("eu-west") => Ok(Self::EuCentral),
            Some(name) => name.parse().map_err(|_| {
                let known: Vec<&str> = Self::ALL.iter().map(|region| region.as_str()).collect();
                Error::invalid("region", format!("Unknown region. Use one of: {}", known.join(", ")))
            }),
        }
    }
}
