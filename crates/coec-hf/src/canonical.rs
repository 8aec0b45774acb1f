//! One form of models that compute the same.

use coec_ir::{
    Attention, ChainNorm, Coe, Ffn, Gate, Layer, Mla, Model, NormAt, QkNorm, Residual, SharedAt, SharedGate,
    Stack,
};

/// `model` in the form that an imported folder has: where an axis of a block makes no difference,
/// with the value that says so. Tensors have the same names in both forms, and the same places.
///
/// With one iteration, `gate`, `shared_at` and `norm` say nothing, and several residuals are the ordinary
/// `outer`; without shared experts, `shared_at` and `shared_gate` say nothing. A window as long as the
/// context is none, and so is a `scale` that is the usual one, or a `latent_eps` that is the model's eps;
/// without a norm `qk_norm_at` says nothing, and a latent that is not there has no bias.
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
    let layer = |layer: &Layer| Layer {
        attention: attention(&layer.attention, model),
        ffn: match &layer.ffn {
            Ffn::Coe(coe) => Ffn::Coe(form(coe)),
            Ffn::Dense(dense) => Ffn::Dense(dense.clone()),
        },
    };
    let layers: Vec<Layer> = model.layers.iter().map(layer).collect();
    let loops = model.layers.loops().iter().copied();
    Model { layers: Stack::from_layers(&layers).with_loops(loops), ..model.clone() }
}

fn attention(attention: &Attention, model: &Model) -> Attention {
    let mut attention = attention.clone();
    let (window, scale, usual) = match &mut attention {
        Attention::Mha(mha) => {
            if mha.qk_norm == QkNorm::None {
                mha.qk_norm_at = NormAt::Before;
            }
            (&mut mha.window, &mut mha.scale, mha.head_dim)
        }
        Attention::Mla(mla) => {
            mla.bias = mla.biased().collect();
            mla.latent_eps = mla.latent_eps.filter(|&eps| eps != model.norm.eps);
            let usual = Mla::head_dim(mla);
            (&mut mla.window, &mut mla.scale, usual)
        }
    };
    *window = window.filter(|&window| window < model.context);
    *scale = scale.filter(|&scale| scale != (usual as f64).powf(-0.5));
    attention
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
