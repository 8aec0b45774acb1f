//! Building the modules: the walk's Build sink.

use burn::tensor::{DType, Device};
use coec_ir::{Model, Sink, Site, Verified, walk};

use crate::{
    Embedding, Head, Maker, Source,
    attention::Attention,
    ffn::Ffn,
    model::{LanguageModel, Layer},
};

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
            make: Maker::new(model.dim, model.norm, device, source).with_dtype(dtype),
            embedding: None,
            attention: None,
            layers: Vec::new(),
            head: None,
        };
        walk(model, &mut build)?;
        let embedding = build.embedding.ok_or(BuildError::Incomplete("embedding"))?;
        let head = build.head.ok_or(BuildError::Incomplete("output head"))?;
        Ok(Self::from_parts(embedding, build.layers, head, model.layers.passes(), build.make.bindings()))
    }
}

struct Build {
    make: Maker,
    embedding: Option<Embedding>,
    /// The attention of the layer whose feed-forward sublayer comes next.
    attention: Option<Attention>,
    layers: Vec<Layer>,
    head: Option<Head>,
}

impl Sink for Build {
    type Error = BuildError;

    fn embedding(&mut self, model: &Model, name: &str) -> Result<(), BuildError> {
        self.embedding = Some(Embedding::new(&mut self.make, name, model.vocab, model.embedding));
        Ok(())
    }

    fn attention(&mut self, _: &Model, site: &Site, block: &coec_ir::Attention) -> Result<(), BuildError> {
        self.attention = Some(Attention::new(&mut self.make, site, block));
        Ok(())
    }

    fn ffn(&mut self, _: &Model, site: &Site, block: &coec_ir::Ffn) -> Result<(), BuildError> {
        let attention = self.attention.take().ok_or(BuildError::Incomplete("attention"))?;
        let ffn = Ffn::new(&mut self.make, site, block);
        self.layers.push(Layer { attention, ffn });
        Ok(())
    }

    fn head(&mut self, model: &Model, norm: &str, head: Option<&str>) -> Result<(), BuildError> {
        self.head = Some(Head::new(&mut self.make, norm, head, model.vocab));
        Ok(())
    }
}
