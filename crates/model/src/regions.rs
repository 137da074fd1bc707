//! Regions: where a project lives, and part of its host name.

use crate::words::words;

words! {
    /// A region.
    Region is a "region" {
        /// The default.
        UsEast = "us-east",
        /// United States, west.
        UsWest = "us-west",
        /// Europe.
        EuCentral = "eu-central",
        /// Asia and the Pacific.
        ApSoutheast = "ap-southeast",
    }
}

impl Default for Region {
    fn default() -> Self {
        Self::UsEast
    }
}
