//! Building the modules: the walk's Build sink.

use burn::module::{Param as Slot, ParamId};
use burn::tensor::{DType, Device, Tensor, TensorData};
use coec_ir::{Coe, Dense, Mha, Mla, Model, Param, QkNorm, Sink, Site, Verified, walk};

use crate::{
    attention::{Attention, LatentAttention, MultiHeadAttention},
    ffn::{self, Chain, Experts, Ffn, Mlp},
    init,
    model::{LanguageModel, Layer},
    norm::RmsNorm,
    parameters::Binding,
};

/// Where the weights of a new model come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Initialised from a seed, see the IR's [`Init`](coec_ir::Init).
    Seed(u64),
    /// Zeros: to be loaded, or never looked at.
    Zeros,
}

/// Why a verified model could not be built. Every code is documented in docs/errors.md.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The walk ended without one of the parts every model has.
    #[error("the model has no {0}")]
    Incomplete(&'static str),
}

impl BuildError {
    /// The code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Incomplete(_) => "coec::build::incomplete",
        }
    }
}

impl LanguageModel {
    /// Builds `model` on `device`, in f32.
    pub fn new(model: &Verified<Model>, device: &Device, source: Source) -> Result<Self, BuildError> {
        Self::with_dtype(model, device, source, DType::F32)
    }

    /// Builds `model` on `device` with parameters of `dtype`, f32 or f64.
    pub fn with_dtype(
        model: &Verified<Model>,
        device: &Device,
        source: Source,
        dtype: DType,
    ) -> Result<Self, BuildError> {
        let mut build = Build {
            maker: Maker { device: device.clone(), dtype, source, bindings: Vec::new() },
            embedding: None,
            attention: None,
            layers: Vec::new(),
            end: None,
        };
        walk(model, &mut build)?;
        let embedding = build.embedding.ok_or(BuildError::Incomplete("embedding"))?;
        let (norm, head) = build.end.ok_or(BuildError::Incomplete("output head"))?;
        Ok(Self::from_parts(embedding, build.layers, norm, head, build.maker.bindings))
    }
}

struct Build {
    maker: Maker,
    embedding: Option<Slot<Tensor<2>>>,
    /// The attention of the layer whose feed-forward sublayer comes next.
    attention: Option<Attention>,
    layers: Vec<Layer>,
    end: Option<(RmsNorm, Option<Slot<Tensor<2>>>)>,
}

impl Build {
    fn push(&mut self, ffn: Ffn) -> Result<(), BuildError> {
        let attention = self.attention.take().ok_or(BuildError::Incomplete("attention"))?;
        self.layers.push(Layer { attention, ffn });
        Ok(())
    }
}

impl Sink for Build {
    type Error = BuildError;

    fn embedding(&mut self, model: &Model, name: &str) -> Result<(), BuildError> {
        let table = Param::new(name, [model.vocab, model.dim], coec_ir::Init::LINEAR);
        self.embedding = Some(self.maker.one(table));
        Ok(())
    }

    fn mha(&mut self, model: &Model, site: &Site, block: &Mha) -> Result<(), BuildError> {
        let mut params = Params::new(block.params(model.dim, &site.norm, &site.prefix));
        let make = &mut self.maker;
        let eps = model.norm.eps;
        let module = MultiHeadAttention {
            config: block.clone(),
            norm: make.norm(params.next(), eps),
            q_proj: make.one(params.next()),
            k_proj: make.one(params.next()),
            v_proj: make.one(params.next()),
            o_proj: make.one(params.next()),
            biases: (0..if block.bias { 3 } else { 0 }).map(|_| make.one(params.next())).collect(),
            q_norm: (block.qk_norm != QkNorm::None).then(|| make.norm(params.next(), eps)),
            k_norm: (block.qk_norm != QkNorm::None).then(|| make.norm(params.next(), eps)),
        };
        self.attention = Some(Attention::MultiHead(module));
        Ok(())
    }

    fn mla(&mut self, model: &Model, site: &Site, block: &Mla) -> Result<(), BuildError> {
        let mut params = Params::new(block.params(model.dim, &site.norm, &site.prefix));
        let make = &mut self.maker;
        let eps = model.norm.eps;
        let module = LatentAttention {
            config: block.clone(),
            norm: make.norm(params.next(), eps),
            q_a_proj: block.q_rank.map(|_| make.one(params.next())),
            q_a_layernorm: block.q_rank.map(|_| make.norm(params.next(), eps)),
            q_proj: make.one(params.next()),
            kv_a_proj_with_mqa: make.one(params.next()),
            kv_a_layernorm: make.norm(params.next(), eps),
            kv_b_proj: make.one(params.next()),
            o_proj: make.one(params.next()),
        };
        self.attention = Some(Attention::Latent(module));
        Ok(())
    }

    fn coe(&mut self, model: &Model, site: &Site, block: &Coe) -> Result<(), BuildError> {
        let mut params = Params::new(block.params(model.dim, &site.norm, &site.prefix));
        let mut biases = Params::new(block.state(&site.prefix));
        let make = &mut self.maker;
        let wide = (block.act.projections() - 1) * block.hidden; // rows of W_in: gate and up, or up
        let norms = (0..block.norms()).map(|_| make.norm(params.next(), model.norm.eps)).collect();
        let routers = (0..block.routers())
            .map(|_| ffn::Router {
                config: block.router.clone(),
                weight: make.one(params.next()),
                bias: block.has_bias().then(|| make.state(biases.next())),
            })
            .collect();
        let (w_in, w_out) = params.mlps(block.experts, block.act.is_gated());
        let experts = Experts {
            act: block.act,
            w_in: make.stacked([block.experts, wide, model.dim], w_in),
            w_out: make.stacked([block.experts, model.dim, block.hidden], w_out),
        };
        let shared = (block.shared > 0).then(|| make.mlp(&mut params, block.act));
        let shared_gate = block.gates_shared().then(|| make.one(params.next()));
        self.push(Ffn::Chain(Chain { config: block.clone(), norms, routers, experts, shared, shared_gate }))
    }

    fn dense(&mut self, model: &Model, site: &Site, block: &Dense) -> Result<(), BuildError> {
        let mut params = Params::new(block.params(model.dim, &site.norm, &site.prefix));
        let norm = self.maker.norm(params.next(), model.norm.eps);
        let mlp = self.maker.mlp(&mut params, block.act);
        self.push(Ffn::Dense(ffn::Dense { norm, mlp }))
    }

    fn head(&mut self, model: &Model, norm: &str, head: Option<&str>) -> Result<(), BuildError> {
        let norm = self.maker.norm(Param::new(norm, [model.dim], coec_ir::Init::Ones), model.norm.eps);
        let head = head
            .map(|name| self.maker.one(Param::new(name, [model.vocab, model.dim], coec_ir::Init::LINEAR)));
        self.end = Some((norm, head));
        Ok(())
    }
}

/// The parameters of a block, handed out in the order the IR lists them.
struct Params(std::vec::IntoIter<Param>);

impl Params {
    fn new(params: Vec<Param>) -> Self {
        Self(params.into_iter())
    }

    fn next(&mut self) -> Param {
        self.0.next().expect("the IR lists every parameter of a block")
    }

    /// The projections of `count` MLPs: those of `W_in`, and those of `W_out`, MLP by MLP.
    fn mlps(&mut self, count: usize, gated: bool) -> (Vec<Param>, Vec<Param>) {
        let (mut w_in, mut w_out) = (Vec::new(), Vec::new());
        for _ in 0..count {
            w_in.extend((0..if gated { 2 } else { 1 }).map(|_| self.next()));
            w_out.push(self.next());
        }
        (w_in, w_out)
    }
}

/// Makes parameters and remembers under which names they are saved.
struct Maker {
    device: Device,
    dtype: DType,
    source: Source,
    bindings: Vec<Binding>,
}

impl Maker {
    /// A parameter that is one named tensor.
    fn one<const R: usize>(&mut self, param: Param) -> Slot<Tensor<R>> {
        let shape = std::array::from_fn(|i| param.shape[i]);
        self.stacked(shape, vec![param])
    }

    /// An untrained tensor.
    fn state<const R: usize>(&mut self, param: Param) -> Slot<Tensor<R>> {
        let slot = self.one(param).set_require_grad(false);
        if let Some(binding) = self.bindings.last_mut() {
            binding.trained = false;
        }
        slot
    }

    /// A parameter whose elements are several named tensors, one after another.
    fn stacked<const R: usize>(&mut self, shape: [usize; R], parts: Vec<Param>) -> Slot<Tensor<R>> {
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

    fn norm(&mut self, weight: Param, eps: f64) -> RmsNorm {
        RmsNorm { weight: self.one(weight), eps }
    }

    fn mlp(&mut self, params: &mut Params, act: coec_ir::Act) -> Mlp {
        let (w_in, w_out) = params.mlps(1, act.is_gated());
        let rows = w_in.iter().map(|part| part.shape[0]).sum();
        let dim = w_out[0].shape[0];
        let hidden = w_out[0].shape[1];
        Mlp { act, w_in: self.stacked([rows, dim], w_in), w_out: self.stacked([dim, hidden], w_out) }
    }
}
