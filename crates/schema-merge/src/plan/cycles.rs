//! Circles between functions with parsed bodies and what their bodies read: broken by a stand-in with the same signature and no body.

use hashbrown::HashSet;

use super::graph;
use super::nodes::{Builder, DROP, Node};
use crate::catalog::Kind;
use crate::ddl::{self, Piece};

impl Builder<'_> {
    /// Puts stand-ins where nodes wait for each other. What still waits afterwards is reported by the sort.
    pub(super) fn break_circles(&mut self) {
        let stuck = self.stuck();
        if stuck.is_empty() {
            return;
        }
        for index in stuck.iter().copied() {
            let (subject, kind) = (self.nodes[index].subject.clone(), self.nodes[index].kind);
            if kind != Kind::Function {
                continue;
            }
            if self.creating.get(&subject) == Some(&index) {
                self.stand_in_before(index, &stuck);
            } else if self.altering.get(&subject) == Some(&index) {
                self.let_pass(index, &stuck);
            } else if self.dropping.get(&subject) == Some(&index) {
                self.empty_before(index, &stuck);
            }
        }
    }

    /// A function that keeps its signature can be used before its body changes, and what used it can go afterwards.
    fn let_pass(&mut self, index: usize, stuck: &HashSet<usize>) {
        let nodes = &self.nodes;
        self.edges.retain(|(first, then)| {
            let used_by_new = *first == index && stuck.contains(then) && nodes[*then].phase != DROP;
            let used_by_old = *then == index && stuck.contains(first) && nodes[*first].phase == DROP;
            !used_by_new && !used_by_old
        });
    }

    fn stuck(&self) -> HashSet<usize> {
        let keys: Vec<_> = (0..self.nodes.len()).collect();
        graph::sort(&keys, &self.edges).1.into_iter().collect()
    }

    /// What needs the function needs only its signature; the body follows when all it reads is there.
    fn stand_in_before(&mut self, index: usize, stuck: &HashSet<usize>) {
        let Some(fact) = self.to.get(&self.nodes[index].subject) else { return };
        let Some(sql) = ddl::stub(fact) else { return };
        let node = self.stand_in(index, sql);
        let said = format!("{} {}", fact.text("arguments"), fact.text("returns"));
        let in_signature = |other: &Node| match other.kind {
            _ if other.phase == DROP => true,
            Kind::Table | Kind::View | Kind::MaterializedView | Kind::ForeignTable => {
                said.contains(other.subject.path())
            }
            Kind::Function | Kind::Column | Kind::Default | Kind::Constraint | Kind::Index => false,
            _ => true,
        };
        let waits: Vec<_> = self
            .edges
            .iter()
            .filter(|(first, then)| *then == index && (!stuck.contains(first) || in_signature(&self.nodes[*first])))
            .map(|(first, _)| (*first, node))
            .collect();
        for edge in &mut self.edges {
            if edge.0 == index {
                edge.0 = node;
            }
        }
        self.edges.extend(waits);
        self.edges.push((node, index));
    }

    /// An emptied function needs nothing its body read, so that this can go before it.
    fn empty_before(&mut self, index: usize, stuck: &HashSet<usize>) {
        let Some(sql) = self.from.get(&self.nodes[index].subject).and_then(ddl::stub) else { return };
        let node = self.stand_in(index, sql);
        for edge in &mut self.edges {
            if edge.0 == index && stuck.contains(&edge.1) && self.nodes[edge.1].phase == self.nodes[index].phase {
                edge.0 = node;
            }
        }
        self.edges.push((node, index));
    }

    fn stand_in(&mut self, index: usize, sql: String) -> usize {
        let like = &self.nodes[index];
        let mut piece = Piece::new(sql);
        piece.session = like.pieces.first().is_some_and(|piece| piece.session);
        self.nodes.push(Node {
            subject: like.subject.clone(),
            phase: like.phase,
            kind: like.kind,
            pieces: vec![piece],
            role: like.role.clone(),
            destructive: false,
            data: None,
        });
        self.nodes.len() - 1
    }
}
