"""Small random models of the families that `transformers` knows, and what it computes with them.

Each family is written by `save_pretrained`, read back by `from_pretrained` and run there,
in double precision; `model.coe` beside it says the same model in our language.
"""

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from unittest.mock import patch

import torch
import transformers
from safetensors.torch import load_file, save_file

from layouts import contract, renamed

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
    # What experts' gate and up projections are multiplied with, for values beyond an activation's limits.
    loud: float = 1.0
    # Settings of the published file in place of what save_pretrained writes. A model_type among them that
    # `transformers` does not know is loaded by the class of `config`.
    published: dict = field(default_factory=dict)
    unsaid: tuple = ()
    # Whether the folder has a layer for multi-token prediction, as published ones do: logits know nothing of it.
    mtp: bool = False


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


# ---- writing and running ------------------------------------------------------------


def save(family, weights, folder):
    """Writes the folder as `save_pretrained` does, from weights under the contract's names."""
    model = transformers.AutoModelForCausalLM.from_config(family.config)
    with torch.no_grad():
        for name, tensor in contract(dict(model.named_parameters())).items():
            if name in weights:
                tensor.copy_(weights[name])
        model.to(family.dtype)
        for name, module in model.named_modules():
            if hasattr(module, "e_score_correction_bias"):
                # Kept in single precision whatever the model is in, as in the published checkpoints.
                theirs = module.e_score_correction_bias
                bias = weights[renamed(f"{name}.e_score_correction_bias")].float().reshape(theirs.shape)
                trained = isinstance(theirs, torch.nn.Parameter)
                module.e_score_correction_bias = torch.nn.Parameter(bias, requires_grad=False) if trained else bias
    model.save_pretrained(folder, max_shard_size=family.shard)
    if family.old_keys:
        rename_keys(folder / "config.json")
    if family.published:
        kept = {key: value for key, value in settings(folder).items() if key not in family.unsaid}
        write_settings(folder, {**kept, **family.published})
    if family.mtp:
        add_mtp(folder, family.config)


def settings(folder):
    return json.loads((folder / "config.json").read_text())


def write_settings(folder, config):
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def add_mtp(folder, config):
    """The layer behind the last, as DeepSeek-V3 stores it: a layer like that one, with two norms and a projection."""
    tensors, last, draw = load_file(folder / "model.safetensors"), config.num_hidden_layers - 1, torch.Generator()
    like = {name.replace(f".{last}.", f".{last + 1}.", 1): value
            for name, value in tensors.items() if f"layers.{last}." in name}
    for name in ("enorm", "hnorm", "shared_head.norm"):
        like[f"model.layers.{last + 1}.{name}.weight"] = tensors["model.norm.weight"]
    like[f"model.layers.{last + 1}.eh_proj.weight"] = tensors["model.embed_tokens.weight"].new_zeros(
        config.hidden_size, 2 * config.hidden_size)
    for name in ("embed_tokens", "shared_head.head"):
        like[f"model.layers.{last + 1}.{name}.weight"] = tensors["model.embed_tokens.weight"]
    like = {name: torch.randn(value.shape, generator=draw.manual_seed(len(name))).to(value.dtype)
            for name, value in like.items()}
    save_file(tensors | like, folder / "model.safetensors", metadata={"format": "pt"})


def stored(folder):
    """The tensors of all of a folder's shards, under the contract's names."""
    tensors = {}
    for shard in sorted(folder.glob("model*.safetensors")):
        tensors |= load_file(shard)
    return contract(tensors, settings(folder))


def rename_keys(path):
    """Says the same in the keys of transformers 4, which published checkpoints use."""
    config = json.loads(path.read_text())
    rope = config.pop("rope_parameters")
    config["rope_theta"] = rope.pop("rope_theta")
    kind, part = rope.pop("rope_type"), rope.pop("partial_rotary_factor", None)
    # MiniMax's way to say it is another.
    if part is not None and "rotary_dim" not in config:
        config["partial_rotary_factor"] = part
    config["rope_scaling"] = {"type": kind, **rope} if kind != "default" else None
    config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def in_double():
    """The model classes cast to single precision by name here and there; this makes those names mean double."""
    stack = ExitStack()
    for name in ("float32", "float"):
        stack.enter_context(patch.object(torch, name, torch.float64))
    stack.enter_context(patch.object(torch.Tensor, "float", torch.Tensor.double))
    return stack


def load(folder, config=None):
    """The model of a folder, in double precision throughout: some of its parts insist on single when loaded."""
    how = {"dtype": torch.float64, "attn_implementation": "eager", "experts_implementation": "eager"}
    if config is None:
        return transformers.AutoModelForCausalLM.from_pretrained(folder, **how).eval().double()
    read = type(config).from_dict({**settings(folder), "model_type": config.model_type})
    return transformers.MODEL_FOR_CAUSAL_LM_MAPPING[type(config)].from_pretrained(folder, config=read, **how).eval().double()


def run(folder, tokens, targets, config=None):
    """What transformers computes from the folder, gradients under the contract's names. `config` is of the class that
    reads a folder whose type `transformers` does not know."""
    model = load(folder, config)
    with in_double():
        # Its frequencies were made in single precision.
        model.model.rotary_emb = type(model.model.rotary_emb)(model.config)
        logits = model(input_ids=tokens, use_cache=False).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        loss.backward()
    assert logits.dtype == torch.float64
    grads = {
        name: torch.zeros_like(p) if p.grad is None else p.grad
        # ernie4_5_moe keeps its selection biases among the parameters.
        for name, p in model.named_parameters() if not name.endswith("e_score_correction_bias")
    }
    result = {"logits": logits.detach(), "loss": loss.detach().reshape(1)}
    return result | {f"grad.{name}": grad for name, grad in contract(grads).items()}
