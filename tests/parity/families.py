"""Small random models of the families that `transformers` knows, and what it computes with them.

Each family is written by `save_pretrained`, read back by `from_pretrained` and run there,
in double precision; `model.coe` beside it says the same model in our language.
"""

import json
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from unittest.mock import patch

import torch
import transformers
from safetensors.torch import load_file

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


@dataclass
class Family:
    name: str
    config: transformers.PreTrainedConfig
    text: str
    shard: str = "5GB"
    dtype: torch.dtype = torch.float32
    old_keys: bool = False
    unlike: list = field(default_factory=list)


COMMON = {"vocab_size": 24, "hidden_size": 16, "num_attention_heads": 4, "max_position_embeddings": 256,
          # Token ids that fit the small vocabulary; a padding id would zero the gradient of its row.
          "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None}
LATENT = {"kv_lora_rank": 8, "qk_rope_head_dim": 8, "qk_nope_head_dim": 4, "v_head_dim": 6, "num_key_value_heads": 4}


def yarn(mscale, all_dim):
    return {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64,
            "beta_fast": 4.0, "beta_slow": 1.0, "mscale": mscale, "mscale_all_dim": all_dim}


def spec(name, comment, layers, *fields):
    lines = [f"/// {comment}", f"model {name} {{", "    vocab     = 24", "    context   = 256", "    dim       = 16",
             f"    layers    = {layers}", *(f"    {line}" for line in fields), "}", ""]
    return "\n".join(lines)


def all_families():
    yield Family(
        "mixtral",
        transformers.MixtralConfig(**COMMON, num_hidden_layers=2, num_key_value_heads=2, intermediate_size=8,
                                   num_local_experts=4, num_experts_per_tok=2),
        spec("mixtral", "A small Mixtral: grouped queries, always renormed.", 2,
             "norm      = rms(eps=1e-5)",
             "attention = mha(heads=4, kv_heads=2, rope=rope(theta=1000000))",
             "ffn       = moe(k=2, experts=4, hidden=8, router=softmax(renorm=true))"),
        shard="8KB",
    )
    yield Family(
        "olmoe",
        transformers.OlmoeConfig(**COMMON, num_hidden_layers=2, num_key_value_heads=2, intermediate_size=6,
                                 num_experts=6, num_experts_per_tok=3),
        spec("olmoe", "A small OLMoE: a norm over all queries and over all keys, not renormed.", 2,
             "norm      = rms(eps=1e-5)",
             "attention = mha(heads=4, kv_heads=2, qk_norm=full)",
             "ffn       = moe(k=3, experts=6, hidden=6)"),
    )
    yield Family(
        "qwen2_moe",
        transformers.Qwen2MoeConfig(**COMMON, num_hidden_layers=3, num_key_value_heads=2, intermediate_size=12,
                                    moe_intermediate_size=4, shared_expert_intermediate_size=12, num_experts=6,
                                    num_experts_per_tok=3, decoder_sparse_step=2),
        spec("qwen2_moe", "A small Qwen2-MoE: biases, a gated shared expert, experts in every second layer.", 3,
             "attention = mha(heads=4, kv_heads=2, bias=true)",
             "ffn       = moe(k=3, experts=6, shared=3, hidden=4, shared_gate=sigmoid)",
             "ffn[every 2] = dense(hidden=12)"),
    )
    yield Family(
        "qwen3_moe",
        transformers.Qwen3MoeConfig(**COMMON, num_hidden_layers=2, num_key_value_heads=2, head_dim=6,
                                    intermediate_size=12, moe_intermediate_size=4, num_experts=6,
                                    num_experts_per_tok=3, norm_topk_prob=True, mlp_only_layers=[0],
                                    tie_word_embeddings=True,
                                    rope_parameters={"rope_type": "default", "rope_theta": 1000000.0}),
        spec("qwen3_moe", "A small Qwen3-MoE: wide heads, a norm on each, renormed, tied, a dense first layer.", 2,
             "embedding = tokens(tied=true)",
             "attention = mha(heads=4, kv_heads=2, head_dim=6, rope=rope(theta=1000000), qk_norm=head)",
             "ffn       = moe(k=3, experts=6, hidden=4, router=softmax(renorm=true))",
             "ffn[0]    = dense(hidden=12)"),
    )
    yield Family(
        "qwen3_moe_yarn",
        transformers.Qwen3MoeConfig(**COMMON, num_hidden_layers=1, num_key_value_heads=2, head_dim=8,
                                    intermediate_size=12, moe_intermediate_size=4, num_experts=4,
                                    num_experts_per_tok=2, norm_topk_prob=True,
                                    rope_parameters={"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0,
                                                     "original_max_position_embeddings": 64}),
        spec("qwen3_moe_yarn", "A small Qwen3-MoE with its context extended by YaRN.", 1,
             "attention = mha(heads=4, kv_heads=2, head_dim=8, qk_norm=head,",
             "                rope=yarn(theta=10000, factor=4, original=64))",
             "ffn       = moe(k=2, experts=4, hidden=4, router=softmax(renorm=true))"),
        unlike=[("factor=4", "factor=2"), ("original=64", "original=16")],
    )
    yield Family(
        "deepseek_v2",
        transformers.DeepseekV2Config(**COMMON, **LATENT, num_hidden_layers=2, q_lora_rank=None, intermediate_size=12,
                                      moe_intermediate_size=4, n_routed_experts=6, n_shared_experts=2,
                                      num_experts_per_tok=3, first_k_dense_replace=1, rope_parameters=yarn(0.707, 0.707)),
        spec("deepseek_v2", "A small DeepSeek-V2-Lite: queries direct, two shared experts, a dense first layer.", 2,
             "attention = mla(heads=4, kv_rank=8, nope=4, rope_dim=8, value=6, rope=yarn(theta=10000, factor=4, original=64,",
             "                beta_fast=4, beta_slow=1, mscale=0.707, mscale_all_dim=0.707))",
             "ffn       = moe(k=3, experts=6, shared=2, hidden=4)",
             "ffn[0]    = dense(hidden=12)"),
    )
    yield Family(
        "deepseek_v2_groups",
        transformers.DeepseekV2Config(**COMMON, **LATENT, num_hidden_layers=2, q_lora_rank=6, intermediate_size=12,
                                      moe_intermediate_size=4, n_routed_experts=8, n_shared_experts=1,
                                      num_experts_per_tok=3, first_k_dense_replace=1, topk_method="group_limited_greedy",
                                      n_group=4, topk_group=2, routed_scaling_factor=4.0, rope_parameters=yarn(0.8, 0.5)),
        spec("deepseek_v2_groups", "A small DeepSeek-V2: a query latent, groups by their best expert, scaled.", 2,
             "attention = mla(heads=4, kv_rank=8, q_rank=6, nope=4, rope_dim=8, value=6, rope=yarn(theta=10000, factor=4,",
             "                original=64, beta_fast=4, beta_slow=1, mscale=0.8, mscale_all_dim=0.5))",
             "ffn       = moe(k=3, experts=8, shared=1, hidden=4,",
             "                router=softmax(scale=4, groups=4, keep=2, group_score=max))",
             "ffn[0]    = dense(hidden=12)"),
        old_keys=True,
        unlike=[("keep=2", "keep=4"), ("mscale_all_dim=0.5", "mscale_all_dim=0"), ("factor=4", "factor=2")],
    )
    yield Family(
        "deepseek_v3",
        transformers.DeepseekV3Config(**COMMON, **LATENT, num_hidden_layers=2, q_lora_rank=6, intermediate_size=12,
                                      moe_intermediate_size=4, n_routed_experts=8, n_shared_experts=1,
                                      num_experts_per_tok=3, first_k_dense_replace=1, n_group=4, topk_group=2,
                                      routed_scaling_factor=2.5, num_nextn_predict_layers=0, rope_parameters=yarn(1.0, 1.0)),
        spec("deepseek_v3", "A small DeepSeek-V3: sigmoid scores, selection biases, groups by their two best experts.", 2,
             "attention = mla(heads=4, kv_rank=8, q_rank=6, nope=4, rope_dim=8, value=6, rope=yarn(theta=10000, factor=4,",
             "                original=64, beta_fast=4, beta_slow=1, mscale=1, mscale_all_dim=1))",
             "ffn       = moe(k=3, experts=8, shared=1, hidden=4, balance=bias(rate=0.001),",
             "                router=sigmoid(renorm=true, scale=2.5, groups=4, keep=2, group_score=top2))",
             "ffn[0]    = dense(hidden=12)"),
        dtype=torch.bfloat16,
        unlike=[("keep=2", "keep=4"), ("group_score=top2", "group_score=max"), ("balance=bias(rate=0.001)", "balance=none")],
    )


# ---- names --------------------------------------------------------------------------


def from_memory(tensors):
    """The model's own tensors under the contract's names: it keeps the experts of a layer in two."""
    named = {}
    for name, value in tensors.items():
        stem = name.rpartition(".")[0]
        if name.endswith("experts.gate_up_proj"):
            for expert, both in enumerate(value):
                gate, up = both.chunk(2)
                named[f"{stem}.{expert}.gate_proj.weight"], named[f"{stem}.{expert}.up_proj.weight"] = gate, up
        elif name.endswith("experts.down_proj"):
            for expert, down in enumerate(value):
                named[f"{stem}.{expert}.down_proj.weight"] = down
        else:
            named[name.replace(".shared_expert.", ".shared_experts.")] = value
    return named


def from_file(name):
    """The contract's name of a stored tensor."""
    name = name.replace(".block_sparse_moe.", ".mlp.").replace(".shared_expert.", ".shared_experts.")
    for theirs, ours in (("w1", "gate_proj"), ("w3", "up_proj"), ("w2", "down_proj")):
        name = re.sub(rf"(experts\.\d+)\.{theirs}\.", rf"\1.{ours}.", name)
    return name


def stored(folder):
    """The tensors of all of a folder's shards, under the contract's names."""
    tensors = {}
    for shard in sorted(folder.glob("model*.safetensors")):
        tensors |= {from_file(name): value for name, value in load_file(shard).items()}
    return tensors


# ---- writing and running ------------------------------------------------------------


def save(family, weights, folder):
    """Writes the folder as `save_pretrained` does, from weights under the contract's names."""
    model = transformers.AutoModelForCausalLM.from_config(family.config)
    with torch.no_grad():
        for name, tensor in from_memory(dict(model.named_parameters())).items():
            if name in weights:
                tensor.copy_(weights[name])
        model.to(family.dtype)
        for name, module in model.named_modules():
            if hasattr(module, "e_score_correction_bias"):
                # Kept in single precision whatever the model is in, as in the published checkpoints.
                module.e_score_correction_bias = weights[f"{name}.e_score_correction_bias"].float()
    model.save_pretrained(folder, max_shard_size=family.shard)
    if family.old_keys:
        rename_keys(folder / "config.json")


def rename_keys(path):
    """Says the same in the keys of transformers 4, which published checkpoints use."""
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    config["rope_scaling"] = {"type": rope.pop("rope_type"), **rope}
    config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def in_double():
    """The model classes cast to single precision by name here and there; this makes those names mean double."""
    stack = ExitStack()
    for name in ("float32", "float"):
        stack.enter_context(patch.object(torch, name, torch.float64))
    stack.enter_context(patch.object(torch.Tensor, "float", torch.Tensor.double))
    return stack


def run(folder, tokens, targets):
    """What transformers computes from the folder, gradients under the contract's names."""
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float64, attn_implementation="eager", experts_implementation="eager"
    ).eval()
    with in_double():
        # Its frequencies were made in single precision.
        model.model.rotary_emb = type(model.model.rotary_emb)(model.config)
        logits = model(input_ids=tokens, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
    assert logits.dtype == torch.float64
    grads = {
        name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in model.named_parameters()
    }
    result = {"logits": logits.detach(), "loss": loss.detach().reshape(1)}
    return result | {f"grad.{name}": grad for name, grad in from_memory(grads).items()}
