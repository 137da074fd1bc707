//! A saga without its types: what an engine needs to carry out any of them over recorded JSON.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use saga::{BoxFuture, OperationKind, RetryPolicy, Saga, Step, StepContext, StepError};
use serde::Deserialize as _;
use serde_json::Value;

/// Which half of a step to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Its effect.
    Run,
    /// Taking the effect back.
    Undo,
}

/// What an engine needs to know of a step before doing it.
#[derive(Clone, Copy, Debug)]
pub struct StepDescription {
    /// Recorded name.
    pub name: &'static str,
    /// Whether there is anything to take back.
    pub undoable: bool,
    /// Retry policy.
    pub retry: RetryPolicy,
    /// Longest time of one attempt, forward or back.
    pub timeout: Duration,
    /// From the start of this step on, the saga only goes forward.
    pub point_of_no_return: bool,
}

/// The state after an attempt, and how the attempt went.
#[derive(Debug)]
pub struct Acted {
    /// The saga's state as the step left it.
    pub state: Value,
    /// How the attempt went.
    pub outcome: Result<(), StepError>,
}

/// A saga over recorded JSON.
pub trait Definition<W>: Send + Sync {
    /// Which operations it carries out.
    fn kind(&self) -> OperationKind;

    /// After this long a person is told.
    fn deadline(&self) -> Duration;

    /// Its steps in order.
    fn steps(&self) -> &[StepDescription];

    /// Does one half of the step at `position`.
    fn act<'a>(
        &'a self,
        direction: Direction,
        position: usize,
        context: StepContext,
        world: &'a W,
        input: &'a Value,
        state: &'a Value,
    ) -> BoxFuture<'a, Acted>;

    /// Whether, in this state, the saga only goes forward, whatever its steps say.
    fn only_forward(&self, state: &Value) -> bool;

    /// What the operation reports.
    fn result(&self, input: &Value, state: &Value) -> Value;
}

/// The definition of saga `S`.
#[must_use]
pub fn define<S: Saga>() -> Arc<dyn Definition<S::World>> {
    let steps = S::steps();
    let descriptions = steps.iter().map(describe).collect();
    Arc::new(Typed::<S> { steps, descriptions, saga: PhantomData })
}

struct Typed<S: Saga> {
    steps: Vec<Step<S::World, S::Input, S::State>>,
    descriptions: Vec<StepDescription>,
    saga: PhantomData<fn() -> S>,
}

fn describe<W, I, S>(step: &Step<W, I, S>) -> StepDescription {
    StepDescription {
        name: step.name,
        undoable: step.undo.is_some(),
        retry: step.retry,
        timeout: step.timeout,
        point_of_no_return: step.point_of_no_return,
    }
}

fn unreadable(what: &str, cause: serde_json::Error) -> StepError {
    StepError::permanent("operation.unreadable", format!("the recorded {what} of this operation cannot be read"))
        .because(cause)
}

/// Input and state as the saga knows them. A null state is the initial one.
fn read<S: Saga>(input: &Value, state: &Value) -> Result<(S::Input, S::State), StepError> {
    let input = S::Input::deserialize(input).map_err(|cause| unreadable("input", cause))?;
    let state = match state {
        Value::Null => S::State::default(),
        state => S::State::deserialize(state).map_err(|cause| unreadable("state", cause))?,
    };
    Ok((input, state))
}

impl<S: Saga> Typed<S> {
    async fn attempt(
        &self,
        direction: Direction,
        position: usize,
        context: StepContext,
        world: &S::World,
        input: &Value,
        recorded: &Value,
    ) -> Acted {
        let step = &self.steps[position];
        let function = match direction {
            Direction::Run => &step.run,
            Direction::Undo => match &step.undo {
                Some(undo) => undo,
                None => return Acted { state: recorded.clone(), outcome: Ok(()) },
            },
        };
        let (input, mut state) = match read::<S>(input, recorded) {
            Ok(read) => read,
            Err(error) => return Acted { state: recorded.clone(), outcome: Err(error) },
        };
        let outcome = function(context, world, &input, &mut state).await;
        match serde_json::to_value(&state) {
            Ok(state) => Acted { state, outcome },
            Err(cause) => Acted { state: recorded.clone(), outcome: outcome.and(Err(unreadable("state", cause))) },
        }
    }
}

impl<S: Saga> Definition<S::World> for Typed<S> {
    fn kind(&self) -> OperationKind {
        S::KIND
    }

    fn deadline(&self) -> Duration {
        S::deadline()
    }

    fn steps(&self) -> &[StepDescription] {
        &self.descriptions
    }

    fn act<'a>(
        &'a self,
        direction: Direction,
        position: usize,
        context: StepContext,
        world: &'a S::World,
        input: &'a Value,
        state: &'a Value,
    ) -> BoxFuture<'a, Acted> {
        Box::pin(self.attempt(direction, position, context, world, input, state))
    }

    fn only_forward(&self, state: &Value) -> bool {
        S::State::deserialize(state).is_ok_and(|state| S::only_forward(&state))
    }

    fn result(&self, input: &Value, state: &Value) -> Value {
        read::<S>(input, state).map_or(Value::Null, |(input, state)| S::result(&input, &state))
    }
}
