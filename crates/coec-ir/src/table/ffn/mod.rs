//! `ffn`: a word for each kind, and `moe`, which is a chain of one iteration.

mod balance;
mod coe;
mod dense;
mod router;

use crate::table::{Block, Default, Described, Table, Tabled};
use crate::{Check, Coe, Dense, Ffn};

/// The chain of one iteration in the ordinary pre-norm block.
const MOE: Table = Table { word: "moe", ..Coe::TABLES[0] }.example("moe(k=8, experts=64)").fixing(&[
    ("iter", Default::Count(1)),
    ("residual", Default::Word("outer")),
    ("gate", Default::Word("independent")),
    ("norm", Default::Word("once")),
]);

impl Tabled for Ffn {
    const TABLES: &'static [Table] = &[Coe::TABLES[0], MOE, Dense::TABLES[0]];

    fn block(&self) -> Block {
        match self {
            Self::Coe(block) => block.block(),
            Self::Dense(block) => block.block(),
        }
    }

    fn read(block: &Block) -> Option<Self> {
        match block.table.word {
            "coe" | "moe" => Coe::read(block).map(Self::Coe),
            "dense" => Dense::read(block).map(Self::Dense),
            _ => None,
        }
    }

    fn rules(&self, check: &mut Check) {
        match self {
            Self::Coe(block) => block.rules(check),
            Self::Dense(block) => block.rules(check),
        }
    }
}

impl Ffn {
    /// What stands in the sublayer.
    pub fn sublayer(&self) -> &dyn Described {
        match self {
            Self::Coe(block) => block,
            Self::Dense(block) => block,
        }
    }
}
