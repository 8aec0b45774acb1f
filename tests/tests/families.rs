//! The published families in the small: a twin of each, reduced in width alone, trains.

mod common;

use std::path::Path;

use burn::tensor::Device;
use coec_ir::{Balance, Train, verify};
use coec_lang::load;
use coec_tests::reduced::reduced;
use coec_train::{
    report::Standing,
    run::{self, Bases, Control, Event, Job, MemoryMeter, Start},
    run_dir::{Place, RunDir, RunFile},
    weights::Weights,
    world::Alone,
};
use common::{Repository, files, lines};

/// Measures nothing: other tests of this process hold memory too.
struct Unmeasured;

impl MemoryMeter for Unmeasured {
    fn reset(&self) {}
    fn peak(&self) -> u64 {
        0
    }
}

const STEPS: usize = 20;

fn train(defaults: &Train, context: usize) -> Train {
    let mut train = defaults.clone();
    (train.steps, train.batch, train.context) = (Some(STEPS as u64), 4, context);
    train.optimizer.lr = 1e-2;
    train.eval.every = STEPS;
    train
}

#[test]
fn a_twin_of_each_family_trains() {
    let specs = files("specs/families", "coe");
    assert!(specs.len() >= 5);
    for path in specs {
        let spec = load(&path, &[], &Repository).unwrap_or_else(|e| panic!("{}", lines(&e))).remove(0);
        let model = verify(reduced(&spec.model)).unwrap_or_else(|v| panic!("{path}: {v:?}"));
        let train = train(&quickstart(), model.context);
        let folder = tempfile::tempdir().unwrap();
        let job = Job {
            model: &model,
            train: &train,
            bases: Bases { data: Path::new(""), tokenizer: Path::new("") },
            device: Device::flex(),
            backend: "cpu",
            threads: 1,
            world: &Alone,
            reference: None,
            gemm_most: 64,
            judge: &|_| Vec::new(),
            spec: "",
            input: None,
            version: "",
            start: Start::Fresh(Place::At(folder.path().join("run"))),
            tensorboard: false,
            memory: &Unmeasured,
        };
        let mut losses = Vec::new();
        let mut tell = |event| {
            if let Event::Step { metrics, .. } = event {
                losses.push(metrics.loss);
            }
        };
        let outcome = run::run(&job, &mut tell, &Control::default());
        let outcome = outcome.unwrap_or_else(|error| panic!("{path}: {error}")).unwrap();
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (first, last) = (mean(&losses[..3]), mean(&losses[STEPS - 3..]));
        assert!(last < first - 0.3, "{path}: the loss went from {first} to {last}");
        for row in outcome.summary.card.rows.iter().filter(|row| row.figure.starts_with("flops")) {
            assert_ne!(row.verdict, Standing::Fails, "{path}: {}", row.figure);
        }
        biases_move(&model, &outcome.dir, &path);
    }
}

/// What a spec without a training block is trained with.
fn quickstart() -> Train {
    let spec =
        load("specs/quickstart.coe", &[], &Repository).unwrap_or_else(|e| panic!("{}", lines(&e))).remove(0);
    spec.train_or_default().unwrap_or_else(|e| panic!("{}", lines(&e)))
}

/// Selection biases move by their rate each step, and are saved.
fn biases_move(model: &coec_ir::Model, dir: &RunDir, path: &str) {
    let saved = Weights::open(&dir.file(RunFile::Model)).unwrap();
    for (l, layer) in model.layers.iter().enumerate() {
        let balance = layer.ffn.as_coe().map_or(&[][..], |coe| &coe.balance);
        let rate = balance.iter().find_map(|term| match term {
            Balance::Bias { rate } => Some(*rate),
            _ => None,
        });
        let Some(rate) = rate else { continue };
        let bias = saved.f32(&format!("model.layers.{l}.mlp.gate.e_score_correction_bias")).unwrap();
        assert!(bias.iter().any(|&b| b != 0.0), "{path}: the biases of layer {l} never moved");
        for b in bias {
            let steps = f64::from(b) / rate;
            assert!(
                (steps - steps.round()).abs() < 1e-3 && steps.round().abs() <= STEPS as f64,
                "{path}: {b}"
            );
        }
    }
}
