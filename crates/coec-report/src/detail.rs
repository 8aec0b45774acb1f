//! How much of everything is drawn.

/// The most of each thing on a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Points of a curve over steps.
    pub points: usize,
    /// Points of a curve over evaluations.
    pub evaluations: usize,
    /// Arms that have a line.
    pub arms: usize,
    /// Runs that are shown one by one.
    pub runs: usize,
    /// Runs that are shown unfolded.
    pub open: usize,
    /// Routings of a run whose load is drawn.
    pub rows: usize,
    /// Squares of a run that show which expert follows which.
    pub squares: usize,
    /// Pairs in such a square.
    pub pairs: usize,
    /// Tensors of a run that are listed by name.
    pub tensors: usize,
    /// Rows of a table.
    pub table: usize,
    /// Models that are drawn.
    pub drawings: usize,
    /// Characters of a spec, and of a sample.
    pub spec: usize,
    /// Characters of a sample.
    pub sample: usize,
    /// Samples of a run.
    pub samples: usize,
    /// Characters of a name.
    pub name: usize,
}

impl Detail {
    /// All that is of use to the eye.
    const FULL: Self = Self {
        points: 240,
        evaluations: 120,
        arms: 40,
        runs: 60,
        open: 3,
        rows: 48,
        squares: 24,
        pairs: 1024,
        tensors: 4000,
        table: 120,
        drawings: 20,
        spec: 20_000,
        sample: 2000,
        samples: 12,
        name: 160,
    };

    /// Ever less of it: what is not seen at first goes first.
    pub const LEVELS: [Self; 6] = [
        Self::FULL,
        Self { points: 180, evaluations: 80, tensors: 400, spec: 8000, rows: 32, squares: 12, ..Self::FULL },
        Self { tensors: 40, pairs: 512, squares: 6, ..Self::reduced(2) },
        Self { tensors: 0, pairs: 256, squares: 4, ..Self::reduced(3) },
        Self { tensors: 0, pairs: 128, squares: 2, name: 80, ..Self::reduced(5) },
        Self { tensors: 0, pairs: 64, squares: 1, name: 60, drawings: 1, table: 30, ..Self::reduced(10) },
    ];

    /// A share of everything.
    const fn reduced(by: usize) -> Self {
        let full = Self::FULL;
        Self {
            points: full.points / by,
            evaluations: full.evaluations / by,
            arms: 24,
            runs: full.runs / by,
            open: full.open,
            rows: full.rows / by,
            squares: full.squares / by,
            pairs: full.pairs / by,
            tensors: 0,
            table: full.table / by,
            drawings: full.drawings / by,
            spec: full.spec / (2 * by),
            sample: full.sample / by,
            samples: full.samples / by + 1,
            name: full.name,
        }
    }
}

/// At most `most` of `count` things, evenly spread, the first and the last among them.
pub fn spread(count: usize, most: usize) -> Vec<usize> {
    match (count, most) {
        (_, 0) => Vec::new(),
        (count, most) if count <= most => (0..count).collect(),
        (count, 1) => vec![count - 1],
        (count, most) => (0..most).map(|place| place * (count - 1) / (most - 1)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_has_both_ends() {
        assert_eq!(spread(3, 5), [0, 1, 2]);
        assert_eq!(spread(101, 5), [0, 25, 50, 75, 100]);
        assert_eq!(spread(7, 1), [6]);
        assert!(spread(7, 0).is_empty());
    }
}
