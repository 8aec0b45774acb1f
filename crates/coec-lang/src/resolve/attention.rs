//! `attention`, `rope`.

use coec_ir::{Attention, Mha, Mla, Rope};

use super::{Call, Cx};
use crate::error::ResolveError;

impl Cx<'_> {
    /// An attention block in a model of width `dim`, if that is known.
    pub fn attention(&mut self, call: &Call, dim: Option<usize>) -> Option<Attention> {
        match call.block.word {
            "mha" => self.mha(call, dim).map(Attention::Mha),
            _ => self.mla(call).map(Attention::Mla),
        }
    }

    fn mha(&mut self, call: &Call, dim: Option<usize>) -> Option<Mha> {
        let heads = self.count(call, "heads");
        let kv_heads = self.count_if_given(call, "kv_heads");
        let head_dim = self.count_if_given(call, "head_dim");
        let rope = self.rope(call);
        let qk_norm = self.word(call, "qk_norm");
        let bias = self.flag(call, "bias");
        let (heads, head_dim) = (heads?, head_dim?);
        let head_dim = match head_dim {
            Some(width) => width,
            None => {
                let dim = dim?;
                if heads == 0 || dim % heads != 0 {
                    let at = call.given("heads").map_or(call.at, |value| value.span);
                    self.found.push(ResolveError::HeadDimNotWhole { dim, heads, at });
                    return None;
                }
                dim / heads
            }
        };
        Some(Mha {
            heads,
            kv_heads: kv_heads?.unwrap_or(heads),
            head_dim,
            rope: rope?,
            qk_norm: qk_norm?,
            bias: bias?,
        })
    }

    fn mla(&mut self, call: &Call) -> Option<Mla> {
        let heads = self.count(call, "heads");
        let kv_rank = self.count(call, "kv_rank");
        let q_rank = self.optional_count(call, "q_rank");
        let nope = self.count(call, "nope");
        let rope_dim = self.count(call, "rope_dim");
        let value = self.count(call, "value");
        let rope = self.rope(call);
        Some(Mla {
            heads: heads?,
            kv_rank: kv_rank?,
            q_rank: q_rank?,
            nope: nope?,
            rope_dim: rope_dim?,
            value: value?,
            rope: rope?,
        })
    }

    fn rope(&mut self, outer: &Call) -> Option<Rope> {
        let call = self.block(outer, "rope")?;
        let theta = self.real(&call, "theta");
        if call.block.word == "rope" {
            return Some(Rope::Rope { theta: theta? });
        }
        let factor = self.real(&call, "factor");
        let original = self.count(&call, "original");
        let beta_fast = self.real(&call, "beta_fast");
        let beta_slow = self.real(&call, "beta_slow");
        let mscale = self.real(&call, "mscale");
        let mscale_all_dim = self.real(&call, "mscale_all_dim");
        Some(Rope::Yarn {
            theta: theta?,
            factor: factor?,
            original: original?,
            beta_fast: beta_fast?,
            beta_slow: beta_slow?,
            mscale: mscale?,
            mscale_all_dim: mscale_all_dim?,
        })
    }
}
