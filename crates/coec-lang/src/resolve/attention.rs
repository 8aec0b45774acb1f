//! `attention`, `rope`.

use coec_ir::{Attention, Mha, Mla, Place, QkNorm, Rope, verify_attention};

use super::gaps::Gaps;
use super::{Call, Cx};
use crate::error::ResolveError;
use crate::schema::ATTENTION;

impl Cx<'_> {
    /// An attention block, with nothing wrong in it, in a model of width `dim`, if that is known.
    pub fn attention(&mut self, call: &Call, dim: Option<usize>) -> Option<Attention> {
        let mut gaps = Gaps::default();
        let attention = match call.block.word {
            "mha" => Attention::Mha(self.mha(call, dim, &mut gaps)),
            _ => Attention::Mla(self.mla(call, &mut gaps)),
        };
        let violations = verify_attention(&attention, Place::Attention(0));
        self.accept(call, ATTENTION, violations, &gaps).then_some(attention)
    }

    fn mha(&mut self, call: &Call, dim: Option<usize>, gaps: &mut Gaps) -> Mha {
        let heads = self.count(call, "heads");
        let kv_heads = match self.count_if_given(call, "kv_heads") {
            Some(given) => given.or(heads),
            None => None,
        };
        let head_dim = match self.count_if_given(call, "head_dim") {
            Some(Some(width)) => Some(width),
            Some(None) => self.head_dim(call, dim, heads),
            None => None,
        };
        let (qk_norm, bias) = (self.word(call, "qk_norm"), self.flag(call, "bias"));
        Mha {
            heads: gaps.or("heads", heads, 1),
            kv_heads: gaps.or("kv_heads", kv_heads, 1),
            head_dim: gaps.or("head_dim", head_dim, 2),
            rope: self.rope(call, gaps),
            qk_norm: gaps.or("qk_norm", qk_norm, QkNorm::None),
            bias: gaps.or("bias", bias, false),
        }
    }

    /// The width of a head that is not given: the model's, shared among the heads.
    fn head_dim(&mut self, call: &Call, dim: Option<usize>, heads: Option<usize>) -> Option<usize> {
        let (dim, heads) = (dim?, heads?);
        if heads == 0 || dim % heads != 0 {
            let at = call.given("heads").map_or(call.at, |value| value.span);
            self.found.push(ResolveError::HeadDimNotWhole { dim, heads, at });
            return None;
        }
        Some(dim / heads)
    }

    fn mla(&mut self, call: &Call, gaps: &mut Gaps) -> Mla {
        let mut width = |cx: &mut Self, name, stand_in| gaps.or(name, cx.count(call, name), stand_in);
        let heads = width(self, "heads", 1);
        let kv_rank = width(self, "kv_rank", 1);
        let nope = width(self, "nope", 1);
        let rope_dim = width(self, "rope_dim", 2);
        let value = width(self, "value", 1);
        let q_rank = gaps.or("q_rank", self.optional_count(call, "q_rank"), None);
        Mla { heads, kv_rank, q_rank, nope, rope_dim, value, rope: self.rope(call, gaps) }
    }

    fn rope(&mut self, outer: &Call, gaps: &mut Gaps) -> Rope {
        let Some(call) = self.block(outer, "rope") else {
            return gaps.or("rope", None, Rope::Rope { theta: 1.0 });
        };
        let mut real = |cx: &mut Self, path: &'static str, name| gaps.or(path, cx.real(&call, name), 2.0);
        let theta = real(self, "rope.theta", "theta");
        if call.block.word == "rope" {
            return Rope::Rope { theta };
        }
        let factor = real(self, "rope.factor", "factor");
        let beta_fast = real(self, "rope.beta_fast", "beta_fast");
        let beta_slow = real(self, "rope.beta_slow", "beta_slow");
        let mscale = real(self, "rope.mscale", "mscale");
        let mscale_all_dim = real(self, "rope.mscale_all_dim", "mscale_all_dim");
        let original = gaps.or("rope.original", self.count(&call, "original"), 1);
        Rope::Yarn { theta, factor, original, beta_fast, beta_slow, mscale, mscale_all_dim }
    }
}
