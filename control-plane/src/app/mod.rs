//! Use-cases: authorize, validate, record the intent with its operation and audit row in one transaction, start the work. They know the
//! rules and no HTTP.

pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod billing;
pub(crate) mod branches;
pub(crate) mod events;
pub(crate) mod operations;
pub(crate) mod organizations;
pub(crate) mod partners;
pub(crate) mod projects;
pub(crate) mod quotas;
pub(crate) mod reporters;
pub(crate) mod shared_sign_ins;
pub(crate) mod throttle;
pub(crate) mod usage;

use ids::{AuditId, OperationId, UserId};
use model::Error;
use store::{partners::Partner, users::User};
use uuid::Uuid;

/// Why a use-case failed: a [`model::Error`], with a conversion from database errors, whose text never reaches a client.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => Self(
                Error::unavailable("unavailable", "The service is not available right now. Try again.").because(error),
            ),
            other => Self(Error::internal(other)),
        }
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// A person, for themselves.
    User(User),
    /// A partner, for what it made.
    Partner(Box<Partner>),
}

/// Who asks, and in which request.
#[derive(Clone, Debug)]
pub(crate) struct Ctx {
    /// The authenticated caller.
    pub(crate) caller: Caller,
    /// Names the request in operations and audit rows.
    pub(crate) request_id: String,
    /// The key under which the answer will be kept, if the caller gave one.
    pub(crate) idempotency_key: Option<String>,
    /// The audit row that was opened for the request, if it may change something.
    pub(crate) audit_id: Option<AuditId>,
}

impl Ctx {
    /// The user who asks.
    ///
    /// # Errors
    /// Forbidden, when it is no user.
    pub(crate) fn user(&self) -> Result<&User, Error> {
        match &self.caller {
            Caller::User(user) => Ok(user),
            Caller::Partner(_) => Err(Error::forbidden("Only a user may do this")),
        }
    }

    /// The user who asks, if it is one.
    pub(crate) fn user_id(&self) -> Option<UserId> {
        self.user().ok().map(|user| user.id)
    }

    /// Names the caller among all callers of both kinds.
    pub(crate) fn principal(&self) -> Uuid {
        match &self.caller {
            Caller::User(user) => user.id.as_uuid(),
            Caller::Partner(partner) => partner.id.as_uuid(),
        }
    }
}

/// What a use-case answers when work goes on after it.
#[derive(Debug)]
pub(crate) struct Started<T> {
    /// The answer.
    pub(crate) value: T,
    /// The operation to follow; absent when there was nothing to start.
    pub(crate) operation_id: Option<OperationId>,
}
