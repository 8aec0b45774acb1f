"""Every model of the coec language in PyTorch, driven by the compiled spec in `config.model`.

Tensors have coec's names. Experts alone are kept otherwise than on the disk: those of a layer are packed into one
tensor for each product, and `convert_names` takes them apart and puts them together. `mlp.gate` and the norm in
front of a chain are lists where there are several, and bare otherwise, which is how their names are numbered.

Routers, norms and balance losses are computed in single precision at least, whatever the weights are in.
"""

import math
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from transformers import initialization as init
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer
from transformers.conversion_mapping import register_checkpoint_conversion_mapping
from transformers.core_model_loading import Concatenate, MergeModulelist, WeightConverter
from transformers.generation import GenerationMixin
from transformers.integrations import use_experts_implementation
from transformers.masking_utils import create_causal_mask
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import MoeCausalLMOutputWithPast, MoeModelOutputWithPast
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS, PreTrainedModel
from transformers.utils.deprecation import deprecate_kwarg
from transformers.utils.generic import can_return_tuple, merge_with_config_defaults
from transformers.utils.output_capturing import OutputRecorder, capture_outputs

from .configuration_coec import CoecConfig, one_kind

# ---- what this file knows ------------------------------------------------------------

# A word that it does not know would change what is computed, so it is an error and never skipped.

# What each block may say. A block of several kinds is an object with one key, the kind.
BLOCKS = {
    "model": ("name", "doc", "vocab", "context", "dim", "norm", "embedding", "layers"),
    "norm": ("eps",),
    "embedding": ("tied", "multiplier", "logits_scaling"),
    "layers": ("kinds", "order", "loops"),
    "loop": ("start", "end", "times"),
    "layer": ("attention", "ffn"),
    "mha": ("heads", "kv_heads", "head_dim", "rope", "qk_norm", "qk_norm_at", "bias", "pairs", "scale", "window", "sinks", "norm_at", "multiplier"),
    "mla": ("heads", "kv_rank", "q_rank", "nope", "rope_dim", "value", "rope", "pairs", "scale", "window", "sinks", "bias", "latent_eps", "norm_at", "multiplier"),
    "rope": ("theta", "dim"),
    "yarn": ("theta", "factor", "original", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate", "dim"),
    "dense": ("hidden", "act", "bias", "norm_at", "multiplier"),
    "coe": (
        "iter", "k", "experts", "shared", "hidden", "act", "residual", "gate", "norm", "shared_at", "shared_gate",
        "router", "balance", "bias", "norm_at", "multiplier",
    ),
    "router": ("score", "renorm", "scale", "groups", "bias"),
    "groups": ("groups", "keep", "score"),
    "seq_aux": ("alpha",),
    "switch_aux": ("alpha",),
    "z_loss": ("alpha",),
    "bias": ("rate",),
}
KINDS = {
    "attention": ("mha", "mla"),
    "ffn": ("coe", "dense"),
    "rope": ("rope", "yarn"),
    "balance": ("seq_aux", "switch_aux", "z_loss", "bias"),
}
WORDS = {
    "qk_norm": ("none", "head", "full"),
    "pairs": ("halves", "neighbours"),
    "where something is normed": ("before", "after"),
    "act": ("swiglu", "geglu", "gelu", "relu2", "clamped"),
    "residual": ("inner", "outer", "both", "delta", "init", "none"),
    "gate": ("independent", "tied", "frozen"),
    "norm of a chain": ("once", "each", "tied"),
    "shared_at": ("each", "first", "last"),
    "shared_gate": ("none", "sigmoid"),
    "score of a router": ("softmax", "sigmoid"),
    "score of groups": ("max", "top2"),
}
# Written only where there is something to say.
OPTIONAL = {"doc", "loops"}


def unknown(what):
    return ValueError(f"config.json says {what}, which this code does not know: written by a newer coec?")


def check_block(name, block):
    """That a block says what it must, and nothing that is not known."""
    known = BLOCKS[name]
    for word in block:
        if word not in known:
            raise unknown(f"`{word}` in `{name}`")
    for word in known:
        if word not in block and word not in OPTIONAL:
            raise ValueError(f"config.json lacks `{word}` in `{name}`")


def check_kind(name, block):
    kinds = list(block)
    if len(kinds) != 1 or kinds[0] not in KINDS[name]:
        raise unknown(f"{kinds} as `{name}`")
    check_block(*one_kind(block))
    return one_kind(block)


def check_word(name, word):
    if word not in WORDS[name]:
        raise unknown(f"`{word}` as {name}")


def check_model(model):
    """Raises where `model` says what the code beside this file does not compute."""
    check_block("model", model)
    for name in ("norm", "embedding", "layers"):
        check_block(name, model[name])
    for one in model["layers"].get("loops", ()):
        check_block("loop", one)
    for layer in model["layers"]["kinds"]:
        check_block("layer", layer)
        kind, attention = check_kind("attention", layer["attention"])
        check_kind("rope", attention["rope"])
        if kind == "mha":
            check_word("qk_norm", attention["qk_norm"])
            check_word("where something is normed", attention["qk_norm_at"])
        check_word("pairs", attention["pairs"])
        check_word("where something is normed", attention.get("norm_at", "before"))
        kind, ffn = check_kind("ffn", layer["ffn"])
        check_word("act", ffn["act"])
        check_word("where something is normed", ffn.get("norm_at", "before"))
        if kind == "coe":
            check_chain(ffn)


def check_chain(ffn):
    for name in ("residual", "gate", "shared_at", "shared_gate"):
        check_word(name, ffn[name])
    check_word("norm of a chain", ffn["norm"])
    check_block("router", ffn["router"])
    check_word("score of a router", ffn["router"]["score"])
    if ffn["router"]["groups"] is not None:
        check_block("groups", ffn["router"]["groups"])
        check_word("score of groups", ffn["router"]["groups"]["score"])
    for term in ffn["balance"]:
        check_kind("balance", term)


# ---- the parts that everything is made of --------------------------------------------

# The activations, and those of them that have a gate: down(act(gate x) * up x), else down(act(up x)).
ACTS = {"swiglu": F.silu, "geglu": F.gelu, "gelu": F.gelu, "relu2": lambda x: F.relu(x).square()}
GATED = ("swiglu", "geglu", "clamped")


def clamped(gate, up):
    """gpt-oss's SwiGLU."""
    gate, up = gate.clamp(max=7.0), up.clamp(-7.0, 7.0)
    return (up + 1) * gate * torch.sigmoid(gate * 1.702)


def gated(act):
    """What an MLP with a gate computes between its products, of gate and up."""
    return clamped if act == "clamped" else lambda gate, up: ACTS[act](gate) * up


def wide(x):
    """At least single precision."""
    return x if x.dtype == torch.float64 else x.float()


def casts(x):
    """Whether products of what is on this device are rounded on their way in: `autocast`."""
    return torch.amp.is_autocast_available(x.device.type) and torch.is_autocast_enabled(x.device.type)


def without_autocast(x):
    return torch.autocast(x.device.type, enabled=False) if casts(x) else nullcontext()


def per_iteration(modules):
    """What each iteration has one of: a list where there are several, which is what numbers their names."""
    return modules[0] if len(modules) == 1 else nn.ModuleList(modules)


def as_list(modules):
    return modules if isinstance(modules, nn.ModuleList) else [modules]


class CoecRMSNorm(nn.Module):
    def __init__(self, width, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x):
        y = wide(x)
        y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)
        return (y * wide(self.weight)).to(x.dtype)


def before(spec, norm, h):
    """What a sublayer reads of the stream h."""
    return norm(h) if spec["norm_at"] == "before" else h


def added(spec, norm, y):
    """What a sublayer that made y adds to the stream."""
    y = norm(y) if spec["norm_at"] == "after" else y
    return y if spec["multiplier"] == 1.0 else y * spec["multiplier"]


def linear(inputs, outputs, bias=False):
    return nn.Linear(inputs, outputs, bias=bias)


class CoecMLP(nn.Module):
    """A dense sublayer, or the shared experts of a chain, which side by side are one MLP."""

    def __init__(self, dim, hidden, act, bias):
        super().__init__()
        self.is_gated = act in GATED
        self.act = gated(act) if self.is_gated else ACTS[act]
        if self.is_gated:
            self.gate_proj = linear(dim, hidden, bias)
        self.up_proj = linear(dim, hidden, bias)
        self.down_proj = linear(hidden, dim, bias)

    def forward(self, x):
        up = self.up_proj(x)
        return self.down_proj(self.act(self.gate_proj(x), up) if self.is_gated else self.act(up))


# ---- attention -----------------------------------------------------------------------


def yarn_magnitude(factor, scale):
    return 0.1 * scale * math.log(factor) + 1.0


def rotation(rope, width, positions):
    """cos and sin [B, T, width / 2] of every pair that turns, and the factor on the softmax scale.

    Computed anew in each pass, in double precision: a buffer would be left empty where a model is loaded through the
    meta device.
    """
    kind, rope = one_kind(rope)
    width = width if rope["dim"] is None else rope["dim"]
    pairs = torch.arange(width // 2, dtype=torch.float64, device=positions.device)
    turns = 1.0 / rope["theta"] ** (2 * pairs / width)
    magnitude = softmax_factor = 1.0
    if kind == "yarn":

        def dimension(rotations):
            """Where on the scale of dimensions one turns this often over the original context."""
            return width * math.log(rope["original"] / (rotations * 2 * math.pi)) / (2 * math.log(rope["theta"]))

        low, high = dimension(rope["beta_fast"]), dimension(rope["beta_slow"])
        if rope["truncate"]:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, width - 1)
        slowed = ((pairs - low) / (high - low if high != low else 0.001)).clamp(0, 1)
        turns = turns * (1 - slowed) + turns / rope["factor"] * slowed
        all_dim = yarn_magnitude(rope["factor"], rope["mscale_all_dim"])
        magnitude = yarn_magnitude(rope["factor"], rope["mscale"]) / all_dim
        softmax_factor = all_dim**2
    angles = positions.double().unsqueeze(-1) * turns
    return angles.cos() * magnitude, angles.sin() * magnitude, softmax_factor


def turned(x, a, b, cos, sin):
    """The pairs (a, b) of x [B, heads, T, d] turned, both halves of them."""
    cos, sin = (table.unsqueeze(1).to(wide(x).dtype) for table in (cos, sin))
    return (a * cos - b * sin).to(x.dtype), (a * sin + b * cos).to(x.dtype)


def rotate_halves(x, cos, sin):
    """Rotates the pairs (i, i + d/2)."""
    return torch.cat(turned(x, *x.chunk(2, -1), cos, sin), -1)


def rotate_neighbours(x, cos, sin):
    """Rotates the pairs (2i, 2i + 1)."""
    return torch.stack(turned(x, x[..., 0::2], x[..., 1::2], cos, sin), -1).flatten(-2)


def first_dimensions(rotate):
    """The same of the first dimensions alone, as many as there are tables for."""

    def of_part(x, cos, sin):
        width = 2 * cos.shape[-1]
        turned, still = x[..., :width], x[..., width:]
        return torch.cat([rotate(turned, cos, sin), still], -1) if still.shape[-1] else rotate(x, cos, sin)

    return of_part


ROTATE = {"halves": first_dimensions(rotate_halves), "neighbours": first_dimensions(rotate_neighbours)}


def split_heads(x, heads):
    """[B, T, heads * d] to [B, heads, T, d]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(x):
    """And back."""
    return x.transpose(1, 2).flatten(2)


def eager_attention_forward(module, query, key, value, attention_mask, scaling, dropout=0.0, **kwargs):
    """Two products of whole T x T matrices, the softmax between them in single precision at least."""
    if module.num_key_value_groups > 1:
        key, value = (x.repeat_interleave(module.num_key_value_groups, 1) for x in (key, value))
    scores = wide(query @ key.transpose(-1, -2)) * scaling
    if attention_mask is None:
        queries, keys = scores.shape[-2:]
        attention_mask = torch.ones(queries, keys, dtype=torch.bool, device=query.device).tril(keys - queries)
    if attention_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attention_mask, -math.inf)
    else:
        scores = scores + attention_mask
    if module.sinks is not None:
        # One score more, whose probability goes nowhere.
        sinks = wide(module.sinks).view(1, -1, 1, 1).expand(*scores.shape[:-1], 1)
        scores = torch.cat([scores, sinks], -1)
    weights = scores.softmax(-1)[..., : key.shape[-2]].to(query.dtype)
    return (weights @ value).transpose(1, 2), weights


class CoecAttentionBase(nn.Module):
    """What both kinds of attention end with: the cache, the products that mix positions, the output projection."""

    is_causal = True

    def __init__(self, config, number, spec):
        super().__init__()
        self.config, self.layer_idx = config, number
        self.sinks = nn.Parameter(torch.zeros(spec["heads"])) if spec.get("sinks") else None

    def attend(self, q, k, v, scale, mask, cache, slot=None, **kwargs):
        if cache is not None:
            k, v = cache.update(k, v, self.layer_idx if slot is None else slot)
        attention = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention_forward)
        # Other implementations know no sinks, or each its own way of saying them.
        attention = attention if self.sinks is None else eager_attention_forward
        mixed, weights = attention(self, q, k, v, mask, scaling=scale, dropout=0.0, **kwargs)
        return self.o_proj(mixed.flatten(2)), weights


class CoecAttention(CoecAttentionBase):
    """`mha`: query head j reads key-value head j / (heads / kv_heads)."""

    def __init__(self, config, number, spec):
        super().__init__(config, number, spec)
        dim, eps, width = config.hidden_size, config.model["norm"]["eps"], spec["head_dim"]
        self.spec, self.num_key_value_groups = spec, spec["heads"] // spec["kv_heads"]
        q, kv = spec["heads"] * width, spec["kv_heads"] * width
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (
            linear(inputs, outputs, name in spec["bias"])
            for name, inputs, outputs in (("q", dim, q), ("k", dim, kv), ("v", dim, kv), ("o", q, dim))
        )
        if spec["qk_norm"] != "none":
            is_head = spec["qk_norm"] == "head"
            self.q_norm, self.k_norm = (CoecRMSNorm(width if is_head else out, eps) for out in (q, kv))

    def normed(self, x, name):
        """Queries or keys [B, T, heads * d] by head, normed over all of them or within each."""
        how, heads = self.spec["qk_norm"], self.spec["heads" if name == "q" else "kv_heads"]
        norm = None if how == "none" else getattr(self, f"{name}_norm")
        x = split_heads(norm(x) if how == "full" else x, heads)
        return norm(x) if how == "head" else x

    def forward(self, x, positions, mask=None, cache=None, **kwargs):
        spec = self.spec
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        cos, sin, factor = rotation(spec["rope"], spec["head_dim"], positions)

        def turned(x):
            return ROTATE[spec["pairs"]](x, cos, sin)

        v = split_heads(v, spec["kv_heads"])
        if spec["qk_norm_at"] == "before":
            q, k = turned(self.normed(q, "q")), turned(self.normed(k, "k"))
        else:
            q, k = (turned(split_heads(x, heads)) for x, heads in ((q, spec["heads"]), (k, spec["kv_heads"])))
            q, k = self.normed(join_heads(q), "q"), self.normed(join_heads(k), "k")
        scale = spec["head_dim"] ** -0.5 if spec["scale"] is None else spec["scale"]
        return self.attend(q, k, v, scale * factor, mask, cache, **kwargs)


class CoecLatentAttention(CoecAttentionBase):
    """`mla`: keys and values from a normed latent, one rotary key for all heads."""

    num_key_value_groups = 1

    def __init__(self, config, number, spec):
        super().__init__(config, number, spec)
        dim, eps, heads = config.hidden_size, config.model["norm"]["eps"], spec["heads"]
        self.spec, q = spec, heads * (spec["nope"] + spec["rope_dim"])
        eps = eps if spec["latent_eps"] is None else spec["latent_eps"]
        if spec["q_rank"] is None:
            self.q_proj = linear(dim, q)
        else:
            self.q_a_proj = linear(dim, spec["q_rank"], "q_a" in spec["bias"])
            self.q_a_layernorm = CoecRMSNorm(spec["q_rank"], eps)
            self.q_b_proj = linear(spec["q_rank"], q)
        self.kv_a_proj_with_mqa = linear(dim, spec["kv_rank"] + spec["rope_dim"], "kv_a" in spec["bias"])
        self.kv_a_layernorm = CoecRMSNorm(spec["kv_rank"], eps)
        self.kv_b_proj = linear(spec["kv_rank"], heads * (spec["nope"] + spec["value"]))
        self.o_proj = linear(heads * spec["value"], dim, "o" in spec["bias"])

    def forward(self, x, positions, mask=None, cache=None, **kwargs):
        spec, heads = self.spec, self.spec["heads"]
        is_direct = spec["q_rank"] is None
        q = self.q_proj(x) if is_direct else self.q_b_proj(self.q_a_layernorm(self.q_a_proj(x)))
        q_still, q_turning = split_heads(q, heads).split([spec["nope"], spec["rope_dim"]], -1)
        latent, k_turning = self.kv_a_proj_with_mqa(x).split([spec["kv_rank"], spec["rope_dim"]], -1)
        kv = split_heads(self.kv_b_proj(self.kv_a_layernorm(latent)), heads)
        k_still, v = kv.split([spec["nope"], spec["value"]], -1)
        cos, sin, factor = rotation(spec["rope"], spec["rope_dim"], positions)
        rotate = ROTATE[spec["pairs"]]
        k_turning = rotate(k_turning.unsqueeze(1), cos, sin).expand(-1, heads, -1, -1)
        q = torch.cat([q_still, rotate(q_turning, cos, sin)], -1)
        k = torch.cat([k_still, k_turning], -1)
        scale = (spec["nope"] + spec["rope_dim"]) ** -0.5 if spec["scale"] is None else spec["scale"]
        return self.attend(q, k, v, scale * factor, mask, cache, **kwargs)


ATTENTION = {"mha": CoecAttention, "mla": CoecLatentAttention}


# ---- routers and experts -------------------------------------------------------------


@dataclass
class Route:
    """What a router decided for tokens [B, T]: experts and their weights [B, T, K], and how it came to that."""

    index: torch.Tensor
    weights: torch.Tensor
    scores: torch.Tensor
    logits: torch.Tensor


def largest(values, k):
    """The k largest of the last axis; a stable sort gives ties to the lower index."""
    return values.detach().sort(dim=-1, descending=True, stable=True).indices[..., :k]


class CoecRouter(nn.Module):
    def __init__(self, dim, ffn):
        super().__init__()
        self.router = ffn["router"]
        self.weight = nn.Parameter(torch.empty(ffn["experts"], dim))
        self.bias = nn.Parameter(torch.zeros(ffn["experts"])) if self.router["bias"] else None
        bias = None if rate_of_bias(ffn) is None else torch.zeros(ffn["experts"])
        self.register_buffer("e_score_correction_bias", bias)

    def forward(self, u, k):
        with without_autocast(u):
            logits = F.linear(wide(u), wide(self.weight), None if self.bias is None else wide(self.bias))
            scores = logits.softmax(-1) if self.router["score"] == "softmax" else logits.sigmoid()
            ranked = scores if self.e_score_correction_bias is None else scores + self.e_score_correction_bias
            if self.router["groups"] is not None:
                ranked = self.keep_groups(ranked)
            index = largest(ranked, k)
            # The bias selects; what is weighed with is the score itself.
            weights = scores.gather(-1, index)
            if self.router["renorm"]:
                weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
            return Route(index, weights * self.router["scale"], scores, logits)

    def keep_groups(self, ranked):
        """The scores with those of the dropped groups put out of reach."""
        groups = self.router["groups"]
        grouped = ranked.unflatten(-1, (groups["groups"], -1))
        best = grouped.sort(-1, descending=True).values
        score = best[..., 0] if groups["score"] == "max" else best[..., :2].sum(-1)
        kept = torch.zeros_like(score, dtype=torch.bool).scatter(-1, largest(score, groups["keep"]), True)
        return grouped.masked_fill(~kept.unsqueeze(-1), -math.inf).flatten(-2)


def rate_of_bias(ffn):
    """How far a step moves a selection bias; None where there is none."""
    return next((term["bias"]["rate"] for term in ffn["balance"] if "bias" in term), None)


def counts(route, experts):
    """How often each expert was selected in each sequence [B, E]."""
    index = route.index.flatten(1)
    zeros = route.scores.new_zeros(index.shape[0], experts)
    return zeros.scatter_add(1, index, zeros.new_ones(()).expand_as(index))


def balance(ffn, route, count):
    """The weighted balance losses of one routing. What is counted is not differentiated."""
    k, tokens, experts = route.index.shape[-1], route.index.shape[1], ffn["experts"]
    share = route.scores
    if ffn["router"]["score"] == "sigmoid":
        share = share / share.sum(-1, keepdim=True)
    aux = share.new_zeros(())
    for kind, term in map(one_kind, ffn["balance"]):
        if kind == "seq_aux":
            load = count * experts / (k * tokens)
            aux = aux + term["alpha"] * (load * share.mean(1)).sum(-1).mean()
        elif kind == "switch_aux":
            load = count.mean(0) * experts / (k * tokens)
            aux = aux + term["alpha"] * (load * share.mean((0, 1))).sum()
        elif kind == "z_loss":
            aux = aux + term["alpha"] * route.logits.logsumexp(-1).square().mean()
    return aux


class ExpertsBase(nn.Module):
    """A pool of experts. `forward` is the plain way to compute it; others are put in its place by name."""

    def __init__(self, config, ffn):
        super().__init__()
        self.num_experts = ffn["experts"]
        self.act_fn = gated(ffn["act"]) if ffn["act"] in GATED else ACTS[ffn["act"]]
        self.widths = (config.hidden_size, ffn["hidden"])
        self.down_proj = nn.Parameter(torch.empty(ffn["experts"], config.hidden_size, ffn["hidden"]))
        self.has_biases = ffn["bias"]
        if self.has_biases:
            wide_rows = ffn["hidden"] * (2 if ffn["act"] in GATED else 1)
            setattr(self, f"{self.first}_bias", nn.Parameter(torch.zeros(ffn["experts"], wide_rows)))
            self.down_proj_bias = nn.Parameter(torch.zeros(ffn["experts"], config.hidden_size))

    def bias_of(self, name):
        """Of each expert, or None for each."""
        return getattr(self, f"{name}_bias").unbind() if self.has_biases else [None] * self.num_experts

    def forward(self, hidden_states, top_k_index, top_k_weights):
        result = torch.zeros_like(hidden_states)
        # Taken apart once: the gradient of each index would be a tensor of the whole pool.
        first, second = getattr(self, self.first).unbind(), self.down_proj.unbind()
        first_bias, second_bias = self.bias_of(self.first), self.bias_of("down_proj")
        # One more than there are: where experts are spread over ranks it stands for those of other ranks.
        chosen = F.one_hot(top_k_index, self.num_experts + 1).permute(2, 1, 0)
        for expert in chosen.sum((-1, -2)).nonzero().flatten().tolist():
            if expert == self.num_experts:
                continue
            place, token = torch.where(chosen[expert])
            hidden = self.inner(F.linear(hidden_states[token], first[expert], first_bias[expert]))
            y = F.linear(hidden, second[expert], second_bias[expert])
            y = y * top_k_weights[token, place, None]
            result.index_add_(0, token, y.to(result.dtype))
        return result


@use_experts_implementation
class CoecExperts(ExpertsBase):
    """Experts with a gate, which stands in front of the up projection."""

    first = "gate_up_proj"

    def __init__(self, config, ffn):
        super().__init__(config, ffn)
        self.gate_up_proj = nn.Parameter(torch.empty(ffn["experts"], 2 * ffn["hidden"], config.hidden_size))

    def inner(self, x):
        return self.act_fn(*x.chunk(2, -1))

    def _apply_gate(self, x):
        """What transformers' own products of experts ask for."""
        return self.inner(x)


@use_experts_implementation(has_gate=False)
class CoecPlainExperts(ExpertsBase):
    """Experts without a gate."""

    first = "up_proj"

    def __init__(self, config, ffn):
        super().__init__(config, ffn)
        self.up_proj = nn.Parameter(torch.empty(ffn["experts"], ffn["hidden"], config.hidden_size))

    def inner(self, x):
        return self.act_fn(x)


def groups_where_it_can(experts_class):
    """Grouped products, which are the default, want rows of whole 16 bytes, and know neither autocast nor doubles."""
    dispatched, plain = experts_class.forward, ExpertsBase.forward

    def forward(self, hidden_states, top_k_index, top_k_weights):
        if self.has_biases:
            return plain(self, hidden_states, top_k_index, top_k_weights)
        if self.config._experts_implementation != "grouped_mm":
            return dispatched(self, hidden_states, top_k_index, top_k_weights)
        dtype = self.down_proj.dtype
        if casts(hidden_states):
            dtype = torch.get_autocast_dtype(hidden_states.device.type)
        if dtype == torch.float64 or any(width * dtype.itemsize % 16 for width in self.widths):
            return plain(self, hidden_states, top_k_index, top_k_weights)
        if dtype == self.down_proj.dtype:
            return dispatched(self, hidden_states, top_k_index, top_k_weights)
        # An attribute of the object is found before a parameter of its name.
        rounded = {name: weight.to(dtype) for name, weight in self.named_parameters(recurse=False)}
        self.__dict__.update(rounded)
        try:
            return dispatched(self, hidden_states, top_k_index, top_k_weights)
        finally:
            for name in rounded:
                del self.__dict__[name]

    experts_class.forward = forward


groups_where_it_can(CoecExperts)
groups_where_it_can(CoecPlainExperts)


# ---- the chain -----------------------------------------------------------------------

# How an iteration's output enters the chain, from the state before, the chain's start, and the output.
CARRY = {
    "inner": lambda state, start, y: state + y,
    "outer": lambda state, start, y: y,
    "both": lambda state, start, y: state + y,
    "delta": lambda state, start, y: state + y,
    "init": lambda state, start, y: start + y,
    "none": lambda state, start, y: y,
}
# What the chain adds to the stream, from its start and its last state; the others leave with the state.
CHANGE = {
    "outer": lambda start, state: state,
    "both": lambda start, state: state,
    "delta": lambda start, state: state - start,
}


class CoecChain(nn.Module):
    """A chain of experts, from the stream to the stream: `(h, aux, loads)`.

    That it takes the stream un-normed and returns more than a tensor is on purpose: a serving engine that knows a
    block of `experts` and one router by its looks puts its own forward pass in place, which runs one iteration.
    """

    def __init__(self, config, ffn):
        super().__init__()
        dim, self.ffn = config.hidden_size, ffn
        routers = ffn["iter"] if ffn["gate"] == "independent" else 1
        self.gate = per_iteration([CoecRouter(dim, ffn) for _ in range(routers)])
        self.experts = (CoecExperts if ffn["act"] in GATED else CoecPlainExperts)(config, ffn)
        if ffn["shared"]:
            self.shared_experts = CoecMLP(dim, ffn["shared"] * ffn["hidden"], ffn["act"], ffn["bias"])
            if ffn["shared_gate"] == "sigmoid":
                self.shared_expert_gate = linear(dim, 1)

    def forward(self, h, norm):
        ffn, norms, gates = self.ffn, as_list(norm), as_list(self.gate)
        is_once = ffn["norm"] == "once"
        start = before(ffn, norms[0], h) if is_once else h
        state, route, aux, loads = start, None, wide(h).new_zeros(()), []
        for t in range(ffn["iter"]):
            u = state if is_once else norms[t % len(norms)](state)
            if route is None or ffn["gate"] != "frozen":
                route = gates[t % len(gates)](u, ffn["k"][t])
                count = counts(route, ffn["experts"])
                aux = aux + balance(ffn, route, count)
                loads.append(count.detach().sum(0))
            y = self.experts(u.flatten(0, 1), route.index.flatten(0, 1), route.weights.flatten(0, 1)).view_as(u)
            if self.runs_shared(t):
                y = y + self.shared(u)
            state = CARRY[ffn["residual"]](state, start, y)
        change = CHANGE.get(ffn["residual"])
        out = h + added(ffn, norms[0], change(start, state)) if change else state
        return out, aux, torch.stack(loads)

    def runs_shared(self, t):
        at = self.ffn["shared_at"]
        return self.ffn["shared"] and (at == "each" or t == (0 if at == "first" else self.ffn["iter"] - 1))

    def shared(self, u):
        y = self.shared_experts(u)
        if self.ffn["shared_gate"] == "none":
            return y
        with without_autocast(u):
            gate = F.linear(wide(u), wide(self.shared_expert_gate.weight)).sigmoid()
        return (y * gate).to(u.dtype)

    @torch.no_grad()
    def move_biases(self, loads):
        """After an optimizer step, from how often each expert was selected in it [routings, E], on all ranks."""
        rate, gates = rate_of_bias(self.ffn), as_list(self.gate)
        if rate is None:
            return
        # The counts of a router that is asked several times, in iterations or in passes of a loop, add up.
        loads = loads.view(-1, len(gates), loads.shape[-1]).sum(0)
        for gate, load in zip(gates, loads.long()):
            step = (load.sum() - load.numel() * load).sign()
            gate.e_score_correction_bias += rate * step.to(gate.e_score_correction_bias)


class CoecDense(CoecMLP):
    """A dense sublayer, called as a chain is."""

    def __init__(self, config, ffn):
        super().__init__(config.hidden_size, ffn["hidden"], ffn["act"], ffn["bias"])
        self.spec = ffn

    def forward(self, h, norm):
        y = super().forward(before(self.spec, norm, h))
        return h + added(self.spec, norm, y), wide(h).new_zeros(()), None


FFN = {"coe": CoecChain, "dense": CoecDense}


# ---- the model -----------------------------------------------------------------------


class CoecDecoderLayer(GradientCheckpointingLayer):
    def __init__(self, config, number):
        super().__init__()
        (attention, attention_spec), (ffn, ffn_spec) = config.layers[number]
        dim, eps = config.hidden_size, config.model["norm"]["eps"]
        self.input_layernorm = CoecRMSNorm(dim, eps)
        self.self_attn = ATTENTION[attention](config, number, attention_spec)
        self.window = attention_spec.get("window")
        norms = ffn_spec["iter"] if ffn == "coe" and ffn_spec["norm"] == "each" else 1
        self.post_attention_layernorm = per_iteration([CoecRMSNorm(dim, eps) for _ in range(norms)])
        self.mlp = FFN[ffn](config, ffn_spec)

    def forward(self, h, positions, mask=None, cache=None, **kwargs):
        spec, norm = self.self_attn.spec, self.input_layernorm
        mixed, _ = self.self_attn(before(spec, norm, h), positions, mask=mask, cache=cache, **kwargs)
        return self.mlp(h + added(spec, norm, mixed), self.post_attention_layernorm)


class CoecPreTrainedModel(PreTrainedModel):
    config: CoecConfig
    config_class = CoecConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    accepts_loss_kwargs = False
    _no_split_modules = ["CoecDecoderLayer"]
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True
    _can_record_outputs = {
        "hidden_states": CoecDecoderLayer,
        "attentions": OutputRecorder(CoecAttentionBase, index=1),
    }

    def __init__(self, config, *args, **kwargs):
        check_model(config.model)
        super().__init__(config, *args, **kwargs)
        convert_names(config)

    @torch.no_grad()
    def _init_weights(self, module):
        super()._init_weights(module)
        if isinstance(module, CoecAttentionBase) and module.sinks is not None:
            init.zeros_(module.sinks)
        if isinstance(module, CoecRouter):
            init.kaiming_uniform_(module.weight, a=math.sqrt(5))
            if module.bias is not None:
                init.zeros_(module.bias)
            if module.e_score_correction_bias is not None:
                init.zeros_(module.e_score_correction_bias)
        elif isinstance(module, ExpertsBase):
            for name, weight in module.named_parameters(recurse=False):
                init.zeros_(weight) if name.endswith("_bias") else init.normal_(weight, mean=0.0, std=0.02)

    def save_pretrained(self, *args, **kwargs):
        # Another model may have been made in the meantime: the names are those of the last.
        convert_names(self.config)
        return super().save_pretrained(*args, **kwargs)


def convert_names(config):
    """Tells transformers how the experts of a file become those of a module, and back: by layer, since layers of
    one model may have experts with a gate and without."""
    converters = []
    for number, (_, (kind, ffn)) in enumerate(config.layers):
        if kind != "coe":
            continue
        stem = f"layers.{number}.mlp.experts"
        gate, up, down = (f"{stem}.*.{part}_proj.weight" for part in ("gate", "up", "down"))
        if ffn["act"] in GATED:
            operations = [MergeModulelist(dim=0), Concatenate(dim=1)]
            converters.append(WeightConverter([gate, up], f"{stem}.gate_up_proj", operations=operations))
        else:
            converters.append(WeightConverter(up, f"{stem}.up_proj", operations=[MergeModulelist(dim=0)]))
        converters.append(WeightConverter(down, f"{stem}.down_proj", operations=[MergeModulelist(dim=0)]))
        if ffn["bias"]:
            converters += biases(stem, ffn["act"] in GATED)
    register_checkpoint_conversion_mapping("coec", converters, overwrite=True)


def biases(stem, is_gated):
    """The same for the biases of experts."""
    gate, up, down = (f"{stem}.*.{part}_proj.bias" for part in ("gate", "up", "down"))
    merged = [MergeModulelist(dim=0)]
    first = (
        WeightConverter([gate, up], f"{stem}.gate_up_proj_bias", operations=[*merged, Concatenate(dim=1)])
        if is_gated else WeightConverter(up, f"{stem}.up_proj_bias", operations=merged)
    )
    return [first, WeightConverter(down, f"{stem}.down_proj_bias", operations=[MergeModulelist(dim=0)])]


def refuse_padding(attention_mask, position_ids, positions):
    """A model of the language sees whole sequences from position 0: anything else would be computed wrongly."""
    if torch.compiler.is_compiling():
        return
    if attention_mask is not None and not (attention_mask.dim() == 2 and bool(attention_mask.all())):
        raise ValueError("coec models have no padding: give attention_mask as all ones, or leave it out")
    if position_ids is not None and not bool((position_ids == positions).all()):
        raise ValueError("coec models count positions from 0 without gaps: leave position_ids out")


@dataclass
class CoecModelOutput(MoeModelOutputWithPast):
    """`aux_loss` is the sum of the weighted balance losses; `expert_loads` has of each layer with experts how often
    each was selected [passes * routings, E], and None of the others."""

    aux_loss: torch.Tensor | None = None
    expert_loads: tuple | None = None


@dataclass
class CoecCausalLMOutput(MoeCausalLMOutputWithPast):
    expert_loads: tuple | None = None


def grow(cache, slots):
    """Gives a cache a slot for each pass of a layer: libraries make one for each layer."""
    while cache is not None and len(getattr(cache, "layers", ())) < slots:
        cache.layers.append(DynamicLayer())


class CoecModel(CoecPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(CoecDecoderLayer(config, number) for number in range(config.num_hidden_layers))
        self.norm = CoecRMSNorm(config.hidden_size, config.model["norm"]["eps"])
        self.gradient_checkpointing = False
        self.post_init()

    def masks(self, h, cache):
        """What tokens see, by the windows that layers look through."""

        def within(window):
            return lambda batch, head, query, key: key > query - window

        return {
            window: create_causal_mask(
                config=self.config, inputs_embeds=h, attention_mask=None, cache=cache,
                and_mask_function=None if window is None else within(window),
            )
            for window in {layer.window for layer in self.layers}
        }

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        cache: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs,
    ) -> CoecModelOutput:
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give one of input_ids and inputs_embeds")
        h = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        h = h * self.config.model["embedding"]["multiplier"]
        if use_cache and cache is None:
            cache = DynamicCache(config=self.config)
        past = cache.get_seq_length() if cache is not None else 0
        positions = (torch.arange(h.shape[1], device=h.device) + past).unsqueeze(0)
        refuse_padding(attention_mask, position_ids, positions)
        masks = self.masks(h, cache)
        aux = wide(h).new_zeros(())
        passes = self.config.passes
        grow(cache, len(passes))
        loads = [[] for _ in self.layers]
        for slot, number in enumerate(passes):
            layer = self.layers[number]
            mask = masks[layer.window]
            h, layer_aux, layer_loads = layer(h, positions, mask=mask, cache=cache, slot=slot, **kwargs)
            aux = aux + layer_aux
            loads[number].append(layer_loads)
        loads = [None if None in passed else torch.cat(passed) for passed in loads]
        return CoecModelOutput(
            last_hidden_state=self.norm(h), cache=cache, aux_loss=aux, expert_loads=tuple(loads)
        )


class CoecForCausalLM(CoecPreTrainedModel, GenerationMixin):
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}
    _fsdp_plan = {"lm_head": "keep_full_weight"}

    def __init__(self, config):
        super().__init__(config)
        self.model = CoecModel(config)
        self.lm_head = linear(config.hidden_size, config.vocab_size)
        self.post_init()

    @can_return_tuple
    @deprecate_kwarg("past_key_values", "5.40.0", new_name="cache")
    def forward(
        self,
        input_ids: torch.LongTensor | None = None,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.LongTensor | None = None,
        cache: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.LongTensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int | torch.Tensor = 0,
        **kwargs,
    ) -> CoecCausalLMOutput:
        """`loss` is what training minimises: the mean cross-entropy of the next tokens, and the balance losses, which
        `aux_loss` says apart. Labels of -100 are not learnt."""
        seen = self.model(
            input_ids=input_ids, attention_mask=attention_mask, position_ids=position_ids, cache=cache,
            inputs_embeds=inputs_embeds, use_cache=use_cache, **kwargs,
        )
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(seen.last_hidden_state[:, kept]) / self.config.model["embedding"]["logits_scaling"]
        loss = None
        if labels is not None:
            next_tokens = labels[:, 1:].flatten().to(logits.device)
            loss = F.cross_entropy(wide(logits[:, :-1]).flatten(0, 1), next_tokens) + seen.aux_loss
        return CoecCausalLMOutput(
            loss=loss, aux_loss=seen.aux_loss, logits=logits, cache=seen.cache, hidden_states=seen.hidden_states,
            attentions=seen.attentions, expert_loads=seen.expert_loads,
        )


__all__ = ["CoecForCausalLM", "CoecModel", "CoecPreTrainedModel"]
