//! A text in one piece, cut into sequences that leave nothing out.

use super::{Batch, DataError, Part};

/// Tokens in sequences of `context`, and one at the end that may be shorter.
#[derive(Debug, Clone)]
pub struct Sequences {
    ids: Vec<u32>,
    context: usize,
    batch: usize,
}

impl Sequences {
    /// Of at least two tokens: each but the first is to be predicted.
    pub fn new(ids: Vec<u32>, context: usize, batch: usize) -> Result<Self, DataError> {
        match ids.len() {
            0 | 1 => Err(DataError::TooSmall { part: Part::Measured, tokens: ids.len(), needed: 2 }),
            _ => Ok(Self { ids, context: context.max(1), batch: batch.max(1) }),
        }
    }

    /// How many tokens there are.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// Batches there are.
    pub fn batches(&self) -> usize {
        let (whole, rest) = self.whole();
        whole.div_ceil(self.batch) + usize::from(rest > 0)
    }

    /// Whole sequences, and tokens to predict behind them.
    fn whole(&self) -> (usize, usize) {
        let predicted = self.ids.len() - 1;
        (predicted / self.context, predicted % self.context)
    }

    /// The batches, in order; all sequences of one have the same length.
    pub fn iter(&self) -> impl Iterator<Item = Batch> + '_ {
        let (whole, rest) = self.whole();
        let batches = (0..whole).step_by(self.batch).map(move |first| {
            let mut batch = Batch::with_capacity(self.batch, self.context);
            for sequence in first..(first + self.batch).min(whole) {
                batch.push(self.window(sequence * self.context, self.context));
            }
            batch
        });
        let last = (rest > 0).then(|| {
            let mut batch = Batch::with_capacity(1, rest);
            batch.push(self.window(whole * self.context, rest));
            batch
        });
        batches.chain(last)
    }

    /// `length` inputs from `start` on, and the token behind them.
    fn window(&self, start: usize, length: usize) -> impl Iterator<Item = u32> + '_ {
        self.ids[start..=start + length].iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_token_but_the_first_is_a_target_once_and_follows_its_input(
            tokens in 2usize..60, context in 1usize..9, batch in 1usize..5
        ) {
            let sequences = Sequences::new((0..tokens as u32).collect(), context, batch).unwrap();
            let batches: Vec<Batch> = sequences.iter().collect();
            prop_assert_eq!(batches.len(), sequences.batches());
            let targets: Vec<i32> = batches.iter().flat_map(|batch| batch.targets.clone()).collect();
            prop_assert_eq!(targets, (1..tokens as i32).collect::<Vec<_>>());
            for batch in batches {
                prop_assert!(batch.inputs.iter().zip(&batch.targets).all(|(input, target)| input + 1 == *target));
                prop_assert_eq!(batch.inputs.len(), batch.sequences * batch.context);
            }
        }
    }

    #[test]
    fn one_token_is_nothing_to_predict() {
        assert_eq!(Sequences::new(vec![1], 8, 1).unwrap_err().code(), "coec::data::too_small");
    }
}
