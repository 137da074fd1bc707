//! Carrying out one operation under one lease: forward step by step, back when a step fails for good, every move recorded before it is made.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use futures::FutureExt as _;
use saga::{RetryPolicy, StepContext, StepError};
use serde_json::Value;
use store::{
    operation_steps::{Failure, StepChange, StepState, Transition},
    operations::{Operation, OperationState},
};
use tokio_util::sync::CancellationToken;

use super::{
    Settings,
    backoff::Delays,
    record::{LeaseLost, Record},
};
use crate::engine::{Acted, Definition, Direction, StepDescription};

/// How an execution came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The operation succeeded.
    Succeeded,
    /// The operation failed and nothing of it is left.
    Failed,
    /// The lease was given back; the operation goes on later.
    HandedBack,
}

/// When to stop before the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop {
    /// Begin nothing new.
    pub(super) soon: CancellationToken,
    /// Drop what is under way.
    pub(super) now: CancellationToken,
}

/// One operation being carried out.
pub(super) struct Execution<'a, W> {
    record: Record,
    world: &'a W,
    definition: &'a dyn Definition<W>,
    settings: &'a Settings,
    stop: &'a Stop,
    input: &'a Value,
    state: Value,
    state_unrecorded: bool,
    stuck: bool,
    steps: Vec<Progress>,
}

/// What is recorded of a step.
#[derive(Clone, Copy, Debug)]
struct Progress {
    state: StepState,
    attempts: u32,
    undo_attempts: u32,
}

/// What follows a step.
enum Next {
    Go,
    Unwind,
    HandedBack,
}

/// Carries the operation as far as it goes.
pub(super) async fn carry_out<W: Sync>(
    record: Record,
    world: &W,
    definition: &dyn Definition<W>,
    operation: &Operation,
    settings: &Settings,
    stop: &Stop,
) -> Result<Ended, LeaseLost> {
    record.deadline(definition.deadline()).await?;
    let names: Vec<String> = definition.steps().iter().map(|step| step.name.to_owned()).collect();
    let recorded = record.steps(&names).await?;
    let mut execution = Execution {
        record,
        world,
        definition,
        settings,
        stop,
        input: &operation.input,
        state: operation.saga_state.clone().unwrap_or(Value::Null),
        state_unrecorded: false,
        stuck: operation.state == OperationState::Stuck,
        steps: Vec::new(),
    };
    if !recorded.iter().map(|step| &step.name).eq(&names) {
        return execution.set_aside().await;
    }
    execution.steps = recorded
        .iter()
        .map(|step| Progress {
            state: step.state,
            attempts: step.attempts.unsigned_abs(),
            undo_attempts: step.undo_attempts.unsigned_abs(),
        })
        .collect();
    if operation.error_code.is_none() {
        match execution.forward().await? {
            Next::Go => return Ok(Ended::Succeeded),
            Next::HandedBack => return Ok(Ended::HandedBack),
            Next::Unwind => {}
        }
    }
    execution.unwind().await
}

impl<W: Sync> Execution<'_, W> {
    async fn forward(&mut self) -> Result<Next, LeaseLost> {
        let begin = self.steps.iter().position(|step| step.state != StepState::Done).unwrap_or(self.steps.len());
        let mut before = None;
        for position in begin..self.steps.len() {
            if self.stop.soon.is_cancelled() {
                return self.hand_back(before, Duration::ZERO).await;
            }
            match self.run(position, before.take()).await? {
                Next::Go => before = Some(StepChange::to(position, StepState::Done)),
                other => return Ok(other),
            }
        }
        self.finish(OperationState::Succeeded, before).await?;
        Ok(Next::Go)
    }

    /// Runs one step until it succeeds or is given up. `before` is the previous step's change, recorded together with this step's begin.
    async fn run(&mut self, position: usize, mut before: Option<StepChange>) -> Result<Next, LeaseLost> {
        let step = self.definition.steps()[position];
        let forward_only = self.definition.steps()[..=position].iter().any(|step| step.point_of_no_return)
            || self.definition.only_forward(&self.state);
        let mut delays = Delays::of(step.retry);
        let mut failures = 0;
        loop {
            self.change(
                self.going(OperationState::Running),
                before.take(),
                StepChange::to(position, StepState::Running),
            )
            .await?;
            self.steps[position].attempts += 1;
            let Some(Acted { state, outcome }) = self.attempt(Direction::Run, position).await else {
                return self.hand_back(None, Duration::ZERO).await;
            };
            let Err(error) = outcome else {
                self.keep_state(state);
                self.steps[position].state = StepState::Done;
                self.stuck = false;
                return Ok(Next::Go);
            };
            failures += 1;
            let exhausted = failures >= step.retry.max_attempts.max(1);
            if gives_up(&error, forward_only, exhausted) {
                if !error.retryable() {
                    self.keep_state(state);
                }
                self.turn_back(position, &error).await?;
                return Ok(Next::Unwind);
            }
            let delay = self.failed_attempt(position, StepState::Failed, &error, exhausted, &mut delays).await?;
            if exhausted {
                return self.hand_back(None, delay).await;
            }
            if !self.pause(delay).await {
                return self.hand_back(None, delay).await;
            }
        }
    }

    async fn unwind(&mut self) -> Result<Ended, LeaseLost> {
        let mut before = None;
        for position in (0..self.steps.len()).rev() {
            if matches!(self.steps[position].state, StepState::Pending | StepState::Undone) {
                continue;
            }
            if self.stop.soon.is_cancelled() {
                self.hand_back(before, Duration::ZERO).await?;
                return Ok(Ended::HandedBack);
            }
            match self.undo(position, before.take()).await? {
                Next::Go => before = Some(StepChange::to(position, StepState::Undone)),
                Next::HandedBack | Next::Unwind => return Ok(Ended::HandedBack),
            }
        }
        self.finish(OperationState::Failed, before).await?;
        Ok(Ended::Failed)
    }

    /// Takes one step back until that succeeds, or hands the operation back as stuck.
    async fn undo(&mut self, position: usize, mut before: Option<StepChange>) -> Result<Next, LeaseLost> {
        let step = self.definition.steps()[position];
        let policy = RetryPolicy { max_attempts: self.settings.undo_attempts, ..step.retry };
        let mut delays = Delays::of(policy);
        let mut failures = 0;
        loop {
            self.change(
                self.going(OperationState::Unwinding),
                before.take(),
                StepChange::to(position, StepState::Undoing),
            )
            .await?;
            self.steps[position].undo_attempts += 1;
            let Some(Acted { state, outcome }) = self.attempt(Direction::Undo, position).await else {
                self.hand_back(None, Duration::ZERO).await?;
                return Ok(Next::HandedBack);
            };
            let Err(error) = outcome else {
                self.keep_state(state);
                self.steps[position].state = StepState::Undone;
                self.stuck = false;
                return Ok(Next::Go);
            };
            failures += 1;
            let exhausted = failures >= policy.max_attempts.max(1);
            let delay = self.failed_attempt(position, StepState::Undoing, &error, exhausted, &mut delays).await?;
            if exhausted || !self.pause(delay).await {
                return self.hand_back(None, delay).await;
            }
        }
    }

    /// One half of a step, within its time limit. None when everything must stop now.
    async fn attempt(&self, direction: Direction, position: usize) -> Option<Acted> {
        let step = self.definition.steps()[position];
        let progress = self.steps[position];
        let attempt = if direction == Direction::Run { progress.attempts } else { progress.undo_attempts };
        let context = StepContext { operation_id: self.record.id, attempt, fence: self.record.fence };
        let act = self.definition.act(direction, position, context, self.world, self.input, &self.state);
        let limited = tokio::time::timeout(step.timeout, AssertUnwindSafe(act).catch_unwind());
        let ended = tokio::select! {
            biased;
            () = self.stop.now.cancelled() => return None,
            ended = limited => ended,
        };
        let unchanged = |error| Acted { state: self.state.clone(), outcome: Err(error) };
        Some(match ended {
            Ok(Ok(acted)) => acted,
            Ok(Err(panic)) => unchanged(self.panicked(step, panic.as_ref())),
            Err(_) => unchanged(StepError::again(format!(
                "step '{}' took longer than {} s",
                step.name,
                step.timeout.as_secs()
            ))),
        })
    }

    fn panicked(&self, step: StepDescription, panic: &(dyn Any + Send)) -> StepError {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no text");
        tracing::error!(operation.id = %self.record.id, operation.step = step.name, panic = text, "a step broke an invariant");
        StepError::again(format!("step '{}' failed unexpectedly", step.name)).because(text.to_owned())
    }

    /// Records a failed attempt and says how long to wait before the next.
    async fn failed_attempt(
        &mut self,
        position: usize,
        state: StepState,
        error: &StepError,
        exhausted: bool,
        delays: &mut Delays,
    ) -> Result<Duration, LeaseLost> {
        let step = self.definition.steps()[position];
        let detail = telemetry::chain(error);
        tracing::warn!(operation.id = %self.record.id, operation.step = step.name, error = detail, "a step failed");
        if exhausted && !self.stuck {
            tracing::error!(operation.id = %self.record.id, operation.step = step.name, error = detail, "an operation is stuck; it is tried again from time to time");
        }
        self.stuck |= exhausted;
        let direction = if state == StepState::Undoing { OperationState::Unwinding } else { OperationState::Running };
        let steps = [StepChange::to(position, state).because(error.to_string())];
        let failure = Failure { detail: Some(detail), ..Failure::default() };
        self.advance(self.going(direction), &steps, failure, None).await?;
        let progress = self.steps[position];
        let rounds = progress.attempts.max(progress.undo_attempts) / step.retry.max_attempts.max(1);
        Ok(if exhausted { self.settings.stuck_delay(rounds.saturating_sub(1)) } else { delays.next_delay() })
    }

    /// From here on the operation unwinds.
    async fn turn_back(&mut self, position: usize, error: &StepError) -> Result<(), LeaseLost> {
        self.steps[position].state = StepState::Failed;
        self.stuck = false;
        let failure = Failure {
            code: Some(error.code().unwrap_or("operation.unavailable").to_owned()),
            public: Some(error.to_string()),
            detail: Some(telemetry::chain(error)),
        };
        let steps = [StepChange::to(position, StepState::Failed).because(error.to_string())];
        self.advance(OperationState::Unwinding, &steps, failure, None).await
    }

    async fn finish(&mut self, state: OperationState, last: Option<StepChange>) -> Result<(), LeaseLost> {
        let result = self.definition.result(self.input, &self.state);
        let steps: Vec<StepChange> = last.into_iter().collect();
        self.advance(state, &steps, Failure::default(), (!result.is_null()).then_some(&result)).await
    }

    /// Gives the lease back after recording what is not yet recorded.
    async fn hand_back(&mut self, before: Option<StepChange>, delay: Duration) -> Result<Next, LeaseLost> {
        if let Some(before) = before {
            let direction =
                if before.state == StepState::Undone { OperationState::Unwinding } else { OperationState::Running };
            self.advance(self.going(direction), &[before], Failure::default(), None).await?;
        }
        self.record.release(delay).await?;
        Ok(Next::HandedBack)
    }

    /// The recorded steps are not those of this build: a person has to run a build that knows them.
    async fn set_aside(&mut self) -> Result<Ended, LeaseLost> {
        if !self.stuck {
            tracing::error!(operation.id = %self.record.id, "an operation was recorded with other steps than this build has");
        }
        let failure =
            Failure { detail: Some("recorded with other steps than this build has".to_owned()), ..Failure::default() };
        self.advance(OperationState::Stuck, &[], failure, None).await?;
        self.record.release(self.settings.stuck_retry_max).await?;
        Ok(Ended::HandedBack)
    }

    /// Waits; false when the worker is to stop meanwhile.
    async fn pause(&self, delay: Duration) -> bool {
        tokio::select! {
            () = self.stop.soon.cancelled() => false,
            () = tokio::time::sleep(delay) => true,
        }
    }

    fn going(&self, state: OperationState) -> OperationState {
        if self.stuck { OperationState::Stuck } else { state }
    }

    fn keep_state(&mut self, state: Value) {
        self.state_unrecorded |= state != self.state;
        self.state = state;
    }

    async fn change(
        &mut self,
        state: OperationState,
        before: Option<StepChange>,
        change: StepChange,
    ) -> Result<(), LeaseLost> {
        let steps: Vec<StepChange> = before.into_iter().chain([change]).collect();
        self.advance(state, &steps, Failure::default(), None).await
    }

    async fn advance(
        &mut self,
        state: OperationState,
        steps: &[StepChange],
        failure: Failure,
        result: Option<&Value>,
    ) -> Result<(), LeaseLost> {
        let saga_state = self.state_unrecorded.then_some(&self.state);
        self.record.advance(&Transition { state, saga_state, result, failure, steps }).await?;
        self.state_unrecorded = false;
        Ok(())
    }
}

/// Whether a failed attempt ends the way forward.
fn gives_up(error: &StepError, forward_only: bool, exhausted: bool) -> bool {
    match error {
        StepError::Refused { .. } => true,
        StepError::Permanent { .. } => !forward_only,
        StepError::Transient { .. } => exhausted && !forward_only,
    }
}
