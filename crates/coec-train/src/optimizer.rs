//! AdamW with clipping by the global norm.

use std::collections::HashMap;
use std::convert::Infallible;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Tensor, TensorData};
use coec_nn::{Binding, LanguageModel};

use crate::weights::{Weights, WeightsError};

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

impl AdamW {
    /// An optimizer that has seen no gradient.
    pub fn new(config: coec_ir::AdamW) -> Self {
        Self { config, steps: 0, moments: HashMap::new() }
    }

    /// The model after one step.
    pub fn step(&mut self, model: LanguageModel, grads: GradientsParams, by: Scaled) -> LanguageModel {
        self.steps += 1;
        let update = Update {
            config: self.config,
            by,
            corrections: self.config.betas.map(|beta| 1.0 - beta.powi(self.steps)),
            moments: &mut self.moments,
            grads,
        };
        let mut update = update;
        model.map(&mut update)
    }

    /// Steps taken.
    pub fn updates(&self) -> i32 {
        self.steps
    }

    /// The names and shapes of the moments, in the order of [`AdamW::each_moment`].
    pub fn moment_names<'a>(
        &self,
        bindings: &'a [Binding],
    ) -> impl Iterator<Item = (String, &'a [usize])> + use<'a, '_> {
        let moved = bindings.iter().filter(|binding| self.moments.contains_key(&binding.id));
        moved.flat_map(|binding| {
            MOMENTS.iter().flat_map(|kind| {
                binding.parts.iter().map(move |part| (moment_name(kind, part), part.shape.as_slice()))
            })
        })
    }

    /// Hands over the moments by name, copied from the device one tensor at a time. A parameter
    /// that never had a gradient has none.
    pub fn each_moment<E>(
        &self,
        bindings: &[Binding],
        mut take: impl FnMut(&str, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        for binding in bindings {
            let Some(moments) = self.moments.get(&binding.id) else { continue };
            for (kind, moment) in MOMENTS.iter().zip([&moments.first, &moments.second]) {
                binding.each_part(moment, &mut |part: &coec_ir::Param, values: &[f32]| {
                    take(&moment_name(kind, part), values)
                })?;
            }
        }
        Ok(())
    }

    /// The trained tensors that no gradient ever moved, in walk order: those whose moments are all zero.
    pub fn unmoved(&self, bindings: &[Binding]) -> Vec<String> {
        let mut unmoved = Vec::new();
        for binding in bindings.iter().filter(|binding| binding.trained) {
            let mut quiet: Vec<bool> = vec![true; binding.parts.len()];
            if let Some(moments) = self.moments.get(&binding.id) {
                for moment in [&moments.first, &moments.second] {
                    let mut quiet = quiet.iter_mut();
                    let Ok(()) = binding.each_part(moment, &mut |_: &coec_ir::Param, values: &[f32]| {
                        if let Some(quiet) = quiet.next() {
                            *quiet &= values.iter().all(|&value| value == 0.0);
                        }
                        Ok::<_, Infallible>(())
                    });
                }
            }
            let parts = binding.parts.iter().zip(quiet).filter(|(_, quiet)| *quiet);
            unmoved.extend(parts.map(|(part, _)| part.name.clone()));
        }
        unmoved
    }

    /// Continues from the moments in a file, which must be exactly those of the model's parameters;
    /// one that never had a gradient has none.
    pub fn restore(
        config: coec_ir::AdamW,
        model: &LanguageModel,
        updates: i32,
        file: &Weights,
    ) -> Result<Self, WeightsError> {
        let device = model.device().inner();
        let mut optimizer = Self { config, steps: updates, moments: HashMap::new() };
        let has = |binding: &&Binding| {
            let name = binding.parts.first().map(|part| moment_name(MOMENTS[0], part));
            binding.trained && name.is_some_and(|name| file.contains(&name))
        };
        let moved: Vec<&Binding> = model.bindings().iter().filter(has).collect();
        let parts = || moved.iter().flat_map(|binding| &binding.parts);
        let expected = MOMENTS.map(|kind| parts().map(move |part| (moment_name(kind, part), &part.shape)));
        file.check(&expected.into_iter().flatten().collect::<Vec<_>>())?;
        for binding in moved {
            let moment = |kind| {
                let mut values = Vec::with_capacity(binding.elements());
                for part in &binding.parts {
                    values.extend(file.f32(&moment_name(kind, part))?);
                }
                let data = TensorData::new(values, [binding.elements()]);
                Ok::<_, WeightsError>(Tensor::<1>::from_data(data, (&device, DType::F32)))
            };
            let moments = Moments { first: moment(MOMENTS[0])?, second: moment(MOMENTS[1])? };
            optimizer.moments.insert(binding.id, moments);
        }
        Ok(optimizer)
    }
}

/// The two moments, as files call them.
const MOMENTS: [&str; 2] = ["first_moment", "second_moment"];

fn moment_name(kind: &str, param: &coec_ir::Param) -> String {
    format!("{kind}.{}", param.name)
}

/// How far a step goes.
#[derive(Debug, Clone, Copy)]
pub struct Scaled {
    /// Learning rate.
    pub lr: f64,
    /// What gradients are multiplied with, to clip them.
    pub scale: f64,
}

struct Update<'a> {
    config: coec_ir::AdamW,
    by: Scaled,
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
                lr: self.by.lr,
                betas: self.config.betas,
                eps: self.config.eps,
                weight_decay: self.config.weight_decay,
                corrections: self.corrections,
                scale: self.by.scale,
            };
            let flat = tensor.inner().reshape([count]);
            let (flat, first, second) = coec_kernels::adamw(flat, grad, moments.first, moments.second, step);
            self.moments.insert(id, Moments { first, second });
            Tensor::from_inner(flat.reshape(shape)).require_grad()
        })
    }
}

/// The global norm of the gradients: the root of the sum of all squares, `[1]`, the same bits in every run.
pub fn global_norm(model: &LanguageModel, grads: &GradientsParams) -> Option<Tensor<1>> {
    fn flat<const D: usize>(grad: Tensor<D>) -> Tensor<1> {
        let count = grad.shape().num_elements();
        grad.reshape([count])
    }
    let squares = model.bindings().iter().filter_map(|binding| {
        let grad = match binding.rank {
            1 => grads.get::<1>(binding.id),
            2 => grads.get::<2>(binding.id).map(flat),
            _ => grads.get::<3>(binding.id).map(flat),
        };
        grad.map(coec_kernels::sum_of_squares)
    });
    let squares: Vec<Tensor<1>> = squares.collect();
    (!squares.is_empty()).then(|| Tensor::cat(squares, 0).sum_dim(0).sqrt())
}
