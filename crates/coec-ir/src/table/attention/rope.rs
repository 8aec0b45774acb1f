//! `rope`, `yarn`.

use crate::table::tabled::tabled;
use crate::table::{Default, Kind, Table};
use crate::{Bounds, Check, Rope, bounds};

tabled! { Rope {
    Rope, Table::new("rope").positional(1), {
        theta: Kind::Real(bounds::POSITIVE) => Default::Real(10_000.0),
    };
    Yarn, Table::new("yarn").example("yarn(factor=40, original=4096)"), {
        theta: Kind::Real(Bounds { min: 1.000_001, ..bounds::POSITIVE }) => Default::Real(10_000.0),
        factor: Kind::Real(Bounds { min: 1.0, ..bounds::POSITIVE }) => Default::Required,
        original: Kind::Count(bounds::CONTEXT) => Default::Required,
        beta_fast: Kind::Real(bounds::POSITIVE) => Default::Real(32.0),
        // Its largest value is another field's: see the rules.
        beta_slow: Kind::Real(Bounds::ANY) => Default::Real(1.0),
        mscale: Kind::Real(bounds::COEFFICIENT) => Default::Real(1.0),
        mscale_all_dim: Kind::Real(bounds::COEFFICIENT) => Default::Real(0.0),
        truncate: Kind::Flag => Default::Flag(true),
    };
} }

impl Rope {
    /// The rules of the field `rope` of an attention that rotates `width` dimensions, its field
    /// `width_field`.
    pub(super) fn rules_within(&self, check: &mut Check, width_field: &str, width: usize) {
        check.is_even(width_field, width);
        if let Self::Yarn { beta_fast, beta_slow, .. } = *self {
            // A ramp ends below where it begins.
            check.real("rope.beta_slow", beta_slow, Bounds { max: beta_fast, ..bounds::POSITIVE });
        }
    }

    /// What pictures say of it.
    pub(super) fn detail(&self) -> String {
        match self {
            Self::Rope { theta } => format!("rope θ={theta}"),
            Self::Yarn { theta, factor, .. } => format!("yarn θ={theta} ×{factor}"),
        }
    }
}
