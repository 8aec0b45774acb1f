//! What would close the gap of a rule that does not hold: for each numeric field
//! alone, the nearest value with which the model verifies and the rule holds.

use coec_ir::cost::{Cost, Setting};
use coec_ir::{Attention, Bounds, Ffn, Model, Rule, Verified, bounds};

use crate::reading::readings;
use crate::spec::Spec;
use crate::turn::{base_ffn, turned_model};

/// Work one check may spend on searching, in kinds of layers counted.
const MOST_WORK: usize = 6000;

/// A value of one field that would meet a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// The field by its dotted name: `ffn.k`.
    pub path: &'static str,
    /// What it holds.
    pub now: usize,
    /// What it could hold instead.
    pub then: usize,
}

/// Fixes that a message lists.
const MOST_FIXES: usize = 4;

/// Digits of a number of paths, in bits, beyond which counting takes too long to repeat.
const MOST_PATH_BITS: u64 = 1 << 15;

/// The search for one spec.
pub(crate) struct Search<'s> {
    spec: &'s Spec,
    work: usize,
    knobs: Option<Vec<Knob>>,
}

/// A field that may be turned.
#[derive(Debug, Clone)]
struct Knob {
    path: &'static str,
    now: usize,
    bounds: Bounds,
    /// Steps to try, the rounder first.
    steps: Vec<usize>,
}

/// What a rule says of a value tried.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// Still on the side of the gap the model is on.
    Same,
    /// The rule holds.
    Holds,
    /// Beyond: the other side, or no model at all.
    Beyond,
}

impl<'s> Search<'s> {
    pub fn new(spec: &'s Spec) -> Self {
        Self { spec, work: MOST_WORK, knobs: None }
    }

    /// Values of single fields that would meet the rule, the smallest change first; `None` for a
    /// rule on what is measured, which no field decides.
    pub fn fixes(&mut self, rule: &Rule, other: Option<&Cost>, too_high: bool) -> Option<Vec<Fix>> {
        if rule.figure.is_measured() {
            return None;
        }
        let knobs = self.knobs.get_or_insert_with(|| knobs(self.spec)).clone();
        let mut fixes: Vec<Fix> =
            knobs.iter().filter_map(|knob| self.turn(knob, rule, other, too_high)).collect();
        fixes.sort_by_key(|fix| fix.now.abs_diff(fix.then) * 10_000 / fix.now.max(1));
        fixes.truncate(MOST_FIXES);
        Some(fixes)
    }

    fn turn(&mut self, knob: &Knob, rule: &Rule, other: Option<&Cost>, too_high: bool) -> Option<Fix> {
        knob.steps.iter().find_map(|&step| {
            let room = if too_high {
                knob.now.saturating_sub(knob.bounds.min as usize)
            } else {
                (knob.bounds.max as usize).saturating_sub(knob.now)
            };
            let value = |i: usize| if too_high { knob.now - i * step } else { knob.now + i * step };
            let then = self.nearest(room / step, |search, i| {
                let then = value(i);
                (search.state(knob.path, then, rule, other, too_high), then)
            })?;
            Some(Fix { path: knob.path, now: knob.now, then })
        })
    }

    /// The value at the smallest index up to `most` that leaves `Same`, if the rule holds there.
    fn nearest(
        &mut self,
        most: usize,
        mut state: impl FnMut(&mut Self, usize) -> (State, usize),
    ) -> Option<usize> {
        // First in doubling strides, because the nearest value is rarely far.
        let (mut low, mut high) = (0, 1);
        let mut found;
        loop {
            if high > most {
                if low >= most {
                    return None;
                }
                high = most;
            }
            let (result, value) = state(self, high);
            if result != State::Same {
                found = (result == State::Holds).then_some(value);
                break;
            }
            low = high;
            high = high.saturating_mul(2);
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let (result, value) = state(self, middle);
            if result == State::Same {
                low = middle;
            } else {
                high = middle;
                found = (result == State::Holds).then_some(value);
            }
        }
        found
    }

    fn state(
        &mut self,
        path: &'static str,
        value: usize,
        rule: &Rule,
        other: Option<&Cost>,
        too_high: bool,
    ) -> State {
        let judged = self.with(path, value).and_then(|model| {
            let cost = Cost::of(&model, Setting::of(&model, &rule.conditions));
            let readings = readings(rule, &cost, other)?;
            let broken = readings.iter().find_map(|reading| {
                let (actual, target) = (reading.actual.as_ref()?, reading.target.as_ref()?);
                (!rule.holds(actual, target)).then_some(actual > target)
            });
            Some(broken)
        });
        match judged {
            Some(None) => State::Holds,
            Some(Some(high)) if high == too_high => State::Same,
            _ => State::Beyond,
        }
    }

    /// The model with one field changed, as `--set` would change it.
    fn with(&mut self, path: &'static str, value: usize) -> Option<Verified<Model>> {
        self.work = self.work.checked_sub(self.spec.model.layers.kinds().len() + 1)?;
        turned_model(self.spec, &[(path, value)])
    }
}

/// The fields of a model that may be turned.
fn knobs(spec: &Spec) -> Vec<Knob> {
    let model = &spec.model;
    let setting = Setting::of(model, &coec_ir::Conditions::default());
    let paths = Cost::of(model, setting).total.paths;
    if paths.is_some_and(|paths| paths.bits() > MOST_PATH_BITS) {
        return Vec::new();
    }
    let knob = |path, now, bounds, steps: Vec<usize>| Knob { path, now, bounds, steps };
    let mut knobs = Vec::new();
    match base_ffn(spec, &spec.draft) {
        Some(Ffn::Coe(coe)) => {
            knobs.push(knob("ffn.hidden", coe.hidden, bounds::WIDTH, round(coe.hidden)));
            let groups = coe.router.groups.map_or(1, |groups| groups.groups);
            knobs.push(knob("ffn.experts", coe.experts, bounds::EXPERTS, vec![groups]));
            if let Some(&k) = coe.k.first().filter(|k| coe.k.iter().all(|other| other == *k)) {
                knobs.push(knob("ffn.k", k, bounds::EXPERTS, vec![1]));
                knobs.push(knob("ffn.iter", coe.iter, bounds::ITER, vec![1]));
            }
            knobs.push(knob("ffn.shared", coe.shared, bounds::SHARED, vec![1]));
        }
        Some(Ffn::Dense(dense)) => {
            knobs.push(knob("ffn.hidden", dense.hidden, bounds::WIDTH, round(dense.hidden)));
        }
        None => {}
    }
    knobs.push(knob("layers", model.layers.len(), bounds::LAYERS, vec![1]));
    let heads = model.layers.kinds().iter().find_map(|layer| match &layer.attention {
        Attention::Mha(mha) => Some(mha.heads),
        _ => None,
    });
    let mut steps = round(model.dim);
    if let Some(heads) = heads {
        // A head's width is even and may be derived from dim.
        steps = vec![2 * heads];
    }
    knobs.push(knob("dim", model.dim, bounds::DIM, steps));
    knobs
}

/// Steps that keep a number as round as it is, then single steps.
fn round(n: usize) -> Vec<usize> {
    let step = 1 << n.trailing_zeros().min(6);
    if step == 1 { vec![1] } else { vec![step, 1] }
}
