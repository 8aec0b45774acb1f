//! Any model the language can say is built, counted, run and printed, and agrees with its slow twin.

#[path = "../../crates/coec-nn/tests/common/twin.rs"]
mod twin;

use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use coec_ir::cost::{Cost, Setting};
use coec_ir::{Conditions, Figure, Model, Precision, Recompute, Tensors, Verified, verify};
use coec_lang::{MapLoader, load_one};
use coec_nn::{Forward, LanguageModel, Manner, Source, capture};
use coec_tests::device::{Tested, tested};
use coec_tests::errors::relative;
use coec_tests::models::{Sizes, model};
use proptest::prelude::*;

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// The explicit text, the JSON and every figure.
fn print(model: &Verified<Model>) -> Result<(), TestCaseError> {
    let text = coec_ir::text::model(model);
    let files = MapLoader::new().with("a.coe", text.clone());
    let read = load_one("a.coe", &[], &files).map_err(|e| TestCaseError::fail(format!("{text}\n{e}")))?;
    prop_assert_eq!(&*read.model, &**model, "{}", text);
    let formatted = coec_lang::format("a.coe", &text).map_err(|e| TestCaseError::fail(e.to_string()))?;
    let files = MapLoader::new().with("a.coe", formatted);
    prop_assert_eq!(&*load_one("a.coe", &[], &files).unwrap().model, &**model);

    let cost = Cost::of(model, Setting::of(model, &Conditions::default()));
    let listed: u128 = Tensors::of(model).trained.iter().map(|param| param.elements()).sum();
    prop_assert_eq!(cost.total.params, listed, "the names are all there is");
    for figure in Figure::ALL {
        prop_assert_eq!(cost.figure(figure).is_none(), figure.is_measured(), "{}", figure.name());
    }
    Ok(())
}

/// Some tokens, two sequences of the model's context.
fn tokens(model: &Model, device: &Device) -> Tensor<2, Int> {
    let shape = [2, model.context];
    let ids: Vec<i32> = (0..2 * model.context).map(|i| ((i * i + 3 * i) % model.vocab) as i32).collect();
    Tensor::from_data(TensorData::new(ids, shape), device)
}

/// Closed form, captured graph, a step on the CPU, also with something computed again.
fn run(model: &Verified<Model>) -> Result<(), TestCaseError> {
    // Each word for a third of the models.
    let recompute = Recompute::ALL[(model.vocab + model.context) % Recompute::ALL.len()];
    // Either precision for half of them.
    let (context, precision) = (model.context, Precision::ALL[model.vocab / 3 % Precision::ALL.len()]);
    let manner = |recompute| Manner { recompute, precision };
    let setting = Setting { batch: 2, context, precision, recompute, ranks: 1, shard: coec_ir::Shard::None };
    capture::check_built(model, setting).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let Tested { device, is_exact, .. } = tested();
    if !is_exact {
        return run_elsewhere(model, &device.autodiff(), recompute);
    }
    let device = device.autodiff();
    let built = LanguageModel::new(model, &device, Source::Seed(7)).unwrap();
    let tokens = tokens(model, &device);
    let gradients = |forward: &Forward| {
        let loss = forward.loss(tokens.clone());
        (loss.clone().into_scalar::<f64>(), GradientsParams::from_grads(loss.backward(), &built))
    };
    let forward = built.forward_as(tokens.clone(), manner(Recompute::None));
    let (loss, grads) = gradients(&forward);
    prop_assert!(loss.is_finite());
    let (again, grads_again) = gradients(&built.forward_as(tokens.clone(), manner(recompute)));
    prop_assert_eq!(again.to_bits(), loss.to_bits(), "loss under recompute={}", recompute.word());
    let grads_again = built.gradients(&grads_again);
    for ((param, gradient), (_, again)) in built.gradients(&grads).into_iter().zip(grads_again) {
        prop_assert!(gradient.iter().all(|v| v.is_finite()), "gradient of {}", param.name);
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        // In a loop passes are summed in another order.
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        let is_summed = !model.layers.loops().is_empty();
        let is_close = is_summed && relative(&wide(&gradient), &wide(&again)) < 1e-5;
        let is_same = is_close || bits(gradient) == bits(again);
        prop_assert!(is_same, "gradient of {} under recompute={}", param.name, recompute.word());
    }
    let selections: Vec<_> = forward.loads.iter().map(|load| load.selections()).collect();
    built.update_biases(&selections);
    Ok(())
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt()
}

/// A step on a GPU against one on the CPU: logits within 1e-4, the loss, and gradients within 1e-3.
fn run_elsewhere(
    model: &Verified<Model>,
    device: &Device,
    recompute: Recompute,
) -> Result<(), TestCaseError> {
    let step = |device: &Device| {
        let built = LanguageModel::new(model, device, Source::Seed(7)).unwrap();
        let tokens = tokens(model, device);
        let forward = built.forward_as(tokens.clone(), Manner { recompute, ..Manner::default() });
        let loss = forward.loss(tokens);
        let grads = GradientsParams::from_grads(loss.clone().backward(), &built);
        let selected: Vec<Vec<i64>> = forward
            .routes
            .iter()
            .map(|route| route.indices.clone().into_data().iter::<i64>().collect())
            .collect();
        let scores: Vec<Vec<f64>> = forward.routes.iter().map(|route| floats(route.scores.clone())).collect();
        let routes: Vec<_> = selected.into_iter().zip(scores).collect();
        (floats(forward.logits.tensor()), loss.into_scalar::<f64>(), built.gradients(&grads), routes)
    };
    let (logits, loss, gradients, routes) = step(device);
    let (expected_logits, expected_loss, expected_gradients, expected_routes) =
        step(&Device::flex().autodiff());
    for ((selected, scores), (expected, of_cpu)) in routes.iter().zip(&expected_routes) {
        if selected != expected {
            // Where two experts score the same but for rounding, either is right, and what follows differs. Scores
            // say so, unless a bias has its part in the selection.
            let error = relative(scores, of_cpu);
            prop_assert!(error < 1e-4, "scores differ by {}", error);
            return Ok(());
        }
    }
    let error = relative(&logits, &expected_logits);
    prop_assert!(error < 1e-4, "logits differ by {}", error);
    prop_assert!(
        (loss - expected_loss).abs() < 1e-4 * expected_loss.abs(),
        "losses {} {}",
        loss,
        expected_loss
    );
    // A gradient that is all rounding, as of the router of one expert, is compared with the others; and all of them
    // are, where a scale of 0 cuts the model in two: with the loss.
    let norms = expected_gradients.iter().map(|(_, gradient)| norm(gradient));
    let largest = norms.fold(expected_loss.abs(), f64::max);
    for ((param, gradient), (_, expected)) in gradients.into_iter().zip(expected_gradients) {
        let difference: Vec<f32> = gradient.iter().zip(&expected).map(|(a, b)| a - b).collect();
        let bound = 1e-3 * norm(&expected) + 1e-6 * largest;
        let (found, expected) = (norm(&gradient), norm(&expected));
        prop_assert!(
            norm(&difference) <= bound,
            "the gradient of {}: {} and {}",
            param.name,
            found,
            expected
        );
    }
    Ok(())
}

/// Logits and balance losses against the slow twin, and token by token with a cache.
fn compare(model: &Verified<Model>) -> Result<(), TestCaseError> {
    let Tested { device, is_exact, .. } = tested();
    let (dtype, tolerance) = if is_exact { (DType::F64, 1e-9) } else { (DType::F32, 1e-4) };
    let built = LanguageModel::with_dtype(model, &device, Source::Seed(7), dtype).unwrap();
    let tokens = tokens(model, &device);
    let aux = |loss: &Option<Tensor<1>>| loss.as_ref().map_or(0.0, |loss| loss.clone().into_scalar::<f64>());
    let compared = |precision| {
        let fast = built.forward_as(tokens.clone(), Manner { precision, ..Manner::default() });
        let slow = twin::forward(&built, tokens.clone(), precision);
        let (found, expected) = (floats(fast.logits.tensor()), floats(slow.logits));
        let scale = expected.iter().fold(1e-3f64, |most, v| most.max(v.abs()));
        for (a, b) in found.iter().zip(&expected) {
            prop_assert!((a - b).abs() <= tolerance * scale, "logits {} and {}, {:?}", a, b, precision);
        }
        let (balance, expected) = (aux(&fast.aux_loss), aux(&slow.aux_loss));
        let bound = tolerance * expected.abs().max(1.0);
        prop_assert!((balance - expected).abs() < bound, "balance losses {} and {}", balance, expected);
        Ok((found, scale))
    };
    // A quarter of them in bf16 too.
    if is_exact && (model.vocab + model.context).is_multiple_of(4) {
        compared(Precision::Bf16)?;
    }
    let (found, scale) = compared(Precision::F32)?;
    let mut cache = built.cache();
    let first = tokens.narrow(0, 0, 1);
    let steps: Vec<f64> = (0..model.context)
        .flat_map(|t| floats(built.extend(first.clone().narrow(1, t, 1), &mut cache)))
        .collect();
    for (a, b) in steps.iter().zip(&found) {
        prop_assert!((a - b).abs() <= tolerance * scale, "with a cache {}, without {}", a, b);
    }
    Ok(())
}

/// `cases` models on the CPU; elsewhere, where each is another program to compile, 200 at most.
fn config(cases: u32) -> ProptestConfig {
    let cases = if tested().is_exact { cases } else { cases.min(200) };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(2000))]

    #[test]
    fn every_model_is_built_counted_run_and_printed(model in model(&Sizes::tiny())) {
        let verified = verify(model).map_err(|violations| TestCaseError::fail(format!("{violations:?}")))?;
        print(&verified)?;
        run(&verified)?;
    }
}

proptest! {
    #![proptest_config(config(200))]

    #[test]
    fn every_model_agrees_with_its_slow_twin(model in model(&Sizes::tiny())) {
        let verified = verify(model).map_err(|violations| TestCaseError::fail(format!("{violations:?}")))?;
        compare(&verified)?;
    }
}
