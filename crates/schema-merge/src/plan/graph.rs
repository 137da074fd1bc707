//! A stable topological order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Sorts nodes so that every edge points forward, taking the smallest key where there is a choice. Nodes on a circle come last and are named.
pub(super) fn sort<K: Ord>(keys: &[K], edges: &[(usize, usize)]) -> (Vec<usize>, Vec<usize>) {
    let mut unique: Vec<_> = edges.to_vec();
    unique.sort_unstable();
    unique.dedup();
    let mut waiting = vec![0_usize; keys.len()];
    let mut next = vec![Vec::new(); keys.len()];
    for (first, then) in unique {
        waiting[then] += 1;
        next[first].push(then);
    }
    let mut ready: BinaryHeap<Reverse<(&K, usize)>> =
        (0..keys.len()).filter(|index| waiting[*index] == 0).map(|index| Reverse((&keys[index], index))).collect();
    let mut order = Vec::with_capacity(keys.len());
    while let Some(Reverse((_, index))) = ready.pop() {
        order.push(index);
        for then in &next[index] {
            waiting[*then] -= 1;
            if waiting[*then] == 0 {
                ready.push(Reverse((&keys[*then], *then)));
            }
        }
    }
    let stuck: Vec<usize> = (0..keys.len()).filter(|index| waiting[*index] > 0).collect();
    order.extend(&stuck);
    (order, stuck)
}

/// Which nodes can be reached from these, themselves included.
pub(super) fn reachable(count: usize, edges: &[(usize, usize)], starts: &[usize]) -> Vec<bool> {
    let mut next = vec![Vec::new(); count];
    for (first, then) in edges {
        next[*first].push(*then);
    }
    let mut seen = vec![false; count];
    let mut queue = starts.to_vec();
    while let Some(index) = queue.pop() {
        if !std::mem::replace(&mut seen[index], true) {
            queue.extend(&next[index]);
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_win_over_keys_and_circles_are_named() {
        assert_eq!(sort(&[3, 2, 1], &[(0, 2)]), (vec![1, 0, 2], vec![]));
        assert_eq!(sort(&[1, 2, 3], &[(0, 1), (1, 0)]).1, [0, 1]);
    }

    #[test]
    fn reachable_includes_the_starts() {
        assert_eq!(reachable(4, &[(0, 1), (1, 2)], &[1]), [false, true, true, false]);
    }
}
