//! Optimizer steps of one batch, again and again, with what they take.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use coec_ir::{Figure, Model, Train, Verified};
use coec_nn::{LanguageModel, Source};
use coec_train::{
    data::{Batch, Purpose, Stream},
    device, load_model,
    optimizer::AdamW,
    report::figure,
    step::Trainer,
    weights::{Announced, Dtype, Values, Weights, Writer},
};
use serde_json::{Value, json};

use crate::MEMORY;

/// Side of the matrices whose product is the peak, as `coec train` has it on a CPU.
const GEMM_SIZE: usize = 1024;

/// A training that goes on when it is told to.
pub struct Steps<'a> {
    model: &'a Verified<Model>,
    train: Train,
    weights: Option<PathBuf>,
    batch: Batch,
    trainer: Option<Trainer>,
    /// Bytes held before there was a trainer.
    base: usize,
}

impl<'a> Steps<'a> {
    /// A training of `model` that has not begun, with the weights of a file or fresh ones.
    pub fn new(model: &'a Verified<Model>, train: Train, weights: Option<PathBuf>) -> Self {
        let batch = batch(model, &train);
        Self { model, train, weights, batch, trainer: None, base: 0 }
    }

    /// What is trained and what it costs: the model and the optimizer as the IR has them, the batch `[B, T]`,
    /// FLOPs a token and bytes by the closed form.
    pub fn about(&self) -> Value {
        let Train { batch, context, .. } = self.train;
        let counted = |of| figure(self.model, self.train.setting(), of);
        json!({
            "model": **self.model,
            "optimizer": self.train.optimizer,
            "batch": [batch, context],
            "params": counted(Figure::ParamsTotal),
            "flops_train": counted(Figure::FlopsTrain),
            "memory_train": counted(Figure::MemoryTrain),
        })
    }

    /// The weights before the first step.
    fn fresh(&self, device: &Device) -> Result<LanguageModel, Box<dyn Error>> {
        Ok(match &self.weights {
            Some(path) => load_model(self.model, &Weights::open(path)?, device)?,
            None => LanguageModel::new(self.model, device, Source::Seed(self.train.seed))?,
        })
    }

    /// Writes the first weights by name, and the batch as `tokens` and `targets`, `[B, T]`.
    pub fn save(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let model = self.fresh(&Device::flex())?;
        let shape = vec![self.batch.sequences, self.batch.context];
        let rows = [("tokens", &self.batch.inputs), ("targets", &self.batch.targets)];
        let mut announced: Vec<Announced> = rows
            .iter()
            .map(|(name, _)| Announced { name: (*name).into(), dtype: Dtype::I32, shape: shape.clone() })
            .collect();
        let parts = model.bindings().iter().flat_map(|binding| &binding.parts);
        announced.extend(parts.map(|part| Announced {
            name: part.name.clone(),
            dtype: Dtype::F32,
            shape: part.shape.clone(),
        }));
        let mut writer = Writer::create(path, &announced, &[])?;
        for (name, ids) in rows {
            writer.write(name, Values::I32(ids))?;
        }
        model.each_tensor(|param, values| writer.write(&param.name, Values::F32(values)))?;
        Ok(writer.finish()?)
    }

    /// Begins anew.
    pub fn start(&mut self) -> Result<(), Box<dyn Error>> {
        self.trainer = None;
        self.base = MEMORY.current();
        MEMORY.reset_peak();
        let device = Device::flex().autodiff();
        let model = self.fresh(&device)?;
        self.trainer = Some(Trainer { model, optimizer: AdamW::new(self.train.optimizer), device });
        Ok(())
    }

    /// Steps of the batch, with the peak learning rate.
    pub fn step(&mut self, count: usize) -> Result<Value, Box<dyn Error>> {
        let mut trainer = self.trainer.take().ok_or("`start` comes first")?;
        let (mut seconds, mut losses, mut norms) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            let start = Instant::now();
            let (next, result) = trainer.step(&self.train, &self.batch, self.train.optimizer.lr)?;
            seconds.push(start.elapsed().as_secs_f64());
            losses.push(result.loss);
            norms.push(result.grad_norm);
            trainer = next;
        }
        self.trainer = Some(trainer);
        let peak = MEMORY.peak().saturating_sub(self.base);
        Ok(json!({ "seconds": seconds, "losses": losses, "norms": norms, "peak_bytes": peak }))
    }

    /// FLOP/s of the best matrix product.
    pub fn peak(&self) -> f64 {
        device::peak(&Device::flex(), GEMM_SIZE, self.train.precision).expect("a CPU multiplies")
    }

    /// The model as it is now, to generate with.
    pub fn model(&self) -> Result<LanguageModel, Box<dyn Error>> {
        match &self.trainer {
            Some(trainer) => Ok(trainer.model.valid()),
            None => self.fresh(&Device::flex()),
        }
    }

    /// The first tokens of the batch.
    pub fn prompt(&self, tokens: usize) -> &[i32] {
        &self.batch.inputs[..tokens.min(self.batch.inputs.len())]
    }
}

/// A batch of tokens drawn alike from the whole vocabulary.
fn batch(model: &Model, train: &Train) -> Batch {
    let (sequences, context) = (train.batch, train.context);
    let mut stream = Stream::new(train.seed, 0, Purpose::Windows);
    let mut token = || stream.below(model.vocab as u64) as i32;
    let rows: Vec<Vec<i32>> = (0..sequences).map(|_| (0..=context).map(|_| token()).collect()).collect();
    Batch {
        inputs: rows.iter().flat_map(|row| row[..context].to_vec()).collect(),
        targets: rows.iter().flat_map(|row| row[1..].to_vec()).collect(),
        weights: None,
        sequences,
        context,
    }
}
