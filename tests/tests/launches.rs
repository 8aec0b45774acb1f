//! What a training step asks of a GPU.
#![cfg(any(feature = "wgpu", feature = "cuda"))]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use coec_lang::{MapLoader, load_one};
use coec_nn::{LanguageModel, Source};
use coec_tests::device::tested;
use coec_train::{data::Batch, optimizer::AdamW, step::Trainer};
use cubecl::logging::{LaunchObservation, LaunchObserver};

/// Launches of each kernel.
#[derive(Default)]
struct Launches(Mutex<BTreeMap<&'static str, usize>>);

impl LaunchObserver for Launches {
    fn launched(&self, kernel: &'static str) {
        *self.0.lock().unwrap().entry(kernel).or_default() += 1;
    }
}

/// Launches of one training step of a chain with so many experts a layer, by kernel.
fn of_a_step(experts: usize) -> BTreeMap<&'static str, usize> {
    let text = format!(
        "model counted {{
            vocab = 256
            context = 16
            dim = 32
            layers = 2
            attention = mha(heads=2)
            ffn = coe(iter=2, k=2, experts={experts}, shared=1, hidden=16, residual=delta,
                      balance=seq_aux(alpha=0.01))
        }}
        train {{ data = builtin(\"arithmetic\") steps = 1 batch = 2 context = 16 }}"
    );
    let spec = load_one("a.coe", &[], &MapLoader::new().with("a.coe", text)).unwrap();
    let train = spec.train_or_default().unwrap();
    let device = tested().device.autodiff();
    let model = LanguageModel::new(&spec.model, &device, Source::Seed(1)).unwrap();
    let optimizer = AdamW::new(train.optimizer);
    let ids: Vec<i32> = (0..32).map(|at| at * 7 % 64).collect();
    let batch = Batch { inputs: ids.clone(), targets: ids, weights: None, sequences: 2, context: 16 };
    // The first step makes the moments.
    let (trainer, _) = Trainer { model, optimizer, device }.step(&train, &batch, 1e-3).unwrap();
    let launches = Arc::new(Launches::default());
    let watching = LaunchObservation::new(launches.clone());
    let _ = trainer.step(&train, &batch, 1e-3).unwrap();
    drop(watching);
    std::mem::take(&mut *launches.0.lock().unwrap())
}

/// Of two layers with two routings each, whatever the experts.
const MOST: usize = 460;

#[test]
fn launches_of_a_step_do_not_grow_with_the_experts() {
    if tested().is_exact {
        return;
    }
    for experts in [4, 64] {
        let launches = of_a_step(experts);
        let all: usize = launches.values().sum();
        for (kernel, count) in &launches {
            println!("{count:>5} {kernel}");
        }
        println!("{all:>5} in all, of {experts} experts");
        assert!(all <= MOST, "{all} launches with {experts} experts");
    }
}
