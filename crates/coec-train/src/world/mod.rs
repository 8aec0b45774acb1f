//! Several ranks that train one model together: what the trainer knows of them, and all it knows.
//!
//! A rank is a process, or in tests a thread, with the whole model. The parts of a batch are dealt to the ranks
//! in order, and their gradients are added in the order of the parts, whoever computed them: so a run is the
//! same, bit for bit, however many ranks share its parts. Everything a rank decides it decides from what
//! all ranks know; files are written by the first rank alone.

mod sum;
mod threads;

use std::fmt::Display;

use thiserror::Error;

pub(crate) use sum::Sum;
pub use threads::Threads;

/// Ranks that can exchange values. Each call is made by all ranks in the same order.
///
/// # Errors
///
/// Each call fails where a rank is gone, on all ranks that are left.
pub trait World {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;

    /// How many ranks there are.
    fn size(&self) -> usize;

    /// Rank `r` gets the `r`-th of as many equal slices of `all` as there are ranks, from every rank: `received`,
    /// as long as `all`, holds them in the order of the ranks.
    fn exchange(&self, all: &[f32], received: &mut [f32]) -> Result<(), WorldError>;

    /// Every rank gets the slice of each, as long on all: `all` holds them in the order of the ranks.
    fn gather(&self, slice: &[f32], all: &mut [f32]) -> Result<(), WorldError>;

    /// The message of each rank, in the order of the ranks. They may differ in length.
    fn messages(&self, message: Vec<u8>) -> Result<Vec<Vec<u8>>, WorldError>;
}

/// A process on its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl World for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn exchange(&self, all: &[f32], received: &mut [f32]) -> Result<(), WorldError> {
        received.copy_from_slice(all);
        Ok(())
    }

    fn gather(&self, slice: &[f32], all: &mut [f32]) -> Result<(), WorldError> {
        all.copy_from_slice(slice);
        Ok(())
    }

    fn messages(&self, message: Vec<u8>) -> Result<Vec<Vec<u8>>, WorldError> {
        Ok(vec![message])
    }
}

/// Why ranks cannot go on together.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum WorldError {
    /// A rank is gone, or cannot be reached.
    #[error("another rank cannot be reached: {0}")]
    Gone(String),
    /// Another rank failed.
    #[error("rank {rank} failed: {reason}")]
    Failed {
        /// The first that did.
        rank: usize,
        /// What it says.
        reason: String,
    },
    /// Ranks that must have the same have not.
    #[error("{} and rank 0 differ in {what}", named(.ranks))]
    Apart {
        /// What they should all have.
        what: &'static str,
        /// Those that have another.
        ranks: Vec<usize>,
    },
    /// More ranks than there is work for.
    #[error("{ranks} ranks cannot share a batch of {parts} part{}", if *.parts == 1 { "" } else { "s" })]
    TooMany {
        /// Ranks there are.
        ranks: usize,
        /// Parts of a batch.
        parts: usize,
    },
}

/// Ranks in words.
fn named(ranks: &[usize]) -> String {
    let numbers: Vec<String> = ranks.iter().map(usize::to_string).collect();
    format!("rank{} {}", if ranks.len() == 1 { "" } else { "s" }, numbers.join(", "))
}

impl WorldError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Gone(_) => "coec::ranks::gone",
            Self::Failed { .. } => "coec::ranks::failed",
            Self::Apart { .. } => "coec::ranks::apart",
            Self::TooMany { .. } => "coec::ranks::too_many",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Gone(_) => {
                "the last commit is on the disk, and `coec train --resume RUN` goes on from it with any number of ranks"
                    .into()
            }
            Self::Failed { .. } => {
                "all ranks need the same coec, files and arguments; a run that has begun goes on from its last \
                 commit with `coec train --resume RUN`"
                    .into()
            }
            Self::Apart { what, .. } if *what == WEIGHTS => {
                "the processors differ in how they round, or one of them is faulty: nothing behind the last commit \
                 is kept; start ranks on machines of one kind"
                    .into()
            }
            Self::Apart { .. } => "all ranks need the same coec, files and arguments".into(),
            Self::TooMany { parts, .. } => format!(
                "start at most {parts} rank{}, or write `accumulate`, the parts of a batch, into the spec of a new \
                 run",
                if *parts == 1 { "" } else { "s" }
            ),
        }
    }
}

/// What ranks compare of their models.
pub(crate) const WEIGHTS: &str = "their weights";

/// `result`, if every rank has one. A rank that fails returns its own error, the others that it failed.
pub fn together<T, E: From<WorldError> + Display>(world: &dyn World, result: Result<T, E>) -> Result<T, E> {
    // Nothing, or a mark and what went wrong.
    let message = result.as_ref().err().map_or_else(Vec::new, |error| format!("!{error}").into_bytes());
    let said = world.messages(message);
    let value = result?;
    let failed =
        said?.iter().enumerate().find_map(|(rank, said)| Some((rank, said.strip_prefix(b"!")?.to_vec())));
    match failed {
        None => Ok(value),
        Some((rank, reason)) => {
            let reason = String::from_utf8_lossy(&reason).into_owned();
            Err(WorldError::Failed { rank, reason }.into())
        }
    }
}

/// Whether one of the ranks says so.
pub(crate) fn any(world: &dyn World, here: bool) -> Result<bool, WorldError> {
    Ok(world.messages(vec![u8::from(here)])?.iter().any(|message| message == &[1]))
}

/// Numbers of all ranks, in the order of the ranks.
pub(crate) fn numbers(world: &dyn World, here: &[f64]) -> Result<Vec<Vec<f64>>, WorldError> {
    let bytes = here.iter().flat_map(|number| number.to_le_bytes()).collect();
    let read = |bytes: &Vec<u8>| {
        let (numbers, _) = bytes.as_chunks::<8>();
        numbers.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect()
    };
    Ok(world.messages(bytes)?.iter().map(read).collect())
}

/// The bytes of the first rank.
pub fn of_first(world: &dyn World, bytes: Vec<u8>) -> Result<Vec<u8>, WorldError> {
    let mine = if world.rank() == 0 { bytes } else { Vec::new() };
    Ok(world.messages(mine)?.swap_remove(0))
}

/// Whether all ranks have the same `bytes`.
///
/// # Errors
///
/// Ranks whose bytes are not those of the first.
pub(crate) fn check_same(world: &dyn World, what: &'static str, bytes: Vec<u8>) -> Result<(), WorldError> {
    let said = world.messages(bytes)?;
    let ranks = ranks_where(&said, |message| message != said[0]);
    if ranks.is_empty() { Ok(()) } else { Err(WorldError::Apart { what, ranks }) }
}

fn ranks_where(messages: &[Vec<u8>], is: impl Fn(&[u8]) -> bool) -> Vec<usize> {
    (0..messages.len()).filter(|&rank| is(&messages[rank])).collect()
}

/// Whether `ranks` can share `parts`.
pub(crate) fn check_parts(ranks: usize, parts: usize) -> Result<(), WorldError> {
    if ranks <= parts { Ok(()) } else { Err(WorldError::TooMany { ranks, parts }) }
}
