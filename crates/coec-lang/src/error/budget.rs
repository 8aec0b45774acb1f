//! Rules that do not hold.

use super::{Labels, errors};
use crate::source::Span;

errors! {
    /// A rule that does not hold, or cannot be judged.
    BudgetError {
        /// The rule does not hold.
        #[error("`{model}` breaks its budget: {what}")]
        Violated { model: String, what: String, label: String, help: String, at: Span } => "coec::budget::violated",
        /// The rule does not hold and says `warn`.
        #[error("`{model}` is off its budget: {what}")]
        Warned { model: String, what: String, label: String, help: String, at: Span } => "coec::budget::warned",
        /// A rule per layer against a spec whose layers differ from this one's.
        #[error("`{spec}` has no one value of `{figure}` per layer to compare with")]
        LayersDiffer { spec: String, figure: &'static str, at: Span } => "coec::budget::layers_differ",
    }
}

impl BudgetError {
    pub fn labels(&self) -> Labels {
        match self {
            Self::Violated { at, label, .. } | Self::Warned { at, label, .. } => vec![(*at, label.clone())],
            Self::LayersDiffer { at, .. } => {
                vec![(*at, "its layers with experts differ from each other".into())]
            }
        }
    }

    pub fn help(&self) -> String {
        match self {
            Self::Violated { help, .. } | Self::Warned { help, .. } => help.clone(),
            Self::LayersDiffer { .. } => "compare the sums over the layers: drop `per layer`".into(),
        }
    }
}
