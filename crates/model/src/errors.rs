//! The one error that use-cases return: what it means, a stable code and text for the client, and context only for the operator.

use std::fmt;

/// What a failure means to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// There is no such thing, or the caller may not see it.
    NotFound,
    /// Something of that name is there.
    AlreadyExists,
    /// The input cannot be accepted; names the field where there is one.
    Invalid {
        /// The offending field, as on the wire.
        field: Option<String>,
    },
    /// The input is well-formed, but this resource cannot have it done to it, now or ever.
    Unprocessable,
    /// The state of the resource forbids it now.
    Conflict,
    /// As [`Self::Conflict`], where a client would misread a conflict.
    Locked,
    /// The caller made it conditional, and the condition no longer holds.
    PreconditionFailed,
    /// No valid credential.
    Unauthenticated,
    /// The caller may see it but not do this.
    Forbidden,
    /// A limit of the plan is reached.
    QuotaExceeded,
    /// Too many attempts.
    Throttled {
        /// When another attempt makes sense.
        retry_after_seconds: u64,
    },
    /// Not now; trying again may help.
    Unavailable,
    /// Our fault.
    Internal,
}

/// A failure with its public half (code and message) and its private half (context) kept apart.
#[derive(Debug)]
pub struct Error {
    meaning: Meaning,
    code: &'static str,
    message: String,
    context: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    fn of(meaning: Meaning, code: &'static str, message: impl Into<String>) -> Self {
        Self { meaning, code, message: message.into(), context: None }
    }

    /// `what` is the noun as it starts a sentence: `Project` gives `Project not found`.
    pub fn not_found(code: &'static str, what: &str) -> Self {
        Self::of(Meaning::NotFound, code, format!("{what} not found"))
    }

    /// Something of that name is there already.
    pub fn already_exists(code: &'static str, message: impl Into<String>) -> Self {
        Self::of(Meaning::AlreadyExists, code, message)
    }

    /// A field of the request cannot be accepted.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::of(Meaning::Invalid { field: Some(field.into()) }, "request.invalid", message)
    }

    /// The request as a whole cannot be read.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::of(Meaning::Invalid { field: None }, "request.malformed", message)
    }

    /// Well-formed, but not for this resource.
    pub fn unprocessable(code: &'static str, message: impl Into<String>) -> Self {
        Self::of(Meaning::Unprocessable, code, message)
    }

    /// The resource's state forbids it now.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::of(Meaning::Conflict, code, message)
    }

    /// The resource's state forbids it now, on a route where 409 means something else.
    pub fn locked(code: &'static str, message: impl Into<String>) -> Self {
        Self::of(Meaning::Locked, code, message)
    }

    /// A condition of the caller no longer holds.
    pub fn precondition_failed(code: &'static str, message: impl Into<String>) -> Self {
        Self::of(Meaning::PreconditionFailed, code, message)
    }

    /// No valid credential.
    pub fn unauthenticated(code: &'static str, message: impl Into<String>) -> Self {
        Self::of(Meaning::Unauthenticated, code, message)
    }

    /// Visible, but not to be changed by this caller.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::of(Meaning::Forbidden, "auth.forbidden", message)
    }

    /// A limit of the plan is reached.
    pub fn quota_exceeded(code: &'static str, message: impl Into<String>) -> Self {
        Self::of(Meaning::QuotaExceeded, code, message)
    }

    /// Too many attempts.
    pub fn throttled(retry_after_seconds: u64) -> Self {
        Self::of(Meaning::Throttled { retry_after_seconds }, "request.throttled", "Too many attempts. Try again later.")
    }

    /// Trying again may help.
    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::of(Meaning::Unavailable, code, message)
    }

    /// Our fault; the cause is for the operator only.
    pub fn internal(context: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::of(Meaning::Internal, "internal", "Something went wrong on our side. Try again later.").because(context)
    }

    /// Adds private context.
    #[must_use]
    pub fn because(mut self, context: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// What it means.
    #[must_use]
    pub fn meaning(&self) -> &Meaning {
        &self.meaning
    }

    /// Stable and machine-readable.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What a client may read.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same failure where 409 would be misread.
    #[must_use]
    pub fn conflict_as_locked(mut self) -> Self {
        if self.meaning == Meaning::Conflict {
            self.meaning = Meaning::Locked;
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.context.as_ref().map(|context| &**context as &(dyn std::error::Error + 'static))
    }
}
