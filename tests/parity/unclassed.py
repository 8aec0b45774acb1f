"""Families that `transformers` has no class for: the first DeepSeekMoE, and Ling in both versions of its code.

What their authors' code computes, written anew over the tensors and settings as they publish them: rotations as
products of complex numbers, attention by torch's own, only the selected experts of each token. None of it is
reference.py's.
"""

import json
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from families import spec, write_settings
from layouts import contract


@dataclass
class Unclassed:
    name: str
    settings: dict
    text: str
    unlike: list = field(default_factory=list)
    dtype: torch.dtype = torch.float32


SIZES = {
    "vocab_size": 24, "hidden_size": 16, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2,
    "max_position_embeddings": 256, "hidden_act": "silu", "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": None,
    "attention_dropout": 0.0, "initializer_range": 0.02, "pretraining_tp": 1, "rope_scaling": None,
    "tie_word_embeddings": False, "torch_dtype": "float32", "use_cache": True, "moe_intermediate_size": 4,
    "num_experts_per_tok": 3, "intermediate_size": 12,
}


def classes(stem, file):
    """What a settings file says of the classes that read it."""
    return {
        "architectures": [f"{stem}ForCausalLM"],
        "auto_map": {
            "AutoConfig": f"configuration_{file}.{stem}Config",
            "AutoModel": f"modeling_{file}.{stem}Model",
            "AutoModelForCausalLM": f"modeling_{file}.{stem}ForCausalLM",
        },
    }


DEEPSEEK = {
    **SIZES, **classes("Deepseek", "deepseek"), "model_type": "deepseek", "attention_bias": False,
    "first_k_dense_replace": 1, "moe_layer_freq": 1, "n_routed_experts": 6, "n_shared_experts": 2, "norm_topk_prob": False,
    "rms_norm_eps": 1e-06, "rope_theta": 10000, "scoring_func": "softmax", "transformers_version": "4.36.0",
}
LING = {
    **SIZES, **classes("BailingMoe", "bailing_moe"), "model_type": "bailing_moe", "embedding_dropout": 0.0,
    "first_k_dense_replace": 0, "norm_head": False, "norm_softmax": False, "norm_topk_prob": True, "num_experts": 6,
    "num_shared_experts": 2, "output_dropout": 0.0, "output_router_logits": False, "rms_norm_eps": 1e-06,
    "rope_theta": 600000, "transformers_version": "4.40.0", "use_bias": False, "use_qkv_bias": False,
}
LING_2 = {
    **SIZES, **classes("BailingMoeV2", "bailing_moe_v2"), "model_type": "bailing_moe", "first_k_dense_replace": 1,
    "head_dim": 8, "moe_router_enable_expert_bias": True, "moe_shared_expert_intermediate_size": 4, "n_group": 3,
    "norm_topk_prob": True, "num_experts": 6, "num_nextn_predict_layers": 0, "num_shared_experts": 1, "partial_rotary_factor": 0.5,
    "rms_norm_eps": 1e-06, "rope_theta": 600000, "routed_scaling_factor": 2.5, "score_function": "sigmoid", "topk_group": 2,
    "transformers_version": "4.52.3", "use_bias": False, "use_qk_norm": True, "use_qkv_bias": False,
}


def all_unclassed():
    yield Unclassed(
        "deepseek_v1", DEEPSEEK,
        spec("deepseek_v1",
             "A small DeepSeekMoE-16B: ordinary attention, two shared experts, not renormed, a dense first layer.", 2,
             "attention = mha(heads=4, kv_heads=2)",
             "ffn       = moe(k=3, experts=6, shared=2, hidden=4)",
             "ffn[0]    = dense(hidden=12)"),
        [("attention = mha(heads=4, kv_heads=2)", "attention = mha(heads=4, kv_heads=2, pairs=neighbours)")],
    )
    yield Unclassed(
        "deepseek_v1_options", {**DEEPSEEK, "attention_bias": True, "norm_topk_prob": True, "moe_layer_freq": 2,
                                "first_k_dense_replace": 0, "n_shared_experts": None},
        spec("deepseek_v1_options",
             "DeepSeekMoE with what its settings can say besides: biases, renormed, every second layer dense.", 2,
             "attention = mha(heads=4, kv_heads=2, bias=[q, k, v, o])",
             "ffn       = dense(hidden=12)",
             "ffn[0]    = moe(k=3, experts=6, hidden=4, router=softmax(renorm=true))"),
        [("renorm=true", "renorm=false")],
    )
    yield Unclassed(
        "bailing_moe", {**LING, "use_qkv_bias": True},
        spec("bailing_moe", "A small Ling-lite-1.5: renormed, two shared experts, biases on queries, keys and values.", 2,
             "attention = mha(heads=4, kv_heads=2, bias=true, rope=rope(theta=600000))",
             "ffn       = moe(k=3, experts=6, shared=2, hidden=4, router=softmax(renorm=true))"),
        [("renorm=true", "renorm=false")],
    )
    yield Unclassed(
        "bailing_moe_norm_head", {**LING, "norm_head": True, "rms_norm_eps": 1e-05, "first_k_dense_replace": 1,
                                  "num_shared_experts": 1, "transformers_version": "4.36.0"},
        spec("bailing_moe_norm_head", "A small Ling-plus: columns of the head are made of length one before it is used.", 2,
             "norm      = rms(eps=1e-5)",
             "attention = mha(heads=4, kv_heads=2, rope=rope(theta=600000))",
             "ffn       = moe(k=3, experts=6, shared=1, hidden=4, router=softmax(renorm=true))",
             "ffn[0]    = dense(hidden=12)"),
    )
    yield Unclassed(
        "bailing_moe_v2", LING_2,
        spec("bailing_moe_v2", "A small Ling-mini-2.0: half of each normed head turns, selection biases, groups, scaled.", 2,
             "attention = mha(heads=4, kv_heads=2, head_dim=8, qk_norm=head, rope=rope(theta=600000, dim=4))",
             "ffn       = moe(k=3, experts=6, shared=1, hidden=4, balance=bias(rate=0.001),",
             "                router=sigmoid(renorm=true, scale=2.5, groups=3, keep=2, group_score=top2))",
             "ffn[0]    = dense(hidden=12)"),
        [("dim=4)", "dim=8)"), ("keep=2", "keep=3"), ("balance=bias(rate=0.001)", "balance=none")],
    )


# ---- writing ------------------------------------------------------------------------


def published(weights, settings):
    """Tensors under the authors' names, made of the contract's."""
    if settings["model_type"] == "deepseek":
        return dict(weights)
    names = [("model.embed_tokens.", "model.word_embeddings."), (".self_attn.o_proj.", ".attention.dense."),
             (".q_norm.", ".query_layernorm."), (".k_norm.", ".key_layernorm."), (".self_attn.", ".attention."),
             (".gate.e_score_correction_bias", ".gate.expert_bias")]
    named = {}
    for name, value in weights.items():
        for ours, theirs in names:
            name = name.replace(ours, theirs)
        named[name] = value
    for name in [name for name in named if ".q_proj." in name]:
        parts = [named.pop(name.replace(".q_proj.", f".{part}_proj.")) for part in "qkv"]
        named[name.replace(".q_proj.", ".query_key_value.")] = torch.cat(parts)
    return named


def save(entry, weights, folder):
    write_settings(folder, entry.settings)
    tensors = {name: value.float().contiguous() for name, value in published(weights, entry.settings).items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def unit_columns(head):
    """Ling's `norm_head`: each column of the head over its length."""
    return head / (torch.linalg.vector_norm(head, dim=0, keepdim=True) + 1e-7)


def stored(folder):
    """The folder's tensors under the contract's names, in double precision; a normed head is one already."""
    settings = json.loads((folder / "config.json").read_text())
    tensors = {name: value.double() for name, value in load_file(folder / "model.safetensors").items()}
    if settings.get("norm_head"):
        tensors["lm_head.weight"] = unit_columns(tensors["lm_head.weight"])
    return contract(tensors, settings)


# ---- what the authors' code computes --------------------------------------------------


class Decoder:
    """Both authors' decoders: they differ in names, in the router, and in what is done to heads."""

    def __init__(self, settings, tensors):
        self.s, self.w, self.ling = settings, tensors, settings["model_type"] == "bailing_moe"
        self.second = "V2" in settings["architectures"][0]
        self.heads, self.groups = settings["num_attention_heads"], settings["num_key_value_heads"]
        self.width = settings.get("head_dim") or settings["hidden_size"] // self.heads

    def apply(self, stem, x):
        return F.linear(x, self.w[f"{stem}.weight"], self.w.get(f"{stem}.bias"))

    def norm(self, stem, x):
        return F.rms_norm(x, x.shape[-1:], self.w[f"{stem}.weight"], self.s["rms_norm_eps"])

    def logits(self, tokens):
        h = self.w["model.word_embeddings.weight" if self.ling else "model.embed_tokens.weight"][tokens]
        for layer in range(self.s["num_hidden_layers"]):
            stem = f"model.layers.{layer}"
            h = h + self.attention(stem, self.norm(f"{stem}.input_layernorm", h))
            x = self.norm(f"{stem}.post_attention_layernorm", h)
            sparse = layer >= self.s["first_k_dense_replace"] and layer % self.s.get("moe_layer_freq", 1) == 0
            h = h + (self.experts(f"{stem}.mlp", x) if sparse else self.mlp(f"{stem}.mlp", x))
        return self.apply("lm_head", self.norm("model.norm", h))

    def attention(self, stem, x):
        if self.ling:
            mixed = self.apply(f"{stem}.attention.query_key_value", x).unflatten(-1, (-1, self.width)).transpose(1, 2)
            q, k, v = mixed.split([self.heads, self.groups, self.groups], 1)
        else:
            q, k, v = (self.apply(f"{stem}.self_attn.{part}_proj", x).unflatten(-1, (-1, self.width)).transpose(1, 2)
                       for part in "qkv")
        if self.second and self.s["use_qk_norm"]:
            q, k = self.norm(f"{stem}.attention.query_layernorm", q), self.norm(f"{stem}.attention.key_layernorm", k)
        q, k = self.turn(q), self.turn(k)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True).transpose(1, 2).flatten(2)
        return self.apply(f"{stem}.attention.dense" if self.ling else f"{stem}.self_attn.o_proj", y)

    def turn(self, x):
        """The first dimensions as complex numbers, real parts in the first half, times e^(i position frequency)."""
        width = int(self.width * self.s.get("partial_rotary_factor", 1.0))
        real, imaginary, rest = x.split([width // 2, width // 2, self.width - width], -1)
        steps = torch.arange(width // 2, dtype=x.dtype) * -2 / width
        angles = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * self.s["rope_theta"] ** steps
        turned = torch.complex(real, imaginary) * torch.polar(torch.ones_like(angles), angles)
        return torch.cat([turned.real, turned.imag, rest], -1)

    def mlp(self, stem, x):
        return self.apply(f"{stem}.down_proj", F.silu(self.apply(f"{stem}.gate_proj", x)) * self.apply(f"{stem}.up_proj", x))

    def experts(self, stem, x):
        flat = x.flatten(0, 1)
        shared = self.s["num_shared_experts" if self.ling else "n_shared_experts"]
        chosen, weights = (self.select_grouped if self.second else self.select)(stem, flat)
        y = []
        for token, experts, amounts in zip(flat, chosen.tolist(), weights):
            y.append(sum(amount * self.mlp(f"{stem}.experts.{expert}", token) for expert, amount in zip(experts, amounts)))
        y = torch.stack(y).view_as(x)
        return y + self.mlp(f"{stem}.shared_experts", x) if shared else y

    def select(self, stem, x):
        """Softmax, the best, renormed if there are several and it is wanted."""
        scores = self.apply(f"{stem}.gate", x).softmax(-1)
        weights, chosen = scores.topk(self.s["num_experts_per_tok"], -1)
        if self.s["norm_topk_prob"] and weights.shape[-1] > 1:
            weights = weights / weights.sum(-1, keepdim=True)
        return chosen, weights

    def select_grouped(self, stem, x):
        """Sigmoid, the groups whose two best are best, the best of these; always renormed, then scaled."""
        scores = F.linear(x, self.w[f"{stem}.gate.weight"]).sigmoid()
        biased = (scores + self.w[f"{stem}.gate.expert_bias"]).unflatten(-1, (self.s["n_group"], -1))
        kept = biased.topk(2, -1).values.sum(-1).topk(self.s["topk_group"], -1).indices
        out = torch.full_like(biased, -torch.inf).scatter(1, kept[..., None].expand(-1, -1, biased.shape[-1]), 0.0)
        chosen = (biased + out).flatten(1).topk(self.s["num_experts_per_tok"], -1).indices
        weights = scores.gather(-1, chosen)
        return chosen, weights / (weights.sum(-1, keepdim=True) + 1e-20) * self.s["routed_scaling_factor"]


def run(folder, tokens, targets):
    """What the authors' code computes from the folder, gradients under the contract's names. The gradient of a normed
    head is that of what its columns have become."""
    settings = json.loads((folder / "config.json").read_text())
    tensors = {name: value.double() for name, value in load_file(folder / "model.safetensors").items()}
    if settings.get("norm_head"):
        tensors["lm_head.weight"] = unit_columns(tensors["lm_head.weight"])
    for name, value in tensors.items():
        value.requires_grad_(not name.endswith("expert_bias"))
    logits = Decoder(settings, tensors).logits(tokens)
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss.backward()
    grads = {name: torch.zeros_like(value) if value.grad is None else value.grad
             for name, value in tensors.items() if value.requires_grad}
    result = {"logits": logits.detach(), "loss": loss.detach().reshape(1)}
    return result | {f"grad.{name}": grad for name, grad in contract(grads, settings).items()}


def by_another_name(folder, tokens):
    """Logits of a Ling of the second version as `transformers` computes them: it knows a family of the same tensors
    and the same mathematics by another type."""
    import transformers

    import families

    settings = json.loads((folder / "config.json").read_text())
    for key in ("model_type", "architectures", "auto_map", "torch_dtype"):
        del settings[key]
    config = transformers.AutoConfig.for_model("sarvam_moe", **settings)
    how = {"dtype": torch.float64, "attn_implementation": "eager", "experts_implementation": "eager"}
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, config=config, **how).eval().double()
    with families.in_double(), torch.no_grad():
        model.model.rotary_emb = type(model.model.rotary_emb)(model.config)
        return model(input_ids=tokens, use_cache=False).logits
