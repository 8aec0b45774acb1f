//! The picture as SVG.

mod boxes;
mod canvas;
mod chain;
mod label;
mod page;

use coec_ir::{Model, Verified};

use crate::plan::Plan;

/// The model as SVG, 800 columns wide: text, the same for the same model on every machine.
///
/// It is legible on light and dark pages and has a title and a description for those who do not
/// see it. Names and comments in it are escaped.
pub fn svg(model: &Verified<Model>) -> String {
    page::page(model, &Plan::of(model))
}
