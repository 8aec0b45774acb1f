//! What a rule compares.

use coec_ir::{Quantity, Rule, Target, cost::Cost};

/// Two values that a rule compares.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// For `per layer`: the first layer with this value.
    pub layer: Option<usize>,
    /// The value on the left; `None` while it has not been measured.
    pub actual: Option<Quantity>,
    /// The value on the right; `None` while it has not been measured.
    pub target: Option<Quantity>,
}

/// What a rule compares. `None` if its layers have no counterpart in the other spec.
pub(crate) fn readings(rule: &Rule, cost: &Cost, other: Option<&Cost>) -> Option<Vec<Reading>> {
    if !rule.per_layer {
        let target = match &rule.target {
            Target::Number(number) => Some(number.clone()),
            Target::Figure { figure, .. } => other.unwrap_or(cost).figure(*figure).map(Quantity::integer),
        };
        let actual = cost.figure(rule.figure).map(Quantity::integer);
        return Some(vec![Reading { layer: None, actual, target }]);
    }
    let values = cost.per_expert_layer(rule.figure)?;
    let target = |layer: usize| match &rule.target {
        Target::Number(number) => Some(number.clone()),
        Target::Figure { figure, .. } => {
            let side = other.unwrap_or(cost);
            let values = side.per_expert_layer(*figure)?;
            match values.as_slice() {
                // Another spec whose layers agree has one value for all of this one's.
                [(_, one)] if other.is_some() => Some(Quantity::integer(one.clone())),
                _ => {
                    let part = &side.kinds[*side.order.get(layer)?];
                    part.paths.as_ref()?;
                    side.of_part(part, *figure).map(Quantity::integer)
                }
            }
        }
    };
    values
        .into_iter()
        .map(|(layer, value)| {
            let target = Some(target(layer)?);
            Some(Reading { layer: Some(layer), actual: Some(Quantity::integer(value)), target })
        })
        .collect()
}
