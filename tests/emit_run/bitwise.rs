//! Generated models against the same models built in process: the same parameters under the same
//! names, and from one seed the same bits of logits, losses, gradients, and selection biases. A
//! checkpoint of one is a checkpoint of the other.
//!
//! Written into a package of all generated models by tests/examples/emit_run.rs, which lists
//! them in `list.rs`.

use std::collections::HashMap;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use coec_ir::{Model, Residual, Verified};
use serde_json::Value;

/// A tensor by name, with its shape and its values.
type Named = (String, Vec<usize>, Vec<f32>);

/// Everything a pass computes.
#[derive(Debug, PartialEq)]
struct Results {
    logits: Vec<u32>,
    loss: Vec<u32>,
    aux_loss: Option<Vec<u32>>,
    gradients: Vec<(String, Vec<u32>)>,
    /// The tensors after the selection biases have moved by the loads of this pass.
    moved: Vec<(String, Vec<u32>)>,
}

fn bits(values: impl IntoIterator<Item = f32>) -> Vec<u32> {
    values.into_iter().map(f32::to_bits).collect()
}

/// A model, wherever it is from.
trait Subject: Sized {
    /// From a seed, or of zeros.
    fn make(model: &Verified<Model>, device: &Device, seed: Option<u64>) -> Self;
    fn spec(model: &Verified<Model>) -> Value;
    fn named(&self) -> Vec<Named>;
    fn fill(self, values: &HashMap<String, Vec<f32>>) -> Self;
    fn pass(self, tokens: Tensor<2, Int>, targets: Tensor<2, Int>) -> Results;
    fn stepwise(&self, tokens: Tensor<2, Int>) -> Vec<u32>;
}

/// What is common to all of them, in the words of a crate.
macro_rules! common {
    ($nn:path, |$model:ident, $loads:ident| $biases:expr) => {
        fn named(&self) -> Vec<Named> {
            let tensors = self.0.tensors().into_iter();
            tensors.map(|(param, values)| (param.name, param.shape, values)).collect()
        }

        fn fill(self, values: &HashMap<String, Vec<f32>>) -> Self {
            let found = |name: &str| values.get(name).cloned().ok_or_else(|| "it is missing".to_string());
            Self(self.0.load(|param| found(&param.name)).unwrap_or_else(|error| panic!("{error}")))
        }

        fn pass(self, tokens: Tensor<2, Int>, targets: Tensor<2, Int>) -> Results {
            use $nn as nn;
            let forward = self.0.forward(tokens);
            let loss = nn::cross_entropy(forward.logits.clone(), targets.clone());
            let grads = GradientsParams::from_grads(forward.loss(targets).backward(), &self.0);
            let gradients = self.0.gradients(&grads).into_iter();
            let gradients = gradients.map(|(param, values)| (param.name, bits(values))).collect();
            let $loads: Vec<_> = forward.loads.iter().map(|load| load.selections()).collect();
            let $model = self.0;
            let moved = Self($biases);
            Results {
                logits: bits(forward.logits.tensor().into_data().iter::<f32>()),
                loss: bits(loss.into_data().iter::<f32>()),
                aux_loss: forward.aux_loss.map(|loss| bits(loss.into_data().iter::<f32>())),
                gradients,
                moved: moved.named().into_iter().map(|(name, _, values)| (name, bits(values))).collect(),
            }
        }

        fn stepwise(&self, tokens: Tensor<2, Int>) -> Vec<u32> {
            let [_, length] = tokens.dims();
            let mut cache = self.0.cache();
            let step = |t: usize| self.0.extend(tokens.clone().narrow(1, t, 1), &mut cache);
            let logits: Vec<Tensor<3>> = (0..length).map(step).collect();
            bits(Tensor::cat(logits, 1).into_data().iter::<f32>())
        }
    };
}

struct InProcess(coec_nn::LanguageModel);

impl Subject for InProcess {
    fn make(model: &Verified<Model>, device: &Device, seed: Option<u64>) -> Self {
        let source = seed.map_or(coec_nn::Source::Zeros, coec_nn::Source::Seed);
        Self(coec_nn::LanguageModel::new(model, device, source).unwrap_or_else(|error| panic!("{error}")))
    }

    fn spec(model: &Verified<Model>) -> Value {
        serde_json::to_value(&**model).unwrap()
    }

    common!(coec_nn, |model, loads| model.update_biases(&loads));
}

/// Some tokens, `[2, length]`, and the tokens after them.
fn tokens(model: &Model, device: &Device) -> [Tensor<2, Int>; 2] {
    let length = model.context.min(7);
    [0, 1].map(|shift| {
        let id = |i: usize| (((i + shift) * (i + shift) * 7 + (i + shift) * 3) % model.vocab) as i32;
        let ids: Vec<i32> = (0..2 * length).map(id).collect();
        Tensor::from_data(TensorData::new(ids, [2, length]), device)
    })
}

fn compare<G: Subject>(ir: &str) {
    let model: Model = serde_json::from_str(ir).expect("the IR reads back");
    let model = coec_ir::verify(model).expect("the IR is verified");
    assert_eq!(G::spec(&model), InProcess::spec(&model), "spec() is the verified IR");

    #[allow(deprecated)]
    for device in [Device::flex(), Device::ndarray()] {
        let device = device.autodiff();
        let (ours, theirs) = (InProcess::make(&model, &device, Some(7)), G::make(&model, &device, Some(7)));
        let (our, their) = (ours.named(), theirs.named());
        assert_eq!(our, their, "names, shapes and initial values");

        // A checkpoint of one loads into the other.
        let values = |named: Vec<Named>| -> HashMap<_, _> {
            // Away from the initial values, where biases are zero and norms one.
            let moved = |values: Vec<f32>| {
                values.iter().enumerate().map(|(i, v)| v + 0.01 * (i % 5) as f32).collect()
            };
            named.into_iter().map(|(name, _, values)| (name, moved(values))).collect()
        };
        let (ours, theirs) = (ours.fill(&values(their)), theirs.fill(&values(our)));
        let [tokens, targets] = tokens(&model, &device);
        assert_eq!(ours.stepwise(tokens.clone()), theirs.stepwise(tokens.clone()), "with a cache");
        let (ours, theirs) =
            (ours.pass(tokens.clone(), targets.clone()), theirs.pass(tokens.clone(), targets.clone()));
        assert!(ours.logits == theirs.logits, "logits");
        assert_eq!(ours.loss, theirs.loss, "loss");
        assert_eq!(ours.aux_loss, theirs.aux_loss, "balance losses");
        assert_eq!(ours.gradients, theirs.gradients, "gradients");
        assert_eq!(ours.moved, theirs.moved, "selection biases");
        // Without a residual the stream can die out, and every gradient with it.
        let flows = ours.gradients.iter().any(|(_, values)| values.iter().any(|&bits| bits << 1 != 0));
        let may_die = model.layers.kinds().iter().filter_map(|layer| layer.ffn.as_coe());
        let may_die = may_die.map(|chain| chain.residual).any(|residual| residual == Residual::None);
        assert!(flows || may_die, "the comparison is not of zeros");
    }
}

/// A test of a generated model: its name, where it is, where its mathematics is, and whether it
/// has selection biases.
macro_rules! generated {
    ($name:ident, $($root:ident)::+, $nn:path, $ir:literal, biases) => {
        generated!(@ $name, $($root)::+, $nn, $ir, |model, loads| model.update_biases(&loads));
    };
    ($name:ident, $($root:ident)::+, $nn:path, $ir:literal) => {
        generated!(@ $name, $($root)::+, $nn, $ir, |model, _loads| model);
    };
    (@ $name:ident, $($root:ident)::+, $nn:path, $ir:literal, |$model:ident, $loads:ident| $biases:expr) => {
        #[test]
        fn $name() {
            struct Generated($($root)::+::LanguageModel);
            impl Subject for Generated {
                fn make(_: &Verified<Model>, device: &Device, seed: Option<u64>) -> Self {
                    use $nn as nn;
                    let source = seed.map_or(nn::Source::Zeros, nn::Source::Seed);
                    Self($($root)::+::LanguageModel::new(device, source))
                }
                fn spec(_: &Verified<Model>) -> Value {
                    serde_json::to_value($($root)::+::spec()).unwrap()
                }
                common!($nn, |$model, $loads| $biases);
            }
            compare::<Generated>(include_str!($ir));
        }
    };
}

include!("../list.rs");
