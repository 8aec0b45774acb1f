//! The picture as SVG.

mod boxes;
mod canvas;
mod chain;
mod label;
mod page;

pub use label::{cut, width};

use coec_ir::{Model, Verified};

use crate::plan::Plan;

/// The model as SVG, 800 columns wide: text, the same for the same model on every machine.
///
/// It is legible on light and dark pages and has a title and a description for those who do not
/// see it. Names and comments in it are escaped.
pub fn svg(model: &Verified<Model>) -> String {
    page::page(model, &Plan::of(model)).alone()
}

/// The same to stand inside an HTML page: without a style of its own, since that would be the page's too.
///
/// `id` is the picture's own on the page, which has the [`style`] of all of them.
pub fn inline(model: &Verified<Model>, id: &str) -> String {
    page::page(model, &Plan::of(model)).inside(id)
}

/// What the pictures of a page look like; it is said of nothing else there. Paper is light.
pub fn style() -> String {
    canvas::style_inside()
}
