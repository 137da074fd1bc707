//! Merges a branch's parent into the branch, so that it is up to date: the steps of a merge with the branch as the target. A failure leaves
//! the branch as it was and no clone behind.

use saga::{OperationKind, Saga, operations::BranchMergeInput};
use serde_json::Value;

use crate::{World, activities::merge::MergeState, branch_merge};

/// The saga.
#[derive(Debug)]
pub struct BranchUpdate;

impl Saga for BranchUpdate {
    const KIND: OperationKind = OperationKind::BranchUpdate;
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
