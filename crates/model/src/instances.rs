//! Instance types: the memory and CPU a project may use.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, limits::Plan};

/// The limits of one project, over all its processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceSize {
    /// Memory limit.
    pub memory_bytes: u64,
    /// CPU limit in thousandths of a core.
    pub cpu_millicpus: u32,
}

macro_rules! instance_types {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $mib:literal MiB, $cpu:literal mCPU;)*) => {
        /// A named size.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum InstanceType { $($(#[$doc])* #[serde(rename = $text)] $variant,)* }

        impl InstanceType {
            /// All types, smallest first.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The wire name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What it may use.
            #[must_use]
            pub const fn size(self) -> InstanceSize {
                match self { $(Self::$variant => InstanceSize { memory_bytes: $mib * 1024 * 1024, cpu_millicpus: $cpu },)* }
            }
        }

        impl FromStr for InstanceType {
            type Err = UnknownInstanceType;

            fn from_str(text: &str) -> Result<Self, UnknownInstanceType> {
                match text { $($text => Ok(Self::$variant),)* other => Err(UnknownInstanceType(other.to_owned())) }
            }
        }
    };
}

/// A name that is no instance type.
#[derive(Debug, thiserror::Error)]
#[error("unknown instance type '{0}'")]
pub struct UnknownInstanceType(String);

instance_types! {
    /// The free size.
    Nano = "nano", 512 MiB, 500 mCPU;
    /// The smallest paid size.
    Micro = "micro", 1024 MiB, 1000 mCPU;
    /// Two cores at most, shared.
    Small = "small", 2048 MiB, 2000 mCPU;
    /// Two cores.
    Medium = "medium", 4096 MiB, 2000 mCPU;
    /// Two cores and more memory.
    Large = "large", 8192 MiB, 2000 mCPU;
    /// Four cores.
    Xl = "xl", 16384 MiB, 4000 mCPU;
    /// Eight cores.
    Xl2 = "2xl", 32768 MiB, 8000 mCPU;
    /// Sixteen cores.
    Xl4 = "4xl", 65536 MiB, 16000 mCPU;
    /// Thirty-two cores.
    Xl8 = "8xl", 131072 MiB, 32000 mCPU;
    /// Sixty-four cores.
    Xl16 = "16xl", 262144 MiB, 64000 mCPU;
}

impl InstanceType {
    /// The instance type of this name.
    ///
    /// # Errors
    /// Invalid, naming `field`.
    pub fn wanted(field: &str, name: &str) -> Result<Self, Error> {
        name.parse().map_err(|_| {
            let known: Vec<&str> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
            Error::invalid(field, format!("Unknown instance type. Use one of: {}", known.join(", ")))
        })
    }

    /// Refuses what a plan does not offer.
    ///
    /// # Errors
    /// Quota exceeded, `project.instance_not_in_plan`.
    pub fn check_plan(self, plan: Plan) -> Result<(), Error> {
        if self == Self::Nano || plan.limits().larger_instances {
            return Ok(());
        }
        let text = "The free plan has only the nano instance type. Please upgrade your plan.";
        Err(Error::quota_exceeded("project.instance_not_in_plan", text))
    }
}
