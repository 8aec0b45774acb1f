//! The gradients of the experts' weights.

use std::ops::Range;

use rayon::prelude::*;

use super::routing::{Routing, Tile};
use crate::cpu::{Multiply, Rows, Scratch};

/// Rows of a weight's gradient that one task makes.
const TASK: usize = 512;
/// The same where they are added to a sum: what is made of them first stays in the second cache.
const TASK_OF_SUMS: usize = 128;

/// Makes some rows of a gradient from a block of an expert's rows, or adds to them.
type Add<'a, T> = dyn Fn(&Tile, &mut Rows<'_, T>, Range<usize>, bool) + Sync + 'a;

/// The gradient of the experts' weights, each `[rows, cols]`, which has yet to be made.
pub(super) struct WeightGrad<'a, T> {
    routing: &'a Routing,
    blocks: &'a [Tile],
    size: [usize; 2],
    add: Box<Add<'a, T>>,
}

impl<'a, T: Multiply> WeightGrad<'a, T> {
    /// Weights of `size`, where each block of an expert's rows has a part in the gradient that `add` adds to
    /// what it is given, or sets where it is the first.
    pub fn new(
        routing: &'a Routing,
        blocks: &'a [Tile],
        size: [usize; 2],
        add: impl Fn(&Tile, &mut Rows<'_, T>, Range<usize>, bool) + Sync + 'a,
    ) -> Self {
        Self { routing, blocks, size, add: Box::new(add) }
    }

    /// Writes the gradient to `grad` `[E, rows, cols]`.
    pub fn write_to(&self, grad: &mut [T]) {
        self.each_task(grad, TASK, |blocks, to, rows| {
            if !self.whole(blocks, to, rows) {
                to.fill(T::ZERO);
            }
        });
    }

    /// Adds the gradient to `sum` `[E, rows, cols]`. Each element is made whole before it is added, so that
    /// the sum is that of two tensors.
    pub fn add_to(&self, sum: &mut [T]) {
        self.each_task(sum, TASK_OF_SUMS, |blocks, to, rows| {
            let [count, cols] = to.size();
            let mut grad = Scratch::new(count * cols);
            let grad = grad.as_mut_slice();
            if self.whole(blocks, &mut Rows::new(grad, count, cols), rows) {
                to.add(grad);
            }
        });
    }

    /// Sets rows of the gradient from all blocks of their expert; no when there is none.
    fn whole(&self, blocks: &[Tile], to: &mut Rows<'_, T>, rows: Range<usize>) -> bool {
        for (number, block) in blocks.iter().enumerate() {
            (self.add)(block, to, rows.clone(), number > 0);
        }
        !blocks.is_empty()
    }

    /// Has `most` rows or fewer of each expert's `[rows, cols]` worked on, with the blocks of its rows.
    fn each_task(
        &self,
        all: &mut [T],
        most: usize,
        work: impl Fn(&[Tile], &mut Rows<'_, T>, Range<usize>) + Sync,
    ) {
        let [rows, cols] = self.size;
        let experts = self.routing.starts.len() - 1;
        // Few experts: their rows are shared among the threads, with few copies of what they are multiplied with.
        let task = (experts * rows).div_ceil(4 * rayon::current_num_threads()).next_multiple_of(64).min(most);
        all.par_chunks_exact_mut(rows * cols).enumerate().with_max_len(1).for_each(|(expert, own)| {
            let first = self.blocks.partition_point(|block| block.expert < expert);
            let count = self.blocks[first..].partition_point(|block| block.expert == expert);
            let blocks = &self.blocks[first..first + count];
            Rows::new(own, rows, cols).parts([task, cols]).into_par_iter().with_max_len(1).for_each(
                |mut part| {
                    let range = part.row..part.row + part.to.size()[0];
                    work(blocks, &mut part.to, range);
                },
            );
        });
    }
}
