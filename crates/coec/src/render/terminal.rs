//! What the terminal can do, if there is one: how wide it is, whether it has colours and a cursor.

use std::ffi::OsStr;
use std::io::{self, IsTerminal};

use terminal_size::{Height, Width};

/// Columns of a line where nothing says otherwise, and the most there ever are: longer lines are hard
/// to read.
pub const WIDEST: usize = 100;

/// The fewest columns that text is filled to: in fewer, nothing can be laid out.
const NARROWEST: usize = 40;

/// Where something is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Output,
    Errors,
}

impl Stream {
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Output => io::stdout().is_terminal(),
            Self::Errors => io::stderr().is_terminal(),
        }
    }

    /// Whether colours are shown there, and wanted: an empty `NO_COLOR` says nothing.
    pub fn has_colour(self) -> bool {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        self.is_terminal() && !unwanted && !is_dumb()
    }

    /// Whether a line there can be drawn over.
    pub fn has_cursor(self) -> bool {
        self.is_terminal() && !is_dumb()
    }

    /// Columns and rows that can be drawn in.
    #[cfg(feature = "train")]
    pub fn size(self) -> (usize, usize) {
        let size = self.window().map(|(width, height)| (usize::from(width.0), usize::from(height.0)));
        // A terminal on a serial line may not know.
        size.filter(|&(columns, rows)| columns > 0 && rows > 0).unwrap_or((80, 24))
    }

    fn window(self) -> Option<(Width, Height)> {
        match self {
            Self::Output => terminal_size::terminal_size_of(io::stdout()),
            Self::Errors => terminal_size::terminal_size_of(io::stderr()),
        }
    }

    /// Columns that text there is filled to: what `COLUMNS` says, else what the terminal has.
    pub fn width(self) -> usize {
        let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.trim().parse().ok());
        let columns = told.filter(|&columns: &usize| columns > 0);
        let columns = columns.or_else(|| self.window().map(|(width, _)| usize::from(width.0)));
        columns.map_or(WIDEST, |columns| columns.clamp(NARROWEST, WIDEST))
    }
}

/// Whether the terminal, or whatever reads in its place, shows plain text and nothing else.
pub fn is_dumb() -> bool {
    std::env::var_os("TERM").as_deref() == Some(OsStr::new("dumb"))
}
