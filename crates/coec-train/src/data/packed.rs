//! Documents as one run of tokens, cut into sequences.
//!
//! Each document is followed by the separator. A sequence is a window of
//! `context + 1` tokens: all but the last are inputs, all but the first are targets. Windows
//! overlap by that one token, so that each token but the first is a target
//! once; the rest of an epoch too short for a window is left out. Nothing is
//! padded or masked, and a window may span documents.
//!
//! In training, each epoch has its own order of documents and its own order of
//! windows, drawn from (seed, epoch). A batch is therefore a function of (seed,
//! step), and a run resumes exactly at any step with nothing saved.

use super::{DataError, Part, Purpose, Stream};
use crate::tokenizer::{Tokenizer, TokenizerError};

/// Documents tokenised together; bounds the memory that text and tokens take at once.
const CHUNK: usize = 1024;

/// A part of the data as tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// All documents, one after the other, each with its separator.
    ids: Vec<u32>,
    /// Where each document starts, and the end.
    starts: Vec<usize>,
    bytes: usize,
}

impl Tokens {
    /// Tokenises `documents`.
    pub fn encode(documents: &[String], tokenizer: &Tokenizer) -> Result<Self, TokenizerError> {
        let mut tokens = Self { ids: Vec::new(), starts: vec![0], bytes: 0 };
        for chunk in documents.chunks(CHUNK) {
            for (ids, document) in tokenizer.encode_all(chunk)?.into_iter().zip(chunk) {
                tokens.push(&ids, document.len(), tokenizer.separator());
            }
        }
        Ok(tokens)
    }

    fn push(&mut self, ids: &[u32], bytes: usize, separator: Option<u32>) {
        self.ids.extend_from_slice(ids);
        self.ids.extend(separator);
        self.starts.push(self.ids.len());
        self.bytes += bytes + usize::from(separator.is_some());
    }

    /// Tokens, separators included.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Documents.
    pub fn documents(&self) -> usize {
        self.starts.len() - 1
    }

    /// Bytes of text that a token stands for on average, a separator counting as one byte.
    ///
    /// A loss in nats a token, divided by this, is in nats a byte, which can be
    /// compared between tokenizers. For bytes it is exactly 1.
    pub fn bytes_per_token(&self) -> f64 {
        match self.len() {
            0 => 1.0,
            tokens => self.bytes as f64 / tokens as f64,
        }
    }

    /// Windows of `context + 1` tokens, of which there must be one.
    fn windows(&self, context: usize, part: Part) -> Result<usize, DataError> {
        let windows = self.len().saturating_sub(1).checked_div(context).unwrap_or(0);
        match windows {
            0 => Err(DataError::TooSmall { part, tokens: self.len(), needed: context.saturating_add(1) }),
            windows => Ok(windows),
        }
    }
}

/// Sequences to learn from or to be measured on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// `[sequences, context]`, row by row.
    pub inputs: Vec<i32>,
    /// The token that follows each input, in the same layout.
    pub targets: Vec<i32>,
    /// Rows.
    pub sequences: usize,
    /// Tokens a row.
    pub context: usize,
}

impl Batch {
    pub(super) fn with_capacity(sequences: usize, context: usize) -> Self {
        let tokens = Vec::with_capacity(sequences * context);
        Self { inputs: tokens.clone(), targets: tokens, sequences: 0, context }
    }

    /// Adds a window of `context + 1` tokens as a row.
    pub(super) fn push(&mut self, window: impl Iterator<Item = u32>) {
        let start = self.inputs.len();
        let mut window = window.map(|id| id as i32);
        let first = window.next();
        self.targets.extend(window);
        self.inputs.extend(first);
        self.inputs.extend_from_slice(&self.targets[start..self.targets.len() - 1]);
        self.sequences += 1;
    }

    /// The batch in `count` parts of equal size, as gradient accumulation takes it.
    ///
    /// The last part is smaller when `count` does not divide the sequences.
    pub fn parts(&self, count: usize) -> impl Iterator<Item = Self> {
        let rows = self.sequences.div_ceil(count.max(1)).max(1);
        let length = rows * self.context;
        self.inputs.chunks(length).zip(self.targets.chunks(length)).map(|(inputs, targets)| Self {
            inputs: inputs.to_vec(),
            targets: targets.to_vec(),
            sequences: inputs.len() / self.context,
            context: self.context,
        })
    }
}

/// The batches of a training run.
#[derive(Debug, Clone)]
pub struct TrainBatches {
    tokens: Tokens,
    seed: u64,
    batch: usize,
    context: usize,
    windows: usize,
    /// The epoch last drawn from: kept because it is needed again, computed from (seed, epoch).
    epoch: Option<Epoch>,
}

/// The order of one epoch.
#[derive(Debug, Clone)]
struct Epoch {
    number: u64,
    /// Documents in order.
    documents: Vec<u32>,
    /// Where each of them starts in the epoch's run of tokens.
    starts: Vec<usize>,
    /// Windows in order.
    windows: Vec<u32>,
}

impl Epoch {
    fn new(tokens: &Tokens, windows: usize, seed: u64, number: u64) -> Self {
        let mut documents: Vec<u32> = (0..tokens.documents() as u32).collect();
        Stream::new(seed, number, Purpose::Documents).shuffle(&mut documents);
        let mut end = 0;
        let starts = documents.iter().map(|&document| {
            let start = end;
            end += tokens.starts[document as usize + 1] - tokens.starts[document as usize];
            start
        });
        let starts = starts.collect();
        let mut windows: Vec<u32> = (0..windows as u32).collect();
        Stream::new(seed, number, Purpose::Windows).shuffle(&mut windows);
        Self { number, documents, starts, windows }
    }

    /// The epoch's tokens from `start` on.
    fn tokens<'a>(&'a self, tokens: &'a Tokens, start: usize) -> impl Iterator<Item = u32> + 'a {
        // The last document that starts at or before `start`; empty documents may share a start.
        let first = self.starts.partition_point(|&at| at <= start).saturating_sub(1);
        let skip = start - self.starts[first];
        let documents = self.documents[first..].iter().flat_map(|&document| {
            tokens.ids[tokens.starts[document as usize]..tokens.starts[document as usize + 1]].iter().copied()
        });
        documents.skip(skip)
    }
}

impl TrainBatches {
    /// Batches of `batch` sequences of `context` tokens.
    pub fn new(tokens: Tokens, seed: u64, batch: usize, context: usize) -> Result<Self, DataError> {
        let windows = tokens.windows(context, Part::Train)?;
        Ok(Self { tokens, seed, batch, context, windows, epoch: None })
    }

    /// The batch of a step, from 0: the same whatever was asked for before.
    pub fn batch(&mut self, step: usize) -> Batch {
        let mut batch = Batch::with_capacity(self.batch, self.context);
        for row in 0..self.batch as u64 {
            let index = step as u64 * self.batch as u64 + row;
            let (number, place) = (index / self.windows as u64, (index % self.windows as u64) as usize);
            let epoch = match self.epoch.take() {
                Some(epoch) if epoch.number == number => epoch,
                _ => Epoch::new(&self.tokens, self.windows, self.seed, number),
            };
            let start = epoch.windows[place] as usize * self.context;
            batch.push(epoch.tokens(&self.tokens, start).take(self.context + 1));
            self.epoch = Some(epoch);
        }
        batch
    }

    /// The tokens drawn from.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Passes over the data that `steps` steps make.
    pub fn epochs(&self, steps: usize) -> f64 {
        steps as f64 * self.batch as f64 / self.windows as f64
    }
}

/// The batches of an evaluation: always the same ones.
#[derive(Debug, Clone)]
pub struct ValidationBatches {
    tokens: Tokens,
    batch: usize,
    context: usize,
    windows: usize,
    count: usize,
}

impl ValidationBatches {
    /// At most `count` batches of `batch` sequences, spread evenly over the text, no sequence twice.
    ///
    /// Text for fewer batches gives fewer, and text for less than one batch a
    /// single smaller one; all batches have the same size.
    pub fn new(tokens: Tokens, batch: usize, context: usize, count: usize) -> Result<Self, DataError> {
        let windows = tokens.windows(context, Part::Validation)?;
        let batch = batch.clamp(1, windows);
        let count = count.clamp(1, windows / batch);
        Ok(Self { tokens, batch, context, windows, count })
    }

    /// How many batches there are, at least one.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Batch `index`, modulo their count.
    pub fn batch(&self, index: usize) -> Batch {
        let mut batch = Batch::with_capacity(self.batch, self.context);
        for row in 0..self.batch {
            let place = (index % self.count) * self.batch + row;
            let window = place * self.windows / (self.count * self.batch);
            let start = window * self.context;
            batch.push(self.tokens.ids[start..=start + self.context].iter().copied());
        }
        batch
    }

    /// All batches, in order.
    pub fn iter(&self) -> impl Iterator<Item = Batch> + '_ {
        (0..self.count).map(|index| self.batch(index))
    }

    /// The tokens drawn from.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Documents of given lengths, every token distinct, no separator.
    fn tokens(lengths: &[usize]) -> Tokens {
        let mut tokens = Tokens { ids: Vec::new(), starts: vec![0], bytes: 0 };
        for &length in lengths {
            let next = tokens.len() as u32;
            tokens.push(&(next..next + length as u32).collect::<Vec<_>>(), length, None);
        }
        tokens
    }

    fn row(batch: &Batch, row: usize) -> (&[i32], &[i32]) {
        let range = row * batch.context..(row + 1) * batch.context;
        (&batch.inputs[range.clone()], &batch.targets[range])
    }

    #[test]
    fn documents_are_followed_by_the_separator() {
        let tokens = Tokens::encode(&["ab".into(), "c".into()], &Tokenizer::Bytes).unwrap();
        assert_eq!(tokens.ids, [97, 98, 0, 99, 0]);
        assert_eq!(tokens.documents(), 2);
        assert_eq!(tokens.bytes_per_token(), 1.0);
    }

    #[test]
    fn targets_are_inputs_shifted_by_one() {
        let batch = TrainBatches::new(tokens(&[50]), 1, 3, 8).unwrap().batch(0);
        assert_eq!(batch.inputs.len(), 24);
        for index in 0..3 {
            let (inputs, targets) = row(&batch, index);
            assert_eq!(inputs[1..], targets[..7]);
            assert_eq!(targets[7], inputs[7] + 1);
        }
    }

    #[test]
    fn epochs_have_different_orders() {
        let mut batches = TrainBatches::new(tokens(&[10; 8]), 1, 7, 11).unwrap();
        assert_eq!(batches.windows, 7);
        assert_ne!(batches.batch(0), batches.batch(1));
    }

    #[test]
    fn seeds_have_different_orders() {
        let batch = |seed| TrainBatches::new(tokens(&[10; 8]), seed, 4, 8).unwrap().batch(0);
        assert_ne!(batch(1), batch(2));
    }

    #[test]
    fn too_little_text_says_how_much_is_needed() {
        let error = TrainBatches::new(tokens(&[8]), 1, 1, 8).unwrap_err();
        assert_eq!(error.code(), "coec::data::too_small");
        assert_eq!(error.to_string(), "the training part has 8 tokens, and one sequence needs 9");
        let error = ValidationBatches::new(tokens(&[]), 1, 8, 1).unwrap_err();
        assert_eq!(error.to_string(), "the validation part has 0 tokens, and one sequence needs 9");
    }

    #[test]
    fn parts_of_a_batch_are_the_batch() {
        let batch = TrainBatches::new(tokens(&[200]), 1, 6, 8).unwrap().batch(0);
        let parts: Vec<Batch> = batch.parts(3).collect();
        assert_eq!(parts.len(), 3);
        assert!(parts.iter().all(|part| part.sequences == 2));
        assert_eq!(parts.iter().flat_map(|part| part.targets.clone()).collect::<Vec<_>>(), batch.targets);
    }

    #[test]
    fn validation_uses_what_there_is_once() {
        let validation = ValidationBatches::new(tokens(&[30, 51]), 4, 8, 100).unwrap();
        assert_eq!((validation.windows, validation.count()), (10, 2));
        let firsts: Vec<i32> = validation
            .iter()
            .flat_map(|batch| (0..4).map(move |index| row(&batch, index).0[0]).collect::<Vec<_>>())
            .collect();
        assert_eq!(firsts, [0, 8, 16, 24, 40, 48, 56, 64].map(|first| first));
    }

    #[test]
    fn less_than_a_batch_of_validation_makes_a_smaller_one() {
        let validation = ValidationBatches::new(tokens(&[20]), 64, 8, 4).unwrap();
        assert_eq!((validation.count(), validation.batch(0).sequences), (1, 2));
    }

    proptest! {
        #[test]
        fn a_batch_depends_on_seed_and_step_alone(
            lengths in prop::collection::vec(0usize..20, 1..12), seed: u64, steps in prop::collection::vec(0usize..50, 1..8)
        ) {
            let Ok(mut batches) = TrainBatches::new(tokens(&lengths), seed, 3, 4) else { return Ok(()) };
            for step in steps {
                let fresh = TrainBatches::new(tokens(&lengths), seed, 3, 4).unwrap().batch(step);
                prop_assert_eq!(batches.batch(step), fresh);
            }
        }

        #[test]
        fn an_epoch_gives_each_token_at_most_once_as_a_target(
            lengths in prop::collection::vec(0usize..30, 1..12), seed: u64
        ) {
            let all = tokens(&lengths);
            let Ok(mut batches) = TrainBatches::new(all.clone(), seed, 1, 4) else { return Ok(()) };
            let mut seen = HashMap::new();
            for step in 0..batches.windows {
                for target in batches.batch(step).targets {
                    *seen.entry(target).or_insert(0) += 1;
                }
            }
            prop_assert!(seen.values().all(|&count| count == 1));
            prop_assert_eq!(seen.len(), (all.len() - 1) / 4 * 4);
        }
    }
}
