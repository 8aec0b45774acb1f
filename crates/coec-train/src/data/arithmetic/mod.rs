//! The built-in data set: grade-school word problems with worked answers.
//!
//! ```text
//! Ana has 7 apples. She buys 5 more and gives 3 away. How many apples does Ana have?
//! 7 + 5 = 12. 12 - 3 = 9. The answer is 9.
//! ```
//!
//! An endless supply, in a fixed order for each seed. The data set of a spec is
//! the same in every run, whatever the run's seed, so that two runs learn from
//! and are measured on the same text. A problem's own text decides whether it is held out
//! ([`is_held_out`](super::is_held_out)), so no seed can put one on both sides.

mod draw;
mod templates;

use std::collections::HashSet;

use super::{Purpose, Stream};
use draw::Draw;

/// A question and its worked answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Problem {
    /// One line of prose that ends in a question.
    pub question: String,
    /// One line of equations that ends in the answer.
    pub answer: String,
}

impl Problem {
    /// Both, as a document: two lines.
    pub fn text(&self) -> String {
        format!("{}\n{}\n", self.question, self.answer)
    }
}

/// Distinct problems of the data set, held-out ones included.
const PROBLEMS: usize = 8192;

/// Their seed.
const SEED: u64 = 0;

/// Problem `index` of `seed`. Different indices may give the same problem.
pub fn problem(seed: u64, index: u64) -> Problem {
    let mut draw = Draw::new(Stream::new(seed, index, Purpose::Problem));
    let template = draw.pick(templates::ALL);
    template(&mut draw)
}

/// The first `count` distinct problems of `seed` (fewer, should it run out of new ones).
pub fn problems(seed: u64, count: usize) -> Vec<Problem> {
    let mut seen = HashSet::with_capacity(count);
    let tries = 16 * count as u64;
    (0..tries)
        .map(|index| problem(seed, index))
        .filter(|problem| seen.insert(problem.clone()))
        .take(count)
        .collect()
}

/// The documents of the data set.
pub(crate) fn documents() -> Vec<String> {
    problems(SEED, PROBLEMS).iter().map(Problem::text).collect()
}

#[cfg(test)]
mod tests;
