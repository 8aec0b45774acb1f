//! The walk's Emit sink: which blocks and layers a model has, and what they are called.

use std::convert::Infallible;

use coec_ir::{Coe, Dense, Mha, Mla, Model, Param, Sink, Site, Verified, counted, walk};

use crate::{block::Block, carried::Blocks, literal, names};

/// What is to be written of a model.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The distinct attention sublayers, in order of first use.
    pub attention: Vec<Block>,
    /// The distinct feed-forward sublayers.
    pub ffn: Vec<Block>,
    /// The distinct layers.
    pub kinds: Vec<Kind>,
    /// The kind of each layer.
    pub order: Vec<usize>,
    /// Whether the output head has weights of its own.
    pub has_head: bool,
    /// Which carried files it needs.
    pub blocks: Blocks,
}

/// A distinct layer.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Its name in snake case: `dense`, `latent_chain`; empty where all layers are alike.
    pub name: String,
    /// An index into the attention sublayers.
    pub attention: usize,
    /// An index into the feed-forward sublayers.
    pub ffn: usize,
}

impl Plan {
    /// The plan of a model.
    pub fn of(model: &Verified<Model>) -> Self {
        let mut emit = Emit::default();
        match walk(model, &mut emit) {
            Ok(()) => emit.finish(),
            Err(never) => match never {},
        }
    }

    /// Layers of one kind each, first to last, with their numbers; `None` where a kind comes back.
    pub fn runs(&self) -> Option<Vec<(usize, usize)>> {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for &kind in &self.order {
            match runs.last_mut() {
                Some((last, count)) if *last == kind => *count += 1,
                _ => runs.push((kind, 1)),
            }
        }
        (runs.len() == self.kinds.len() && runs.len() <= MOST_RUNS).then_some(runs)
    }

    /// Every distinct sublayer.
    pub fn distinct(&self) -> impl Iterator<Item = &Block> {
        self.attention.iter().chain(&self.ffn)
    }
}

/// Runs of layers that are still a field each.
const MOST_RUNS: usize = 4;

/// A model as it is walked. Blocks are compared as the IR's structs.
#[derive(Debug, Default)]
struct Emit {
    mha: Vec<(Mha, usize)>,
    mla: Vec<(Mla, usize)>,
    coe: Vec<(Coe, usize)>,
    dense: Vec<(Dense, usize)>,
    attention: Vec<Block>,
    ffn: Vec<Block>,
    /// The attention of the layer whose feed-forward sublayer comes next.
    next: usize,
    layers: Vec<(usize, usize)>,
    has_head: bool,
}

/// The index of `block` among those seen, or of the one that `new` adds.
fn index<T: Clone + PartialEq>(
    seen: &mut Vec<(T, usize)>,
    blocks: &mut Vec<Block>,
    block: &T,
    new: impl FnOnce() -> Block,
) -> usize {
    if let Some((_, index)) = seen.iter().find(|(other, _)| other == block) {
        return *index;
    }
    seen.push((block.clone(), blocks.len()));
    blocks.push(new());
    blocks.len() - 1
}

/// Names under which the tensors of a layer are listed.
const ATTENTION: [&str; 2] = ["input_layernorm", "self_attn"];
const FFN: [&str; 2] = ["post_attention_layernorm", "mlp"];

impl Sink for Emit {
    type Error = Infallible;

    fn embedding(&mut self, _: &Model, _: &str) -> Result<(), Infallible> {
        Ok(())
    }

    fn mha(&mut self, model: &Model, _: &Site, block: &Mha) -> Result<(), Infallible> {
        self.next = index(&mut self.mha, &mut self.attention, block, || Block {
            name: String::new(),
            word: "multi_head",
            literal: literal::mha(block),
            variant: "Attention::Mha",
            module: "MultiHeadAttention",
            field: "attention",
            about: {
                let Mha { heads, kv_heads, head_dim, .. } = block;
                let heads = counted(*heads, "head");
                if block.heads == *kv_heads {
                    format!("Multi-head attention: {heads} of width {head_dim}.")
                } else {
                    format!(
                        "Grouped-query attention: {heads} of width {head_dim} read {}.",
                        counted(*kv_heads, "key-value head")
                    )
                }
            },
            tensors: tensors(block.params(model.dim, ATTENTION[0], ATTENTION[1])),
            has_bias: false,
        });
        Ok(())
    }

    fn mla(&mut self, model: &Model, _: &Site, block: &Mla) -> Result<(), Infallible> {
        self.next = index(&mut self.mla, &mut self.attention, block, || Block {
            name: String::new(),
            word: "latent",
            literal: literal::mla(block),
            variant: "Attention::Mla",
            module: "LatentAttention",
            field: "attention",
            about: format!(
                "Latent attention: {} of width {} + {}, values of width {}, from a latent of width {}.",
                counted(block.heads, "head"),
                block.nope,
                block.rope_dim,
                block.value,
                block.kv_rank
            ),
            tensors: tensors(block.params(model.dim, ATTENTION[0], ATTENTION[1])),
            has_bias: false,
        });
        Ok(())
    }

    fn coe(&mut self, model: &Model, _: &Site, block: &Coe) -> Result<(), Infallible> {
        let ffn = index(&mut self.coe, &mut self.ffn, block, || Block {
            name: String::new(),
            word: if block.iter > 1 { "chain" } else { "mixture" },
            literal: literal::coe(block),
            variant: "Ffn::Coe",
            module: "Chain",
            field: "experts",
            about: experts(block),
            tensors: {
                let state = block.state(FFN[1]);
                tensors(block.params(model.dim, FFN[0], FFN[1]).into_iter().chain(state).collect())
            },
            has_bias: block.has_bias(),
        });
        self.layers.push((self.next, ffn));
        Ok(())
    }

    fn dense(&mut self, model: &Model, _: &Site, block: &Dense) -> Result<(), Infallible> {
        let ffn = index(&mut self.dense, &mut self.ffn, block, || Block {
            name: String::new(),
            word: "dense",
            literal: literal::dense(block),
            variant: "Ffn::Dense",
            module: "FeedForward",
            field: "mlp",
            about: format!("One MLP of width {} for every token.", block.hidden),
            tensors: tensors(block.params(model.dim, FFN[0], FFN[1])),
            has_bias: false,
        });
        self.layers.push((self.next, ffn));
        Ok(())
    }

    fn head(&mut self, _: &Model, _: &str, head: Option<&str>) -> Result<(), Infallible> {
        self.has_head = head.is_some();
        Ok(())
    }
}

impl Emit {
    fn finish(mut self) -> Plan {
        let blocks = Blocks {
            mha: !self.mha.is_empty(),
            mla: !self.mla.is_empty(),
            coe: !self.coe.is_empty(),
            dense: !self.dense.is_empty(),
        };
        names::of_blocks(&mut self.attention);
        names::of_blocks(&mut self.ffn);
        let (mut kinds, mut order): (Vec<Kind>, Vec<usize>) = (Vec::new(), Vec::new());
        for &(attention, ffn) in &self.layers {
            let known = kinds.iter().position(|kind| (kind.attention, kind.ffn) == (attention, ffn));
            order.push(known.unwrap_or_else(|| {
                let name = names::of_layer(&self.attention, attention, &self.ffn, ffn);
                kinds.push(Kind { name, attention, ffn });
                kinds.len() - 1
            }));
        }
        Plan { attention: self.attention, ffn: self.ffn, kinds, order, has_head: self.has_head, blocks }
    }
}

/// A pool of experts in a sentence.
fn experts(block: &Coe) -> String {
    let Coe { iter, k, experts, shared, hidden, .. } = block;
    let pool = match shared {
        0 => format!("{} of width {hidden}", counted(*experts, "expert")),
        shared => format!("{} of width {hidden} and {shared} shared", counted(*experts, "expert")),
    };
    let selected = match k.first() {
        Some(first) if k.iter().all(|k| k == first) => first.to_string(),
        _ => k.iter().map(usize::to_string).collect::<Vec<_>>().join(", then "),
    };
    match iter {
        1 => format!("A mixture of experts: {pool}; a token selects {selected}."),
        _ => format!("A chain of experts: {pool}; a token selects {selected} in each of {iter} iterations."),
    }
}

/// Tensors with their shapes; those that differ in a number alone are listed once.
fn tensors(params: Vec<Param>) -> Vec<String> {
    let mut groups: Vec<(String, Vec<usize>, usize)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for param in params {
        let numbered = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let parts = param.name.split('.').map(|part| if numbered(part) { "*" } else { part });
        let name = parts.collect::<Vec<_>>().join(".");
        let at = *places.entry(name.clone()).or_insert(groups.len());
        match groups.get_mut(at) {
            Some((_, _, count)) => *count += 1,
            None => groups.push((name, param.shape, 1)),
        }
    }
    let listed = |(name, shape, count): (String, Vec<usize>, usize)| match count {
        1 => format!("`{name}` `{shape:?}`"),
        count => format!("`{name}` `{shape:?}`, {count} of them"),
    };
    groups.into_iter().map(listed).collect()
}
