//! `attention`: one word for each kind.

mod mha;
mod mla;
mod rope;

use crate::table::{Block, Described, Table, Tabled};
use crate::{Attention, Check, Mha, Mla, NormAt};

impl Tabled for Attention {
    const TABLES: &'static [Table] = &[Mha::TABLES[0], Mla::TABLES[0]];

    fn block(&self) -> Block {
        match self {
            Self::Mha(block) => block.block(),
            Self::Mla(block) => block.block(),
        }
    }

    fn read(block: &Block) -> Option<Self> {
        match block.table.word {
            "mha" => Mha::read(block).map(Self::Mha),
            "mla" => Mla::read(block).map(Self::Mla),
            _ => None,
        }
    }

    fn rules(&self, check: &mut Check) {
        match self {
            Self::Mha(block) => block.rules(check),
            Self::Mla(block) => block.rules(check),
        }
    }
}

/// How what a sublayer makes joins the stream, where that is not as usual.
pub(super) fn added(norm_at: NormAt, multiplier: f64, what: &str) -> Option<String> {
    let made = match norm_at {
        NormAt::Before => format!("{what}(Norm(h))"),
        NormAt::After => format!("Norm({what}(h))"),
    };
    match (norm_at, multiplier) {
        (NormAt::Before, 1.0) => None,
        (_, 1.0) => Some(format!("h ← h + {made}")),
        (_, multiplier) => Some(format!("h ← h + {multiplier} {made}")),
    }
}

impl Attention {
    /// What stands in the sublayer.
    pub fn sublayer(&self) -> &dyn Described {
        match self {
            Self::Mha(block) => block,
            Self::Mla(block) => block,
        }
    }
}
