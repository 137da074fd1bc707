//! Takes a merge back: the parent becomes what it was, with every row written since. The steps of a merge, from the plan that leads back;
//! what the parent has changed since is kept or, where that cannot be, refuses the undo. A failure leaves the parent merged.

use saga::{OperationKind, Saga, operations::BranchMergeInput};
use serde_json::Value;

use crate::{World, activities::merge::MergeState, branch_merge};

/// The saga.
#[derive(Debug)]
pub struct BranchMergeUndo;

impl Saga for BranchMergeUndo {
    const KIND: OperationKind = OperationKind::BranchMergeUndo;
    type Input = BranchMergeInput;
    type State = MergeState;
    type World = World;

    fn steps() -> Vec<branch_merge::Step> {
        branch_merge::steps()
    }

    fn only_forward(state: &MergeState) -> bool {
        branch_merge::only_forward(state)
    }

    fn result(_input: &BranchMergeInput, state: &MergeState) -> Value {
        state.report()
    }
}
