//! Merges a branch into its parent: plans, rehearses the plan on a throw-away clone of the parent, and applies it, in one transaction unless
//! Postgres needs more. When the parent changes meanwhile it plans again, a bounded number of times. A dry run ends after the rehearsal. A
//! failure leaves the parent as it was and no clone behind. Updates and undos have the same steps.

use saga::{OperationKind, Saga, operations::BranchMergeInput};
use serde_json::Value;

use crate::{
    World,
    activities::merge::{self, MergeState},
    pace,
};

/// The saga.
#[derive(Debug)]
pub struct BranchMerge;

/// The names of one round's steps.
struct Names {
    prepare: &'static str,
    rehearse: &'static str,
    discard: &'static str,
    apply: &'static str,
}

macro_rules! names {
    ($suffix:literal) => {
        Names {
            prepare: concat!("prepare", $suffix),
            rehearse: concat!("rehearse", $suffix),
            discard: concat!("discard", $suffix),
            apply: concat!("apply", $suffix),
        }
    };
}

/// A plan is made again when the parent has changed since; after the last round the parent is called busy.
const ROUNDS: [Names; 3] = [names!(""), names!("_again"), names!("_last")];

pub(crate) type Step = saga::Step<World, BranchMergeInput, MergeState>;

impl Saga for BranchMerge {
    const KIND: OperationKind = OperationKind::BranchMerge;
    type Input = BranchMergeInput;
    type State = MergeState;
    type World = World;

    fn steps() -> Vec<Step> {
        steps()
    }

    fn only_forward(state: &MergeState) -> bool {
        only_forward(state)
    }

    fn result(_input: &BranchMergeInput, state: &MergeState) -> Value {
        state.report()
    }
}

/// The steps of every merge, whichever way it goes; its input says which.
pub(crate) fn steps() -> Vec<Step> {
    let mut steps = vec![
        Step::new("wake_parent", |_, world, input, _| Box::pin(merge::wake(world, input.parent_id))),
        Step::new("wake_branch", |_, world, input, _| {
            Box::pin(async move {
                match input.undoes {
                    Some(_) => Ok(()),
                    None => merge::wake(world, input.branch_id).await,
                }
            })
        }),
    ];
    for (index, names) in ROUNDS.iter().enumerate() {
        steps.extend(round(names, index + 1 == ROUNDS.len()));
    }
    steps.push(Step::new("record", |context, world, input, state| {
        Box::pin(merge::record(context, world, input, state))
    }));
    steps
}

/// Point of no return: between the decision to apply and the target's refusal it is unknown whether the target was changed, and once
/// it was, the merge has happened.
pub(crate) fn only_forward(state: &MergeState) -> bool {
    state.committing || state.applied
}

/// The steps of one round. Each does nothing when an earlier round has settled the merge.
fn round(names: &'static Names, last: bool) -> Vec<Step> {
    vec![
        Step::new(names.prepare, |context, world, input, state| Box::pin(merge::prepare(context, world, input, state)))
            .undo(|_, world, input, _| Box::pin(merge::drop_clone(world, input)))
            .timeout(pace::CLONE_TIMEOUT.max(pace::APPLY_TIMEOUT)),
        Step::new(names.rehearse, move |context, world, input, state| {
            Box::pin(merge::rehearse(context, world, input, state, last))
        })
        .retry(pace::BUSY)
        .timeout(pace::APPLY_TIMEOUT),
        Step::new(names.discard, |_, world, input, state| Box::pin(merge::discard_clone(world, input, state))),
        Step::new(names.apply, move |context, world, input, state| {
            Box::pin(merge::apply(context, world, input, state, last))
        })
        .retry(pace::BUSY)
        .timeout(pace::APPLY_TIMEOUT),
    ]
}
