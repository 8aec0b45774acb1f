//! The output and the error stream: everything that is printed goes through here.
//!
//! A write that fails does not end the command, whose files are worth having all the same. The first
//! failure is kept, and decides in the end how the process exits.
//!
//! While a picture moves on the error stream, whatever is printed is printed above it.

use std::io::{self, Write};
use std::sync::OnceLock;

#[cfg(feature = "train")]
pub use picture::{draw, draw_below, end_below, freeze_below, keep_below};

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
    use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::super::below::{Below, Row};
    use super::{Stream, is_closed, keep, write_error};

    /// What moves below the output, while something does.
    static BELOW: Mutex<Option<Below>> = Mutex::new(None);

    /// Whether nothing moves any more, whoever still draws.
    static IS_OVER: AtomicBool = AtomicBool::new(false);

    /// Writes to the output what makes a terminal draw, at once.
    pub fn draw(text: &str) {
        if !is_closed() {
            let mut output = io::stdout().lock();
            keep(output.write_all(text.as_bytes()).and_then(|()| output.flush()));
        }
    }

    /// Draws `rows` on the error stream, a terminal, below everything printed so far, in place of those before.
    pub fn draw_below(rows: Vec<Row>) {
        let mut below = below();
        if !IS_OVER.load(Relaxed) {
            write_error(&below.get_or_insert_default().draw(rows, columns()));
        }
    }

    /// The same as [`keep_below`], for somebody whose words are the last of the process.
    pub fn end_below() {
        freeze_below();
        keep_below();
    }

    /// Nothing moves any more. In a panic, whoever is drawing may never come to an end.
    pub fn freeze_below() {
        IS_OVER.store(true, Relaxed);
    }

    /// What was drawn below the output stays as it is, and what is printed comes below it.
    pub fn keep_below() {
        *below() = None;
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
