//! Texts in one piece, cut into sequences that leave nothing out.

use super::batch::Batch;
use super::store::Tokens;
use super::{DataError, Part};

/// Tokens in sequences of `context`, and of each source one at the end that may be shorter.
#[derive(Debug, Clone)]
pub struct Sequences {
    /// Each source, and how many of its tokens count.
    sources: Vec<(Tokens, usize)>,
    context: usize,
    batch: usize,
}

impl Sequences {
    /// Of at least two tokens: each but the first is to be predicted. `trailing` tokens at the end of each
    /// source are no part of it.
    pub fn new(
        sources: Vec<Tokens>,
        trailing: usize,
        context: usize,
        batch: usize,
    ) -> Result<Self, DataError> {
        let counted = |tokens: Tokens| {
            let count = tokens.len().saturating_sub(trailing);
            (tokens, count)
        };
        let sources: Vec<_> = sources.into_iter().map(counted).filter(|(_, count)| *count > 0).collect();
        let tokens = sources.iter().map(|(_, count)| count).sum();
        if sources.iter().all(|(_, count)| *count < 2) {
            return Err(DataError::TooSmall { part: Part::Measured, tokens, needed: 2 });
        }
        Ok(Self { sources, context: context.max(1), batch: batch.max(1) })
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> usize {
        self.sources.iter().map(|(_, count)| count).sum()
    }

    /// Batches there are.
    pub fn batches(&self) -> usize {
        self.starts().count()
    }

    /// The batches, in order; all sequences of one have the same length.
    pub fn iter(&self) -> impl Iterator<Item = Result<Batch, DataError>> + '_ {
        self.starts().map(|(tokens, start, length, rows)| {
            let windows = (0..rows).map(|row| tokens.read(start + row * length, length + 1));
            Ok(Batch::of(&windows.collect::<Result<Vec<_>, _>>()?, length))
        })
    }

    /// Of each batch its source, where it starts, how long its rows are, and how many.
    fn starts(&self) -> impl Iterator<Item = (&Tokens, usize, usize, usize)> + '_ {
        let (context, batch) = (self.context, self.batch);
        self.sources.iter().flat_map(move |(tokens, count)| {
            let predicted = count - 1;
            let (whole, rest) = (predicted / context, predicted % context);
            let full = (0..whole)
                .step_by(batch)
                .map(move |first| (tokens, first * context, context, batch.min(whole - first)));
            full.chain((rest > 0).then_some((tokens, whole * context, rest, 1)))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tokenizer::Lost;

    fn tokens(range: std::ops::Range<u32>) -> Tokens {
        Tokens::in_memory(range.collect(), 1, 1, Lost::default())
    }

    proptest! {
        #[test]
        fn every_token_but_the_first_is_a_target_once_and_follows_its_input(
            count in 2u32..60, trailing in 0usize..2, context in 1usize..9, batch in 1usize..5
        ) {
            let all = tokens(0..count + trailing as u32);
            let sequences = Sequences::new(vec![all], trailing, context, batch).unwrap();
            let batches: Vec<Batch> = sequences.iter().map(Result::unwrap).collect();
            prop_assert_eq!(batches.len(), sequences.batches());
            let targets: Vec<i32> = batches.iter().flat_map(|batch| batch.targets.clone()).collect();
            prop_assert_eq!(targets, (1..count as i32).collect::<Vec<_>>());
            for batch in batches {
                prop_assert!(batch.inputs.iter().zip(&batch.targets).all(|(input, target)| input + 1 == *target));
                prop_assert_eq!(batch.inputs.len(), batch.sequences * batch.context);
            }
        }
    }

    #[test]
    fn one_token_is_nothing_to_predict() {
        assert_eq!(Sequences::new(vec![tokens(1..2)], 0, 8, 1).unwrap_err().code(), "coec::data::too_small");
    }
}
