//! One form of models that compute the same.

use coec_ir::{ChainNorm, Coe, Ffn, Gate, Layer, Model, Residual, SharedAt, SharedGate, Stack};

/// `model` in the form that an imported folder has: where an axis of a block makes no difference,
/// with the value that says so. Tensors have the same names in both forms, and the same places.
///
/// With one iteration, `gate`, `shared_at` and `norm` say nothing, and several residuals are the
/// ordinary `outer`; without shared experts, `shared_at` and `shared_gate` say nothing.
pub fn canonical(model: &Model) -> Model {
    with(model, ordinary)
}

/// The same, but for the gate, which the published chain can say of one iteration too.
pub(crate) fn canonical_chain(model: &Model) -> Model {
    with(model, |coe| {
        let gate = if coe.iter == 1 && coe.gate == Gate::Frozen { Gate::Tied } else { coe.gate };
        Coe { gate, ..ordinary(coe) }
    })
}

fn with(model: &Model, form: impl Fn(&Coe) -> Coe) -> Model {
    let layers: Vec<Layer> = model
        .layers
        .iter()
        .map(|layer| match &layer.ffn {
            Ffn::Coe(coe) => Layer { ffn: Ffn::Coe(form(coe)), ..layer.clone() },
            Ffn::Dense(_) => layer.clone(),
        })
        .collect();
    let loops = model.layers.loops().iter().copied();
    Model { layers: Stack::from_layers(&layers).with_loops(loops), ..model.clone() }
}

fn ordinary(coe: &Coe) -> Coe {
    let mut coe = coe.clone();
    if coe.shared == 0 {
        coe.shared_at = SharedAt::Each;
        coe.shared_gate = SharedGate::None;
    }
    if coe.iter == 1 {
        coe.gate = Gate::Independent;
        coe.shared_at = SharedAt::Each;
        coe.residual = match (coe.norm, coe.residual) {
            // h + y, whether the chain holds the stream or it is added to the output.
            (ChainNorm::Each | ChainNorm::Tied, Residual::Inner | Residual::Init) => Residual::Outer,
            (ChainNorm::Once, Residual::Delta) => Residual::Outer,
            (_, residual) => residual,
        };
        coe.norm = ChainNorm::Once;
    }
    coe
}
