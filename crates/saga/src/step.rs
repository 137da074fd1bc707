//! Steps: the run and undo of one outside effect, with its retry policy and time limit.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use ids::OperationId;
use serde::{Serialize, de::DeserializeOwned};

/// A boxed future that borrows for `'a`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a step did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// Trying again may help: a time-out, a refused connection, a busy resource.
    #[error("{public}")]
    Transient {
        /// What a user may read.
        public: String,
        /// What only an operator may read.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Trying again cannot help: the operation unwinds.
    #[error("{public}")]
    Permanent {
        /// Stable machine-readable reason, such as `branch.merge_conflict`.
        code: String,
        /// What a user may read.
        public: String,
        /// What only an operator may read.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The outside world said no and is provably unchanged by this operation: it unwinds, even past the point of no return.
    #[error("{public}")]
    Refused {
        /// Stable machine-readable reason, such as `branch.parent_busy`.
        code: String,
        /// What a user may read.
        public: String,
        /// What only an operator may read.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl StepError {
    /// A failure worth another attempt.
    pub fn transient(public: impl Into<String>, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Transient { public: public.into(), cause: Some(cause.into()) }
    }

    /// A failure that unwinds the operation, with a stable code.
    pub fn permanent(code: impl Into<String>, public: impl Into<String>) -> Self {
        Self::Permanent { code: code.into(), public: public.into(), cause: None }
    }

    /// A failure worth another attempt, without a cause to show an operator.
    pub fn again(public: impl Into<String>) -> Self {
        Self::Transient { public: public.into(), cause: None }
    }

    /// A refusal that provably changed nothing and unwinds the operation wherever it is, with a stable code.
    pub fn refused(code: impl Into<String>, public: impl Into<String>) -> Self {
        Self::Refused { code: code.into(), public: public.into(), cause: None }
    }

    /// Adds what only an operator may read.
    #[must_use]
    pub fn because(mut self, reason: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        match &mut self {
            Self::Transient { cause, .. } | Self::Permanent { cause, .. } | Self::Refused { cause, .. } => {
                *cause = Some(reason.into())
            }
        }
        self
    }

    /// The stable reason of a failure that another attempt cannot help.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Transient { .. } => None,
            Self::Permanent { code, .. } | Self::Refused { code, .. } => Some(code),
        }
    }

    /// Whether another attempt may help.
    #[must_use]
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Transient { .. })
    }
}

/// How often and how fast a step is tried again. Delays double from `first_delay` to `max_delay`, with jitter.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Attempts in all, the first included. Undo steps and steps after the point of no return go on regardless: after so many attempts
    /// in a row the operation is called stuck and is tried at growing intervals.
    pub max_attempts: u32,
    /// Delay before the second attempt.
    pub first_delay: Duration,
    /// Upper bound of the delay.
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_attempts: 5, first_delay: Duration::from_millis(100), max_delay: Duration::from_secs(5) }
    }
}

/// What a step sees besides input and state.
#[derive(Clone, Copy, Debug)]
pub struct StepContext {
    /// The operation this step belongs to; stable over retries and restarts, so usable as an idempotency key.
    pub operation_id: OperationId,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// Fencing token of the lease under which it runs: writes to the control database are made only while it is the newest.
    pub fence: i64,
}

/// The body of a step: reads the input, may change the state, touches the world through `world`.
pub type StepFunction<W, I, S> =
    Arc<dyn for<'a> Fn(StepContext, &'a W, &'a I, &'a mut S) -> BoxFuture<'a, Result<(), StepError>> + Send + Sync>;

/// One named step.
pub struct Step<W, I, S> {
    /// Unique within the saga; recorded, so never renamed while operations run.
    pub name: &'static str,
    /// The effect. May run any number of times.
    pub run: StepFunction<W, I, S>,
    /// Removes whatever `run` may have left, accepts "nothing there", may run any number of times. Absent when `run` leaves nothing.
    pub undo: Option<StepFunction<W, I, S>>,
    /// Retry policy of `run`.
    pub retry: RetryPolicy,
    /// Longest time one attempt may take.
    pub timeout: Duration,
    /// From the start of this step on, the saga only goes forward.
    pub point_of_no_return: bool,
}

impl<W, I, S> Step<W, I, S> {
    /// A step with the default retry policy and a 60-second limit.
    pub fn new<F>(name: &'static str, run: F) -> Self
    where
        F: for<'a> Fn(StepContext, &'a W, &'a I, &'a mut S) -> BoxFuture<'a, Result<(), StepError>>
            + Send
            + Sync
            + 'static,
    {
        Self {
            name,
            run: Arc::new(run),
            undo: None,
            retry: RetryPolicy::default(),
            timeout: Duration::from_secs(60),
            point_of_no_return: false,
        }
    }

    /// Adds the undo.
    #[must_use]
    pub fn undo<F>(mut self, undo: F) -> Self
    where
        F: for<'a> Fn(StepContext, &'a W, &'a I, &'a mut S) -> BoxFuture<'a, Result<(), StepError>>
            + Send
            + Sync
            + 'static,
    {
        self.undo = Some(Arc::new(undo));
        self
    }

    /// Sets the limit of one attempt.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets the retry policy.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Marks the point of no return.
    #[must_use]
    pub fn point_of_no_return(mut self) -> Self {
        self.point_of_no_return = true;
        self
    }
}

/// A durable operation as data. `World` is everything its steps may touch.
pub trait Saga: Send + Sync + 'static {
    /// The kind of operation, as recorded.
    const KIND: crate::OperationKind;
    /// What the caller decided before the first effect: ids, names, options. No secrets.
    type Input: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What steps learn and later steps need. No secrets.
    type State: Default + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// The outside world.
    type World: Send + Sync + 'static;

    /// The steps in order.
    fn steps() -> Vec<Step<Self::World, Self::Input, Self::State>>;

    /// What the operation reports at its end, from its final state. Kept on failure too, unless null.
    fn result(_input: &Self::Input, _state: &Self::State) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Whether a saga in this state only goes forward. For sagas whose point of no return depends on what they find; the others mark a step.
    fn only_forward(_state: &Self::State) -> bool {
        false
    }

    /// After this long the operation is flagged to the operator; it goes on all the same.
    fn deadline() -> Duration {
        Duration::from_secs(600)
    }
}
