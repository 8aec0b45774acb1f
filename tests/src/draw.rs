//! Models drawn at random: every word of every block, small enough to run.

use coec_ir::{
    Act, Attention, Balance, ChainNorm, Coe, Dense, Ffn, Gate, GroupScore, Groups, Layer, Mha, Mla, Model,
    QkNorm, Residual, Rms, Rope, Router, Score, SharedAt, SharedGate, Stack, Tokens, Verified, verify,
};

/// A stream of choices: SplitMix64, so that a number always means the same model.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between `low` and `high`, both included.
    fn between(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    fn flag(&mut self) -> bool {
        self.between(0, 1) == 1
    }

    fn of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.between(0, values.len() - 1)]
    }

    fn rope(&mut self) -> Rope {
        let theta = self.of(&[100.0, 10000.0, 500000.0]);
        match self.flag() {
            true => Rope::Rope { theta },
            false => Rope::Yarn {
                theta,
                factor: self.of(&[2.0, 40.0]),
                original: self.between(4, 64),
                beta_fast: 32.0,
                beta_slow: 1.0,
                mscale: self.of(&[0.0, 0.707, 1.0]),
                mscale_all_dim: self.of(&[0.0, 1.0]),
            },
        }
    }

    fn attention(&mut self) -> Attention {
        let heads = self.between(1, 3);
        match self.flag() {
            true => Attention::Mha(Mha {
                kv_heads: heads,
                heads: heads * self.between(1, 2),
                head_dim: 2 * self.between(1, 4),
                rope: self.rope(),
                qk_norm: self.of(QkNorm::ALL),
                bias: self.flag(),
            }),
            false => Attention::Mla(Mla {
                heads,
                kv_rank: self.between(1, 8),
                q_rank: self.flag().then(|| self.between(1, 6)),
                nope: self.between(1, 6),
                rope_dim: 2 * self.between(1, 3),
                value: self.between(1, 6),
                rope: self.rope(),
            }),
        }
    }

    fn ffn(&mut self) -> Ffn {
        let act = self.of(&Act::ALL);
        if self.between(0, 3) == 0 {
            return Ffn::Dense(Dense { hidden: self.between(1, 12), act });
        }
        let iter = self.between(1, 3);
        let gate = self.of(Gate::ALL);
        let norm = self.of(ChainNorm::ALL);
        let residual = match self.of(Residual::ALL) {
            Residual::Both | Residual::Delta if norm != ChainNorm::Once => Residual::Inner,
            residual => residual,
        };
        let groups = self.flag().then(|| {
            let groups = self.between(1, 3);
            Groups { groups, keep: self.between(1, groups), score: self.of(GroupScore::ALL) }
        });
        let size = self.between(2, 4);
        let (experts, eligible) =
            groups.map_or((size, size), |limits| (limits.groups * size, limits.keep * size));
        let first = self.between(1, eligible);
        let same = gate == Gate::Frozen || self.flag();
        let k = (0..iter).map(|_| if same { first } else { self.between(1, eligible) }).collect();
        let shared = self.between(0, 2);
        let mut balance = Vec::new();
        for term in [
            Balance::SeqAux { alpha: 0.01 },
            Balance::SwitchAux { alpha: 0.02 },
            Balance::ZLoss { alpha: 0.001 },
            Balance::Bias { rate: 0.05 },
        ] {
            balance.extend(self.flag().then_some(term));
        }
        Ffn::Coe(Coe {
            iter,
            k,
            experts,
            shared,
            hidden: self.between(1, 8),
            act,
            residual,
            gate,
            norm,
            shared_at: self.of(SharedAt::ALL),
            shared_gate: if shared > 0 { self.of(SharedGate::ALL) } else { SharedGate::None },
            router: Router {
                score: self.of(Score::ALL),
                renorm: self.flag(),
                scale: self.of(&[1.0, 2.5]),
                groups,
            },
            balance,
        })
    }
}

/// The model of a number.
///
/// # Panics
///
/// When what is drawn is no model, which would be this function's mistake.
pub fn model(number: u64) -> Verified<Model> {
    let mut draw = Draw(number.wrapping_mul(0xd134_2543_de82_ef95));
    // Few sublayers, in many orders: layers repeat, alternate, and share one of the two.
    let attentions: Vec<_> = (0..draw.between(1, 2)).map(|_| draw.attention()).collect();
    let ffns: Vec<_> = (0..draw.between(1, 3)).map(|_| draw.ffn()).collect();
    let mut layers = Vec::new();
    for _ in 0..draw.between(1, 3) {
        let attention = attentions[draw.between(0, attentions.len() - 1)].clone();
        let layer = Layer { attention, ffn: ffns[draw.between(0, ffns.len() - 1)].clone() };
        layers.extend(vec![layer; draw.between(1, 2)]);
    }
    let model = Model {
        name: format!("drawn_{number}"),
        doc: if draw.flag() {
            format!("Model {number} of a \"hat\"\n\n- with [two] <paragraphs>")
        } else {
            String::new()
        },
        vocab: draw.between(2, 60),
        context: draw.between(2, 12),
        dim: draw.between(1, 16),
        norm: Rms { eps: draw.of(&[1e-6, 1e-5]) },
        embedding: Tokens { tied: draw.flag() },
        layers: Stack::from_layers(&layers),
    };
    verify(model).unwrap_or_else(|violations| panic!("model {number}: {violations:?}"))
}
