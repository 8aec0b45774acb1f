//! `dense`.

use crate::table::attention::added;
use crate::table::tabled::tabled;
use crate::table::value::Words;
use crate::table::{Default, Described, Kind, Table};
use crate::{Act, Dense, NormAt, bounds};

tabled! { Dense, Table::new("dense").positional(1), {
    hidden: Kind::Count(bounds::WIDTH) => Default::Count(704),
    act: Kind::Word(Act::words) => Default::Word("swiglu"),
    bias: Kind::Flag => Default::Flag(false),
    norm_at: Kind::Word(NormAt::words) => Default::Word("before"),
    multiplier: Kind::Real(bounds::COEFFICIENT) => Default::Real(1.0),
} }

impl Described for Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn about(&self) -> String {
        format!("One MLP of width {} for every token.", self.hidden)
    }

    fn title(&self) -> String {
        "Dense MLP".into()
    }

    fn details(&self) -> Vec<String> {
        let usual = || "h ← h + MLP(Norm(h))".into();
        vec![added(self.norm_at, self.multiplier, "MLP").unwrap_or_else(usual)]
    }
}
