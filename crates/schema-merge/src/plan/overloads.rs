//! Order between functions of one name and what calls them: a call is read when no other function would do for it.

use hashbrown::HashMap;

use super::nodes::Builder;
use crate::catalog::{Fact, Kind, answer_alike, calls_by_name, function_name};

impl Builder<'_> {
    /// What calls a function is made before another comes that would do for the call, and after another that goes.
    pub(super) fn overload_edges(&mut self) {
        let mut moving: HashMap<&str, Vec<(&Fact, usize, bool)>> = HashMap::new();
        for (catalog, nodes, comes) in [(self.to, &self.creating, true), (self.from, &self.dropping, false)] {
            for function in catalog.iter().filter(|fact| fact.kind == Kind::Function) {
                if let Some(node) = nodes.get(&function.identity) {
                    let name = function_name(function.identity.path());
                    moving.entry(name).or_default().push((function, *node, comes));
                }
            }
        }
        if moving.is_empty() {
            return;
        }
        let mut edges = Vec::new();
        for user in self.to.iter().filter(|fact| calls_by_name(fact)) {
            let reads = self.creating.get(&user.identity).or_else(|| self.altering.get(&user.identity));
            let Some(reads) = reads.copied() else { continue };
            for called in user.depends_on.iter().filter_map(|needed| self.to.get(needed)) {
                let named = moving.get(function_name(called.identity.path())).filter(|_| called.kind == Kind::Function);
                for (other, node, comes) in named.into_iter().flatten() {
                    let apart = other.identity != called.identity && !user.depends_on.contains(&other.identity);
                    if apart && answer_alike(called, other) {
                        edges.push(if *comes { (reads, *node) } else { (*node, reads) });
                    }
                }
            }
        }
        self.edges.extend(edges.into_iter().filter(|(first, then)| first != then));
    }
}
