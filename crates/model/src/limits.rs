//! Every limit in one table: quotas per plan, lengths, lifetimes and sizes. Everything else reads them from here.

use crate::words::words;

words! {
    /// What an organization subscribes to.
    Plan is a "plan" {
        /// Costs nothing.
        Free = "free",
        /// The smallest paid plan.
        Starter = "starter",
        /// The usual paid plan.
        Pro = "pro",
        /// For larger teams, and for the operator's own organization.
        Team = "team",
        /// By contract.
        Enterprise = "enterprise",
    }
}

/// What a plan allows, beside how much of each metric, which is in `plans/*.toml`. An absent number means unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlanLimits {
    /// Projects that are neither paused nor deleted, branches not counted.
    pub active_projects: Option<u32>,
    /// Projects of one organization that have branches.
    pub branched_parents: Option<u32>,
    /// Branches of one project that are not merged.
    pub branches_per_parent: Option<u32>,
    /// Whether instance types beyond the smallest can be chosen.
    pub larger_instances: bool,
}

impl Plan {
    /// What it allows.
    #[must_use]
    pub const fn limits(self) -> PlanLimits {
        match self {
            Self::Free => PlanLimits {
                active_projects: Some(2),
                branched_parents: Some(3),
                branches_per_parent: Some(2),
                larger_instances: false,
            },
            Self::Starter | Self::Pro | Self::Team => PlanLimits {
                active_projects: None,
                branched_parents: Some(3),
                branches_per_parent: Some(2),
                larger_instances: true,
            },
            Self::Enterprise => PlanLimits {
                active_projects: None,
                branched_parents: None,
                branches_per_parent: None,
                larger_instances: true,
            },
        }
    }

    /// Whether its projects are paused when nobody uses them.
    #[must_use]
    pub const fn pauses_idle_projects(self) -> bool {
        matches!(self, Self::Free)
    }
}

/// Shortest name of a project or an organization, in characters.
pub const NAME_MIN: usize = 2;
/// Longest name of a project, a branch, an organization or an API key, in characters.
pub const NAME_MAX: usize = 64;
/// Longest e-mail address, in bytes.
pub const EMAIL_MAX: usize = 254;
/// Longest password, in bytes: hashing is not free.
pub const PASSWORD_MAX: usize = 1024;
/// Longest host name, in bytes.
pub const HOST_MAX: usize = 253;
/// Longest `Idempotency-Key`, in bytes.
pub const IDEMPOTENCY_KEY_MAX: usize = 255;
/// Largest request body of the control plane, in bytes.
pub const REQUEST_BODY_MAX: usize = 1024 * 1024;
/// Records in one batch of usage.
pub const USAGE_BATCH_MAX: usize = 1000;
/// API keys of one user that are not revoked.
pub const API_KEYS_PER_USER: i64 = 50;
/// Organizations one user may own.
pub const ORGANIZATIONS_PER_USER: i64 = 50;

/// Lifetime of an access token, in seconds.
pub const ACCESS_TOKEN_SECONDS: i64 = 3600;
/// Lifetime of a refresh token since its last use, in days.
pub const REFRESH_TOKEN_DAYS: i64 = 30;
/// How long a rotated refresh token still works, in seconds: parallel clients share one credentials file.
pub const REFRESH_GRACE_SECONDS: i64 = 60;
/// Lifetime of a user API key unless another is asked for, in days.
pub const API_KEY_DAYS: i64 = 90;
/// Longest lifetime of a user API key that does expire, in days.
pub const API_KEY_DAYS_MAX: i64 = 3650;
/// How long an `Idempotency-Key` is remembered, in hours.
pub const IDEMPOTENCY_KEY_HOURS: i64 = 24;
/// How long an identical create by the same caller is recognised without a key, in seconds.
pub const DUPLICATE_CREATE_SECONDS: i64 = 60;
/// Longest time a request is held until its operation is finished, in seconds.
pub const WAIT_FOR_COMPLETION_SECONDS: u64 = 600;
/// Longest time for which a partner's rotated secret works beside its successor, in hours.
pub const PARTNER_SECRET_GRACE_HOURS_MAX: i64 = 168;
/// That time, unless another is asked for, in hours.
pub const PARTNER_SECRET_GRACE_HOURS: i64 = 24;
/// Lifetime of a project authorization code, in seconds.
pub const AUTHORIZATION_CODE_SECONDS: i64 = 600;
/// Longest time a partner's new project is waited for before the answer says that it is being made, in seconds.
pub const PARTNER_CREATE_WAIT_SECONDS: u64 = 20;
/// Candidate projects in a refusal of another project.
pub const CANDIDATE_PROJECTS: i64 = 20;
/// How many days after its own a usage record still counts.
pub const USAGE_LATE_DAYS: i64 = 7;
/// Longest period of a usage report, in days.
pub const USAGE_PERIOD_DAYS_MAX: i64 = 366;
/// Sign-in attempts per account and address, at once and per minute.
pub const LOGIN_ATTEMPTS: u32 = 10;
/// Wrong partner secrets from one address, per minute.
pub const PARTNER_GUESSES_PER_ADDRESS: u32 = 20;
/// Wrong secrets of one partner from all addresses, per minute.
pub const PARTNER_GUESSES_PER_PARTNER: u32 = 100;

/// How long a browser may take to sign in through a client that the operator shares, in seconds.
pub const SHARED_SIGN_IN_SECONDS: i64 = 600;
/// Such sign-ins of one project under way at once.
pub const SHARED_SIGN_INS_PER_PROJECT: i64 = 1000;
/// How long a project believes what it is told of a finished one, in seconds.
pub const SHARED_IDENTITY_SECONDS: i64 = 300;
/// Longest address that a shared sign-in may lead back to, in bytes.
pub const SHARED_REDIRECT_MAX: usize = 4096;

/// Receivers of events that an organization or a partner may name.
pub const WEBHOOK_ENDPOINTS: i64 = 20;
/// Longest URL of a receiver of events, in bytes.
pub const WEBHOOK_URL_MAX: usize = 2048;
/// Longest description of a receiver, or reason for disabling it, in characters.
pub const WEBHOOK_TEXT_MAX: usize = 256;
/// How long a receiver may take to answer, in seconds.
pub const WEBHOOK_TIMEOUT_SECONDS: u64 = 15;
/// For how long the delivery of an event is tried, in hours.
pub const WEBHOOK_RETRY_HOURS: i64 = 24;
/// First pause between two attempts, in seconds.
pub const WEBHOOK_RETRY_FIRST_SECONDS: i64 = 5;
/// Longest pause between two attempts, in seconds.
pub const WEBHOOK_RETRY_MAX_SECONDS: i64 = 4 * 3600;
/// Deliveries under way to one receiver at once.
pub const WEBHOOK_IN_FLIGHT: i64 = 4;
/// How long events are kept, in days.
pub const EVENT_DAYS: i64 = 30;
/// Requests that a throttled project answers each second.
pub const THROTTLED_REQUESTS_PER_SECOND: u32 = 2;
/// How long a project that was paused because nobody used it can be restored by its owner, in days.
pub const IDLE_RESTORE_DAYS: i64 = 30;
/// Things in one page of a list that is read page by page.
pub const PAGE_MAX: i64 = 100;

/// Smallest disk of a project, in GiB.
pub const DISK_GIB_MIN: i64 = 8;
/// Largest disk of a project, in GiB.
pub const DISK_GIB_MAX: i64 = 16_384;
