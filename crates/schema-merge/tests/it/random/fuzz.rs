//! Catalogs with facts taken out, exchanged and spoilt: whatever is merged and planned, nothing panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, IteratorRandom};
use rand::{Rng, SeedableRng};
use schema_merge::plan::two_way;
use schema_merge::{Catalog, Fact};
use serde_json::{Value, json};

use super::{number, run};
use crate::cluster::Cluster;
use crate::database::{catalog, connect, merged, prepare, with_catalog};

/// Mutations where nothing else is wished.
const ROUNDS: u64 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spoilt_catalogs_never_panic() {
    let cluster = Cluster::start().await;
    prepare(&cluster, "prelude").await;
    let mut catalogs = Vec::new();
    for seed in 1..=4 {
        let sizes = run::Sizes { base: 40..41, side: 1..2 };
        run::generate(&cluster, 0, seed, "prelude", &sizes).await;
        catalogs.push(catalog(&connect(&cluster, "random0").await).await);
    }
    let first = number("HEARTH_SEED", 1);
    for seed in first..first + number("HEARTH_FUZZ", ROUNDS) {
        let mut rng = StdRng::seed_from_u64(seed);
        let base = catalogs.choose(&mut rng).expect("there are catalogs").clone();
        let [target, source] = [(); 2].map(|()| spoilt(&base, &catalogs, &mut rng));
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            two_way(&target, &source);
            let plan = merged(&with_catalog(&base), &with_catalog(&target), &with_catalog(&source));
            schema_merge::render::rendered_sql(&plan, "now");
        }));
        assert!(outcome.is_ok(), "HEARTH_SEED={seed} HEARTH_FUZZ=1 panics");
    }
}

fn spoilt(base: &Catalog, others: &[Catalog], rng: &mut StdRng) -> Catalog {
    let mut catalog = base.clone();
    for _ in 0..rng.random_range(1..12) {
        let Some(mut fact) = catalog.iter().choose(rng).cloned() else { return catalog };
        match rng.random_range(0..6) {
            0 => drop(catalog.remove(&fact.identity)),
            1 => catalog.extend_from(others, rng),
            2 => {
                fact.parent = catalog.iter().choose(rng).map(|other| other.identity.clone());
                catalog.insert(fact);
            }
            3 => {
                fact.depends_on =
                    catalog.iter().choose_multiple(rng, 3).into_iter().map(|other| other.identity.clone()).collect();
                catalog.insert(fact);
            }
            4 => {
                fact.lineage = catalog.iter().choose(rng).map(|other| other.lineage.clone()).unwrap_or_default();
                catalog.insert(fact);
            }
            _ => {
                spoil_field(&mut fact, rng);
                catalog.insert(fact);
            }
        }
    }
    catalog
}

trait ExtendFrom {
    fn extend_from(&mut self, others: &[Catalog], rng: &mut StdRng);
}

impl ExtendFrom for Catalog {
    fn extend_from(&mut self, others: &[Catalog], rng: &mut StdRng) {
        let strange = others.choose(rng).and_then(|other| other.iter().choose(rng)).cloned();
        strange.into_iter().for_each(|fact| self.insert(fact));
    }
}

fn spoil_field(fact: &mut Fact, rng: &mut StdRng) {
    const STRANGE: [&str; 6] = ["", "\"", "'; drop table x; --", "🦀", "a.b.c.d", "$$"];
    let Some(name) = fact.fields.keys().choose(rng).cloned() else { return };
    let value = match rng.random_range(0..7) {
        0 => Value::Null,
        1 => json!([]),
        2 => json!({}),
        3 => json!(rng.random::<i64>()),
        4 => json!([STRANGE.choose(rng), STRANGE.choose(rng)]),
        5 => json!(rng.random::<bool>()),
        _ => json!(STRANGE.choose(rng)),
    };
    fact.fields.insert(name, value);
}
