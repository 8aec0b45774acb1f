//! Plots as SVG, of one size: text in them is large enough on a narrow screen, where the page's style
//! makes it larger still.
//!
//! `scale` says where a value stands, `path` writes outlines in few bytes, `frame` draws the axes; the
//! others each draw one kind of plot.

pub mod bars;
mod frame;
pub mod intervals;
pub mod lines;
pub mod matrix;
mod path;
pub mod scale;
pub mod strip;

/// What is read out in place of a plot, and what names it on the page.
#[derive(Debug, Clone)]
pub struct Words {
    /// Its own on the page.
    pub id: String,
    /// In a few words.
    pub title: String,
    /// What can be seen, in sentences.
    pub description: String,
}
