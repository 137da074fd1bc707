//! Copies parts of one catalog over the same parts of another: how decisions and stand-ins are put into effect.

use hashbrown::{HashMap, HashSet};

use crate::catalog::{Catalog, Fact, Identity};

/// What hangs on each fact of a catalog.
pub(super) struct Tree<'a> {
    catalog: &'a Catalog,
    children: HashMap<&'a Identity, Vec<&'a Fact>>,
}

impl<'a> Tree<'a> {
    pub(super) fn of(catalog: &'a Catalog) -> Self {
        let mut children: HashMap<&Identity, Vec<&Fact>> = HashMap::new();
        for fact in catalog.iter() {
            if let Some(parent) = &fact.parent {
                children.entry(parent).or_default().push(fact);
            }
        }
        Self { catalog, children }
    }

    pub(super) fn catalog(&self) -> &'a Catalog {
        self.catalog
    }

    /// A fact and everything that hangs on it.
    pub(super) fn under(&self, root: &Identity) -> Vec<Identity> {
        let mut found = Vec::new();
        // A spoilt catalog may have parents in a circle.
        let mut seen = HashSet::new();
        let mut queue: Vec<&Identity> = self.catalog.get(root).map(|fact| &fact.identity).into_iter().collect();
        while let Some(identity) = queue.pop() {
            if !seen.insert(identity) {
                continue;
            }
            found.push(identity.clone());
            queue.extend(self.children.get(identity).into_iter().flatten().map(|fact| &fact.identity));
        }
        found
    }
}

/// A fact and everything that hangs on it.
pub(super) fn subtree(catalog: &Catalog, root: &Identity) -> Vec<Identity> {
    Tree::of(catalog).under(root)
}

/// Makes a subtree in one catalog what it is in another. What the copied facts need and the receiver lacks comes along, except what is
/// named; where the giver has nothing the subtree goes.
pub(super) fn copy(from: &Catalog, into: &mut Catalog, root: &Identity, except: &[Identity]) {
    for identity in subtree(into, root) {
        if !from.contains(&identity) {
            into.remove(&identity);
        }
    }
    let tree = Tree::of(from);
    let mut queue = tree.under(root);
    let mut seen: HashSet<Identity> = queue.iter().cloned().collect();
    while let Some(identity) = queue.pop() {
        let Some(fact) = from.get(&identity) else { continue };
        let needed: Vec<Identity> = fact
            .parent
            .iter()
            .chain(&fact.depends_on)
            .filter(|needed| !into.contains(needed) && !except.contains(needed) && !seen.contains(*needed))
            .cloned()
            .collect();
        for identity in needed {
            for part in tree.under(&identity) {
                if seen.insert(part.clone()) {
                    queue.push(part);
                }
            }
        }
        into.insert(fact.clone());
    }
}
