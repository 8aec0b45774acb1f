//! Which of what stands side by side did not have the same compute.

use coec_ir::cost::{Cost, Setting};
use coec_ir::{Conditions, Figure, Verified};

use crate::html::escape;
use crate::values::{Report, Spec};

/// How far forward FLOPs may differ where no comparison says what is fair.
const TOLERANCE: f64 = 0.01;

/// What is not fair, pair by pair.
#[derive(Debug, Clone, Default)]
pub struct Fairness {
    unfair: Vec<Unfair>,
    pairs: usize,
    arms: usize,
}

/// A pair, and by how much the first has more.
#[derive(Debug, Clone)]
struct Unfair {
    a: String,
    b: String,
    differs: String,
}

impl Fairness {
    /// As the comparison says; without one, each arm is held against the first by its forward FLOPs.
    pub fn of(report: &Report) -> Self {
        let pairs: Vec<Option<Unfair>> = if report.pairs.is_empty() {
            by_flops(report)
        } else {
            let unfair = |pair: &crate::values::Pair| Unfair {
                a: pair.a.clone(),
                b: pair.b.clone(),
                differs: pair.differs.join(", "),
            };
            report.pairs.iter().map(|pair| (!pair.fair).then(|| unfair(pair))).collect()
        };
        let count = pairs.len();
        Self { unfair: pairs.into_iter().flatten().collect(), pairs: count, arms: report.arms.len() }
    }

    /// What must stand in a plot of all arms.
    pub fn note(&self) -> Option<String> {
        match self.unfair.as_slice() {
            [] => None,
            [one] if self.arms > 2 => Some(format!("not compute-fair: {}, {}", one.names(), one.said())),
            [one] => Some(format!("not compute-fair: {}", one.said())),
            several => Some(format!("not compute-fair: {} of {} pairs", several.len(), self.pairs)),
        }
    }

    /// The same at length: every pair, up to a number.
    pub fn warning(&self) -> Option<String> {
        let pairs: Vec<String> =
            self.unfair.iter().map(|pair| format!("{} ({})", pair.names(), pair.said())).collect();
        let listed = crate::html::listed(&pairs, 3);
        (!pairs.is_empty()).then(|| format!("not compute-fair: {listed}"))
    }

    /// What must stand at a plot of the arms called `a` and `b` alone.
    pub fn between(&self, a: &str, b: &str) -> Option<String> {
        let is_pair = |unfair: &&Unfair| (unfair.a == a && unfair.b == b) || (unfair.a == b && unfair.b == a);
        self.unfair.iter().find(is_pair).map(|unfair| format!("not compute-fair: {}", unfair.said()))
    }

    /// What belongs behind a caption of something about all arms, as HTML.
    pub fn badge(&self) -> String {
        self.note().map_or(String::new(), |note| badge(&note))
    }

    /// What belongs behind a caption of something about one arm, as HTML.
    pub fn badge_of(&self, arm: &str) -> String {
        let own = |unfair: &&Unfair| unfair.a == arm || unfair.b == arm;
        let mut unfair = self.unfair.iter().filter(own);
        let Some(first) = unfair.next() else { return String::new() };
        let more = match unfair.count() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        badge(&format!("not compute-fair: {}, {}{more}", first.names(), first.said()))
    }
}

impl Unfair {
    fn names(&self) -> String {
        format!("{} against {}", self.a, self.b)
    }

    fn said(&self) -> &str {
        if self.differs.is_empty() { "the comparison says so" } else { &self.differs }
    }
}

fn badge(note: &str) -> String {
    format!(" <span class=\"unfair\">{}</span>", escape(note))
}

fn by_flops(report: &Report) -> Vec<Option<Unfair>> {
    let flops = |spec: &Option<Spec>| spec.as_ref().and_then(|spec| figure(spec, Figure::FlopsForward));
    let Some((first, others)) = report.arms.split_first() else { return Vec::new() };
    let Some(own) = flops(&first.spec) else { return Vec::new() };
    others
        .iter()
        .map(|arm| {
            let change = flops(&arm.spec)? / own - 1.0;
            (change.abs() > TOLERANCE).then(|| Unfair {
                a: arm.name.clone(),
                b: first.name.clone(),
                differs: format!("{} {:+.1}%", Figure::FlopsForward.name(), 100.0 * change),
            })
        })
        .collect()
}

/// A figure of a spec as it was trained.
pub fn figure(spec: &Spec, figure: Figure) -> Option<f64> {
    cost(&spec.model, spec.train.context).figure(figure)?.to_string().parse().ok()
}

/// The figures of a model at a context.
pub fn cost(model: &Verified<coec_ir::Model>, context: usize) -> Cost {
    let conditions = Conditions { context: Some(context), ..Conditions::default() };
    Cost::of(model, Setting::of(model, &conditions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Pair;

    fn report(pairs: &[(&str, &str, bool)]) -> Report {
        let pair = |&(a, b, fair): &(&str, &str, bool)| Pair {
            a: a.into(),
            b: b.into(),
            fair,
            differs: if fair { Vec::new() } else { vec!["flops.forward +11.0%".into()] },
            ..Pair::default()
        };
        Report { pairs: pairs.iter().map(pair).collect(), ..Report::default() }
    }

    #[test]
    fn what_is_fair_has_no_label() {
        let fairness = Fairness::of(&report(&[("a", "b", true)]));
        assert_eq!(
            (fairness.note(), fairness.badge(), fairness.badge_of("a")),
            (None, String::new(), String::new())
        );
    }

    #[test]
    fn what_is_not_says_by_how_much_and_against_what() {
        let fairness = Fairness::of(&report(&[("a", "b", false), ("a", "c", true)]));
        assert_eq!(fairness.note().unwrap(), "not compute-fair: flops.forward +11.0%");
        assert_eq!(fairness.between("b", "a").unwrap(), "not compute-fair: flops.forward +11.0%");
        assert!(fairness.between("a", "c").is_none());
        let badge = " <span class=\"unfair\">not compute-fair: a against b, flops.forward +11.0%</span>";
        assert_eq!(fairness.badge_of("b"), badge);
        assert!(fairness.badge_of("c").is_empty());
        assert_eq!(fairness.warning().unwrap(), "not compute-fair: a against b (flops.forward +11.0%)");
        let fairness = Fairness::of(&report(&[("a", "b", false), ("a", "c", false), ("b", "c", true)]));
        assert_eq!(fairness.note().unwrap(), "not compute-fair: 2 of 3 pairs");
    }

    #[test]
    fn names_in_a_label_are_escaped() {
        let fairness = Fairness::of(&report(&[("<a>", "b", false)]));
        assert!(fairness.badge_of("b").contains("&lt;a&gt;"));
    }
}
