//! Experts as DeepSeek-V3 has them: sigmoid scores, a selection bias of each expert, and perhaps groups.

use coec_ir::{Act, Balance, Coe, GroupScore, Score, bounds};

use super::{deepseek, plain};
use crate::read::Reader;
use crate::write::{Parts, Writer};

/// The step of the selection bias with which DeepSeek-V3 was trained; no setting of any family says it.
const BIAS_RATE: f64 = 0.001;

/// What a family's configuration class gives the settings that are left out.
pub(super) struct Defaults {
    pub k: Option<usize>,
    pub experts: Option<usize>,
    pub hidden: usize,
    pub shared: Option<usize>,
    pub renorm: bool,
    pub scale: f64,
    /// How many groups there are, and how many of them are kept.
    pub groups: [usize; 2],
}

/// The layers' experts.
pub(super) fn read(reader: &mut Reader<'_>, act: Act, defaults: &Defaults) -> Coe {
    let names = ["n_routed_experts", "num_local_experts", "num_experts"];
    reader.only_word("scoring_func", "sigmoid", "the family's code scores by sigmoid alone");
    reader.only_word("topk_method", "noaux_tc", "the family's code always selects by bias and groups");
    let k = reader.count("num_experts_per_tok", defaults.k, bounds::EXPERTS);
    let experts = reader.count_by_names(&names, defaults.experts, bounds::EXPERTS);
    let hidden = reader.count("moe_intermediate_size", Some(defaults.hidden), bounds::WIDTH);
    let renorm = reader.flag("norm_topk_prob", defaults.renorm);
    let mut coe = plain::moe(k, experts, hidden, act, renorm);
    coe.shared = deepseek::shared(reader, defaults.shared);
    coe.router.score = Score::Sigmoid;
    coe.router.scale = reader.real("routed_scaling_factor", Some(defaults.scale), bounds::COEFFICIENT);
    coe.router.groups = deepseek::groups(reader, defaults.groups.map(Some), GroupScore::Top2);
    let loss = deepseek::aux_loss(reader, 0.0);
    coe.balance = balance(reader, loss);
    coe
}

/// The balance terms: the selection bias, and then `loss`.
pub(super) fn balance(reader: &mut Reader<'_>, loss: Vec<Balance>) -> Vec<Balance> {
    let bias = Balance::Bias { rate: BIAS_RATE };
    let balance = reader.balance([vec![bias], loss].concat(), true);
    if balance.contains(&bias) {
        reader.note(
            "e_score_correction_bias",
            format!(
                "no setting says how fast selection biases move in training; bias(rate={BIAS_RATE}) is \
                 what DeepSeek-V3 was trained with, and bias(rate=0.0) leaves them as they are"
            ),
        );
    }
    balance
}

/// Writes how experts are scored, selected and weighed.
pub(super) fn write(writer: &mut Writer, parts: &Parts<'_>) {
    let coe = parts.coe;
    writer.ordinary_block(coe);
    writer.score(coe, Score::Sigmoid);
    if coe.shared == 0 {
        writer.blocked("ffn.shared", 0, "the class of transformers always has shared experts");
    }
    writer.no_shared_gate(coe);
    writer.set("norm_topk_prob", coe.router.renorm);
    writer.set("n_shared_experts", coe.shared);
    writer.set("routed_scaling_factor", coe.router.scale);
    write_groups(writer, coe);
}

/// Writes groups that are scored by their two best.
pub(super) fn write_groups(writer: &mut Writer, coe: &Coe) {
    match coe.router.groups {
        Some(groups) => deepseek::write_groups(writer, groups, GroupScore::Top2),
        None => {
            if coe.experts < 2 {
                writer.blocked("ffn.experts", coe.experts, "a group is scored by its two best");
            }
            writer.set("n_group", 1);
            writer.set("topk_group", 1);
        }
    }
}

/// Writes the balance terms of which a family's settings have none.
pub(super) fn write_balance(writer: &mut Writer, coe: &Coe) {
    writer.balance(coe, &[Balance::Bias { rate: BIAS_RATE }], true);
}

/// Writes the balance terms of a family whose settings have a loss.
pub(super) fn write_balance_and_loss(writer: &mut Writer, coe: &Coe) {
    let bias = Balance::Bias { rate: BIAS_RATE };
    let loss = coe.balance.strip_prefix(&[bias]).unwrap_or_default();
    let native = [vec![bias], deepseek::write_aux_loss(writer, loss)].concat();
    writer.balance(coe, &native, true);
}
