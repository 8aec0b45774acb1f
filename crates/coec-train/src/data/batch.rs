//! Sequences as the model takes them.

use super::store::UNLEARNT;

/// Sequences to learn from or to be measured on.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `[sequences, context]`, row by row.
    pub inputs: Vec<i32>,
    /// The token that follows each input, in the same layout.
    pub targets: Vec<i32>,
    /// What the loss of each target counts, in the same layout; without it, all count the same. They add up
    /// to 1 over a batch, and to as much as there are [`parts`](Self::parts) over those of a batch.
    pub weights: Option<Vec<f32>>,
    /// Rows.
    pub sequences: usize,
    /// Tokens a row.
    pub context: usize,
}

impl Batch {
    /// A batch of windows of `context + 1` marked tokens, all but the last of each inputs and all but the
    /// first targets. Windows overlap by one token, so that each token but the first is a target once.
    pub(super) fn of(windows: &[Vec<u32>], context: usize) -> Self {
        let id = |&id: &u32| (id & !UNLEARNT) as i32;
        let inputs = windows.iter().flat_map(|window| window[..context].iter().map(id)).collect();
        let targets = windows.iter().flat_map(|window| window[1..].iter().map(id)).collect();
        let marks = || windows.iter().flat_map(|window| window[1..].iter().map(|&id| id & UNLEARNT == 0));
        let learnt = marks().filter(|&is_learnt| is_learnt).count();
        let has_prompts = learnt < windows.len() * context;
        let weight = 1.0 / learnt.max(1) as f32;
        let weights =
            has_prompts.then(|| marks().map(|is_learnt| if is_learnt { weight } else { 0.0 }).collect());
        Self { inputs, targets, weights, sequences: windows.len(), context }
    }

    /// The batch in `count` parts of equal size, as gradient accumulation takes it: the mean of their
    /// losses is the loss of the batch.
    ///
    /// The last part is smaller when `count` does not divide the sequences.
    pub fn parts(&self, count: usize) -> impl Iterator<Item = Self> {
        let rows = self.sequences.div_ceil(count.max(1)).max(1);
        let length = rows * self.context;
        let parts = self.sequences.div_ceil(rows) as f32;
        self.inputs.chunks(length).zip(self.targets.chunks(length)).enumerate().map(
            move |(part, (inputs, targets))| Self {
                inputs: inputs.to_vec(),
                targets: targets.to_vec(),
                weights: self.weights.as_ref().map(|weights| {
                    let own = &weights[part * length..part * length + inputs.len()];
                    own.iter().map(|weight| weight * parts).collect()
                }),
                sequences: inputs.len() / self.context,
                context: self.context,
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_read_and_not_learnt() {
        let window = vec![5 | UNLEARNT, 6 | UNLEARNT, 7, 8];
        let batch = Batch::of(&[window, vec![1, 2, 3, 4]], 3);
        assert_eq!(
            (batch.inputs.as_slice(), batch.targets.as_slice()),
            (&[5, 6, 7, 1, 2, 3][..], &[6, 7, 8, 2, 3, 4][..])
        );
        assert_eq!(batch.weights, Some(vec![0.0, 0.2, 0.2, 0.2, 0.2, 0.2]));
        let parts: Vec<_> = batch.parts(2).map(|part| part.weights.unwrap()).collect();
        assert_eq!(parts, [[0.0, 0.4, 0.4], [0.4, 0.4, 0.4]]);
        assert_eq!(Batch::of(&[vec![1, 2]], 1).weights, None);
    }
}
