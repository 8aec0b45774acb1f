//! `attention`: one word for each kind.

mod mha;
mod mla;
mod rope;

use crate::table::{Block, Described, Table, Tabled};
use crate::{Attention, Check, Mha, Mla};

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

impl Attention {
    /// What stands in the sublayer.
    pub fn sublayer(&self) -> &dyn Described {
        match self {
            Self::Mha(block) => block,
            Self::Mla(block) => block,
        }
    }
}
