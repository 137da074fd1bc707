//! Use-cases: authorize, validate, record the intent with its operation and audit row in one transaction, start the work. They know the
//! rules and no HTTP.

pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod branches;
pub(crate) mod operations;
pub(crate) mod organizations;
pub(crate) mod projects;
pub(crate) mod reporters;
pub(crate) mod usage;

use ids::OperationId;
use model::Error;
use store::users::User;

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

/// Who asks, and in which request.
#[derive(Clone, Debug)]
pub(crate) struct Ctx {
    /// The authenticated user.
    pub(crate) user: User,
    /// Names the request in operations and audit rows.
    pub(crate) request_id: String,
    /// The key under which the answer will be kept, if the caller gave one.
    pub(crate) idempotency_key: Option<String>,
}

/// What a use-case answers when work goes on after it.
#[derive(Debug)]
pub(crate) struct Started<T> {
    /// The answer.
    pub(crate) value: T,
    /// The operation to follow; absent when there was nothing to start.
    pub(crate) operation_id: Option<OperationId>,
}
