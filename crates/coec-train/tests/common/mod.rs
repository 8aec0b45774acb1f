//! Small models, batches and trainers.
#![allow(dead_code)] // each test file uses its part

use std::path::Path;

use burn::tensor::Device;
use coec_ir::*;
use coec_nn::{LanguageModel, Source};
use coec_train::{
    data::Batch,
    optimizer,
    run::{Bases, Job, MemoryMeter, Start},
    step::{StepResult, Trainer},
    world::World,
};

const TINY: &str = include_str!("../../src/run_dir/commit/tiny.json");

/// A model as JSON, and how it is trained, in a moment: with the built-in data.
pub fn tiny(steps: u64) -> (serde_json::Value, Train) {
    let ir: serde_json::Value = serde_json::from_str(TINY).unwrap();
    let mut train: Train = serde_json::from_value(ir["train"].clone()).unwrap();
    (train.steps, train.eval.every) = (Some(steps), 2);
    assert_eq!(
        (&train.data, &train.tokenizer),
        (&Sources(vec![Data::Builtin { name: "arithmetic".into() }]), &Tokenizer::Bytes)
    );
    (ir["model"].clone(), train)
}

/// A model from its JSON.
pub fn verified(model: serde_json::Value) -> Verified<Model> {
    verify(serde_json::from_value(model).unwrap()).unwrap()
}

/// A run on the CPU, without budgets.
pub fn job<'a>(
    model: &'a Verified<Model>,
    train: &'a Train,
    world: &'a dyn World,
    start: Start<'a>,
    memory: &'a dyn MemoryMeter,
) -> Job<'a> {
    Job {
        model,
        train,
        bases: Bases { data: Path::new(""), tokenizer: Path::new("") },
        device: Device::flex(),
        backend: "cpu",
        threads: 1,
        world,
        reference: None,
        gemm_most: 64,
        judge: &|_| Vec::new(),
        spec: "spec",
        input: None,
        version: "1",
        start,
        tensorboard: false,
        memory,
    }
}

/// Two iterations over four experts, two of which a token uses in each.
pub fn chain() -> Coe {
    Coe {
        iter: 2,
        k: vec![2, 2],
        shared: 1,
        residual: Residual::Delta,
        router: Router { renorm: true, ..Router::plain(Score::Softmax) },
        balance: vec![Balance::SeqAux { alpha: 0.01 }, Balance::Bias { rate: 0.02 }],
        ..Coe::plain(2, 4, 6)
    }
}

/// One layer of width `dim` with `ffn` behind attention.
pub fn model(vocab: usize, dim: usize, ffn: Ffn) -> Verified<Model> {
    let attention = Attention::Mha(Mha::plain(2, dim / 2));
    let model = Model {
        name: "small".into(),
        doc: String::new(),
        vocab,
        context: 128,
        dim,
        norm: Rms { eps: 1e-6 },
        embedding: Tokens::plain(false),
        layers: Stack::repeat(Layer { attention, ffn }, 1),
    };
    verify(model).unwrap_or_else(|violations| panic!("{violations:?}"))
}

/// How to train; a step reads the optimizer's settings and the parts of a batch, and nothing else.
pub fn train(optimizer: AdamW, accumulate: usize) -> Train {
    Train {
        data: Sources(vec![Data::Builtin { name: "arithmetic".into() }]),
        weights: Vec::new(),
        loss: Loss::All,
        on_error: OnError::Stop,
        tokenizer: Tokenizer::Bytes,
        steps: Some(10),
        tokens: None,
        flops: None,
        batch: 4,
        context: 8,
        accumulate,
        optimizer,
        schedule: Schedule { shape: ScheduleShape::Constant, warmup: Amount::Steps(0) },
        precision: Precision::F32,
        recompute: Recompute::None,
        seed: 1,
        eval: Eval { every: 10, batches: 1 },
        save: Save::Every(10),
        keep: 2,
    }
}

/// The language's defaults, without clipping.
pub fn adamw() -> AdamW {
    AdamW { lr: 3e-4, betas: [0.9, 0.95], eps: 1e-8, weight_decay: 0.01, clip: 0.0 }
}

/// A trainer of `model` from fresh weights, those that `value` gives by name and index apart.
pub fn trainer(
    model: &Verified<Model>,
    config: AdamW,
    value: impl Fn(&str, usize) -> Option<f32>,
) -> Trainer {
    let device = Device::flex().autodiff();
    let fresh = LanguageModel::new(model, &device, Source::Seed(7)).unwrap();
    let tensors = fresh.tensors();
    let weights = |param: &Param| {
        let (_, values) = tensors.iter().find(|(other, _)| other.name == param.name).unwrap();
        let values = values.iter().enumerate();
        Ok(values.map(|(i, &fresh)| value(&param.name, i).unwrap_or(fresh)).collect())
    };
    let model = fresh.clone().load(weights).unwrap();
    Trainer { model, optimizer: optimizer::AdamW::new(config), device }
}

/// Sequences that count up from `start`, each from one further, modulo `count`.
pub fn counting(sequences: usize, context: usize, start: usize, count: usize) -> Batch {
    let row = move |row: usize, shift: usize| {
        (0..context).map(move |t| ((start + row * 3 + t + shift) % count) as i32)
    };
    Batch {
        inputs: (0..sequences).flat_map(|r| row(r, 0)).collect(),
        targets: (0..sequences).flat_map(|r| row(r, 1)).collect(),
        weights: None,
        sequences,
        context,
    }
}

/// Every tensor by name, as bits: NaN equals itself here.
pub fn bits(trainer: &Trainer) -> Vec<(String, Vec<u32>)> {
    let tensors = trainer.model.tensors().into_iter();
    tensors.map(|(param, values)| (param.name, values.into_iter().map(f32::to_bits).collect())).collect()
}

/// The numbers of a step, as bits.
pub fn numbers(result: &StepResult) -> [u64; 3] {
    [result.loss, result.aux_loss, result.grad_norm].map(f64::to_bits)
}
