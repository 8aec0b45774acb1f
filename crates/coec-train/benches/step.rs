//! How long a training step takes: model S of tests/bench, forward, backward and update.
//!
//! `cargo bench --bench step`, at the root and without `-p`. RAYON_NUM_THREADS says how many threads.

#[path = "../tests/common/mod.rs"]
mod common;

use burn::tensor::Device;
use coec_lang::{MapLoader, load_one};
use coec_nn::{LanguageModel, Source};
use coec_train::{memory::CountingAllocator, optimizer::AdamW, step::Trainer};
use common::counting;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// As the binary has it.
#[global_allocator]
static MEMORY: CountingAllocator = CountingAllocator::new();

const MODEL_S: &str = include_str!("../../../tests/bench/s.coe");

fn step(criterion: &mut Criterion) {
    let files = MapLoader::new().with("s.coe", MODEL_S);
    let mut group = criterion.benchmark_group("step");
    for name in ["coe", "moe_eq"] {
        let spec = load_one(&format!("s.coe#{name}"), &[], &files).expect("tests/bench/s.coe is a spec");
        let train = spec.train.expect("it says how it is trained");
        let batch = counting(train.batch, train.context, 0, spec.model.vocab);
        let device = Device::flex().autodiff();
        let model =
            LanguageModel::new(&spec.model, &device, Source::Seed(train.seed)).expect("it can be built");
        let mut trainer = Some(Trainer { model, optimizer: AdamW::new(train.optimizer), device });
        // Tokens a second.
        group.sample_size(10).throughput(Throughput::Elements(batch.inputs.len() as u64));
        group.bench_function(format!("S/{name}"), |bencher| {
            bencher.iter(|| {
                trainer =
                    trainer.take().map(|trainer| trainer.step(&train, &batch, train.optimizer.lr).unwrap().0);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
