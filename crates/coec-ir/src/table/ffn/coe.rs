//! `coe`.

use crate::quantity::subscript;
use crate::table::tabled::tabled;
use crate::table::value::{Words, words};
use crate::table::{Default, Described, Kind, Table};
use crate::{
    Act, Balance, Carry, ChainNorm, Check, Coe, Gate, NormAt, Output, Residual, Router, SharedAt, SharedGate,
    ViolationKind, bounds, counted,
};

words!(ChainNorm, Gate, Residual, SharedAt, SharedGate);

tabled! { Coe, Table::new("coe").example("coe(iter=2, k=4, experts=64)"), {
    iter: Kind::Count(bounds::ITER) => Default::Required,
    k: Kind::Counts(bounds::EXPERTS, "iter") => Default::Required,
    experts: Kind::Count(bounds::EXPERTS) => Default::Required,
    shared: Kind::Count(bounds::SHARED) => Default::Count(0),
    hidden: Kind::Count(bounds::WIDTH) => Default::Count(704),
    act: Kind::Word(Act::words) => Default::Word("swiglu"),
    residual: Kind::Word(Residual::words) => Default::Word("inner"),
    gate: Kind::Word(Gate::words) => Default::Word("independent"),
    norm: Kind::Word(ChainNorm::words) => Default::Word("once"),
    shared_at: Kind::Word(SharedAt::words) => Default::Word("each"),
    shared_gate: Kind::Word(SharedGate::words) => Default::Word("none"),
    router: Kind::Block(Router::TABLES) => Default::Word("softmax"),
    balance: Kind::Blocks(Balance::TABLES) => Default::Word("none"),
    bias: Kind::Flag => Default::Flag(false),
    norm_at: Kind::Word(NormAt::words) => Default::Word("before"),
    multiplier: Kind::Real(bounds::COEFFICIENT) => Default::Real(1.0),
}
    fn rules(&self, check: &mut Check) {
        if check.holds(&["iter"]) && self.k.len() != self.iter {
            check.push("k", ViolationKind::KListLength { entries: self.k.len(), iter: self.iter });
        }
        if check.holds(&["k", "experts"]) {
            let too_many = self.k.iter().enumerate().find(|&(_, &k)| k > self.experts);
            if let Some((iteration, &k)) = too_many {
                check.push("k", ViolationKind::KExceedsExperts { k, experts: self.experts, iteration });
            }
            self.router.rules_within(check, &self.k, self.experts);
        }
        if self.gate == Gate::Frozen && self.k.windows(2).any(|pair| pair[0] != pair[1]) {
            check.push("k", ViolationKind::KListFrozen);
        }
        let (residual, norm) = (self.residual, self.norm);
        if norm != ChainNorm::Once && matches!(residual, Residual::Both | Residual::Delta) {
            check.push("residual", ViolationKind::ResidualNeedsNormOnce { residual, norm });
        }
        let output = self.wiring().output;
        let adds_what_it_made = matches!(residual, Residual::Outer | Residual::Delta);
        if self.norm_at == NormAt::After && !(norm == ChainNorm::Once && adds_what_it_made) {
            check.push("norm_at", ViolationKind::NormAtNeedsAddition { residual, norm });
        }
        if self.multiplier != 1.0 && output == Output::State {
            check.push("multiplier", ViolationKind::MultiplierNeedsAddition { residual });
        }
        if self.shared == 0 && self.shared_gate != SharedGate::None {
            check.push("shared_gate", ViolationKind::SharedGateNeedsShared);
        }
        for (i, term) in self.balance.iter().enumerate() {
            let word = term.word();
            if self.balance[..i].iter().any(|earlier| earlier.word() == word) {
                check.push("balance", ViolationKind::DuplicateBalance { word });
            }
        }
    }
}

impl Coe {
    /// The stream after the sublayer that made `change`.
    fn joined(&self, change: &str) -> String {
        let change = match self.norm_at {
            NormAt::Before => change.to_owned(),
            NormAt::After => format!("Norm({})", change.trim_matches(['(', ')'])),
        };
        match self.multiplier {
            1.0 => format!("h ← h + {change}"),
            multiplier => format!("h ← h + {multiplier} {change}"),
        }
    }
}

impl Described for Coe {
    fn name(&self) -> &'static str {
        if self.iter > 1 { "chain" } else { "mixture" }
    }

    fn about(&self) -> String {
        let Self { iter, k, experts, shared, hidden, .. } = self;
        let experts = counted(*experts, "expert");
        let pool = match shared {
            0 => format!("{experts} of width {hidden}"),
            shared => format!("{experts} of width {hidden} and {shared} shared"),
        };
        let selected = match k.first() {
            Some(first) if k.iter().all(|k| k == first) => first.to_string(),
            _ => k.iter().map(usize::to_string).collect::<Vec<_>>().join(", then "),
        };
        match iter {
            1 => format!("A mixture of experts: {pool}; a token selects {selected}."),
            _ => format!(
                "A chain of experts: {pool}; a token selects {selected} in each of {iter} iterations."
            ),
        }
    }

    fn title(&self) -> String {
        match self.iter {
            1 => "Mixture of experts".into(),
            iter => format!("Chain of experts, {iter} iterations"),
        }
    }

    /// The data path, as the table of the crate's documentation writes it.
    fn details(&self) -> Vec<String> {
        let wiring = self.wiring();
        let state = if wiring.starts_normed { "z" } else { "x" };
        let start =
            if wiring.starts_normed { format!("{state}₀ = Norm(h)") } else { format!("{state}₀ = h") };
        let t = if self.iter == 1 { "₁".to_string() } else { "ₜ".to_string() };
        let before = if self.iter == 1 { "₀" } else { "ₜ₋₁" };
        let last = subscript(self.iter);
        let step = match wiring.carry {
            Carry::AddToState => format!("{state}{t} = {state}{before} + y{t}"),
            Carry::AddToStart => format!("{state}{t} = {state}₀ + y{t}"),
            Carry::Replace => format!("{state}{t} = y{t}"),
        };
        let output = match wiring.output {
            Output::State => format!("h ← {state}{last}"),
            Output::StreamPlusState => self.joined(&format!("{state}{last}")),
            Output::StreamPlusChange => self.joined(&format!("({state}{last} − {state}₀)")),
        };
        vec![format!("residual={}: {start}, {step}, {output}", self.residual.word())]
    }
}
