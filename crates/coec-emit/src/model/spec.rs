//! `spec()` of lib.rs: the model as a literal of the IR.

use coec_ir::Model;

use super::{Run, Writer, layer_literal};
use crate::print::Expr;

impl Writer<'_> {
    /// The function, the whole model in it.
    pub fn spec(&self) -> String {
        let Model { name, doc, context, .. } = self.model;
        let layers = match &self.runs {
            Some(runs) => {
                let kinds: Vec<Expr> = self
                    .plan
                    .kinds
                    .iter()
                    .map(|kind| {
                        layer_literal(
                            &self.plan.attention[kind.attention],
                            &self.plan.ffn[kind.ffn],
                            "model::",
                        )
                    })
                    .collect();
                match (runs.as_slice(), kinds.as_slice()) {
                    ([_], [kind]) => {
                        Expr::Call("Stack::repeat".into(), vec![kind.clone(), Expr::plain("model::LAYERS")])
                    }
                    _ => {
                        let run = |(run, kind): (&Run, Expr)| Expr::Tuple(vec![kind, Expr::plain(run.count)]);
                        let runs = runs.iter().zip(kinds).map(run).collect();
                        Expr::Call("Stack::from_runs".into(), vec![Expr::Array(runs)])
                    }
                }
            }
            None => Expr::plain("Stack::from_layers(&model::ORDER.map(model::Kind::spec))"),
        };
        let layers = match self.model.layers.loops() {
            [] => layers,
            _ => Expr::Call("Stack::with_loops".into(), vec![layers, Expr::plain("model::LOOPS")]),
        };
        let value = Expr::Struct(
            "Model".into(),
            vec![
                ("name", Expr::string(name)),
                ("doc", Expr::string(doc)),
                ("vocab", Expr::plain("model::VOCAB")),
                ("context", Expr::plain(context)),
                ("dim", Expr::plain("model::DIM")),
                ("norm", Expr::plain("model::NORM")),
                ("embedding", Expr::plain("model::TOKENS")),
                ("layers", layers),
            ],
        );
        format!(
            "/// The spec, every value explicit.\npub fn spec() -> Model {{\n    {}\n}}\n",
            value.print(4, 0, 0)
        )
    }

    /// Names of the IR that [`spec`](Self::spec) is written with.
    pub fn spec_imports(&self) -> Vec<&'static str> {
        let mut names = vec!["Model", "Stack"];
        if self.runs.is_some() {
            names.extend(["Attention", "Ffn", "Layer"]);
        }
        names
    }
}
