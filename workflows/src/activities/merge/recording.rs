//! Recording: the bases of the next merge, and what can be undone until when.

use std::collections::{HashMap, HashSet};

use chrono::TimeDelta;
use saga::{
    StepContext,
    operations::{BranchMergeInput, MergeDirection},
};
use schema_merge::{Base, Catalog, Fact, Shadow, Snapshot, catalog::Lineage};
use store::merges::{Kept, NewMerge};

use super::{MergeState, documents, read, write_text};
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
    let before = super::planning::base(world, input.branch_id).await?;
    let before = if into_parent { before } else { before.swapped() };
    let received = as_found(&source, &target.catalog, &before);
    let base = if into_parent { Base::two(received, source) } else { Base::two(source, received) };
    let base = write_text("base", &base)?;

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
/// remains to be merged the other way. The receiving side knows the same things by numbers of its own: by those it had for them in the base
/// before, which it keeps when it renames them, or for what it has just received by those of the same names.
fn as_found(source: &Snapshot, receiver: &Catalog, before: &Base) -> Snapshot {
    let object = |fact: &Fact| fact.lineage.object.clone();
    let known: HashMap<String, &Fact> =
        before.of_source().catalog.iter().filter_map(|fact| Some((object(fact)?, fact))).collect();
    let present: HashSet<String> = receiver.iter().filter_map(object).collect();
    let mut found = source.clone();
    for fact in source.catalog.iter() {
        let earlier = object(fact)
            .and_then(|number| known.get(&number).copied())
            .and_then(|earlier| before.target.catalog.get(&earlier.identity))
            .and_then(object);
        let there = receiver.get(&fact.identity);
        let number = match there.and_then(object) {
            Some(_) if earlier.as_ref().is_some_and(|number| present.contains(number)) => earlier,
            Some(number) => Some(number),
            None => earlier,
        };
        let labels = there.filter(|there| there.fields.get("labels") == fact.fields.get("labels"));
        let labels = labels.map(|there| there.lineage.labels.clone()).unwrap_or_default();
        let mut fact = fact.clone();
        fact.lineage = Lineage { object: number, labels, ..fact.lineage };
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

#[cfg(test)]
mod tests {
    use schema_merge::{Identity, Kind};

    use super::*;

    fn table(name: &str, number: Option<&str>) -> Fact {
        let identity = Identity::new(Kind::Table, format!("public.{name}"));
        let lineage = Lineage { object: number.map(str::to_owned), ..Lineage::default() };
        let (kind, parent, depends_on) = (Kind::Table, None, Vec::new());
        Fact { identity, kind, parent, fields: Default::default(), depends_on, lineage }
    }

    fn snapshot(facts: Vec<Fact>) -> Snapshot {
        Snapshot { catalog: facts.into_iter().collect(), ..Snapshot::default() }
    }

    #[test]
    fn the_receiver_knows_what_it_received_by_numbers_of_its_own() {
        let before =
            Base::one(snapshot(vec![table("kept", Some("1")), table("theirs", Some("2")), table("ours", Some("3"))]));
        let source = snapshot(vec![
            table("kept", Some("1")),
            table("theirs", Some("2")),
            table("renamed", Some("3")),
            table("made", Some("9")),
        ]);
        let receiver = snapshot(vec![
            table("kept", Some("1")),
            table("renamed_there", Some("2")),
            table("renamed", Some("3")),
            table("made", Some("44")),
            table("own", Some("45")),
        ]);
        let found = as_found(&source, &receiver.catalog, &before);
        let numbers: Vec<_> =
            found.catalog.iter().map(|fact| (fact.identity.last().to_owned(), fact.lineage.object.clone())).collect();
        let expected = [("kept", "1"), ("made", "44"), ("renamed", "3"), ("theirs", "2")];
        assert_eq!(numbers, expected.map(|(name, number)| (name.to_owned(), Some(number.to_owned()))));
    }
}
