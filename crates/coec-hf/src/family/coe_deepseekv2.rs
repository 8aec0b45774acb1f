//! The published Chain-of-Experts, arXiv 2506.18945, on DeepSeek-V2's blocks.
//!
//! Its code has had two ways to say what the language calls `residual`: a word, `residual`, and
//! before that two flags, `inner_residual` and `outer_residual`. With the stream `h`, the normed
//! `z_0` and what the experts make of `z`, `y`:
//!
//! | the language | word | inner | outer | z_t | output |
//! |---|---|---|---|---|---|
//! | `inner` | `inner` | true | false | z + y | z_C |
//! | `outer` | `outer` | false | true | y | h + z_C |
//! | `both` | | true | true | z + y | h + z_C |
//! | `init` | `addinit` | | | z_0 + y | z_C |
//! | `none` | `none` | false | false | y | z_C |

use coec_ir::Ffn;
use coec_ir::{Attention, ChainNorm, Gate, Model, Residual, Score, SharedAt, bounds};
use serde_json::{Value, json};

use super::plain::{self, Defaults};
use super::{Record, deepseek};
use crate::Reason;
use crate::inert::LATENT;
use crate::layout::Names;
use crate::read::{Given, Reader};
use crate::rope::Code;
use crate::write::{Parts, Writer};

pub(super) const RECORD: Record = Record {
    architecture: "CoeForCausalLM",
    inert: &[LATENT, &INERT],
    read,
    write,
    stored: Names { inside: renamed, ..Names::SAME },
    fused: None,
    predicts_further: false,
    is_chain: true,
    has_class: true,
};

const INERT: [Reason; 2] = [
    Reason { key: "save_routing_logits", why: "writes the selections to files" },
    Reason { key: "intermediate_size", why: "is the width of dense layers, of which there are none" },
];

const DEFAULTS: Defaults = Defaults {
    vocab: 102_400,
    context: 2048,
    dim: 4096,
    layers: 30,
    heads: 32,
    kv_heads: None,
    eps: 1e-6,
    theta: 1e4,
};

fn read(reader: &mut Reader<'_>) -> Model {
    let sizes = plain::sizes(reader, &DEFAULTS);
    let mla = deepseek::mla(reader, &DEFAULTS, &deepseek::LATENT, &sizes, Code::Chain);
    reader.only_word("scoring_func", "softmax", "the published code scores by softmax alone");
    let k = reader.count("num_experts_per_tok", None, bounds::EXPERTS);
    let experts = reader.count("n_routed_experts", None, bounds::EXPERTS);
    let hidden = reader.count("moe_intermediate_size", Some(1407), bounds::WIDTH);
    let scale = reader.real("routed_scaling_factor", Some(1.0), bounds::COEFFICIENT);
    // The published code normalises or scales, never both, and a single weight it only scales.
    let renorm = reader.flag("norm_topk_prob", false) && k > 1;
    if renorm && scale != 1.0 {
        let text = format!("{scale:?} does nothing beside norm_topk_prob=true in the published code");
        reader.note("routed_scaling_factor", text);
    }
    let iter = reader.count("inner_iter", None, bounds::ITER);
    let mut coe = plain::moe(k, experts, hidden, sizes.act, renorm);
    coe.iter = iter;
    coe.k = vec![k; iter];
    coe.shared = deepseek::shared(reader, None);
    coe.router.scale = if renorm { 1.0 } else { scale };
    coe.router.groups = deepseek::groups_by_method(reader);
    coe.residual = residual(reader);
    coe.gate = if reader.required_flag("use_igate") { Gate::Independent } else { Gate::Tied };
    let native = deepseek::aux_loss(reader, 0.001);
    coe.balance = reader.balance(native, false);
    if deepseek::dense_layers(reader, 0) != 0
        && let Given::Value(value) = reader.given("first_k_dense_replace")
    {
        let why = "the published code cannot run a dense layer in a chain";
        reader.refuse("first_k_dense_replace", value, why, "0");
    }
    let layers = plain::layers(&sizes, Attention::Mla(mla), coe, 1, |_| false);
    sizes.model(layers)
}

/// `residual`, from the word or from the two flags.
fn residual(reader: &mut Reader<'_>) -> Residual {
    let is_flagged = ["inner_residual", "outer_residual"].iter().any(|key| reader.map.contains_key(*key));
    let flagged = is_flagged.then(|| {
        let inner = reader.required_flag("inner_residual");
        let outer = reader.required_flag("outer_residual");
        match (inner, outer) {
            (true, false) => Residual::Inner,
            (false, true) => Residual::Outer,
            (true, true) => Residual::Both,
            (false, false) => Residual::None,
        }
    });
    let Given::Value(value) = reader.given("residual") else { return flagged.unwrap_or(Residual::Inner) };
    let said = match value.as_str() {
        Some("inner") => Residual::Inner,
        Some("outer") => Residual::Outer,
        Some("addinit") => Residual::Init,
        Some("none") => Residual::None,
        _ => {
            let why = "the published code has no such residual";
            let accepted = "\"inner\", \"outer\", \"addinit\", \"none\"; both of the first two are \
                            inner_residual and outer_residual";
            reader.refuse("residual", value, why, accepted);
            return Residual::Inner;
        }
    };
    if flagged.is_some_and(|flagged| flagged != said) {
        let why = "inner_residual and outer_residual say otherwise";
        reader.refuse("residual", value, why, "the word or the flags, or ones that agree");
    }
    said
}

fn write(parts: &Parts<'_>, writer: &mut Writer) {
    let coe = parts.coe;
    deepseek::write_mla(writer, parts, Code::Chain);
    writer.no_dense(parts);
    if coe.norm != ChainNorm::Once {
        writer.blocked("ffn.norm", coe.norm.word(), "one norm before the chain");
    }
    if coe.k.iter().any(|k| *k != coe.k[0]) {
        writer.blocked("ffn.k", format!("{:?}", coe.k), "as many experts in each iteration");
    }
    if coe.shared_at != SharedAt::Each {
        writer.blocked("ffn.shared_at", coe.shared_at.word(), "shared experts run in each iteration");
    }
    writer.no_shared_gate(coe);
    router(writer, coe.router.renorm, coe.router.scale, coe.k[0]);
    writer.score(coe, Score::Softmax);
    write_residual(writer, coe.residual);
    match coe.gate {
        Gate::Independent => writer.set("use_igate", true),
        Gate::Tied => writer.set("use_igate", false),
        _ => writer.blocked("ffn.gate", coe.gate.word(), "routers read in every iteration"),
    }
    writer.set("inner_iter", coe.iter);
    writer.set("scoring_func", "softmax");
    writer.set("n_shared_experts", if coe.shared == 0 { Value::Null } else { coe.shared.into() });
    writer.set("ep_size", 1);
    writer.set("auto_map", auto_map());
    deepseek::write_groups_by_method(writer, parts);
    deepseek::write_layers(writer, parts);
    let native = deepseek::write_aux_loss(writer, &coe.balance);
    writer.balance(coe, &native, false);
}

fn router(writer: &mut Writer, renorm: bool, scale: f64, k: usize) {
    writer.single_weight(renorm, k);
    if renorm && scale != 1.0 {
        writer.blocked("ffn.router.scale", format!("{scale:?}"), "renormalised weights are not scaled");
    }
    writer.set("norm_topk_prob", renorm);
    writer.set("routed_scaling_factor", scale);
}

fn write_residual(writer: &mut Writer, residual: Residual) {
    let word = match residual {
        Residual::Inner => "inner",
        Residual::Outer => "outer",
        Residual::Init => "addinit",
        Residual::None => "none",
        Residual::Both => {
            writer.set("inner_residual", true);
            writer.set("outer_residual", true);
            return;
        }
        _ => {
            return writer.blocked("ffn.residual", residual.word(), "inner, outer, both, init or none");
        }
    };
    writer.set("residual", word);
    // The first published code reads these instead. It has no `addinit`.
    if residual != Residual::Init {
        writer.set("inner_residual", residual == Residual::Inner);
        writer.set("outer_residual", residual == Residual::Outer);
    }
}

/// Where transformers finds the family's code: the published files, to be put beside.
fn auto_map() -> Value {
    json!({
        "AutoConfig": "configuration_coe.CoeConfig",
        "AutoModel": "modeling_coe.CoeModel",
        "AutoModelForCausalLM": "modeling_coe.CoeForCausalLM",
    })
}

/// With `use_igate` the routers are a list, even of one.
fn renamed(name: &str, ffn: &Ffn) -> String {
    match ffn {
        Ffn::Coe(coe) if coe.iter == 1 && coe.gate == Gate::Independent => {
            name.replace("mlp.gate.weight", "mlp.gate.0.weight")
        }
        _ => name.into(),
    }
}
