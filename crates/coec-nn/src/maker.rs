//! Making parameters: their values, and the names they are saved under.

use burn::module::{Param as Slot, ParamId};
use burn::tensor::{DType, Device, Tensor, TensorData};
use coec_ir::{Act, Param, Rms};

use crate::{Binding, Bindings, init};

/// Where the weights of a new model come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Initialised from a seed, see the IR's [`Init`](coec_ir::Init).
    Seed(u64),
    /// Zeros: to be loaded, or never looked at.
    Zeros,
}

/// What every block of a model is made with. It makes parameters and remembers their names.
#[derive(Debug)]
pub struct Maker {
    /// Width D of the residual stream.
    pub(crate) dim: usize,
    /// Of every RMSNorm.
    pub(crate) eps: f64,
    device: Device,
    dtype: DType,
    source: Source,
    bindings: Vec<Binding>,
}

impl Maker {
    /// For a model of width `dim` on `device`, in f32.
    pub fn new(dim: usize, norm: Rms, device: &Device, source: Source) -> Self {
        let device = device.clone();
        Self { dim, eps: norm.eps, device, dtype: DType::F32, source, bindings: Vec::new() }
    }

    /// The same with parameters of `dtype`, f32 or f64.
    pub fn with_dtype(self, dtype: DType) -> Self {
        Self { dtype, ..self }
    }

    /// The names of everything made, in order.
    pub fn bindings(self) -> Bindings {
        Bindings::new(self.bindings)
    }

    /// A parameter that is one named tensor.
    pub(crate) fn one<const R: usize>(&mut self, param: Param) -> Slot<Tensor<R>> {
        let shape = std::array::from_fn(|i| param.shape[i]);
        self.stacked(shape, vec![param])
    }

    /// An untrained tensor.
    pub(crate) fn state<const R: usize>(&mut self, param: Param) -> Slot<Tensor<R>> {
        let slot = self.one(param).set_require_grad(false);
        if let Some(binding) = self.bindings.last_mut() {
            binding.trained = false;
        }
        slot
    }

    /// A parameter whose elements are several named tensors, one after another.
    pub(crate) fn stacked<const R: usize>(
        &mut self,
        shape: [usize; R],
        parts: Vec<Param>,
    ) -> Slot<Tensor<R>> {
        let options = (&self.device, self.dtype);
        let tensor = match self.source {
            Source::Zeros => Tensor::<R>::zeros(shape, options),
            Source::Seed(seed) => {
                let values: Vec<f32> = parts.iter().flat_map(|part| init::values(part, seed)).collect();
                let data = TensorData::new(values, shape).convert_dtype(self.dtype);
                Tensor::<R>::from_data(data, options)
            }
        };
        let id = ParamId::new();
        self.bindings.push(Binding { id, rank: R, parts, trained: true });
        Slot::initialized(id, if self.device.is_autodiff() { tensor.require_grad() } else { tensor })
    }
}

/// The parameters of a block, handed out in the order the IR lists them.
pub(crate) struct Params(std::vec::IntoIter<Param>);

impl Params {
    pub fn new(params: Vec<Param>) -> Self {
        Self(params.into_iter())
    }

    pub fn next(&mut self) -> Param {
        self.0.next().expect("the IR lists every parameter of a block")
    }

    /// The projections of `count` MLPs, and their biases if they have some.
    pub fn mlps(&mut self, count: usize, act: Act, bias: bool) -> Mlps {
        let mut mlps = Mlps::default();
        let first = if act.is_gated() { 2 } else { 1 };
        for _ in 0..count {
            mlps.w_in.extend((0..first).map(|_| self.next()));
            mlps.w_out.push(self.next());
            if bias {
                mlps.b_in.extend((0..first).map(|_| self.next()));
                mlps.b_out.push(self.next());
            }
        }
        mlps
    }
}

/// The named tensors of MLPs, MLP by MLP.
#[derive(Default)]
pub(crate) struct Mlps {
    /// Of the first product: gate, if there is one, and up.
    pub w_in: Vec<Param>,
    /// Of the second.
    pub w_out: Vec<Param>,
    /// Added to the first; none without biases.
    pub b_in: Vec<Param>,
    /// Added to the second.
    pub b_out: Vec<Param>,
}
