"""Small models in the format of the published chain, model_type `coe_deepseekv2`.

That format has no class in `transformers`, so the folders are written by hand and the
goldens come from the reference. Its published settings had two dialects for where the
stream goes: first the flags `inner_residual` and `outer_residual`, later the one word
`residual`; both are here.
"""

import json
from dataclasses import dataclass

from safetensors.torch import save_file


@dataclass
class Variant:
    name: str
    settings: dict
    text: str
    unlike: list


BASE = {
    "_name_or_path": "CoE-DeepSeek-V2-Tiny",
    "architectures": ["CoeForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "auto_map": {
        "AutoConfig": "configuration_coe.CoeConfig",
        "AutoModel": "modeling_coe.CoeModel",
        "AutoModelForCausalLM": "modeling_coe.CoeForCausalLM",
    },
    "aux_loss_alpha": 0.01,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "ep_size": 1,
    "first_k_dense_replace": 0,
    "hidden_act": "silu",
    "hidden_size": 8,
    "initializer_range": 0.02,
    "inner_iter": 2,
    "intermediate_size": 12,
    "kv_lora_rank": 6,
    "max_position_embeddings": 256,
    "model_type": "coe_deepseekv2",
    "moe_intermediate_size": 4,
    "moe_layer_freq": 1,
    "n_group": 1,
    "n_routed_experts": 5,
    "n_shared_experts": 1,
    "norm_topk_prob": False,
    "num_attention_heads": 2,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "pretraining_tp": 1,
    "q_lora_rank": None,
    "qk_nope_head_dim": 4,
    "qk_rope_head_dim": 8,
    "rms_norm_eps": 1e-06,
    "rope_scaling": {
        "beta_fast": 4,
        "beta_slow": 1,
        "factor": 4,
        "mscale": 0.707,
        "mscale_all_dim": 0.707,
        "original_max_position_embeddings": 64,
        "type": "yarn",
    },
    "rope_theta": 10000,
    "routed_scaling_factor": 1.0,
    "scoring_func": "softmax",
    "seq_aux": True,
    "tie_word_embeddings": False,
    "topk_group": 1,
    "topk_method": "greedy",
    "torch_dtype": "float32",
    "transformers_version": "4.49.0",
    "use_cache": True,
    "use_igate": True,
    "v_head_dim": 6,
    "vocab_size": 16,
}
YARN = "yarn(theta=10000, factor=4, original=64, beta_fast=4, beta_slow=1, mscale=0.707, mscale_all_dim=0.707)"


def variant(name, comment, settings, ffn, *unlike, q_rank="none", rope=YARN):
    text = f"""/// {comment}
model {name} {{
    vocab     = 16
    context   = 256
    dim       = 8
    layers    = 2
    attention = mla(heads=2, kv_rank=6, q_rank={q_rank}, nope=4, rope_dim=8, value=6,
                    rope={rope})
    ffn       = {ffn}
}}
"""
    return Variant(name, settings, text, list(unlike))


def chain(rest, pool="k=2, experts=5, shared=1", balance="seq_aux(alpha=0.01)", iterations=2):
    return f"coe(iter={iterations}, {pool}, hidden=4, balance={balance},\n                    {rest})"


def all_variants():
    yield variant("inner", "The default: the stream is dropped, each iteration has its router.",
                  {"residual": "inner"}, chain("residual=inner"))
    yield variant("outer", "The stream joins at the end, nothing inside.",
                  {"residual": "outer"}, chain("residual=outer"))
    yield variant("addinit", "Each iteration starts again from the normed stream.",
                  {"residual": "addinit"}, chain("residual=init"))
    yield variant("none", "No residual at all.", {"residual": "none"}, chain("residual=none"))
    yield variant("flags_inner", "The flags that mean inner.",
                  {"inner_residual": True, "outer_residual": False}, chain("residual=inner"))
    yield variant("flags_both", "Both flags: a mode that the one word cannot say.",
                  {"inner_residual": True, "outer_residual": True}, chain("residual=both"))
    yield variant("tied", "use_igate=false: one router, read again in every iteration.",
                  {"residual": "inner", "use_igate": False}, chain("residual=inner, gate=tied"), ("tied", "frozen"))
    yield variant("single", "One iteration; its router is still a list of one. Renormed weights are not scaled.",
                  {"residual": "inner", "inner_iter": 1, "norm_topk_prob": True, "routed_scaling_factor": 3.0},
                  chain("residual=inner, router=softmax(renorm=true)", iterations=1), ("renorm=true", "renorm=false"))
    yield variant("top_one", "A selection of one is scaled and never renormed.",
                  {"residual": "inner", "num_experts_per_tok": 1, "norm_topk_prob": True, "routed_scaling_factor": 3.0},
                  chain("residual=inner, router=softmax(scale=3)", pool="k=1, experts=5, shared=1"),
                  ("scale=3", "scale=3, renorm=true"))
    yield variant("groups", "Groups, a scale, a query latent, plain rotations, no shared expert, balance over the batch.",
                  {"residual": "outer", "n_routed_experts": 6, "n_shared_experts": None, "n_group": 3, "topk_group": 2,
                   "num_experts_per_tok": 3, "topk_method": "group_limited_greedy", "routed_scaling_factor": 2.0,
                   "seq_aux": False, "q_lora_rank": 5, "rope_scaling": None},
                  chain("residual=outer, router=softmax(scale=2, groups=3, keep=2, group_score=max)",
                        pool="k=3, experts=6", balance="switch_aux(alpha=0.01)"),
                  ("keep=2", "keep=3"), ("scale=2", "scale=1"), q_rank="5", rope="rope(theta=10000)")


def published_name(name, settings):
    """With `use_igate` the routers are a list, even where there is one."""
    if settings["use_igate"]:
        return name.replace(".mlp.gate.weight", ".mlp.gate.0.weight")
    return name


def save(entry, weights, folder):
    settings = {**BASE, **entry.settings}
    (folder / "config.json").write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    named = {published_name(name, settings): value for name, value in weights.items()}
    save_file(named, folder / "model.safetensors", metadata={"format": "pt"})
