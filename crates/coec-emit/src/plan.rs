//! The walk's Emit sink: which blocks and layers a model has, and what they are called.

use coec_ir::{Attention, Ffn, Model, Sink, Site, Verified, walk};

use crate::{EmitError, carried::Uses, distinct::Distinct, names};

/// What is to be written of a model.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The distinct attention sublayers, in order of first use.
    pub attention: Vec<Distinct>,
    /// The distinct feed-forward sublayers.
    pub ffn: Vec<Distinct>,
    /// The distinct layers.
    pub kinds: Vec<Kind>,
    /// The kind of each layer.
    pub order: Vec<usize>,
    /// Whether the output head has weights of its own.
    pub has_head: bool,
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
    pub fn of(model: &Verified<Model>) -> Result<Self, EmitError> {
        let mut emit = Emit::default();
        walk(model, &mut emit)?;
        Ok(emit.finish())
    }

    /// Which carried files it needs.
    pub fn uses(&self) -> Uses {
        Uses::of(self.distinct().map(|sublayer| sublayer.home))
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
    pub fn distinct(&self) -> impl Iterator<Item = &Distinct> {
        self.attention.iter().chain(&self.ffn)
    }
}

/// Runs of layers that are still a field each.
const MOST_RUNS: usize = 4;

/// A model as it is walked.
#[derive(Debug, Default)]
struct Emit {
    attention: Seen<Attention>,
    ffn: Seen<Ffn>,
    /// The attention of the layer whose feed-forward sublayer comes next.
    next: usize,
    layers: Vec<(usize, usize)>,
    has_head: bool,
}

/// The distinct ones among the sublayers so far, in the IR and as they are to be written.
#[derive(Debug)]
struct Seen<T> {
    blocks: Vec<T>,
    distinct: Vec<Distinct>,
}

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), distinct: Vec::new() }
    }
}

impl<T: Clone + PartialEq> Seen<T> {
    /// The index of `block` among those seen, or of the one that `new` adds.
    fn index(
        &mut self,
        block: &T,
        new: impl FnOnce() -> Result<Distinct, EmitError>,
    ) -> Result<usize, EmitError> {
        if let Some(index) = self.blocks.iter().position(|other| other == block) {
            return Ok(index);
        }
        self.distinct.push(new()?);
        self.blocks.push(block.clone());
        Ok(self.blocks.len() - 1)
    }
}

/// Names under which the tensors of a layer are listed.
const ATTENTION: [&str; 2] = ["input_layernorm", "self_attn"];
const FFN: [&str; 2] = ["post_attention_layernorm", "mlp"];

impl Sink for Emit {
    type Error = EmitError;

    fn embedding(&mut self, _: &Model, _: &str) -> Result<(), EmitError> {
        Ok(())
    }

    fn attention(&mut self, model: &Model, _: &Site, block: &Attention) -> Result<(), EmitError> {
        let new = || Distinct::of(block, block.sublayer(), model.dim, ATTENTION);
        self.next = self.attention.index(block, new)?;
        Ok(())
    }

    fn ffn(&mut self, model: &Model, _: &Site, block: &Ffn) -> Result<(), EmitError> {
        let new = || Distinct::of(block, block.sublayer(), model.dim, FFN);
        let ffn = self.ffn.index(block, new)?;
        self.layers.push((self.next, ffn));
        Ok(())
    }

    fn head(&mut self, _: &Model, _: &str, head: Option<&str>) -> Result<(), EmitError> {
        self.has_head = head.is_some();
        Ok(())
    }
}

impl Emit {
    fn finish(self) -> Plan {
        let (mut attentions, mut ffns) = (self.attention.distinct, self.ffn.distinct);
        names::of_sublayers(&mut attentions);
        names::of_sublayers(&mut ffns);
        let (mut kinds, mut order): (Vec<Kind>, Vec<usize>) = (Vec::new(), Vec::new());
        for &(attention, ffn) in &self.layers {
            let known = kinds.iter().position(|kind| (kind.attention, kind.ffn) == (attention, ffn));
            order.push(known.unwrap_or_else(|| {
                let name = names::of_layer(&attentions, attention, &ffns, ffn);
                kinds.push(Kind { name, attention, ffn });
                kinds.len() - 1
            }));
        }
        Plan { attention: attentions, ffn: ffns, kinds, order, has_head: self.has_head }
    }
}
