//! `seq_aux`, `switch_aux`, `z_loss`, `bias`.

use crate::table::tabled::tabled;
use crate::table::value::Held;
use crate::table::{Default, Kind, Table, Value};
use crate::{Balance, bounds};

tabled! { Balance {
    SeqAux, Table::new("seq_aux").positional(1).example("seq_aux(alpha=0.001)"), {
        alpha: Kind::Real(bounds::COEFFICIENT) => Default::Required,
    };
    SwitchAux, Table::new("switch_aux").positional(1).example("switch_aux(alpha=0.01)"), {
        alpha: Kind::Real(bounds::COEFFICIENT) => Default::Required,
    };
    ZLoss, Table::new("z_loss").positional(1).example("z_loss(alpha=0.001)"), {
        alpha: Kind::Real(bounds::COEFFICIENT) => Default::Required,
    };
    Bias, Table::new("bias").positional(1).example("bias(rate=0.001)"), {
        rate: Kind::Real(bounds::COEFFICIENT) => Default::Required,
    };
} }

/// `none`, a term alone, or a list.
impl Held for Vec<Balance> {
    fn value(&self) -> Option<Value> {
        match self.as_slice() {
            [] => Some(Value::Word("none")),
            [one] => one.value(),
            several => Some(Value::List(several.iter().filter_map(Held::value).collect())),
        }
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Word("none") => Some(Vec::new()),
            Value::List(values) => values.iter().map(Balance::of).collect(),
            value => Some(vec![Balance::of(value)?]),
        }
    }
}
