//! The output and the error stream: everything that is printed goes through here.
//!
//! A write that fails does not end the command, whose files are worth having all the same. The first
//! failure is kept, and decides in the end how the process exits.
//!
//! While a picture moves on the error stream, whatever is printed is printed above it.

use std::io::{self, Write};
use std::sync::OnceLock;

#[cfg(feature = "train")]
pub use picture::{draw, draw_below, keep_below};

use super::terminal::Stream;

/// Why the output lacks something.
#[derive(Debug)]
pub enum Lost {
    /// Whoever read it has read enough.
    Closed,
    /// The system refuses to write, and says why.
    Unwritable(String),
}

/// The first failure to write to the output.
static LOST: OnceLock<Lost> = OnceLock::new();

/// Prints text of a command's result.
pub fn text(text: &str) {
    print(&[text]);
}

/// Prints a line of a command's result.
pub fn line(text: &str) {
    print(&[text, "\n"]);
}

fn print(parts: &[&str]) {
    if is_closed() {
        return;
    }
    above(Stream::Output, || {
        let mut output = io::stdout().lock();
        keep(parts.iter().try_for_each(|part| output.write_all(part.as_bytes())));
    });
}

/// Makes what was printed appear, where it does not end with a line.
pub fn flush() {
    if !is_closed() {
        keep(io::stdout().flush());
    }
}

fn keep(written: io::Result<()>) {
    if let Err(error) = written {
        let lost = match error.kind() {
            io::ErrorKind::BrokenPipe => Lost::Closed,
            _ => Lost::Unwritable(error.to_string()),
        };
        // Later failures follow from the first, or say the same.
        let _ = LOST.set(lost);
    }
}

/// Whether nobody reads the output any more, so that a command may stop to produce it.
pub fn is_closed() -> bool {
    matches!(LOST.get(), Some(Lost::Closed))
}

/// What the output lacks, if it lacks anything, once all of it is written.
pub fn lost() -> Option<&'static Lost> {
    flush();
    LOST.get()
}

/// Prints a line beside a command's result. What cannot be written there can be told nowhere.
pub fn error_line(text: &str) {
    above(Stream::Errors, || write_error(&format!("{text}\n")));
}

fn write_error(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Where a picture may move, it stays below what `print` prints.
fn above(stream: Stream, print: impl FnOnce()) {
    #[cfg(feature = "train")]
    picture::above(stream, print);
    #[cfg(not(feature = "train"))]
    {
        let _ = stream;
        print();
    }
}

#[cfg(feature = "train")]
mod picture {
    use std::io::{self, Write};
    use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

    use super::super::below::{Below, Row};
    use super::{Stream, is_closed, keep, write_error};

    /// What moves below the output, while something does.
    static BELOW: Mutex<Option<Below>> = Mutex::new(None);

    /// Writes to the output what makes a terminal draw, at once.
    pub fn draw(text: &str) {
        if !is_closed() {
            let mut output = io::stdout().lock();
            keep(output.write_all(text.as_bytes()).and_then(|()| output.flush()));
        }
    }

    /// Draws `rows` on the error stream, a terminal, below everything printed so far, in place of those before.
    pub fn draw_below(rows: Vec<Row>) {
        let drawn = below().get_or_insert_default().draw(rows, columns());
        write_error(&drawn);
    }

    /// What was drawn below the output stays as it is, and what is printed comes below it.
    pub fn keep_below() {
        match BELOW.try_lock() {
            Ok(mut below) => *below = None,
            Err(TryLockError::Poisoned(below)) => *below.into_inner() = None,
            // Whoever holds it is the one who asks, in a panic.
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// Prints above what moves, if both are seen in one place.
    pub(super) fn above(stream: Stream, print: impl FnOnce()) {
        let mut below = below();
        match below.as_mut().filter(|_| stream.is_terminal()) {
            Some(below) => {
                write_error(&below.erase(columns()));
                print();
                let again = below.again(columns());
                write_error(&again);
            }
            None => print(),
        }
    }

    fn below() -> MutexGuard<'static, Option<Below>> {
        BELOW.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn columns() -> usize {
        Stream::Errors.size().0
    }
}
