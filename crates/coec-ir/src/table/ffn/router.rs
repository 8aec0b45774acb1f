//! `softmax`, `sigmoid`: one word for each [`Score`].

use crate::table::tabled::block;
use crate::table::value::{Held, Words, words};
use crate::table::{Block, Default, Field, Kind, Table, Tabled};
use crate::{Check, GroupScore, Groups, Router, Score, ViolationKind, bounds};

words!(GroupScore);

const FIELDS: &[Field] = &[
    Field::new("renorm", Kind::Flag, Default::Flag(false)),
    Field::new("scale", Kind::Real(bounds::COEFFICIENT), Default::Real(1.0)),
    Field::new("groups", Kind::Count(bounds::EXPERTS), Default::Nothing),
    Field::new("keep", Kind::Count(bounds::EXPERTS), Default::Nothing),
    Field::new("group_score", Kind::Word(GroupScore::words), Default::Word("max")),
    Field::new("bias", Kind::Flag, Default::Flag(false)),
];

/// By hand: the score is the word of the block, and the groups are fields of it.
impl Tabled for Router {
    const TABLES: &'static [Table] =
        &[Table::new("softmax").fields(FIELDS), Table::new("sigmoid").fields(FIELDS)];

    fn block(&self) -> Block {
        let Self { score, renorm, scale, groups, bias } = self;
        let (groups, keep, group_score) = match groups {
            Some(Groups { groups, keep, score }) => (groups.value(), keep.value(), score.value()),
            None => (None, None, None),
        };
        block::<Self>(
            score.word(),
            vec![renorm.value(), scale.value(), groups, keep, group_score, bias.value()],
        )
    }

    fn read(block: &Block) -> Option<Self> {
        let score = Score::ALL.iter().copied().find(|score| score.word() == block.table.word)?;
        let groups = match (block.get("groups"), block.get("keep")) {
            (Some(groups), Some(keep)) => Some(Groups { groups, keep, score: block.get("group_score")? }),
            _ => None,
        };
        let (renorm, scale, bias) = (block.get("renorm")?, block.get("scale")?, block.get("bias")?);
        Some(Self { score, renorm, scale, groups, bias })
    }
}

impl Router {
    /// The rules of the field `router` of a block that selects `k`, an iteration each, of `experts`.
    pub(super) fn rules_within(&self, check: &mut Check, k: &[usize], experts: usize) {
        let Some(Groups { groups, keep, score }) = self.groups else { return };
        if !check.holds(&["router.groups", "router.keep"]) {
            return;
        }
        if !experts.is_multiple_of(groups) {
            return check.push("router.groups", ViolationKind::GroupsDivideExperts { groups, experts });
        }
        if keep > groups {
            return check.push("router.keep", ViolationKind::KeepExceedsGroups { keep, groups });
        }
        let size = experts / groups;
        if score == GroupScore::Top2 && size < 2 {
            check.push("router.group_score", ViolationKind::Top2NeedsTwo);
        }
        let eligible = size * keep;
        if let Some(&k) = k.iter().find(|&&k| k > eligible && k <= experts) {
            check.push("router.keep", ViolationKind::KExceedsKept { k, eligible });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_word_for_each_score() {
        let words: Vec<_> = Score::ALL.iter().map(|score| score.word()).collect();
        assert_eq!(words, Router::TABLES.iter().map(|table| table.word).collect::<Vec<_>>());
    }
}
