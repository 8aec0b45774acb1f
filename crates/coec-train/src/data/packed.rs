//! Tokens cut into sequences.
//!
//! The documents of a source stand one after the other, each followed by the separator. A sequence is a
//! window of `context + 1` tokens; the rest of an epoch too short for a window is left out. Nothing is
//! padded, and a window may span documents.
//!
//! In training each epoch has its own order of windows, and windows begin elsewhere by as much as there is
//! to spare. Both are computed from (seed, epoch) and nothing is kept, so that a batch is a function of
//! (seed, step) and a run resumes at any step with nothing saved, however much text there is.

use super::batch::Batch;
use super::order::Order;
use super::store::Tokens;
use super::{DataError, Part, Purpose, Stream};

/// The windows of one source, epoch after epoch.
#[derive(Debug, Clone)]
struct Windows {
    tokens: Tokens,
    /// Windows of an epoch.
    count: u64,
    /// Tokens that no window needs.
    spare: u64,
    /// What tells its orders from those of other sources.
    key: u64,
}

impl Windows {
    fn new(tokens: Tokens, context: usize, key: u64) -> Result<Self, DataError> {
        let count = tokens.windows(context, Part::Train)? as u64;
        let spare = (tokens.len() as u64 - 1) % context as u64;
        Ok(Self { tokens, count, spare, key })
    }

    /// The window at `place` in the endless sequence of epochs.
    fn at(&self, place: u64, seed: u64, context: usize) -> Result<Vec<u32>, DataError> {
        let mut stream = Stream::new(seed, place / self.count, Purpose::Windows);
        let (key, shift) = (stream.next_u64() ^ self.key, stream.below(self.spare + 1));
        let window = Order::new(self.count, key).at(place % self.count);
        self.tokens.read((shift + window * context as u64) as usize, context + 1)
    }
}

/// The batches of a training run.
#[derive(Debug, Clone)]
pub struct TrainBatches {
    sources: Vec<Windows>,
    /// Rows of each source in a block of [`BLOCK`], where sources have weights.
    shares: Option<Vec<u64>>,
    seed: u64,
    batch: usize,
    context: usize,
}

/// Rows in which sources with weights have their shares exactly.
const BLOCK: u64 = 4096;

impl TrainBatches {
    /// Batches of `batch` sequences of `context` tokens, from each source in proportion to its weight, or,
    /// without weights, of each as much as it has.
    pub fn new(
        sources: Vec<Tokens>,
        weights: &[f64],
        seed: u64,
        batch: usize,
        context: usize,
    ) -> Result<Self, DataError> {
        let windows = |(key, tokens): (usize, Tokens)| Windows::new(tokens, context, key as u64);
        let sources = sources.into_iter().enumerate().map(windows).collect::<Result<Vec<_>, _>>()?;
        let shares = (!weights.is_empty()).then(|| shares(weights));
        Ok(Self { sources, shares, seed, batch, context })
    }

    /// The batch of a step, from 0: the same whatever was asked for before.
    pub fn batch(&self, step: usize) -> Result<Batch, DataError> {
        let rows = (0..self.batch as u64).map(|row| self.row(step as u64 * self.batch as u64 + row));
        Ok(Batch::of(&rows.collect::<Result<Vec<_>, _>>()?, self.context))
    }

    /// The window of a row of the run.
    fn row(&self, row: u64) -> Result<Vec<u32>, DataError> {
        let (source, place) = match &self.shares {
            Some(shares) => self.weighted(row, shares),
            None => self.by_size(row),
        };
        self.sources[source].at(place, self.seed, self.context)
    }

    /// Without weights all windows of all sources make an epoch, in one order.
    fn by_size(&self, row: u64) -> (usize, u64) {
        if let [_] = self.sources.as_slice() {
            return (0, row);
        }
        let total = self.windows();
        let epoch = row / total;
        let key = Stream::new(self.seed, epoch, Purpose::Sources).next_u64();
        let mut place = Order::new(total, key).at(row % total);
        let source = self.sources.iter().position(|source| {
            let is_here = place < source.count;
            place -= if is_here { 0 } else { source.count };
            is_here
        });
        let source = source.unwrap_or_default();
        (source, epoch * self.sources[source].count + place)
    }

    /// With weights the rows of a block are dealt to the sources, each its share, in an order of their own.
    fn weighted(&self, row: u64, shares: &[u64]) -> (usize, u64) {
        let block = row / BLOCK;
        let key = Stream::new(self.seed, block, Purpose::Sources).next_u64();
        let mut place = Order::new(BLOCK, key).at(row % BLOCK);
        let source = shares.iter().position(|&share| {
            let is_here = place < share;
            place -= if is_here { 0 } else { share };
            is_here
        });
        let source = source.unwrap_or_default();
        (source, block * shares[source] + place)
    }

    fn windows(&self) -> u64 {
        self.sources.iter().map(|source| source.count).sum()
    }

    /// Tokens there are to learn from.
    pub fn tokens(&self) -> usize {
        self.sources.iter().map(|source| source.tokens.len()).sum()
    }

    /// Passes over the data that `steps` steps make; of several sources with weights, over the one that is
    /// seen most often.
    pub fn epochs(&self, steps: usize) -> f64 {
        let rows = steps as f64 * self.batch as f64;
        match &self.shares {
            None => rows / self.windows() as f64,
            Some(shares) => {
                let passes = self
                    .sources
                    .iter()
                    .zip(shares)
                    .map(|(source, &share)| rows * share as f64 / BLOCK as f64 / source.count as f64);
                passes.fold(0.0, f64::max)
            }
        }
    }
}

/// Rows of each source in a block, in proportion to the weights: the remainders go to those that lose most
/// by rounding down.
fn shares(weights: &[f64]) -> Vec<u64> {
    let total: f64 = weights.iter().sum();
    let exact: Vec<f64> = weights.iter().map(|weight| weight / total * BLOCK as f64).collect();
    let mut shares: Vec<u64> = exact.iter().map(|rows| rows.floor() as u64).collect();
    let mut by_loss: Vec<usize> = (0..weights.len()).collect();
    by_loss.sort_by(|&a, &b| exact[b].fract().total_cmp(&exact[a].fract()));
    let missing = BLOCK - shares.iter().sum::<u64>();
    by_loss.iter().cycle().take(missing as usize).for_each(|&source| shares[source] += 1);
    shares
}

/// The batches of an evaluation: always the same ones.
#[derive(Debug, Clone)]
pub struct ValidationBatches {
    sources: Vec<Tokens>,
    windows: Vec<usize>,
    batch: usize,
    context: usize,
    count: usize,
}

impl ValidationBatches {
    /// At most `count` batches of `batch` sequences, spread evenly over the text, no sequence twice.
    ///
    /// Text for fewer batches gives fewer, and text for less than one batch a
    /// single smaller one; all batches have the same size.
    pub fn new(sources: Vec<Tokens>, batch: usize, context: usize, count: usize) -> Result<Self, DataError> {
        let of = |tokens: &Tokens| tokens.windows(context, Part::Validation);
        let mut windows: Vec<usize> = sources.iter().map(|tokens| of(tokens).unwrap_or(0)).collect();
        let total: usize = windows.iter().sum();
        if total == 0 {
            // Too little of all of them: of the largest it is said how much is missing.
            if let Some(largest) = sources.iter().max_by_key(|tokens| tokens.len()) {
                of(largest)?;
            }
            windows.clear();
        }
        let batch = batch.clamp(1, total.max(1));
        let count = count.clamp(1, (total / batch).max(1));
        Ok(Self { sources, windows, batch, context, count })
    }

    /// How many batches there are, at least one.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Batch `index`, modulo their count.
    pub fn batch(&self, index: usize) -> Result<Batch, DataError> {
        let total: usize = self.windows.iter().sum();
        let rows = (0..self.batch).map(|row| {
            let place = (index % self.count) * self.batch + row;
            let mut window = place * total / (self.count * self.batch);
            let source = self.windows.iter().position(|&windows| {
                let is_here = window < windows;
                window -= if is_here { 0 } else { windows };
                is_here
            });
            self.sources[source.unwrap_or_default()].read(window * self.context, self.context + 1)
        });
        Ok(Batch::of(&rows.collect::<Result<Vec<_>, _>>()?, self.context))
    }

    /// All batches, in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<Batch, DataError>> + '_ {
        (0..self.count).map(|index| self.batch(index))
    }

    /// Tokens there are to be measured on.
    pub fn tokens(&self) -> usize {
        self.sources.iter().map(Tokens::len).sum()
    }

    /// Bytes of text that one of them stands for on average.
    pub fn bytes_per_token(&self) -> f64 {
        let bytes: u64 = self.sources.iter().map(Tokens::bytes).sum();
        match self.tokens() {
            0 => 1.0,
            tokens => bytes as f64 / tokens as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::tokenizer::Lost;

    /// A source of so many distinct tokens.
    fn tokens(range: std::ops::Range<u32>) -> Tokens {
        Tokens::in_memory(range.clone().collect(), 1, range.len() as u64, Lost::default())
    }

    fn batches(sources: &[u32], weights: &[f64], seed: u64, batch: usize, context: usize) -> TrainBatches {
        let mut start = 0;
        let sources = sources.iter().map(|&length| {
            start += length;
            tokens(start - length..start)
        });
        TrainBatches::new(sources.collect(), weights, seed, batch, context).unwrap()
    }

    fn row(batch: &Batch, row: usize) -> (&[i32], &[i32]) {
        let range = row * batch.context..(row + 1) * batch.context;
        (&batch.inputs[range.clone()], &batch.targets[range])
    }

    #[test]
    fn targets_are_inputs_shifted_by_one() {
        let batch = batches(&[50], &[], 1, 3, 8).batch(0).unwrap();
        assert_eq!(batch.inputs.len(), 24);
        for index in 0..3 {
            let (inputs, targets) = row(&batch, index);
            assert_eq!(inputs[1..], targets[..7]);
            assert_eq!(targets[7], inputs[7] + 1);
        }
    }

    #[test]
    fn epochs_and_seeds_have_different_orders() {
        let of = |seed| batches(&[800], &[], seed, 70, 11);
        assert_eq!(of(1).windows(), 72);
        assert_ne!(of(1).batch(0).unwrap(), of(1).batch(1).unwrap());
        assert_ne!(of(1).batch(0).unwrap(), of(2).batch(0).unwrap());
    }

    #[test]
    fn too_little_text_says_how_much_is_needed() {
        let error = TrainBatches::new(vec![tokens(0..8)], &[], 1, 1, 8).unwrap_err();
        assert_eq!(error.code(), "coec::data::too_small");
        assert_eq!(error.to_string(), "the training part has 8 tokens, and one sequence needs 9");
        let error = ValidationBatches::new(vec![tokens(0..0)], 1, 8, 1).unwrap_err();
        assert_eq!(error.to_string(), "the validation part has 0 tokens, and one sequence needs 9");
    }

    #[test]
    fn validation_uses_what_there_is_once() {
        let validation = ValidationBatches::new(vec![tokens(0..81)], 4, 8, 100).unwrap();
        assert_eq!((validation.windows.as_slice(), validation.count()), (&[10][..], 2));
        let firsts: Vec<i32> = validation
            .iter()
            .flat_map(|batch| {
                let batch = batch.unwrap();
                (0..4).map(|index| row(&batch, index).0[0]).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(firsts, [0, 8, 16, 24, 40, 48, 56, 64]);
        let small = ValidationBatches::new(vec![tokens(0..20)], 64, 8, 4).unwrap();
        assert_eq!((small.count(), small.batch(0).unwrap().sequences), (1, 2));
    }

    #[test]
    fn sources_have_their_shares_in_every_block() {
        let batches = batches(&[4000, 900], &[0.7, 0.3], 3, 64, 8);
        let mut counts = [0usize; 2];
        for step in 0..(BLOCK as usize / 64) {
            let batch = batches.batch(step).unwrap();
            (0..64).for_each(|index| counts[usize::from(row(&batch, index).0[0] >= 4000)] += 1);
        }
        assert_eq!(counts, [2867, 1229]);
        assert_eq!(shares(&[1.0, 1.0, 1.0]).iter().sum::<u64>(), BLOCK);
        assert_eq!(shares(&[0.0, 2.0]), [0, BLOCK]);
    }

    proptest! {
        #[test]
        fn a_batch_depends_on_seed_and_step_alone(
            lengths in prop::collection::vec(9u32..60, 1..4), seed: u64,
            steps in prop::collection::vec(0usize..50, 1..8)
        ) {
            let asked_often = batches(&lengths, &[], seed, 3, 4);
            for step in steps {
                let fresh = batches(&lengths, &[], seed, 3, 4).batch(step).unwrap();
                prop_assert_eq!(asked_often.batch(step).unwrap(), fresh);
            }
        }

        #[test]
        fn an_epoch_gives_each_token_at_most_once_as_a_target(
            lengths in prop::collection::vec(9u32..60, 1..4), seed: u64
        ) {
            let batches = batches(&lengths, &[], seed, 1, 4);
            let mut seen = HashMap::new();
            for step in 0..batches.windows() as usize {
                for target in batches.batch(step).unwrap().targets {
                    *seen.entry(target).or_insert(0) += 1;
                }
            }
            prop_assert!(seen.values().all(|&count| count == 1));
            let expected: u32 = lengths.iter().map(|length| (length - 1) / 4 * 4).sum();
            prop_assert_eq!(seen.len(), expected as usize);
        }
    }
}
