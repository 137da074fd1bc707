//! Sagas with planned faults: a definition around another that fails, hangs or repeats a step's halves.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use saga::{BoxFuture, OperationKind, RetryPolicy, StepContext, StepError};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};
use workflows::{
    World,
    engine::{Acted, Definition, Direction, StepDescription},
    registry,
};

/// On which side of the effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    After,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// An error worth another attempt.
    Transient,
    /// An error for good.
    Permanent,
    /// No answer until released.
    Hang,
}

/// One planned fault; comes to pass once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) direction: Direction,
    pub(crate) position: usize,
    pub(crate) when: When,
    pub(crate) what: What,
}

/// A saga with planned faults.
pub(crate) struct Faulty {
    inner: Arc<dyn Definition<World>>,
    steps: Vec<StepDescription>,
    faults: Mutex<Vec<Fault>>,
    twice: Option<Direction>,
    /// Notified when a fault hangs.
    pub(crate) reached: Notify,
    /// A permit lets a hanging step go on.
    pub(crate) release: Semaphore,
}

impl Faulty {
    /// The saga of this kind with these faults and short waits.
    pub(crate) fn new(kind: OperationKind, faults: Vec<Fault>) -> Self {
        let inner = registry().into_iter().find(|definition| definition.kind() == kind).expect("every kind has a saga");
        let retry = RetryPolicy {
            max_attempts: 4,
            first_delay: Duration::from_millis(1),
            max_delay: Duration::from_millis(20),
        };
        // Waiting for other operations is as long as they are.
        let steps = inner.steps().iter().map(|step| {
            let max_attempts = if step.name == "branches" { 1000 } else { retry.max_attempts };
            StepDescription { retry: RetryPolicy { max_attempts, ..retry }, timeout: Duration::from_secs(30), ..*step }
        });
        let steps = steps.collect();
        Self {
            inner,
            steps,
            faults: Mutex::new(faults),
            twice: None,
            reached: Notify::new(),
            release: Semaphore::new(0),
        }
    }

    /// Does every half in this direction twice.
    pub(crate) fn twice(mut self, direction: Direction) -> Self {
        self.twice = Some(direction);
        self
    }

    /// Limits one step's attempts to this time.
    pub(crate) fn timeout(mut self, position: usize, timeout: Duration) -> Self {
        self.steps[position].timeout = timeout;
        self.steps[position].retry.max_attempts = 20;
        self
    }

    /// All sagas, this one in place of its original.
    pub(crate) fn among_all(self: &Arc<Self>) -> Vec<Arc<dyn Definition<World>>> {
        let others = registry().into_iter().filter(|definition| definition.kind() != self.kind());
        others.chain([self.clone() as Arc<dyn Definition<World>>]).collect()
    }

    fn take(&self, direction: Direction, position: usize, when: When) -> Option<What> {
        let mut faults = self.faults.lock().expect("test lock");
        let found =
            faults.iter().position(|it| it.direction == direction && it.position == position && it.when == when)?;
        Some(faults.remove(found).what)
    }

    async fn suffer(&self, what: Option<What>) -> Result<(), StepError> {
        match what {
            None => Ok(()),
            Some(What::Transient) => Err(StepError::again("planned")),
            Some(What::Permanent) => Err(StepError::permanent("test.planned", "planned")),
            Some(What::Hang) => {
                self.reached.notify_one();
                self.release.acquire().await.expect("never closed").forget();
                Ok(())
            }
        }
    }
}

impl Definition<World> for Faulty {
    fn kind(&self) -> OperationKind {
        self.inner.kind()
    }

    fn deadline(&self) -> Duration {
        self.inner.deadline()
    }

    fn steps(&self) -> &[StepDescription] {
        &self.steps
    }

    fn act<'a>(
        &'a self,
        direction: Direction,
        position: usize,
        context: StepContext,
        world: &'a World,
        input: &'a Value,
        state: &'a Value,
    ) -> BoxFuture<'a, Acted> {
        Box::pin(async move {
            if let Err(error) = self.suffer(self.take(direction, position, When::Before)).await {
                return Acted { state: state.clone(), outcome: Err(error) };
            }
            let mut acted = self.inner.act(direction, position, context, world, input, state).await;
            if self.twice == Some(direction) && acted.outcome.is_ok() {
                acted = self.inner.act(direction, position, context, world, input, &acted.state).await;
            }
            if acted.outcome.is_ok() {
                acted.outcome = self.suffer(self.take(direction, position, When::After)).await;
            }
            acted
        })
    }

    fn only_forward(&self, state: &Value) -> bool {
        self.inner.only_forward(state)
    }

    fn result(&self, input: &Value, state: &Value) -> Value {
        self.inner.result(input, state)
    }
}
