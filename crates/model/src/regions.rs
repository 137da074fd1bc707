//! Regions: where a project lives, and part of its host name.

use crate::words::words;

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
