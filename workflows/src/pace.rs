//! Retry policies and time limits that several sagas share.

use std::time::Duration;

use saga::RetryPolicy;

/// Waiting for something that has just been started to answer: often at first, for about half a minute.
pub(crate) const PROOF: RetryPolicy =
    RetryPolicy { max_attempts: 40, first_delay: Duration::from_millis(20), max_delay: Duration::from_secs(1) };

/// Waiting for other operations to end: for some minutes before anyone is told.
pub(crate) const OTHER_OPERATIONS: RetryPolicy =
    RetryPolicy { max_attempts: 300, first_delay: Duration::from_millis(50), max_delay: Duration::from_secs(1) };

/// Waiting for a lock on a busy parent.
pub(crate) const BUSY: RetryPolicy =
    RetryPolicy { max_attempts: 12, first_delay: Duration::from_millis(200), max_delay: Duration::from_secs(3) };

/// A clone takes a moment where files can be shared and minutes per hundred gigabytes where they must be copied.
pub(crate) const CLONE_TIMEOUT: Duration = Duration::from_secs(3600);

/// Applying a plan may rewrite large tables.
pub(crate) const APPLY_TIMEOUT: Duration = Duration::from_secs(900);
