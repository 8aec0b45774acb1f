//! Why nothing can be fitted.

use std::fmt;

use crate::diagnostic::Diagnostics;

/// Why no value can be looked for.
#[derive(Debug, Clone)]
pub enum FitError {
    /// Something is wrong with what is named.
    Spec(Diagnostics),
    /// Not as many fields as figures, or more than two, or one field twice.
    Count {
        /// The fields.
        free: Vec<String>,
        /// How many figures.
        matches: usize,
    },
    /// A match without `=`.
    NoMatch {
        /// As it was given.
        text: String,
    },
    /// A field that is none, or holds no single whole number.
    NotWhole {
        /// Its dotted name.
        field: String,
    },
    /// A figure that only a run can tell.
    Measured {
        /// Its name.
        figure: &'static str,
    },
    /// A figure that is the same whatever the field holds.
    Unmoved {
        /// The field.
        field: String,
        /// The figure.
        figure: &'static str,
    },
    /// No value of the fields makes a model.
    NoModel {
        /// The fields.
        free: Vec<String>,
    },
}

impl FitError {
    /// Its stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Spec(errors) => errors.iter().next().map_or("", |error| error.code()),
            Self::Count { .. } => "coec::fit::count",
            Self::NoMatch { .. } => "coec::fit::no_match",
            Self::NotWhole { .. } => "coec::fit::not_whole",
            Self::Measured { .. } => "coec::fit::measured",
            Self::Unmoved { .. } => "coec::fit::unmoved",
            Self::NoModel { .. } => "coec::fit::no_model",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Spec(_) => "mend what is named",
            Self::Count { .. } => "name one --free field and one --match, or two of each",
            Self::NoMatch { .. } => {
                "write FIGURE=SPEC or FIGURE=NUMBER: `flops.forward=moe.coe`, `params.active=350M`"
            }
            Self::NotWhole { .. } => {
                "name a field that holds one whole number: `ffn.hidden`, `ffn.experts`, `ffn.k`, `layers`, `dim`; \
                 docs/language.md lists them"
            }
            Self::Measured { .. } => "match a figure that is counted, for example flops.forward",
            Self::Unmoved { .. } => "free another field, or match another figure",
            Self::NoModel { .. } => "free another field, or change what stands in the way of this one",
        }
    }
}

impl fmt::Display for FitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spec(_) => f.write_str("what is named cannot be read"),
            Self::Count { free, matches } => {
                write!(f, "{} cannot be found from {matches} figures", free.join(" and "))
            }
            Self::NoMatch { text } => write!(f, "`{text}` says no figure and what it is to match"),
            Self::NotWhole { field } => write!(f, "`{field}` is no field that holds one whole number here"),
            Self::Measured { figure } => write!(f, "{figure} is known only after a run"),
            Self::Unmoved { field, figure } => write!(f, "{figure} is the same whatever {field} is"),
            Self::NoModel { free } => write!(f, "no value of {} makes a model", free.join(" and ")),
        }
    }
}

impl std::error::Error for FitError {}
