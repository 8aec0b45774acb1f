//! `dense`.

use crate::table::tabled::tabled;
use crate::table::value::Words;
use crate::table::{Default, Described, Kind, Table};
use crate::{Act, Dense, bounds};

tabled! { Dense, Table::new("dense").positional(1), {
    hidden: Kind::Count(bounds::WIDTH) => Default::Count(704),
    act: Kind::Word(Act::words) => Default::Word("swiglu"),
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
        vec!["h ← h + MLP(Norm(h))".into()]
    }
}
