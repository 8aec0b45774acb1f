//! Parameters by name: what a checkpoint holds, in and out of a model.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param as Slot, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use coec_ir::Param;

/// A module parameter and the named tensors its elements are, one after another.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The parameter's identity in the module.
    pub id: ParamId,
    /// Its number of dimensions.
    pub rank: usize,
    /// The named tensors, in row-major order of the parameter.
    pub parts: Vec<Param>,
    /// Whether it is trained by gradient.
    pub trained: bool,
}

/// Why weights could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The source has other elements than the model asked for.
    #[error("tensor `{name}` has {found} elements, the model needs {expected}")]
    Elements {
        /// The tensor.
        name: String,
        /// Elements offered.
        found: usize,
        /// Elements needed.
        expected: usize,
    },
    /// The source could not give a tensor.
    #[error("tensor `{name}`: {reason}")]
    Source {
        /// The tensor.
        name: String,
        /// Why not.
        reason: String,
    },
}

/// The parameters of a model, each with its names, in walk order.
#[derive(Debug, Clone, Default)]
pub struct Bindings(Arc<Vec<Binding>>);

impl Deref for Bindings {
    type Target = [Binding];
    fn deref(&self) -> &[Binding] {
        &self.0
    }
}

impl Bindings {
    /// Those of one model.
    pub(crate) fn new(bindings: Vec<Binding>) -> Self {
        Self(Arc::new(bindings))
    }

    /// Every named tensor of `module` with its values, trained or state, in walk order.
    pub fn tensors(&self, module: &impl Module) -> Vec<(Param, Vec<f32>)> {
        let mut values = Values::default();
        module.visit(&mut values);
        self.iter().flat_map(|binding| split(binding, &values.0[&binding.id])).collect()
    }

    /// Every trained tensor with its gradient, zero where none flowed, in walk order.
    pub fn gradients(&self, grads: &GradientsParams) -> Vec<(Param, Vec<f32>)> {
        let flat = |binding: &Binding| {
            let data = match binding.rank {
                1 => grads.get::<1>(binding.id).map(Tensor::into_data),
                2 => grads.get::<2>(binding.id).map(Tensor::into_data),
                _ => grads.get::<3>(binding.id).map(Tensor::into_data),
            };
            data.map_or_else(
                || vec![0.0; binding.parts.iter().map(|part| part.elements() as usize).sum()],
                |data| data.iter::<f32>().collect(),
            )
        };
        let trained = self.iter().filter(|binding| binding.trained);
        trained.flat_map(|binding| split(binding, &flat(binding))).collect()
    }

    /// `module` with every tensor replaced by what `source` gives for its name, trained or state.
    pub fn load<M: Module>(
        &self,
        module: M,
        mut source: impl FnMut(&Param) -> Result<Vec<f32>, String>,
    ) -> Result<M, LoadError> {
        let mut values = HashMap::new();
        for binding in self.iter() {
            let mut flat = Vec::new();
            for part in &binding.parts {
                let given =
                    source(part).map_err(|reason| LoadError::Source { name: part.name.clone(), reason })?;
                let expected = part.elements() as usize;
                if given.len() != expected {
                    return Err(LoadError::Elements {
                        name: part.name.clone(),
                        found: given.len(),
                        expected,
                    });
                }
                flat.extend(given);
            }
            values.insert(binding.id, flat);
        }
        Ok(module.map(&mut Assign(values)))
    }

    /// Trained parameters of `module` itself, as built.
    pub fn parameter_count(&self, module: &impl Module) -> u128 {
        let untrained: Vec<_> = self.iter().filter(|b| !b.trained).map(|b| b.id).collect();
        let mut count = Count { untrained, elements: 0 };
        module.visit(&mut count);
        count.elements
    }
}

/// The named tensors of a parameter, with their share of its elements.
fn split(binding: &Binding, flat: &[f32]) -> Vec<(Param, Vec<f32>)> {
    let mut rest = flat;
    binding
        .parts
        .iter()
        .map(|part| {
            let (head, tail) = rest.split_at(part.elements() as usize);
            rest = tail;
            (part.clone(), head.to_vec())
        })
        .collect()
}

#[derive(Default)]
struct Values(HashMap<ParamId, Vec<f32>>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Slot<Tensor<D>>) {
        self.0.insert(param.id, param.val().into_data().iter::<f32>().collect());
    }
}

struct Count {
    untrained: Vec<ParamId>,
    elements: u128,
}

impl ModuleVisitor for Count {
    fn visit_float<const D: usize>(&mut self, param: &Slot<Tensor<D>>) {
        if !self.untrained.contains(&param.id) {
            self.elements += param.val().dims().iter().map(|&n| n as u128).product::<u128>();
        }
    }
}

struct Assign(HashMap<ParamId, Vec<f32>>);

impl ModuleMapper for Assign {
    fn map_float<const D: usize>(&mut self, param: Slot<Tensor<D>>) -> Slot<Tensor<D>> {
        let Some(values) = self.0.remove(&param.id) else { return param };
        param.map(|tensor| {
            let data = TensorData::new(values, tensor.shape()).convert_dtype(tensor.dtype());
            let trained = tensor.is_require_grad();
            let loaded = Tensor::from_data(data, (&tensor.device(), tensor.dtype()));
            if trained { loaded.require_grad() } else { loaded }
        })
    }
}
