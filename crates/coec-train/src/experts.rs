//! How often each expert was selected.

use std::borrow::Cow;
use std::collections::BTreeMap;

use coec_nn::Selections;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Selections by layer and iteration, exact whatever their number.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExpertCounts(pub(crate) BTreeMap<(usize, usize, usize), Sums>);

/// Selections of one routing, per expert.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sums {
    /// Since the last line of `experts.jsonl`.
    since_line: Vec<u64>,
    /// Since the first step.
    total: Vec<u64>,
}

/// A line of `experts.jsonl`: how often each expert was selected since the line before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpertLine {
    /// The version of the format.
    pub schema: Cow<'static, str>,
    /// Steps done.
    pub step: usize,
    /// Layer, from 0.
    pub layer: usize,
    /// How often the layer had run before: 0 but for one in a loop.
    #[serde(default)]
    pub pass: usize,
    /// Iteration, from 0.
    pub iteration: usize,
    /// Selections per expert.
    pub counts: Vec<u64>,
}

impl ExpertCounts {
    /// Adds the selections of a step.
    pub fn add(&mut self, selected: &[Selections]) {
        for Selections { layer, pass, iteration, counts } in selected {
            let sums = self.0.entry((*layer, *pass, *iteration)).or_default();
            for sum in [&mut sums.since_line, &mut sums.total] {
                sum.resize(counts.len(), 0);
                sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
        }
    }

    /// The lines for `experts.jsonl` after `step` steps; counting for the next ones begins.
    pub fn take_lines(&mut self, step: usize) -> Vec<ExpertLine> {
        let routings = self.0.iter_mut();
        let lines = routings.map(|(&(layer, pass, iteration), sums)| ExpertLine {
            schema: coec_ir::SCHEMA.into(),
            step,
            layer,
            pass,
            iteration,
            counts: std::mem::take(&mut sums.since_line),
        });
        lines.filter(|line| !line.counts.is_empty()).collect()
    }

    /// Experts that no iteration ever selected: each layer that has any, and which.
    pub fn never_selected(&self) -> Vec<(usize, Vec<usize>)> {
        let mut totals: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
        for (&(layer, ..), sums) in &self.0 {
            let total = totals.entry(layer).or_default();
            total.resize(sums.total.len(), 0);
            total.iter_mut().zip(&sums.total).for_each(|(total, count)| *total += count);
        }
        let unused = |total: Vec<u64>| (0..total.len()).filter(|&expert| total[expert] == 0).collect();
        let layers = totals.into_iter().map(|(layer, total)| (layer, unused(total)));
        layers.filter(|(_, unused): &(_, Vec<usize>)| !unused.is_empty()).collect()
    }
}

/// One routing as JSON has it, whose keys are strings.
#[derive(Serialize, Deserialize)]
struct Row {
    layer: usize,
    #[serde(default)]
    pass: usize,
    iteration: usize,
    since_line: Vec<u64>,
    total: Vec<u64>,
}

impl Serialize for ExpertCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(&(layer, pass, iteration), sums)| Row {
            layer,
            pass,
            iteration,
            since_line: sums.since_line.clone(),
            total: sums.total.clone(),
        }))
    }
}

impl<'de> Deserialize<'de> for ExpertCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = Vec::<Row>::deserialize(deserializer)?.into_iter();
        let entry = |Row { layer, pass, iteration, since_line, total }| {
            ((layer, pass, iteration), Sums { since_line, total })
        };
        Ok(Self(rows.map(entry).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(layer: usize, iteration: usize, counts: &[u64]) -> Selections {
        Selections { layer, pass: 0, iteration, counts: counts.to_vec() }
    }

    #[test]
    fn counts_beyond_what_f32_holds_are_exact() {
        let mut counts = ExpertCounts::default();
        counts.add(&[selected(0, 0, &[1 << 24, 0])]);
        counts.add(&[selected(0, 0, &[1, 3])]);
        assert_eq!(counts.take_lines(2)[0].counts, [(1 << 24) + 1, 3]);
    }

    #[test]
    fn a_line_begins_anew_and_totals_go_on() {
        let mut counts = ExpertCounts::default();
        counts.add(&[selected(0, 0, &[5, 0, 0]), selected(0, 1, &[0, 5, 0])]);
        assert_eq!(counts.take_lines(1).len(), 2);
        assert_eq!(counts.take_lines(1), []);
        counts.add(&[selected(0, 0, &[2, 0, 0])]);
        let lines = counts.take_lines(2);
        assert_eq!((lines.len(), lines[0].counts.as_slice()), (1, &[2, 0, 0][..]));
        assert_eq!(counts.never_selected(), [(0, vec![2])]);
    }

    #[test]
    fn counts_survive_json() {
        let mut counts = ExpertCounts::default();
        counts.add(&[selected(3, 1, &[u64::MAX, 7])]);
        let text = serde_json::to_string(&counts).unwrap();
        assert_eq!(serde_json::from_str::<ExpertCounts>(&text).unwrap(), counts);
    }
}
