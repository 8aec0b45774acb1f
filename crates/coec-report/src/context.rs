//! What every section knows.

use crate::detail::Detail;
use crate::fairness::Fairness;
use crate::html::{cut, escape};
use crate::series::Style;
use crate::values::{Arm, Report, Run};

/// A report, how much of it is drawn, and what is not fair in it.
#[derive(Debug)]
pub struct Context<'a> {
    pub report: &'a Report,
    pub detail: Detail,
    pub fairness: Fairness,
}

impl<'a> Context<'a> {
    /// That of a page with so much on it.
    pub fn new(report: &'a Report, detail: Detail) -> Self {
        Self { report, detail, fairness: Fairness::of(report) }
    }

    /// Arms that have a line, with their looks.
    pub fn arms(&self) -> impl Iterator<Item = (usize, &'a Arm)> {
        self.report.arms.iter().enumerate().take(self.detail.arms)
    }

    /// Runs that are shown one by one, with their arms.
    pub fn runs(&self) -> impl Iterator<Item = (usize, &'a Arm, &'a Run)> {
        let all = self.report.arms.iter().enumerate();
        let all = all.flat_map(|(number, arm)| arm.runs.iter().map(move |run| (number, arm, run)));
        all.take(self.detail.runs)
    }

    /// How many runs there are.
    pub fn run_count(&self) -> usize {
        self.report.arms.iter().map(|arm| arm.runs.len()).sum()
    }

    /// A name, short enough to be read, as HTML.
    pub fn name(&self, name: &str) -> String {
        escape(&cut(name, self.detail.name))
    }

    /// The name of an arm behind a piece of its line.
    pub fn arm(&self, number: usize, arm: &Arm) -> String {
        format!("<span class=\"arm\">{} {}</span>", Style::arm(number).swatch(), self.name(&arm.name))
    }
}
