//! `mla`.

use crate::table::tabled::tabled;
use crate::table::value::{Words, several};
use crate::table::{Default, Described, Kind, Table};
use crate::{Check, LatentProjection, Mla, NormAt, Pairs, Rope, bounds, counted, grouped};

several!(LatentProjection: QA, KvA, O);

tabled! { Mla, Table::new("mla"), {
    heads: Kind::Count(bounds::HEADS) => Default::Count(8),
    kv_rank: Kind::Count(bounds::WIDTH) => Default::Count(512),
    q_rank: Kind::OptionalCount(bounds::WIDTH) => Default::Word("none"),
    nope: Kind::Count(bounds::WIDTH) => Default::Count(128),
    rope_dim: Kind::Count(bounds::WIDTH) => Default::Count(64),
    value: Kind::Count(bounds::WIDTH) => Default::Count(128),
    rope: Kind::Block(Rope::TABLES) => Default::Word("rope"),
    pairs: Kind::Word(Pairs::words) => Default::Word("neighbours"),
    scale: Kind::Real(bounds::COEFFICIENT) => Default::Nothing,
    window: Kind::OptionalCount(bounds::CONTEXT) => Default::Word("none"),
    sinks: Kind::Flag => Default::Flag(false),
    norm_at: Kind::Word(NormAt::words) => Default::Word("before"),
    multiplier: Kind::Real(bounds::COEFFICIENT) => Default::Real(1.0),
    bias: Kind::Words(LatentProjection::words) => Default::Flag(false),
    latent_eps: Kind::Real(bounds::EPS) => Default::Nothing,
}
    fn rules(&self, check: &mut Check) {
        self.rope.rules_within(check, "rope_dim", self.rope_dim);
    }
}

impl Described for Mla {
    fn name(&self) -> &'static str {
        "latent"
    }

    fn about(&self) -> String {
        format!(
            "Latent attention: {} of width {} + {}, values of width {}, from a latent of width {}.",
            counted(self.heads, "head"),
            self.nope,
            self.rope_dim,
            self.value,
            self.kv_rank
        )
    }

    fn title(&self) -> String {
        "Latent attention".into()
    }

    fn details(&self) -> Vec<String> {
        let mut details = vec![
            format!("{} of {} + {} rotary", counted(self.heads, "head"), self.nope, self.rope_dim),
            format!("values {}", self.value),
            format!("latent {}", grouped(self.kv_rank)),
        ];
        details.extend(self.q_rank.map(|rank| format!("query latent {}", grouped(rank))));
        details.push(self.rope.detail());
        if self.pairs == Pairs::Halves {
            details.push("halves rotated".into());
        }
        details.extend(self.window.map(|window| format!("window {}", grouped(window))));
        details.extend(self.sinks.then(|| "sinks".to_owned()));
        details.extend(self.scale.map(|scale| format!("scores times {scale}")));
        let biased: Vec<_> = self.biased().map(LatentProjection::word).collect();
        if !biased.is_empty() {
            details.push(format!("biases of {}", biased.join(", ")));
        }
        details.extend(super::added(self.norm_at, self.multiplier, "Attn"));
        details
    }
}
