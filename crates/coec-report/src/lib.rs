//! Runs and comparisons as one self-contained page.
//!
//! [`page()`] takes values that were read already and gives HTML: nothing in it is loaded from elsewhere, it
//! runs no script, and it has at most [`LARGEST`] bytes whatever it is made of. Everything that comes from
//! files is escaped.
//!
//! # The way through
//!
//! `values` are what a report is made of. `page` puts the sections together, each a file of `section/`
//! that says one thing; `plot/` draws, as SVG. `detail` says how much of everything is drawn: where a page
//! would be too large, it is made again with less. `fairness` knows which comparisons are not fair, and every
//! plot and table asks it. The same values give the same page.

#![warn(missing_docs)]

mod context;
mod curve;
mod detail;
mod fairness;
mod html;
mod number;
mod page;
mod plot;
mod section;
mod series;
mod table;
pub mod values;

pub use page::{LARGEST, page};
