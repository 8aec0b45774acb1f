"""The contract's names for the tensors of every family, as a checkpoint stores them or as `transformers` holds them.

What is fused is taken apart by views, so that writing to a result writes to the tensor it came from.
"""

import re

# In order: a later rule sees what the earlier ones made.
RENAMED = [
    (".block_sparse_moe.", ".mlp."),  # mixtral, minimax_m2, granitemoe
    (".router.layer.", ".router."),  # granitemoe, stored
    (".mlp.router.", ".mlp.gate."),  # gpt_oss, granitemoe
    (".mlp.gate.wg.", ".mlp.gate."),  # hunyuan_v1_moe
    (".gate.moe_statics.", ".gate."),  # ernie4_5_moe, in memory
    (".mlp.moe_statics.", ".mlp.gate."),  # and stored
    (".mlp.e_score_correction_bias", ".mlp.gate.e_score_correction_bias"),  # minimax_m2
    (".gate.expert_bias", ".gate.e_score_correction_bias"),  # bailing_moe of the second version
    (".shared_expert.", ".shared_experts."),  # qwen2_moe
    (".shared_mlp.", ".shared_experts."),  # hunyuan_v1_moe
    ("model.word_embeddings.", "model.embed_tokens."),  # bailing_moe
    (".attention.dense.", ".self_attn.o_proj."),
    (".attention.", ".self_attn."),
    (".query_layernorm.", ".q_norm."),  # hunyuan_v1_moe, bailing_moe
    (".key_layernorm.", ".k_norm."),
    (".input_linear.weight", ".experts.gate_up_proj"),  # granitemoe, stored
    (".output_linear.weight", ".experts.down_proj"),
]
# Of a model whose norms stand behind its sublayers: the contract calls a norm by its sublayer.
BEHIND = [
    (".post_attention_layernorm.", ".input_layernorm."),
    (".post_feedforward_layernorm.", ".post_attention_layernorm."),
]


def renamed(name, behind=False):
    for theirs, ours in RENAMED + (BEHIND if behind else []):
        name = name.replace(theirs, ours)
    for theirs, ours in (("w1", "gate_proj"), ("w3", "up_proj"), ("w2", "down_proj")):
        name = re.sub(rf"(experts\.\d+)\.{theirs}\.", rf"\1.{ours}.", name)
    return name


def contract(tensors, settings=None):
    """Tensors under the contract's names. `settings` are those of a family that fuses queries, keys and values."""
    behind = any("post_feedforward_layernorm" in name for name in tensors)
    named = {}
    for name, value in ((renamed(name, behind), value) for name, value in tensors.items()):
        stem, _, last = name.rpartition(".")
        if stem.endswith(".experts"):
            # Only gpt_oss has biases there, and it alternates gate and up and stores [in, out].
            oss = f"{stem}.gate_up_proj_bias" in tensors
            for expert, one in enumerate(value):
                named |= {f"{stem}.{expert}.{part}": view for part, view in apart(last, one, oss).items()}
        elif ".query_key_value." in name:
            heads, groups = settings["num_attention_heads"], settings["num_key_value_heads"]
            width = settings.get("head_dim") or settings["hidden_size"] // heads
            parts = value.split([heads * width, groups * width, groups * width])
            named |= {name.replace("query_key_value", f"{part}_proj"): view for part, view in zip("qkv", parts)}
        else:
            # ernie4_5_moe stores its selection biases as one row.
            named[name] = value[0] if last == "e_score_correction_bias" and value.dim() == 2 else value
    return named


def apart(kind, one, oss):
    """What one expert has of a fused tensor."""
    if kind.endswith("_bias"):
        if kind.startswith("down"):
            return {"down_proj.bias": one}
        return {"gate_proj.bias": one[0::2], "up_proj.bias": one[1::2]}
    if kind == "down_proj":
        return {"down_proj.weight": one.T if oss else one}
    gate, up = (one[:, 0::2].T, one[:, 1::2].T) if oss else one.chunk(2)
    return {"gate_proj.weight": gate, "up_proj.weight": up}
