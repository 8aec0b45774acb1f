//! Parameters by name: what a checkpoint holds, in and out of a model.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::Deref;
use std::sync::Arc;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param as Slot, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData, s};
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
        let mut tensors = Vec::new();
        let Ok(()) = self.each_tensor(module, |param, values| {
            tensors.push((param.clone(), values.to_vec()));
            Ok::<_, Infallible>(())
        });
        tensors
    }

    /// Hands over every named tensor of `module`, trained or state, in walk order: its values are
    /// copied from the device one tensor at a time.
    pub fn each_tensor<E>(
        &self,
        module: &impl Module,
        mut take: impl FnMut(&Param, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut flat = Flat::default();
        module.visit(&mut flat);
        self.iter().try_for_each(|binding| binding.each_part(&flat.0[&binding.id], &mut take))
    }

    /// Every trained tensor with its gradient, zero where none flowed, in walk order.
    pub fn gradients(&self, grads: &GradientsParams) -> Vec<(Param, Vec<f32>)> {
        let flat = |binding: &Binding| {
            let data = match binding.rank {
                1 => grads.get::<1>(binding.id).map(Tensor::into_data),
                2 => grads.get::<2>(binding.id).map(Tensor::into_data),
                _ => grads.get::<3>(binding.id).map(Tensor::into_data),
            };
            data.map_or_else(|| vec![0.0; binding.elements()], |data| data.iter::<f32>().collect())
        };
        let trained = self.iter().filter(|binding| binding.trained);
        trained.flat_map(|binding| split(binding, &flat(binding))).collect()
    }

    /// `module` with every tensor replaced by what `source` gives for its name, trained or state.
    ///
    /// One parameter is replaced after the other, so that no second model is ever in memory.
    pub fn load<M: Module>(
        &self,
        module: M,
        mut source: impl FnMut(&Param) -> Result<Vec<f32>, String>,
    ) -> Result<M, LoadError> {
        let bindings = self.iter().map(|binding| (binding.id, binding)).collect();
        let mut assign = Assign { bindings, source: &mut source, failed: None };
        let module = module.map(&mut assign);
        match assign.failed {
            Some(error) => Err(error),
            None => Ok(module),
        }
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

impl Binding {
    /// Elements of all its tensors.
    pub fn elements(&self) -> usize {
        self.parts.iter().map(|part| part.elements() as usize).sum()
    }

    /// Hands over the named tensors that stand one after another in `flat` `[elements]`, each
    /// copied from the device for itself.
    pub fn each_part<E>(
        &self,
        flat: &Tensor<1>,
        take: &mut impl FnMut(&Param, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut start = 0;
        for part in &self.parts {
            let end = start + part.elements() as usize;
            let data = flat.clone().slice(s![start..end]).into_data().convert::<f32>();
            take(part, data.as_slice().unwrap_or_default())?;
            start = end;
        }
        Ok(())
    }
}

/// Every parameter as one row of elements, still on its device.
#[derive(Default)]
struct Flat(HashMap<ParamId, Tensor<1>>);

impl ModuleVisitor for Flat {
    fn visit_float<const D: usize>(&mut self, param: &Slot<Tensor<D>>) {
        let tensor = param.val();
        let tensor = if tensor.device().is_autodiff() { tensor.inner() } else { tensor };
        let elements: usize = tensor.dims().iter().product();
        self.0.insert(param.id, tensor.reshape([elements]));
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

struct Assign<'a> {
    bindings: HashMap<ParamId, &'a Binding>,
    source: &'a mut dyn FnMut(&Param) -> Result<Vec<f32>, String>,
    /// Why one could not be replaced; those after it stay what they are.
    failed: Option<LoadError>,
}

impl Assign<'_> {
    /// The elements of a parameter.
    fn values(&mut self, binding: &Binding) -> Result<Vec<f32>, LoadError> {
        let mut flat = Vec::with_capacity(binding.elements());
        for part in &binding.parts {
            let given = (self.source)(part)
                .map_err(|reason| LoadError::Source { name: part.name.clone(), reason })?;
            let expected = part.elements() as usize;
            if given.len() != expected {
                let (name, found) = (part.name.clone(), given.len());
                return Err(LoadError::Elements { name, found, expected });
            }
            match binding.parts.len() {
                1 => return Ok(given),
                _ => flat.extend(given),
            }
        }
        Ok(flat)
    }
}

impl ModuleMapper for Assign<'_> {
    fn map_float<const D: usize>(&mut self, param: Slot<Tensor<D>>) -> Slot<Tensor<D>> {
        let binding = self.bindings.get(&param.id).copied().filter(|_| self.failed.is_none());
        let Some(binding) = binding else { return param };
        let values = match self.values(binding) {
            Ok(values) => values,
            Err(error) => {
                self.failed = Some(error);
                return param;
            }
        };
        param.map(|tensor| {
            let data = TensorData::new(values, tensor.shape()).convert_dtype(tensor.dtype());
            let trained = tensor.is_require_grad();
            let loaded = Tensor::from_data(data, (&tensor.device(), tensor.dtype()));
            if trained { loaded.require_grad() } else { loaded }
        })
    }
}
