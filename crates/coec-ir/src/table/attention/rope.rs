//! `rope`, `yarn`.

use crate::table::tabled::tabled;
use crate::table::{Default, Kind, Table};
use crate::{Bounds, Check, Rope, bounds};

tabled! { Rope {
    Rope, Table::new("rope").positional(1), {
        theta: Kind::Real(bounds::POSITIVE) => Default::Real(10_000.0),
        dim: Kind::OptionalCount(bounds::WIDTH) => Default::Word("none"),
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
        dim: Kind::OptionalCount(bounds::WIDTH) => Default::Word("none"),
    };
} }

impl Rope {
    /// The rules of the field `rope` of an attention that rotates `width` dimensions, its field
    /// `width_field`.
    pub(super) fn rules_within(&self, check: &mut Check, width_field: &str, width: usize) {
        let (Self::Rope { dim, .. } | Self::Yarn { dim, .. }) = *self;
        match dim {
            None => check.is_even(width_field, width),
            Some(dim) => {
                check.is_even("rope.dim", dim);
                if check.holds(&[width_field, "rope.dim"]) {
                    // Of a head no more can turn than there is.
                    check.real("rope.dim", dim as f64, Bounds { max: width as f64, ..bounds::WIDTH });
                }
            }
        }
        if let Self::Yarn { beta_fast, beta_slow, .. } = *self {
            // A ramp ends below where it begins.
            check.real("rope.beta_slow", beta_slow, Bounds { max: beta_fast, ..bounds::POSITIVE });
        }
    }

    /// What pictures say of it.
    pub(super) fn detail(&self) -> String {
        let (Self::Rope { dim, .. } | Self::Yarn { dim, .. }) = self;
        let part = dim.map_or_else(String::new, |dim| format!(", first {dim}"));
        match self {
            Self::Rope { theta, .. } => format!("rope θ={theta}{part}"),
            Self::Yarn { theta, factor, .. } => format!("yarn θ={theta} ×{factor}{part}"),
        }
    }
}
