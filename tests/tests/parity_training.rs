//! Twenty optimizer steps against PyTorch, see tests/parity/training.py: the real trainer on the same
//! batches, its losses, gradient norms, learning rates, weights and selection biases.

mod common;

use coec_lang::load_one;
use coec_nn::{LanguageModel, Source};
use coec_tests::device::tested;
use coec_train::{
    data::Batch,
    optimizer::AdamW,
    step::{StepResult, Trainer},
    weights::Weights,
};
use common::{Repository, root};

/// Of the largest value of each tensor, and of the largest loss or norm of the run.
const TOLERANCE: f64 = 1e-5;
/// The same on a GPU.
const TOLERANCE_OF_GPUS: f64 = 1e-4;

/// The largest difference, of the largest value.
fn error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f64, |max, v| max.max(v.abs()));
    found.iter().zip(expected).fold(0.0f64, |max, (a, b)| max.max((a - b).abs())) / largest
}

fn wide(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}

/// The batches of a golden: the last token of each row is only a target.
fn batches(golden: &Weights) -> Vec<Batch> {
    let [steps, sequences, length]: [usize; 3] = golden.shape("tokens").unwrap().try_into().unwrap();
    let ids: Vec<i32> = golden.i64("tokens").unwrap().into_iter().map(|id| id as i32).collect();
    let context = length - 1;
    let columns = |step: usize, start: usize| {
        let rows = ids[step * sequences * length..][..sequences * length].chunks(length);
        rows.flat_map(|row| row[start..start + context].to_vec()).collect()
    };
    (0..steps)
        .map(|step| Batch {
            inputs: columns(step, 0),
            targets: columns(step, 1),
            weights: None,
            sequences,
            context,
        })
        .collect()
}

fn compare(name: &str) {
    let spec = format!("tests/parity/goldens/training/{name}.coe");
    let golden = Weights::open(&root().join(spec.replace(".coe", ".safetensors"))).unwrap();
    let spec = load_one(&spec, &[], &Repository).unwrap_or_else(|e| panic!("{}", common::lines(&e)));
    let train = spec.train.expect("the spec says how it is trained");
    let device = tested().device.autodiff();
    let model = LanguageModel::new(&spec.model, &device, Source::Zeros)
        .unwrap()
        .load(|param| golden.f32(&format!("weight.{}", param.name)).map_err(|e| e.to_string()))
        .unwrap_or_else(|error| panic!("{name}: {error}"));

    let mut trainer = Trainer { model, optimizer: AdamW::new(train.optimizer), device };
    let steps = train.length(&spec.model);
    let (mut results, mut rates): (Vec<StepResult>, Vec<f64>) = Default::default();
    for (step, batch) in batches(&golden).iter().enumerate() {
        let rate = train.optimizer.lr * train.schedule.factor(step, steps);
        let (next, result) = trainer.step(&train, batch, rate).unwrap();
        (trainer, rates) = (next, [rates, vec![rate]].concat());
        results.push(result);
    }
    assert_eq!(results.len(), steps);
    let of = |number: fn(&StepResult) -> f64| results.iter().map(number).collect::<Vec<_>>();
    let clipped = of(|result| result.grad_norm).iter().filter(|&&norm| norm > train.optimizer.clip).count();
    assert!((5..=15).contains(&clipped), "{name}: {clipped} steps clip; some should, and some not");

    let rows = [
        ("rates", rates),
        ("losses", of(|result| result.loss)),
        ("aux_losses", of(|result| result.aux_loss)),
        ("norms", of(|result| result.grad_norm)),
    ];
    let tolerance = if tested().is_exact { TOLERANCE } else { TOLERANCE_OF_GPUS };
    let mut worst = Vec::new();
    for (row, found) in rows {
        let error = error(&found, &wide(golden.f32(row).unwrap()));
        assert!(error < tolerance, "{name}: the {row} differ by {error:e}");
        worst.push(format!("{row} {error:.0e}"));
    }
    let (mut weights, mut biases) = (0.0f64, 0.0f64);
    for (param, found) in trainer.model.tensors() {
        let expected = wide(golden.f32(&format!("final.{}", param.name)).unwrap());
        let start = golden.f32(&format!("weight.{}", param.name)).unwrap();
        assert_ne!(found, start, "{name}: {} moved", param.name);
        let error = error(&wide(found), &expected);
        assert!(error < tolerance, "{name}: {} differs by {error:e}", param.name);
        let bias = param.name.ends_with("e_score_correction_bias");
        let slot = if bias { &mut biases } else { &mut weights };
        *slot = slot.max(error);
    }
    println!("{name}: {}, weights {weights:.0e}, biases {biases:.0e}", worst.join(", "));
}

#[test]
fn twenty_steps_agree_with_pytorch() {
    compare("training");
}

/// A tied gate, whose one bias sees the counts of both iterations and both parts.
#[test]
fn twenty_steps_of_accumulated_parts_agree_with_pytorch() {
    compare("training_in_parts");
}
