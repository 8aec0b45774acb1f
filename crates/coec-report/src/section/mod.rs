//! The sections of the page, each a file that says one thing.

mod budgets;
mod dead;
mod differences;
mod drawings;
mod experts;
mod follows;
mod losses;
mod moved;
mod pairs;
mod runs;
mod samples;
mod specs;
mod summary;

use crate::context::Context;

/// A section: its name in links, its heading, and its text as HTML.
#[derive(Debug)]
pub struct Section {
    /// Unique on the page.
    pub id: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// What stands below the heading.
    pub html: String,
}

/// All of them, in order. One that has nothing to say is left out; one whose records are missing says so.
pub fn all(context: &Context<'_>) -> Vec<Section> {
    let section = |id, title, html| Section { id, title, html };
    let sections = [
        section("comparison", "Comparison", pairs::html(context)),
        section("runs", "Runs", summary::html(context)),
        section("losses", "Losses", losses::html(context)),
        section("experts", "Expert load and router entropy", experts::html(context)),
        section("follows", "Which experts follow which", follows::html(context)),
        section("dead", "Dead experts", dead::html(context)),
        section("moved", "How far each tensor moved", moved::html(context)),
        section("budgets", "Declared, closed form, captured, measured", budgets::html(context)),
        section("differences", "Differences between the specs", differences::html(context)),
        section("drawings", "The models", drawings::html(context)),
        section("samples", "Samples", samples::html(context)),
        section("specs", "The specs", specs::html(context)),
    ];
    sections.into_iter().filter(|section| !section.html.is_empty()).collect()
}
