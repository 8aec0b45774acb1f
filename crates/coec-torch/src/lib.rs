//! The model as PyTorch code that `transformers` loads.
//!
//! The code is four files written by hand, the same for every model: `config.json` carries the model as
//! [`coec_ir`] has it, and `modeling_coec.py` builds what it says. Beside them stands what the files need:
//! weights under the names of the language, the counts that `check.py` holds the modules to, and for
//! `train_torch.py` the training with its tokens. This crate makes the texts; who has weights and tokens adds
//! those.

use coec_ir::cost::Cost;
use coec_ir::{Figure, Model, Train, Verified};
use serde_json::{Value, json};

/// The code, by the names of its files.
pub const FILES: [(&str, &str); 4] = [
    ("configuration_coec.py", include_str!("../python/configuration_coec.py")),
    ("modeling_coec.py", include_str!("../python/modeling_coec.py")),
    ("train_torch.py", include_str!("../python/train_torch.py")),
    ("check.py", include_str!("../python/check.py")),
];

/// `config.json`, of weights of the precision that PyTorch calls `dtype`.
pub fn config(model: &Verified<Model>, dtype: &str) -> Value {
    json!({
        "architectures": ["CoecForCausalLM"],
        "model_type": "coec",
        "auto_map": {
            "AutoConfig": "configuration_coec.CoecConfig",
            "AutoModelForCausalLM": "modeling_coec.CoecForCausalLM",
        },
        "dtype": dtype,
        "tie_word_embeddings": model.embedding.tied,
        "model": **model,
    })
}

/// What `check.py` counts again of `model`, whose figures are `cost`: parameters, and FLOPs a token of a forward
/// pass.
///
/// `products` are those of `flops.executed` but for attention's two, scores and their product with values, of which
/// `coec` skips the masked blocks; `attention` is these two over all T x T positions, as eager attention performs
/// them.
pub fn counts(model: &Verified<Model>, cost: &Cost) -> Value {
    let setting = cost.setting;
    let (mut executed, mut whole) = (0, 0);
    for layer in model.layers.passes() {
        let layer = &model.layers.kinds()[model.layers.order()[layer]];
        let attention = layer.attention.sublayer();
        let mixed = attention.mixed();
        let causal = coec_ir::Flops::causal(mixed, setting.context, attention.window());
        executed += causal.executed;
        whole += 2 * (mixed[0] + mixed[1]) * setting.context as u128;
    }
    // Without attention's two products a token takes as much as any other.
    let products = (cost.total.flops.executed - executed) / setting.context as u128;
    json!({
        "batch": setting.batch,
        "context": setting.context,
        "parameters": cost.figure(Figure::ParamsTotal).map(|total| number(&total.to_string())),
        "flops": { "products": number(&products.to_string()), "attention": number(&whole.to_string()) },
    })
}

/// An integer of any size, exactly.
fn number(digits: &str) -> Value {
    digits.parse::<serde_json::Number>().map_or(Value::Null, Value::Number)
}

/// `train.json`: the training of `model`, and its sources' tokens in files of [`tokens`], so many of them.
pub fn training(model: &Verified<Model>, train: &Train, sources: usize, bytes_per_token: f64) -> Value {
    let source = |key: usize| json!({ "key": key, "train": tokens(key, "train"), "validation": tokens(key, "validation") });
    json!({
        "schema": coec_ir::SCHEMA,
        "train": train,
        "steps": train.length(model),
        "bytes_per_token": bytes_per_token,
        "sources": (0..sources).map(source).collect::<Vec<_>>(),
    })
}

/// The file of a source's tokens: unsigned integers of 32 bits, the lowest byte first, whose highest bit says that
/// a token is read and not learnt.
pub fn tokens(source: usize, part: &str) -> String {
    format!("tokens/{source}.{part}.u32")
}

/// `README.md`.
pub fn readme(model: &Verified<Model>, trains: bool) -> String {
    let training = if trains {
        "Train it, on one process or several, with FSDP2 (`--fsdp N`) and expert parallelism (`--ep N`):\n\n    \
         torchrun --nproc-per-node 2 train_torch.py --out run --fsdp 2\n\n\
         The run has metrics.jsonl, which `coec report` reads, and model.safetensors, which `coec generate` and \
         `coec train --weights` take. Step 1 has the batch that `coec train` has: `tokens` are its tokens, and \
         `train.json` is its training.\n\n"
    } else {
        ""
    };
    format!(
        "# {name}\n\n\
         Written by `coec export --format torch` from `spec.coe`. transformers 5.24 or later loads it:\n\n    \
         from transformers import AutoModelForCausalLM\n    \
         model = AutoModelForCausalLM.from_pretrained(\".\", trust_remote_code=True)\n\n\
         The code is read from this folder: start with `modeling_coec.py`. The model is `model` in `config.json`, \
         as `ir.json` has it; the tensors have the names of the language.\n\n\
         `python check.py` counts the parameters and FLOPs of the modules as PyTorch sees them, and fails where \
         they are not those of `budget.json`.\n\n\
         {training}",
        name = model.name
    )
    .trim_end()
    .to_owned()
        + "\n"
}
