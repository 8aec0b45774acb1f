//! Three counts: the closed form against what the capture device saw.

mod common;

use burn::tensor::{Int, Tensor};
use coec_ir::{Coe, Model, Precision, Recompute, Tensors, Verified, cost::Setting};
use coec_kernels::{Activation, Biases, experts, mlp};
use coec_nn::{
    LanguageModel, Source,
    capture::{self, CaptureError},
    counting::{CountError, count},
};
use common::*;

fn setting(model: &Model) -> Setting {
    Setting {
        context: model.context,
        batch: 3,
        precision: Precision::F32,
        recompute: Recompute::None,
        ranks: 1,
        shard: coec_ir::Shard::None,
    }
}

#[test]
fn closed_form_and_capture_agree_for_every_word() {
    for (name, model) in variants() {
        let model = verified(model);
        let counts = |precision| {
            let setting = Setting { precision, ..setting(&model) };
            capture::check_built(&model, setting).unwrap_or_else(|e| panic!("{name}: {e}"))
        };
        let counted = counts(Precision::Bf16);
        let counts = counts(Precision::F32);
        assert_eq!(
            (counted.params, counted.forward, counted.backward),
            (counts.params, counts.forward, counts.backward),
            "{name}: rounding multiplies nothing"
        );
        let listed: u128 = Tensors::of(&model).trained.iter().map(|param| param.elements()).sum();
        assert_eq!(counts.params, listed, "{name}: the walk names every parameter");
    }
}

/// The error for a module built from another model than the one it is held against.
fn disagreement(declared: Coe, built: Coe) -> CaptureError {
    let of = |coe: Coe| verified(model(coec_ir::Attention::Mha(mha()), ffn(coe)));
    let (declared, built): (Verified<Model>, _) = (of(declared), of(built));
    capture::check(&declared, setting(&declared), |device| LanguageModel::new(&built, device, Source::Zeros))
        .expect_err("the counts differ")
}

#[test]
fn one_expert_fewer_is_found() {
    let error = disagreement(coe(), Coe { experts: 3, ..coe() });
    // Per layer: one expert of 3 * 8 * 5 and one row in each of two routers, 8 + 8.
    assert_eq!(
        error.to_string(),
        "parameters of layer 0: the closed form says 1000, the captured module 864"
    );
}

#[test]
fn one_iteration_more_is_found() {
    let tied = |iter: usize| Coe { iter, k: vec![2; iter], gate: coec_ir::Gate::Tied, ..coe() };
    let CaptureError::Disagreement { what, place, closed, captured } = disagreement(tied(2), tied(3)) else {
        panic!("a disagreement names both numbers");
    };
    assert_eq!((what, place.as_str()), ("forward FLOPs", "layer 0"));
    // One iteration: the router, 2 * 8 * 4, and two experts of 2 * 3 * 8 * 5, for 3 * 16 tokens.
    assert_eq!(captured - closed, 48 * (64 + 480));
}

/// By hand, of experts and of an MLP: biases are added, which is no product.
#[test]
fn biases_multiply_nothing() {
    const PRECISION: coec_kernels::Precision = coec_kernels::Precision::F32;
    let [n, d, e, k, f] = [7, 8, 4, 2, 5];
    for (act, products) in [(Activation::Swiglu, 3), (Activation::Clamped, 3), (Activation::Relu2, 2)] {
        let wide = act.inputs() * f;
        let counted = |is_biased: bool| {
            let counts = count::<CountError>(|device| {
                let float = |shape: [usize; 2]| Tensor::<2>::zeros(shape, device).require_grad();
                let stack = |shape: [usize; 3]| Tensor::<3>::zeros(shape, device).require_grad();
                let (x, gates, indices) =
                    (float([n, d]), float([n, k]), Tensor::<2, Int>::zeros([n, k], device));
                let biases = is_biased.then(|| Biases { b_in: float([e, wide]), b_out: float([e, d]) });
                let (w_in, w_out) = (stack([e, wide, d]), stack([e, d, f]));
                let routed = experts(x.clone(), indices, gates, w_in, w_out, biases, act, PRECISION);
                let vector = |width: usize| Tensor::<1>::zeros([width], device).require_grad();
                let biases = is_biased.then(|| Biases { b_in: vector(wide), b_out: vector(d) });
                let dense = mlp(x, float([wide, d]), float([d, f]), biases, act, PRECISION);
                Ok((0, (routed + dense).sum()))
            });
            counts.unwrap()
        };
        let (biased, plain) = (counted(true), counted(false));
        let forward = (2 * n * (k + 1) * products * d * f) as u128;
        for counts in [biased, plain] {
            assert_eq!((counts.forward, counts.backward), (forward, 2 * forward), "{act:?}");
        }
        assert!(biased.operations > plain.operations, "biases are recorded");
    }
}
