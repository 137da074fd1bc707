//! Recording: the bases of the next merge, and what can be undone until when.

use chrono::TimeDelta;
use saga::{
    StepContext,
    operations::{BranchMergeInput, MergeDirection},
};
use schema_merge::{Base, Catalog, Shadow, Snapshot, catalog::Lineage};
use store::merges::{Kept, NewMerge};

use super::{MergeState, documents, read, write};
use crate::{
    World,
    activities::{Outcome, project::begin, store_failed},
};

/// Records what a merge, an update or an undo has changed. A dry run changes nothing.
pub async fn record(context: StepContext, world: &World, input: &BranchMergeInput, state: &MergeState) -> Outcome {
    let Some(plan) = state.plan.as_ref().filter(|plan| !input.dry_run && (state.applied || plan.empty)) else {
        return Ok(());
    };
    let now = world.clock.now();
    let until = now + TimeDelta::from_std(world.merge_undo).unwrap_or(TimeDelta::zero());
    if input.direction == MergeDirection::Undo {
        let Some(undone) = input.undoes else { return Ok(()) };
        let mut transaction = begin(context, world).await?;
        store::merges::undo(&mut transaction, undone, plan.shadow.as_ref(), until).await.map_err(store_failed)?;
        return transaction.commit().await.map_err(store_failed);
    }
    let operation_id = context.operation_id;
    let after = if state.applied { documents::AFTER } else { documents::BEFORE };
    let target = documents::snapshot(world, operation_id, after).await?;
    let source = documents::snapshot(world, operation_id, documents::SOURCE).await?;
    let hash = source.catalog.hash();
    let into_parent = input.direction == MergeDirection::IntoParent;
    let received = as_found(&source, &target.catalog);
    let base = if into_parent { Base::two(received, source) } else { Base::two(source, received) };
    let base = write("base", &base)?;

    let (branch_id, parent_id) = (input.branch_id, input.parent_id);
    let mut transaction = begin(context, world).await?;
    if into_parent && state.applied {
        store::merges::close_others(&mut transaction, parent_id, operation_id).await.map_err(store_failed)?;
        if !world.merge_undo.is_zero() {
            let shadow = plan.shadow.clone();
            let merge = NewMerge { operation_id, branch_id, parent_id, merged_at: now, undo_until: until, shadow };
            store::merges::insert(&mut transaction, &merge).await.map_err(store_failed)?;
        }
    }
    if !into_parent {
        store::merges::supersede(&mut transaction, branch_id).await.map_err(store_failed)?;
    }
    store::branches::set_base(&mut transaction, branch_id, &base, &hash).await.map_err(store_failed)?;
    store::branches::set_merged(&mut transaction, branch_id, into_parent).await.map_err(store_failed)?;
    transaction.commit().await.map_err(store_failed)
}

/// The base of what comes next is what one side was and the other has received: what only the receiving side has besides is its own, and
/// remains to be merged the other way. The receiving side knows the same things by numbers of its own.
fn as_found(source: &Snapshot, receiver: &Catalog) -> Snapshot {
    let mut found = source.clone();
    for fact in source.catalog.iter() {
        let mut fact = fact.clone();
        fact.lineage = match receiver.get(&fact.identity) {
            Some(there) => there.lineage.clone(),
            None => Lineage { object: None, labels: Vec::new(), ..fact.lineage },
        };
        found.catalog.insert(fact);
    }
    found
}

/// Statements that remove what a merge and its undo keep.
pub(crate) fn cleanup(kept: &Kept) -> Outcome<Vec<String>> {
    let mut statements = Vec::new();
    // What the undo kept may stand on what the merge kept.
    for shadow in [&kept.undo_shadow, &kept.shadow].into_iter().flatten() {
        statements.extend(read::<Shadow>("merge", shadow.clone())?.cleanup());
    }
    Ok(statements)
}
