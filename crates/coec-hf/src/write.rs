//! Writing settings, and collecting what cannot be said.

use coec_ir::table::Tabled;
use coec_ir::{
    Act, Attention, Balance, Coe, Dense, Ffn, Mha, Mla, Model, Output, Residual, Score, SharedGate, text,
};
use serde_json::{Map, Value};

use crate::read::BALANCE;
use crate::{Family, HfError, Obstacle};

/// A `config.json` in the making.
pub(crate) struct Writer {
    pub family: Family,
    pub map: Map<String, Value>,
    pub obstacles: Vec<Obstacle>,
}

/// A model of one attention but for its windows, one kind of layer with experts and at most one dense
/// kind, as every family has it.
pub(crate) struct Parts<'m> {
    pub model: &'m Model,
    /// As it is without a window.
    pub attention: Attention,
    /// The window of each layer.
    pub windows: Vec<Option<usize>>,
    pub coe: &'m Coe,
    pub dense: Option<&'m Dense>,
    /// Of each layer, whether it is dense.
    pub is_dense: Vec<bool>,
}

impl Parts<'_> {
    /// Of each layer with experts, how many are selected in the first iteration.
    pub fn selected(&self) -> Vec<usize> {
        let coes = self.model.layers.iter().filter_map(|layer| layer.ffn.as_coe());
        coes.filter_map(|coe| coe.k.first().copied()).collect()
    }
}

impl Writer {
    pub fn new(family: Family) -> Self {
        Self { family, map: Map::new(), obstacles: Vec::new() }
    }

    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.map.insert(key.into(), value.into());
    }

    /// Notes what the family cannot say.
    pub fn blocked(&mut self, field: &str, value: impl ToString, why: &str) {
        let (field, value, why) = (field.into(), value.to_string(), why.into());
        self.obstacles.push(Obstacle { field, value, why });
    }

    /// What was written, or every obstacle.
    pub fn finish(self) -> Result<Map<String, Value>, Vec<HfError>> {
        if self.obstacles.is_empty() {
            return Ok(self.map);
        }
        let family = self.family;
        Err(self.obstacles.into_iter().map(|obstacle| HfError::Inexpressible { family, obstacle }).collect())
    }

    /// The parts of `model`, if it has no more than every family can say.
    pub fn parts<'m>(&mut self, model: &'m Model) -> Option<Parts<'m>> {
        let before = self.obstacles.len();
        let mut attention: Option<Attention> = None;
        let mut coe: Option<&Coe> = None;
        let mut dense: Option<&Dense> = None;
        for layer in model.layers.kinds() {
            let (unwindowed, _) = without_window(&layer.attention);
            if *attention.get_or_insert(unwindowed.clone()) != unwindowed {
                self.blocked("attention", text::attention(&layer.attention), "one attention in all layers");
            }
            let differs = match &layer.ffn {
                // How many experts are selected, a family may say of each layer; see `Parts::selected`.
                Ffn::Coe(other) => {
                    let first = *coe.get_or_insert(other);
                    Coe { k: first.k.clone(), ..other.clone() } != *first
                }
                Ffn::Dense(other) => **dense.get_or_insert(other) != *other,
            };
            if differs {
                let why = "layers with experts are all alike, and so are those without";
                self.blocked("ffn", text::ffn(&layer.ffn), why);
            }
        }
        for one in model.layers.loops() {
            let (field, why) = (format!("loop[{}..{}]", one.start, one.end), "layers that run once");
            self.blocked(&field, one.times, why);
        }
        if coe.is_none() {
            self.blocked("ffn", "dense", "layers with experts");
        }
        if self.obstacles.len() > before {
            return None;
        }
        let is_dense = model.layers.iter().map(|layer| matches!(layer.ffn, Ffn::Dense(_))).collect();
        let windows = model.layers.iter().map(|layer| without_window(&layer.attention).1).collect();
        Some(Parts { model, attention: attention?, windows, coe: coe?, dense, is_dense })
    }

    /// The settings that every family has.
    pub fn common(&mut self, parts: &Parts<'_>) {
        let model = parts.model;
        self.set("vocab_size", model.vocab);
        self.set("hidden_size", model.dim);
        self.set("num_hidden_layers", model.layers.len());
        self.set("max_position_embeddings", model.context);
        self.set("rms_norm_eps", model.norm.eps);
        self.set("tie_word_embeddings", model.embedding.tied);
        self.set("attention_dropout", 0.0);
        self.set("use_cache", true);
        self.set("initializer_range", 0.02);
        for token in ["bos_token_id", "eos_token_id", "pad_token_id"] {
            self.set(token, Value::Null);
        }
        let acts = [Some(parts.coe.act), parts.dense.map(|dense| dense.act)];
        for act in acts.into_iter().flatten() {
            match act {
                Act::Swiglu => self.set("hidden_act", "silu"),
                Act::Geglu => self.set("hidden_act", "gelu"),
                // Its class has no other, whatever the setting says.
                Act::Clamped if self.family == Family::GptOss => self.set("hidden_act", "silu"),
                Act::Gelu | Act::Relu2 | Act::Clamped => {
                    self.blocked("ffn.act", act.word(), "an MLP with a gate")
                }
            }
        }
        if let Some(dense) = parts.dense
            && dense.act != parts.coe.act
        {
            self.blocked("ffn.act", dense.act.word(), "one activation in all layers");
        }
    }

    /// Attention without a latent, if it is that.
    pub fn mha<'p>(&mut self, parts: &'p Parts<'_>) -> Option<&'p Mha> {
        if let Attention::Mha(mha) = &parts.attention {
            return Some(mha);
        }
        self.blocked("attention", parts.attention.block().table.word, "mha");
        None
    }

    /// Latent attention, if it is that.
    pub fn mla<'p>(&mut self, parts: &'p Parts<'_>) -> Option<&'p Mla> {
        if let Attention::Mla(mla) = &parts.attention {
            return Some(mla);
        }
        self.blocked("attention", parts.attention.block().table.word, "mla");
        None
    }

    /// Blocks a chain: what stays is the ordinary block, `h + experts(Norm(h))`.
    pub fn ordinary_block(&mut self, coe: &Coe) {
        if coe.iter != 1 {
            self.blocked("ffn.iter", coe.iter, "one iteration");
        } else if coe.residual != Residual::Outer {
            let dropped = coe.wiring().output == Output::State;
            let why = if dropped { "the stream is added to what the experts made" } else { "residual=outer" };
            self.blocked("ffn.residual", coe.residual.word(), why);
        }
    }

    pub fn no_shared(&mut self, coe: &Coe) {
        if coe.shared != 0 {
            self.blocked("ffn.shared", coe.shared, "no shared experts");
        }
    }

    pub fn no_shared_gate(&mut self, coe: &Coe) {
        if coe.shared_gate != SharedGate::None {
            self.blocked("ffn.shared_gate", coe.shared_gate.word(), "shared experts are added as they are");
        }
    }

    pub fn no_groups(&mut self, coe: &Coe) {
        if let Some(groups) = coe.router.groups {
            self.blocked("ffn.router.groups", groups.groups, "all experts compete, without groups");
        }
    }

    pub fn no_scale(&mut self, coe: &Coe) {
        if coe.router.scale != 1.0 {
            self.blocked("ffn.router.scale", format!("{:?}", coe.router.scale), "weights are not scaled");
        }
    }

    pub fn score(&mut self, coe: &Coe, score: Score) {
        if coe.router.score != score {
            self.blocked("ffn.router", coe.router.score.word(), &format!("{} routing", score.word()));
        }
    }

    /// The weights of selected experts are always divided by their sum.
    pub fn always_renorm(&mut self, coe: &Coe) {
        if !coe.router.renorm {
            self.blocked("ffn.router.renorm", false, "weights are always renormalised");
        }
    }

    /// They are, if there are more than one.
    pub fn single_weight(&mut self, renorm: bool, k: usize) {
        if renorm && k == 1 {
            self.blocked("ffn.router.renorm", true, "a single weight is not renormalised");
        }
    }

    /// One window in all layers, if they have that.
    pub fn one_window(&mut self, parts: &Parts<'_>) -> Option<usize> {
        let window = parts.windows.first().copied().flatten();
        if let Some(layer) = parts.windows.iter().position(|&other| other != window) {
            let other = parts.windows[layer].map_or("none".into(), |window| window.to_string());
            self.blocked(&format!("attention[{layer}].window"), other, "one window in all layers");
        }
        window
    }

    /// A softmax over all experts whose k best are taken, with nothing besides.
    pub fn plain_router(&mut self, coe: &Coe) {
        self.score(coe, Score::Softmax);
        self.no_scale(coe);
        self.no_groups(coe);
    }

    pub fn no_dense(&mut self, parts: &Parts<'_>) {
        if let Some(layer) = parts.is_dense.iter().position(|&dense| dense) {
            self.blocked(&format!("ffn[{layer}]"), "dense", "experts in every layer");
        }
    }

    /// Balance terms: `native` are those that the settings written so far say.
    pub fn balance(&mut self, coe: &Coe, native: &[Balance], has_bias: bool) {
        if coe.has_bias() != has_bias {
            let terms = if coe.has_bias() { "bias" } else { "no bias" };
            let why = if has_bias {
                "every router has a selection bias"
            } else {
                "there is no tensor for a selection bias"
            };
            self.blocked("ffn.balance", terms, why);
        }
        if coe.balance == native {
            return;
        }
        // A list of finite numbers always has a JSON form.
        if let Ok(terms) = serde_json::to_value(&coe.balance) {
            self.set(BALANCE, terms);
        }
    }
}

/// Attention without its window, and that.
fn without_window(attention: &Attention) -> (Attention, Option<usize>) {
    let mut attention = attention.clone();
    let window = match &mut attention {
        Attention::Mha(mha) => mha.window.take(),
        Attention::Mla(mla) => mla.window.take(),
    };
    (attention, window)
}
