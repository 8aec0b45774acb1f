//! Matrices in blocks, each with a factor.

use super::convert::to_f32;
use super::{Weights, WeightsError};

/// The factors of a matrix, or of several of one size: each is that of a block of the matrix. Blocks at the
/// right and lower edges may be partial.
#[derive(Debug, Clone)]
pub struct Factors {
    factors: Vec<f64>,
    block: [usize; 2],
    rows: usize,
    columns: usize,
}

/// Elements of one row that have one factor.
pub(super) struct Run {
    pub factor: f64,
    pub count: usize,
}

impl Factors {
    /// The shape that the factors of a tensor have, whose blocks have so many rows and columns.
    pub fn shape(tensor: &[usize], [rows, columns]: [usize; 2]) -> Option<Vec<usize>> {
        let [leading @ .., height, width] = tensor else { return None };
        Some([leading, &[height.div_ceil(rows), width.div_ceil(columns)]].concat())
    }

    /// Those of a tensor, in the order of [`Factors::shape`]; none, if they are not as many.
    pub fn new(factors: Vec<f64>, tensor: &[usize], block: [usize; 2]) -> Option<Self> {
        let count = Self::shape(tensor, block)?.iter().product::<usize>();
        match *tensor {
            [.., rows, columns] if factors.len() == count => Some(Self { factors, block, rows, columns }),
            _ => None,
        }
    }

    /// Those that divide each column of a matrix by its length and `least` more.
    pub fn of_unit_columns(weights: &Weights, name: &str, least: f64) -> Result<Self, WeightsError> {
        let &[rows, columns] = weights.shape(name)? else {
            return Err(weights.misshapen(name, "is no matrix"));
        };
        let (dtype, mut squares, mut at) = (weights.dtype(name)?, vec![0.0f64; columns], 0);
        weights.read(name, 0..weights.len(name)?, &mut |piece| {
            for number in to_f32(dtype, piece).unwrap_or_default() {
                squares[at % columns] += f64::from(number) * f64::from(number);
                at += 1;
            }
            Ok(())
        })?;
        let factors = squares.into_iter().map(|square| 1.0 / (square.sqrt() + least)).collect();
        Ok(Self { factors, block: [rows.max(1), 1], rows, columns })
    }

    /// The runs that so many elements from one on are.
    pub(super) fn runs(&self, from: usize, count: usize) -> impl Iterator<Item = Run> + '_ {
        let [height, width] = self.block;
        let (down, across) = (self.rows.div_ceil(height), self.columns.div_ceil(width));
        let mut at = from;
        std::iter::from_fn(move || {
            let left = (from + count).checked_sub(at).filter(|&left| left > 0)?;
            let (row, column) = (at / self.columns, at % self.columns);
            let (matrix, row) = (row / self.rows, row % self.rows);
            let factor = self.factors.get((matrix * down + row / height) * across + column / width)?;
            let end = (column / width + 1).saturating_mul(width).min(self.columns);
            let count = left.min(end - column);
            at += count;
            Some(Run { factor: *factor, count })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the definition, element by element: the factor of (i, j) is that of block (i / h, j / w).
    #[test]
    fn each_element_has_the_factor_of_its_block() {
        for (matrices, rows, columns, block) in [
            (1, 5, 7, [2, 3]),
            (3, 4, 4, [2, 2]),
            (2, 3, 5, [128, 128]),
            (1, 1, 9, [1, 4]),
            (2, 6, 1, [4, 4]),
        ] {
            let tensor = [matrices, rows, columns];
            let shape = Factors::shape(&tensor, block).unwrap();
            let [_, down, across] = shape[..] else { panic!("{shape:?}") };
            let numbers: Vec<f64> = (0..matrices * down * across).map(|n| n as f64).collect();
            let factors = Factors::new(numbers.clone(), &tensor, block).unwrap();
            let all = matrices * rows * columns;
            let expected: Vec<f64> = (0..all)
                .map(|at| {
                    let (m, i, j) = (at / (rows * columns), at / columns % rows, at % columns);
                    numbers[(m * down + i / block[0]) * across + j / block[1]]
                })
                .collect();
            for from in 0..all {
                for to in from..=all {
                    let runs = factors.runs(from, to - from);
                    let found: Vec<f64> = runs.flat_map(|run| vec![run.factor; run.count]).collect();
                    assert_eq!(found, expected[from..to], "{tensor:?} {block:?} {from}..{to}");
                }
            }
        }
    }

    #[test]
    fn columns_of_length_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.safetensors");
        let head: [f32; 6] = [3.0, 0.0, -1.0, 4.0, 0.0, 1.0];
        crate::weights::write(&path, &[("w", &[2, 3], crate::weights::Values::F32(&head))], &[]).unwrap();
        let weights = Weights::open(&path).unwrap();
        let factors = Factors::of_unit_columns(&weights, "w", 0.5).unwrap();
        let found: Vec<f64> = factors.runs(0, 6).flat_map(|run| vec![run.factor; run.count]).collect();
        let row = [1.0 / 5.5, 2.0, 1.0 / (2f64.sqrt() + 0.5)];
        assert_eq!(found, [row, row].concat());
    }

    #[test]
    fn factors_are_as_many_as_blocks() {
        assert_eq!(Factors::shape(&[257, 128], [128, 128]), Some(vec![3, 1]));
        assert_eq!(Factors::shape(&[8, 257, 1], [128, 128]), Some(vec![8, 3, 1]));
        assert_eq!(Factors::shape(&[257], [128, 128]), None);
        assert!(Factors::new(vec![1.0; 2], &[257, 128], [128, 128]).is_none());
        assert!(Factors::new(vec![1.0; 3], &[257], [128, 128]).is_none());
    }
}
