//! What there is to draw, in the order data flows through it.

use std::collections::HashMap;
use std::convert::Infallible;
use std::ops::AddAssign;

use coec_ir::table::Described;
use coec_ir::{Attention, Ffn, Loop, Model, Sink, Site, Verified, walk};

/// Everything there is to draw.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The token embedding.
    pub embedding: Share,
    /// Layers of one kind, in the order of the first.
    pub kinds: Vec<Kind>,
    /// The final norm and the output head.
    pub head: Share,
    /// Whether the head is the embedding's table.
    pub tied: bool,
    /// The whole model.
    pub total: Share,
}

/// Equal layers, of one loop or of none.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Which they are.
    pub layers: Vec<usize>,
    /// The loop they run in, if they do.
    pub looped: Option<Loop>,
    /// The attention of each.
    pub attention: Attention,
    /// What the attention of all of them takes.
    pub attention_share: Share,
    /// The feed-forward sublayer of each.
    pub ffn: Ffn,
    /// What that of all of them takes.
    pub ffn_share: Share,
}

/// What a block takes of the model, however often it occurs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Trained parameters.
    pub params: u128,
    /// FLOPs a token, forward.
    pub flops: u128,
}

impl AddAssign for Share {
    fn add_assign(&mut self, other: Self) {
        self.params += other.params;
        self.flops += other.flops;
    }
}

impl Share {
    /// Of one sublayer that runs once, counted at the model's own context.
    pub fn of(model: &Model, sublayer: &dyn Described) -> Self {
        let flops = sublayer.flops(model.dim, model.context).per_token(model.context).forward;
        Self { params: sublayer.param_count(model.dim), flops }
    }

    /// Of `n` such blocks that run so many times each.
    #[must_use]
    pub fn times(self, n: usize, passes: usize) -> Self {
        let n = n as u128;
        Self { params: self.params * n, flops: self.flops * n * passes as u128 }
    }
}

impl Plan {
    /// What there is to draw of a model, counted at its own context.
    pub fn of(model: &Verified<Model>) -> Self {
        let mut collected = Collected::default();
        match walk(model, &mut collected) {
            Ok(()) => collected.finish(),
            Err(never) => match never {},
        }
    }

    /// Whether layers of one kind stand between those of another, so that the order of the kinds
    /// is not that of the layers.
    pub fn is_mixed(&self) -> bool {
        let in_order = self.kinds.iter().flat_map(|kind| &kind.layers);
        !in_order.enumerate().all(|(place, &layer)| place == layer)
    }
}

/// The loop that a layer runs in.
fn loop_of(model: &Model, layer: usize) -> Option<Loop> {
    model.layers.loops().iter().copied().find(|one| (one.start..one.end).contains(&layer))
}

/// What layers that are drawn once have in common.
fn key(model: &Model, layer: usize) -> (usize, Option<usize>) {
    (model.layers.order()[layer], loop_of(model, layer).map(|one| one.start))
}

/// The blocks as the walk hands them out.
#[derive(Default)]
struct Collected {
    embedding: Share,
    /// The attention of the layer whose other half comes next.
    attention: Option<(Attention, Share)>,
    kinds: Vec<Kind>,
    /// The place in `kinds` of each of the model's kinds, within each loop and outside.
    places: HashMap<(usize, Option<usize>), usize>,
    head: Share,
    tied: bool,
}

impl Collected {
    /// Whether a layer is the first of its kind, of which alone anything is counted.
    fn is_first(&self, model: &Model, site: &Site) -> bool {
        !self.places.contains_key(&key(model, site.layer))
    }

    /// Completes a layer.
    fn layer(&mut self, model: &Model, site: &Site, ffn: impl FnOnce() -> (Ffn, Share)) {
        let kind = key(model, site.layer);
        if let Some(&place) = self.places.get(&kind) {
            self.kinds[place].layers.push(site.layer);
        } else if let Some((attention, attention_share)) = self.attention.take() {
            let (ffn, ffn_share) = ffn();
            let (layers, looped) = (vec![site.layer], loop_of(model, site.layer));
            self.places.insert(kind, self.kinds.len());
            self.kinds.push(Kind { layers, looped, attention, attention_share, ffn, ffn_share });
        }
    }

    fn finish(self) -> Plan {
        let Self { embedding, mut kinds, head, tied, .. } = self;
        let mut total = embedding;
        for kind in &mut kinds {
            let passes = kind.looped.map_or(1, |looped| looped.times);
            kind.attention_share = kind.attention_share.times(kind.layers.len(), passes);
            kind.ffn_share = kind.ffn_share.times(kind.layers.len(), passes);
            total += kind.attention_share;
            total += kind.ffn_share;
        }
        total += head;
        Plan { embedding, kinds, head, tied, total }
    }
}

impl Sink for Collected {
    type Error = Infallible;

    fn embedding(&mut self, model: &Model, _: &str) -> Result<(), Infallible> {
        // A token looks itself up, which is no product.
        self.embedding = Share { params: model.vocab as u128 * model.dim as u128, flops: 0 };
        Ok(())
    }

    fn attention(&mut self, model: &Model, site: &Site, block: &Attention) -> Result<(), Infallible> {
        if self.is_first(model, site) {
            self.attention = Some((block.clone(), Share::of(model, block.sublayer())));
        }
        Ok(())
    }

    fn ffn(&mut self, model: &Model, site: &Site, block: &Ffn) -> Result<(), Infallible> {
        self.layer(model, site, || (block.clone(), Share::of(model, block.sublayer())));
        Ok(())
    }

    fn head(&mut self, model: &Model, _: &str, head: Option<&str>) -> Result<(), Infallible> {
        let (v, d) = (model.vocab as u128, model.dim as u128);
        self.tied = head.is_none();
        self.head = Share { params: d + if self.tied { 0 } else { v * d }, flops: 2 * v * d };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use coec_ir::Conditions;
    use coec_ir::cost::{Cost, Setting};
    use coec_lang::{MapLoader, load_one};

    use super::*;

    #[test]
    fn blocks_add_up_to_the_model() {
        for text in [
            "model a { layers=5 ffn=coe(iter=2, k=2, experts=8, shared=1) ffn[every 2]=dense(64) }",
            "model a { layers=5 loop[1..4]=3 ffn=coe(iter=2, k=2, experts=8, shared=1) ffn[2]=dense(64) }",
            "model a { embedding=tokens(tied=true) attention=mha(heads=4, bias=true) ffn=moe(k=2, experts=8) }",
        ] {
            let spec = load_one("a.coe", &[], &MapLoader::new().with("a.coe", text)).unwrap();
            let plan = Plan::of(&spec.model);
            let cost = Cost::of(&spec.model, Setting::of(&spec.model, &Conditions::default()));
            let total = Share {
                params: cost.total.params,
                flops: cost.total.flops.per_token(spec.model.context).forward,
            };
            assert_eq!(plan.total, total, "{text}");
            let layers: usize = plan.kinds.iter().map(|kind| kind.layers.len()).sum();
            assert_eq!(layers, spec.model.layers.len());
            assert_eq!(plan.is_mixed(), text.contains("every") || text.contains("ffn[2]"));
        }
    }
}
