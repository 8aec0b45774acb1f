//! `ffn`, `router`, `balance`.

use coec_ir::{
    Balance, ChainNorm, Coe, Dense, Ffn, Field, Gate, Groups, Place, Residual, Router, Score, Violation,
    ViolationKind, bounds,
};

use super::value::Counts;
use super::{Call, Cx};
use crate::error::{ResolveError, VerifyError};

impl Cx<'_> {
    /// A feed-forward block.
    pub fn ffn(&mut self, call: &Call) -> Option<Ffn> {
        match call.block.word {
            "coe" => self.coe(call).map(Ffn::Coe),
            "moe" => self.moe(call).map(Ffn::Coe),
            _ => self.dense(call).map(Ffn::Dense),
        }
    }

    fn coe(&mut self, call: &Call) -> Option<Coe> {
        let iter = self.count(call, "iter");
        let residual = self.word(call, "residual");
        let gate = self.word(call, "gate");
        let norm = self.word(call, "norm");
        self.chain(call, iter, residual, gate, norm)
    }

    /// `moe` is the chain of one iteration in the ordinary pre-norm block.
    fn moe(&mut self, call: &Call) -> Option<Coe> {
        self.chain(call, Some(1), Some(Residual::Outer), Some(Gate::Independent), Some(ChainNorm::Once))
    }

    fn chain(
        &mut self,
        call: &Call,
        iter: Option<usize>,
        residual: Option<Residual>,
        gate: Option<Gate>,
        norm: Option<ChainNorm>,
    ) -> Option<Coe> {
        let k = self.counts(call, "k");
        let experts = self.count(call, "experts");
        let shared = self.count(call, "shared");
        let hidden = self.count(call, "hidden");
        let act = self.word(call, "act");
        let shared_at = self.word(call, "shared_at");
        let router = self.router(call);
        let balance = self.balance(call);
        let (iter, gate) = (iter?, gate?);
        Some(Coe {
            iter,
            k: self.k(k?, iter, gate),
            experts: experts?,
            shared: shared?,
            hidden: hidden?,
            act: act?,
            residual: residual?,
            gate,
            norm: norm?,
            shared_at: shared_at?,
            router: router?,
            balance: balance?,
        })
    }

    /// One k for each iteration.
    fn k(&mut self, k: Counts, iter: usize, gate: Gate) -> Vec<usize> {
        match k {
            // An iter out of its bounds is for `verify` to report; its list must not be made.
            Counts::One(k) => vec![k; iter.min(bounds::ITER.max as usize)],
            Counts::List(list, at) => {
                if gate == Gate::Frozen {
                    // Refused even if the entries agree: the list claims what a frozen gate cannot do.
                    let field = Field { place: Place::Ffn(0), path: "k" };
                    let violation = Violation { field, kind: ViolationKind::KListFrozen };
                    let field = "ffn.k".into();
                    self.found.push(VerifyError { violation, field, at, defaulted: false });
                }
                list
            }
        }
    }

    fn dense(&mut self, call: &Call) -> Option<Dense> {
        let hidden = self.count(call, "hidden");
        let act = self.word(call, "act");
        Some(Dense { hidden: hidden?, act: act? })
    }

    fn router(&mut self, outer: &Call) -> Option<Router> {
        let call = self.block(outer, "router")?;
        let score = Score::ALL.iter().copied().find(|score| score.word() == call.block.word);
        let renorm = self.flag(&call, "renorm");
        let scale = self.real(&call, "scale");
        let groups = self.count_if_given(&call, "groups");
        let keep = self.count_if_given(&call, "keep");
        let group_score = self.word(&call, "group_score");
        let groups = match (groups?, keep?) {
            (None, None) if call.given("group_score").is_some() => {
                return self.groups_need("group_score", "groups", &call);
            }
            (None, None) => None,
            (Some(_), None) => return self.groups_need("groups", "keep", &call),
            (None, Some(_)) => return self.groups_need("keep", "groups", &call),
            (Some(groups), Some(keep)) => Some(Groups { groups, keep, score: group_score? }),
        };
        Some(Router { score: score?, renorm: renorm?, scale: scale?, groups })
    }

    fn groups_need(&mut self, given: &'static str, missing: &'static str, call: &Call) -> Option<Router> {
        let at = call.given(given).map_or(call.at, |value| value.span);
        self.found.push(ResolveError::GroupsNeedKeep { given, missing, at });
        None
    }

    fn balance(&mut self, outer: &Call) -> Option<Vec<Balance>> {
        let calls = self.blocks(outer, "balance")?;
        let terms: Vec<_> = calls.iter().map(|call| self.balance_term(call)).collect();
        terms.into_iter().collect()
    }

    fn balance_term(&mut self, call: &Call) -> Option<Balance> {
        Some(match call.block.word {
            "bias" => Balance::Bias { rate: self.real(call, "rate")? },
            "seq_aux" => Balance::SeqAux { alpha: self.real(call, "alpha")? },
            "switch_aux" => Balance::SwitchAux { alpha: self.real(call, "alpha")? },
            _ => Balance::ZLoss { alpha: self.real(call, "alpha")? },
        })
    }
}
