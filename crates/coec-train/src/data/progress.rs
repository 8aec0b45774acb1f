//! How far data is on its way to tokens.

/// What is done with data, and how much of it, in bytes of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It is read through, to know what there is: so much of it so far.
    Reading {
        /// Bytes done.
        done: u64,
    },
    /// A tokenizer learns from it.
    Learning {
        /// Bytes done.
        done: u64,
        /// Bytes there are, those that are held out included.
        of: u64,
    },
    /// It becomes tokens, which are not in the cache yet.
    Tokenising {
        /// Bytes done.
        done: u64,
        /// Bytes there are.
        of: u64,
    },
}

/// Bytes between two calls at least.
const STEP: u64 = 1 << 20;

/// Tells of bytes as they add up, and not of each.
pub(super) struct Counter<'a> {
    done: u64,
    told: u64,
    tell: &'a mut dyn FnMut(u64),
}

impl<'a> Counter<'a> {
    pub fn new(tell: &'a mut dyn FnMut(u64)) -> Self {
        Self { done: 0, told: 0, tell }
    }

    pub fn add(&mut self, bytes: usize) {
        self.done += bytes as u64;
        if self.done >= self.told + STEP {
            self.told = self.done;
            (self.tell)(self.done);
        }
    }
}
