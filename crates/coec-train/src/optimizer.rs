//! AdamW with clipping by the global norm.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor, TensorData};
use coec_nn::{Binding, LanguageModel};

/// AdamW (Loshchilov and Hutter, arXiv 1711.05101), with torch's placement of eps:
///
/// ```text
/// p = p (1 - lr wd)
/// m = b1 m + (1 - b1) g        v = b2 v + (1 - b2) g^2
/// p = p - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
/// ```
#[derive(Debug, Clone)]
pub struct AdamW {
    config: coec_ir::AdamW,
    steps: i32,
    moments: HashMap<ParamId, Moments>,
}

#[derive(Debug, Clone)]
struct Moments {
    first: Tensor<1>,
    second: Tensor<1>,
}

/// One moment of one parameter, as checkpoints hold it.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedMoment {
    /// `first.N` or `second.N`, N being the place of the parameter in the model's bindings.
    pub name: String,
    /// Its values.
    pub values: Vec<f32>,
}

impl AdamW {
    /// An optimizer that has seen no gradient.
    pub fn new(config: coec_ir::AdamW) -> Self {
        Self { config, steps: 0, moments: HashMap::new() }
    }

    /// The model after one step with learning rate `lr`.
    pub fn step(&mut self, model: LanguageModel, grads: GradientsParams, lr: f64) -> LanguageModel {
        self.steps += 1;
        let update = Update {
            config: self.config,
            lr,
            corrections: self.config.betas.map(|beta| 1.0 - beta.powi(self.steps)),
            moments: &mut self.moments,
            grads,
        };
        let mut update = update;
        model.map(&mut update)
    }

    /// The moments by the place of their parameter, and the steps taken.
    pub fn save(&self, bindings: &[Binding]) -> (i32, Vec<SavedMoment>) {
        let values = |tensor: &Tensor<1>| tensor.to_data().iter::<f32>().collect();
        let moments = bindings.iter().enumerate().filter_map(|(i, binding)| {
            let moments = self.moments.get(&binding.id)?;
            Some([
                SavedMoment { name: format!("first.{i}"), values: values(&moments.first) },
                SavedMoment { name: format!("second.{i}"), values: values(&moments.second) },
            ])
        });
        (self.steps, moments.flatten().collect())
    }

    /// Continues from saved moments.
    pub fn restore(
        config: coec_ir::AdamW,
        model: &LanguageModel,
        steps: i32,
        mut moment: impl FnMut(&str) -> Option<Vec<f32>>,
    ) -> Self {
        let device = model.device().inner();
        let tensor = |values: Vec<f32>| {
            let count = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [count]), (&device, DType::F32))
        };
        let mut moments = HashMap::new();
        for (i, binding) in model.bindings().iter().enumerate() {
            if let (Some(first), Some(second)) =
                (moment(&format!("first.{i}")), moment(&format!("second.{i}")))
            {
                let saved = Moments { first: tensor(first), second: tensor(second) };
                moments.insert(binding.id, saved);
            }
        }
        Self { config, steps, moments }
    }
}

struct Update<'a> {
    config: coec_ir::AdamW,
    lr: f64,
    corrections: [f64; 2],
    moments: &'a mut HashMap<ParamId, Moments>,
    grads: GradientsParams,
}

impl ModuleMapper for Update<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(grad) = self.grads.remove::<D>(param.id) else { return param };
        let id = param.id;
        param.map(|tensor| {
            let shape = tensor.shape();
            let count = shape.num_elements();
            let grad: Tensor<1> = grad.reshape([count]);
            let moments = self
                .moments
                .remove(&id)
                .unwrap_or_else(|| Moments { first: grad.zeros_like(), second: grad.zeros_like() });
            let step = coec_kernels::AdamWStep {
                lr: self.lr,
                betas: self.config.betas,
                eps: self.config.eps,
                weight_decay: self.config.weight_decay,
                corrections: self.corrections,
            };
            let flat = tensor.inner().reshape([count]);
            let (flat, first, second) = coec_kernels::adamw(flat, grad, moments.first, moments.second, step);
            self.moments.insert(id, Moments { first, second });
            Tensor::from_inner(flat.reshape(shape)).require_grad()
        })
    }
}

/// The global norm of the gradients: the root of the sum of all squares, `[1]`.
///
/// Sums run row by row in a fixed order, so that the norm is the same bits in every run.
pub fn global_norm(model: &LanguageModel, grads: &GradientsParams) -> Option<Tensor<1>> {
    let squares = model.bindings().iter().filter_map(|binding| match binding.rank {
        1 => grads.get::<1>(binding.id).map(|g| sum_of_squares(g.unsqueeze())),
        2 => grads.get::<2>(binding.id).map(sum_of_squares),
        _ => grads.get::<3>(binding.id).map(|g| {
            let [a, b, c] = g.dims();
            sum_of_squares(g.reshape([a * b, c]))
        }),
    });
    let squares: Vec<Tensor<2>> = squares.collect();
    (!squares.is_empty()).then(|| Tensor::cat(squares, 0).sum_dim(0).sqrt().reshape([1]))
}

/// `[1, 1]`.
fn sum_of_squares(grad: Tensor<2>) -> Tensor<2> {
    grad.square().sum_dim(1).sum_dim(0)
}

/// Every gradient times `factor`.
pub fn scale(model: &LanguageModel, mut grads: GradientsParams, factor: f64) -> GradientsParams {
    for binding in model.bindings() {
        let id = binding.id;
        match binding.rank {
            1 => scale_one::<1>(&mut grads, id, factor),
            2 => scale_one::<2>(&mut grads, id, factor),
            _ => scale_one::<3>(&mut grads, id, factor),
        }
    }
    grads
}

fn scale_one<const D: usize>(grads: &mut GradientsParams, id: ParamId, factor: f64) {
    if let Some(grad) = grads.remove::<D>(id) {
        grads.register(id, grad * factor);
    }
}
