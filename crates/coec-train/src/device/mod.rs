//! Whether a device can be trusted, and how fast it is.
//!
//! Drivers compute wrong things quietly, and lose devices loudly. What is measured on a device is checked
//! against what is known, and what goes wrong in it ends as an error.

mod check;
mod peak;

use std::panic::{AssertUnwindSafe, catch_unwind};

use thiserror::Error;

pub use check::{Agreement, check};
pub use peak::peak;

/// What is wrong with a device.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum DeviceError {
    /// It computes something else than the CPU.
    #[error(
        "the device computes {found} where the CPU computes {expected}: in {part} of {operation}, \
         which differs by {error:.0e}"
    )]
    Differs {
        /// The first operation that differs.
        operation: String,
        /// Its output, or the gradient of an input.
        part: String,
        /// The element that is furthest off, on the device.
        found: f64,
        /// The same on the CPU.
        expected: f64,
        /// How far off, relative to the largest element.
        error: f64,
    },
    /// It failed: no memory left, a lost device, a feature that it lacks.
    #[error("the device failed: {0}")]
    Failed(String),
}

impl DeviceError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Differs { .. } => "coec::device::differs",
            Self::Failed(_) => "coec::device::failed",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Differs { .. } => {
                "its driver or compiler is wrong, and nothing it computes can be trusted: update the driver, or \
                 use --backend cpu; `coec devices --check` tries every device"
                    .into()
            }
            Self::Failed(_) => {
                "if its memory is full, lower `batch` or set recompute=layers; a run goes on from its last commit \
                 with `coec train --resume`"
                    .into()
            }
        }
    }
}

/// What `work` on a device makes. Runtimes of GPUs panic when a device fails, often on the thread that reads;
/// here that is an error.
///
/// # Errors
///
/// When it panics.
pub fn guarded<R>(work: impl FnOnce() -> R) -> Result<R, DeviceError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let says = panic.downcast_ref::<String>().map(String::as_str);
        let says = says.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why");
        DeviceError::Failed(in_short(says))
    })
}

/// The first line of what a runtime says, and the root of it, which is the last one that is not about the trace.
fn in_short(says: &str) -> String {
    let is_about_the_trace = |line: &&str| {
        let headings = ["Caused by:", "Asked at:", "No backtrace available"];
        line.is_empty() || headings.contains(line)
    };
    let mut lines = says.lines().map(str::trim).filter(|line| !is_about_the_trace(line));
    match (lines.next(), lines.next_back()) {
        (Some(first), Some(last)) => format!("{} ({last})", first.trim_end_matches([':', '.'])),
        (first, _) => first.unwrap_or("it does not say why").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_its_root() {
        let says =
            "Failed to read.\n  Caused by:\n  can't allocate buffer of size: 12\n  No backtrace available\n";
        let failed = guarded(|| -> () { std::panic::panic_any(says.to_string()) });
        let short = "Failed to read (can't allocate buffer of size: 12)";
        assert_eq!(failed, Err(DeviceError::Failed(short.into())));
        assert_eq!(guarded(|| 3), Ok(3));
        assert_eq!(in_short("lost"), "lost");
    }
}
