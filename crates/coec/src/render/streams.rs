//! The output and the error stream: everything that is printed goes through here.
//!
//! A write that fails does not end the command, whose files are worth having all the same. The first
//! failure is kept, and decides in the end how the process exits.

use std::io::{self, Write};
use std::sync::OnceLock;

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
    let mut output = io::stdout().lock();
    let written = parts.iter().try_for_each(|part| output.write_all(part.as_bytes()));
    keep(written);
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
    let mut errors = io::stderr().lock();
    let _ = errors.write_all(text.as_bytes()).and_then(|()| errors.write_all(b"\n"));
}
