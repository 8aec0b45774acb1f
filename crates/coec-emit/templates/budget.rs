//! The model against its budget. Edit the model, run `cargo test`, and see what the edit costs.

use burn::tensor::{Int, Tensor};
use serde::Deserialize;

use CRATE::{
    LanguageModel, Source,
    counting::{CountError, count},
};

/// What `budget.json` says of the model.
#[derive(Deserialize)]
struct Budget {
    setting: Setting,
    /// As the compiler counted them on the capture device, or, where it is built without one, by closed form.
    #[serde(alias = "closed_form")]
    captured: Counts,
}

#[derive(Deserialize)]
struct Setting {
    batch: usize,
    context: usize,
}

#[derive(Deserialize)]
struct Counts {
    params: u128,
    forward_flops: u128,
    backward_flops: u128,
}

/// The model is built on Burn's capture device, which records what it would compute: nothing is
/// allocated, and every matrix product is counted, forward and backward.
#[test]
fn the_model_keeps_its_budget() {
    let Budget { setting: Setting { batch, context }, captured } =
        serde_json::from_str(include_str!("../budget.json")).expect("budget.json is as coec wrote it");
    let counted = count(|device| {
        let model = LanguageModel::new(device, Source::Zeros);
        let tokens = Tensor::<2, Int>::zeros([batch, context], device);
        let loss = model.forward(tokens.clone()).loss(tokens);
        Ok::<_, CountError>((model.parameter_count(), loss))
    })
    .unwrap_or_else(|error| panic!("{error}"));
    let mut broken = Vec::new();
    for (what, budget, model) in [
        ("trained parameters", captured.params, counted.params),
        ("FLOPs of a forward pass", captured.forward_flops, counted.forward),
        ("FLOPs of a backward pass", captured.backward_flops, counted.backward),
    ] {
        if budget != model {
            let percent = 100.0 * (model as f64 / budget as f64 - 1.0);
            broken.push(format!("{what}: budget.json says {budget}, the model has {model} ({percent:+.2}%)"));
        }
    }
    assert!(broken.is_empty(), "at {batch} x {context} tokens\n{}", broken.join("\n"));
}
