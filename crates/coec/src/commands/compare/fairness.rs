//! Whether the arms of a comparison cost the same.

use coec_ir::{Comparison, Conditions, Figure, Quantity, Rule, Target};
use num_bigint::BigUint;

use super::arms::Arm;
use crate::failure::Failure;

/// A figure that all arms must share, within a tolerance.
#[derive(Debug, Clone)]
pub struct Demand {
    pub figure: Figure,
    pub tolerance: Quantity,
}

/// What is demanded when nothing is said.
const DEFAULT: &str = "flops.forward=1%";

/// Reads `--fair` arguments.
pub fn demands(arguments: &[String]) -> Result<Vec<Demand>, Failure> {
    if arguments.is_empty() {
        return Ok(vec![demand(DEFAULT)?]);
    }
    arguments.iter().map(|text| demand(text)).collect()
}

fn demand(text: &str) -> Result<Demand, Failure> {
    let wrong = |what: &str| {
        Failure::input(
            "coec::compare::fair",
            format!("`--fair {text}`: {what}"),
            "write FIGURE=P%: `--fair flops.forward=1%`, `--fair params.total=5%`",
        )
    };
    let (name, tolerance) =
        text.split_once('=').ok_or_else(|| wrong("expected a figure and a percentage"))?;
    let figure = Figure::from_name(name.trim())
        .filter(|figure| !figure.is_measured())
        .ok_or_else(|| wrong("no figure that can be counted has this name"))?;
    let tolerance =
        Quantity::parse(tolerance.trim()).map_err(|_| wrong("expected a percentage behind `=`"))?;
    Ok(Demand { figure, tolerance })
}

/// A figure in which two arms differ by more than is allowed.
#[derive(Debug, Clone)]
pub struct Excess {
    pub figure: Figure,
    /// The first arm's, the second's.
    pub values: [BigUint; 2],
    pub tolerance: Quantity,
}

impl Excess {
    /// How much more the first costs, as a share of the second.
    pub fn share(&self) -> f64 {
        let [first, second] = self.values.clone().map(|value| Quantity::integer(value).to_f64());
        first / second - 1.0
    }

    /// `flops.forward`.
    pub fn name(&self) -> &'static str {
        self.figure.name()
    }

    /// `flops.forward +11.0%`.
    pub fn words(&self) -> String {
        format!("{} {:+.1}%", self.figure.name(), 100.0 * self.share())
    }
}

/// The figures in which `first` and `second` differ by more than is allowed.
pub fn excesses(demands: &[Demand], first: &Arm, second: &Arm) -> Vec<Excess> {
    let (costs, mut found) = ([first.cost(), second.cost()], Vec::new());
    for Demand { figure, tolerance } in demands {
        let values = [0, 1].map(|arm: usize| costs[arm].figure(*figure).unwrap_or_default());
        let rule = Rule {
            warn: false,
            figure: *figure,
            comparison: Comparison::Equal,
            target: Target::Number(Quantity::integer(values[1].clone())),
            tolerance: Some(tolerance.clone()),
            per_layer: false,
            conditions: Conditions::default(),
        };
        let [a, b] = values.clone().map(Quantity::integer);
        if !rule.holds(&a, &b) {
            found.push(Excess { figure: *figure, values, tolerance: tolerance.clone() });
        }
    }
    found
}
