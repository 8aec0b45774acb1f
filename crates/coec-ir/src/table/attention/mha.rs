//! `mha`.

use crate::table::tabled::tabled;
use crate::table::value::{Words, several, words};
use crate::table::{Default, Described, Kind, Table};
use crate::{Check, Mha, NormAt, Pairs, Projection, QkNorm, Rope, ViolationKind, bounds, counted, grouped};

words!(QkNorm);
several!(Projection: Q, K, V);

tabled! { Mha, Table::new("mha").example("mha(heads=8)"), {
    heads: Kind::Count(bounds::HEADS) => Default::Required,
    kv_heads: Kind::Count(bounds::HEADS) => Default::Like("heads"),
    head_dim: Kind::Count(bounds::WIDTH) => Default::Share("dim", "heads"),
    rope: Kind::Block(Rope::TABLES) => Default::Word("rope"),
    qk_norm: Kind::Word(QkNorm::words) => Default::Word("none"),
    qk_norm_at: Kind::Word(NormAt::words) => Default::Word("before"),
    bias: Kind::Words(Projection::words) => Default::Flag(false),
    pairs: Kind::Word(Pairs::words) => Default::Word("halves"),
    scale: Kind::Real(bounds::COEFFICIENT) => Default::Nothing,
    window: Kind::OptionalCount(bounds::CONTEXT) => Default::Word("none"),
    sinks: Kind::Flag => Default::Flag(false),
    norm_at: Kind::Word(NormAt::words) => Default::Word("before"),
    multiplier: Kind::Real(bounds::COEFFICIENT) => Default::Real(1.0),
}
    fn rules(&self, check: &mut Check) {
        let Self { heads, kv_heads, .. } = *self;
        if check.holds(&["heads", "kv_heads"]) && !heads.is_multiple_of(kv_heads) {
            check.push("kv_heads", ViolationKind::KvHeadsDivideHeads { heads, kv_heads });
        }
        self.rope.rules_within(check, "head_dim", self.head_dim);
    }
}

impl Described for Mha {
    fn name(&self) -> &'static str {
        "multi_head"
    }

    fn about(&self) -> String {
        let Self { heads, kv_heads, head_dim, .. } = self;
        let queries = format!("{} of width {head_dim}", counted(*heads, "head"));
        match heads == kv_heads {
            true => format!("Multi-head attention: {queries}."),
            false => {
                format!("Grouped-query attention: {queries} read {}.", counted(*kv_heads, "key-value head"))
            }
        }
    }

    fn title(&self) -> String {
        let is_grouped = self.kv_heads != self.heads;
        if is_grouped { "Grouped-query attention" } else { "Multi-head attention" }.into()
    }

    fn details(&self) -> Vec<String> {
        let mut details = vec![format!("{} of {}", counted(self.heads, "head"), self.head_dim)];
        if self.kv_heads != self.heads {
            details.push(counted(self.kv_heads, "key-value head"));
        }
        details.push(self.rope.detail());
        let how = match self.qk_norm {
            QkNorm::None => None,
            QkNorm::Head => Some("queries and keys normed by head"),
            QkNorm::Full => Some("queries and keys normed"),
        };
        let when = if self.qk_norm_at == NormAt::After { ", after the rotation" } else { "" };
        details.extend(how.map(|how| format!("{how}{when}")));
        if self.pairs == Pairs::Neighbours {
            details.push("neighbours rotated".into());
        }
        details.extend(self.window.map(|window| format!("window {}", grouped(window))));
        details.extend(self.sinks.then(|| "sinks".to_owned()));
        details.extend(self.scale.map(|scale| format!("scores times {scale}")));
        if !self.bias.is_empty() {
            let of: Vec<_> = self.bias.iter().map(|projection| projection.word()).collect();
            details.push(format!("biases of {}", of.join(", ")));
        }
        details.extend(super::added(self.norm_at, self.multiplier, "Attn"));
        details
    }
}
