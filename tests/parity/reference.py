"""What a .coe model computes, in PyTorch and double precision, from the definition alone.

Slow and plain on purpose: one function for each sentence of the definition, experts in a
loop over the whole pool, no caching, no fusing. Weights are a dict from a tensor's name
to its value; `parameters` and `state` list the names and shapes a spec asks for.
"""

import math

import torch
import torch.nn.functional as F


def clamped(gate, up, limit=7.0):
    """What gpt-oss has between its products: no gate above the limit, nothing to add beyond it on either side."""
    gate, up = gate.clamp(max=limit), up.clamp(-limit, limit)
    return (up + 1) * gate * (1.702 * gate).sigmoid()


GATED = {
    "swiglu": lambda gate, up: F.silu(gate) * up,
    "geglu": lambda gate, up: F.gelu(gate) * up,
    "clamped": lambda gate, up: clamped(gate, up),
}
PLAIN = {"gelu": F.gelu, "relu2": lambda x: F.relu(x).square()}


# ---- names and shapes ---------------------------------------------------------------


def per_iteration(stem, tail, count):
    """The names of what each iteration has one of: numbered only where there are several."""
    return [f"{stem}.{tail}"] if count == 1 else [f"{stem}.{t}.{tail}" for t in range(count)]


def routers(ffn):
    return ffn.iter if ffn.gate == "independent" else 1


def norms(ffn):
    return ffn.iter if ffn.word == "coe" and ffn.norm == "each" else 1


def balances(ffn):
    """The balance terms by word, with their one number."""
    terms = ffn.balance if isinstance(ffn.balance, list) else [ffn.balance]
    return {term.word: next(iter(term.values.values())) for term in terms if term != "none"}


def mlp_shapes(stem, dim, hidden, ffn):
    shapes = {f"{stem}.up_proj.weight": (hidden, dim), f"{stem}.down_proj.weight": (dim, hidden)}
    if ffn.act in GATED:
        shapes[f"{stem}.gate_proj.weight"] = (hidden, dim)
    return shapes | biases(shapes, ffn.bias)


def biases(shapes, wanted):
    """A bias as long as its projection's output, for each of these weights if wanted."""
    return {name.replace(".weight", ".bias"): shape[:1] for name, shape in shapes.items()} if wanted else {}


def attention_shapes(stem, dim, attention):
    a, shapes = attention, {}
    if "o" in a.bias:
        shapes[f"{stem}.o_proj.bias"] = (dim,)
    if a.sinks:
        shapes[f"{stem}.sinks"] = (a.heads,)
    if a.word == "mha":
        widths = {"q": a.heads * a.head_dim, "k": a.kv_heads * a.head_dim, "v": a.kv_heads * a.head_dim}
        for part, width in widths.items():
            shapes[f"{stem}.{part}_proj.weight"] = (width, dim)
            if part in a.bias:
                shapes[f"{stem}.{part}_proj.bias"] = (width,)
        for part in "qk":
            if a.qk_norm != "none":
                shapes[f"{stem}.{part}_norm.weight"] = (a.head_dim if a.qk_norm == "head" else widths[part],)
        shapes[f"{stem}.o_proj.weight"] = (dim, widths["q"])
        return shapes
    width = a.heads * (a.nope + a.rope_dim)
    if a.q_rank == "none":
        shapes[f"{stem}.q_proj.weight"] = (width, dim)
    else:
        shapes[f"{stem}.q_a_proj.weight"] = (a.q_rank, dim)
        if "q_a" in a.bias:
            shapes[f"{stem}.q_a_proj.bias"] = (a.q_rank,)
        shapes[f"{stem}.q_a_layernorm.weight"] = (a.q_rank,)
        shapes[f"{stem}.q_b_proj.weight"] = (width, a.q_rank)
    shapes[f"{stem}.kv_a_proj_with_mqa.weight"] = (a.kv_rank + a.rope_dim, dim)
    if "kv_a" in a.bias:
        shapes[f"{stem}.kv_a_proj_with_mqa.bias"] = (a.kv_rank + a.rope_dim,)
    shapes[f"{stem}.kv_a_layernorm.weight"] = (a.kv_rank,)
    shapes[f"{stem}.kv_b_proj.weight"] = (a.heads * (a.nope + a.value), a.kv_rank)
    shapes[f"{stem}.o_proj.weight"] = (dim, a.heads * a.value)
    return shapes


def ffn_shapes(stem, dim, ffn):
    if ffn.word == "dense":
        return mlp_shapes(stem, dim, ffn.hidden, ffn)
    shapes = {name: (ffn.experts, dim) for name in per_iteration(f"{stem}.gate", "weight", routers(ffn))}
    shapes |= biases(shapes, ffn.router.bias)
    for expert in range(ffn.experts):
        shapes |= mlp_shapes(f"{stem}.experts.{expert}", dim, ffn.hidden, ffn)
    if ffn.shared:
        # S shared experts side by side are one MLP of S times the width.
        shapes |= mlp_shapes(f"{stem}.shared_experts", dim, ffn.shared * ffn.hidden, ffn)
        if ffn.shared_gate == "sigmoid":
            shapes[f"{stem}.shared_expert_gate.weight"] = (1, dim)
    return shapes


def parameters(spec):
    """Every trained tensor: name to shape."""
    shapes = {"model.embed_tokens.weight": (spec.vocab, spec.dim), "model.norm.weight": (spec.dim,)}
    if not spec.tied:
        shapes["lm_head.weight"] = (spec.vocab, spec.dim)
    for number, layer in enumerate(spec.layers):
        stem = f"model.layers.{number}"
        shapes[f"{stem}.input_layernorm.weight"] = (spec.dim,)
        for name in per_iteration(f"{stem}.post_attention_layernorm", "weight", norms(layer.ffn)):
            shapes[name] = (spec.dim,)
        shapes |= attention_shapes(f"{stem}.self_attn", spec.dim, layer.attention)
        shapes |= ffn_shapes(f"{stem}.mlp", spec.dim, layer.ffn)
    return shapes


def state(spec):
    """Every tensor that is kept but not trained by gradient: the selection biases."""
    shapes = {}
    for number, layer in enumerate(spec.layers):
        if layer.ffn.word == "coe" and "bias" in balances(layer.ffn):
            stem = f"model.layers.{number}.mlp.gate"
            for name in per_iteration(stem, "e_score_correction_bias", routers(layer.ffn)):
                shapes[name] = (layer.ffn.experts,)
    return shapes


# ---- the forward pass ---------------------------------------------------------------


def multiply(a, b):
    """Every matrix product but those of routers and of the gates of shared experts; bf16.py puts others here."""
    return a @ b


def linear(w, stem, x):
    """A projection, with its bias where it has one."""
    y = multiply(x, w[f"{stem}.weight"].T)
    return y + w[f"{stem}.bias"] if f"{stem}.bias" in w else y


def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps) * weight


def yarn_magnitude(factor, scale):
    return 0.1 * scale * math.log(factor) + 1.0


def rotation(rope, width, x):
    """cos and sin [T, w / 2] of every position and pair, and the factor on the softmax scale. The width that turns,
    w, may be less than what there is."""
    width = width if rope.dim == "none" else rope.dim
    turns = 1.0 / rope.theta ** (torch.arange(0, width, 2, dtype=torch.float64) / width)
    magnitude = softmax_factor = 1.0
    if rope.word == "yarn":

        def dimension(rotations):
            """Where on the scale of dimensions one turns this often over the original context."""
            return width * math.log(rope.original / (rotations * 2 * math.pi)) / (2 * math.log(rope.theta))

        low, high = dimension(rope.beta_fast), dimension(rope.beta_slow)
        if rope.truncate:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, width - 1)
        span = high - low if high != low else 0.001
        slowed = ((torch.arange(width // 2, dtype=torch.float64) - low) / span).clamp(0, 1)
        turns = turns * (1 - slowed) + turns / rope.factor * slowed
        all_dim = yarn_magnitude(rope.factor, rope.mscale_all_dim)
        magnitude = yarn_magnitude(rope.factor, rope.mscale) / all_dim
        softmax_factor = all_dim**2
    angles = torch.outer(torch.arange(x.shape[1], dtype=torch.float64), turns)
    return (angles.cos() * magnitude).to(x.dtype), (angles.sin() * magnitude).to(x.dtype), softmax_factor


def rotate_halves(x, cos, sin):
    """Rotates the pairs (i, i + d/2) of the last axis; positions are the axis before."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


def rotate_neighbours(x, cos, sin):
    """Rotates the pairs (2i, 2i+1)."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


def turn(x, cos, sin, pairs):
    """Rotates as many dimensions as there are angles for, from the first; the rest stays as it is."""
    rotate = rotate_halves if pairs == "halves" else rotate_neighbours
    width = 2 * cos.shape[-1]
    return torch.cat([rotate(x[..., :width], cos, sin), x[..., width:]], -1)


def split_heads(x, heads):
    """[B, T, heads * d] to [B, heads, T, d]."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x):
    """[B, heads, T, d] to [B, T, heads * d]."""
    return x.transpose(1, 2).flatten(2)


def attend(a, q, k, v, factor, sinks):
    """Causal attention, heads put side by side again. `sinks` [heads] are scores that hold no value, or None."""
    length = q.shape[-2]
    scores = multiply(q, k.transpose(-1, -2)).to(q.dtype) * (a.scale * factor)
    age = torch.arange(length)[:, None] - torch.arange(length)
    hidden = age < 0
    if a.window != "none":
        hidden = hidden | (age >= a.window)
    scores = scores.masked_fill(hidden, -math.inf)
    if sinks is not None:
        scores = torch.cat([scores, sinks[:, None, None].expand(*scores.shape[:-1], 1)], -1)
    weights = scores.softmax(-1)[..., :length]
    return merge_heads(multiply(weights, v))


def mha(w, stem, a, x, eps):
    q, k, v = (linear(w, f"{stem}.{part}_proj", x) for part in "qkv")

    def normed(part, y):
        """Over each head, or over all of them side by side."""
        weight = w[f"{stem}.{part}_norm.weight"]
        if a.qk_norm == "head":
            return rms_norm(y, weight, eps)
        return split_heads(rms_norm(merge_heads(y), weight, eps), y.shape[1])

    q, k, v = split_heads(q, a.heads), split_heads(k, a.kv_heads), split_heads(v, a.kv_heads)
    if a.qk_norm != "none" and a.qk_norm_at == "before":
        q, k = normed("q", q), normed("k", k)
    cos, sin, factor = rotation(a.rope, a.head_dim, x)
    q, k = turn(q, cos, sin, a.pairs), turn(k, cos, sin, a.pairs)
    if a.qk_norm != "none" and a.qk_norm_at == "after":
        q, k = normed("q", q), normed("k", k)
    # Query head j reads key-value head j / (heads / kv_heads).
    k, v = (y.repeat_interleave(a.heads // a.kv_heads, 1) for y in (k, v))
    return linear(w, f"{stem}.o_proj", attend(a, q, k, v, factor, w.get(f"{stem}.sinks")))


def mla(w, stem, a, x, eps):
    if a.q_rank == "none":
        q = linear(w, f"{stem}.q_proj", x)
    else:
        latent = linear(w, f"{stem}.q_a_proj", x)
        q = linear(w, f"{stem}.q_b_proj", rms_norm(latent, w[f"{stem}.q_a_layernorm.weight"], a.latent_eps))
    q_still, q_turning = split_heads(q, a.heads).split([a.nope, a.rope_dim], -1)
    latent = linear(w, f"{stem}.kv_a_proj_with_mqa", x)
    latent, k_turning = latent.split([a.kv_rank, a.rope_dim], -1)
    latent = rms_norm(latent, w[f"{stem}.kv_a_layernorm.weight"], a.latent_eps)
    kv = split_heads(linear(w, f"{stem}.kv_b_proj", latent), a.heads)
    k_still, v = kv.split([a.nope, a.value], -1)
    cos, sin, factor = rotation(a.rope, a.rope_dim, x)
    # One rotary key for all heads.
    k_turning = turn(k_turning.unsqueeze(1), cos, sin, a.pairs).expand(-1, a.heads, -1, -1)
    q = torch.cat([q_still, turn(q_turning, cos, sin, a.pairs)], -1)
    k = torch.cat([k_still, k_turning], -1)
    return linear(w, f"{stem}.o_proj", attend(a, q, k, v, factor, w.get(f"{stem}.sinks")))


def mlp(w, stem, act, x):
    up = linear(w, f"{stem}.up_proj", x)
    inner = GATED[act](linear(w, f"{stem}.gate_proj", x), up) if act in GATED else PLAIN[act](up)
    return linear(w, f"{stem}.down_proj", inner)


class Model:
    """One pass keeps its balance losses in `aux`, and the narrowest choice it made in `margin`."""

    def __init__(self, spec, weights):
        self.spec, self.w = spec, weights

    def forward(self, tokens):
        """Logits [B, T, V]."""
        spec, w = self.spec, self.w
        h = w["model.embed_tokens.weight"][tokens] * spec.multiplier
        self.aux, self.margin = h.new_zeros(()), math.inf
        for number in spec.order:
            layer, stem = spec.layers[number], f"model.layers.{number}"
            h = self.attention(stem, layer.attention, h)
            h = self.dense(stem, layer.ffn, h) if layer.ffn.word == "dense" else self.chain(stem, layer.ffn, h)
        head = w["model.embed_tokens.weight" if spec.tied else "lm_head.weight"]
        return multiply(rms_norm(h, w["model.norm.weight"], spec.eps), head.T) / spec.logits_scaling

    def sublayer(self, h, norm, part, of):
        """What a sublayer adds to the stream: the norm stands before it or after it."""
        def normed(x):
            return rms_norm(x, self.w[f"{norm}.weight"], self.spec.eps)

        return h + part.multiplier * (normed(of(h)) if part.norm_at == "after" else of(normed(h)))

    def attention(self, stem, a, h):
        attention = mha if a.word == "mha" else mla
        return self.sublayer(h, f"{stem}.input_layernorm", a,
                             lambda x: attention(self.w, f"{stem}.self_attn", a, x, self.spec.eps))

    def dense(self, stem, ffn, h):
        return self.sublayer(h, f"{stem}.post_attention_layernorm", ffn,
                             lambda x: mlp(self.w, f"{stem}.mlp", ffn.act, x))

    def chain(self, stem, ffn, h):
        """The chain of experts: how the stream enters, passes the iterations, and leaves."""
        names = per_iteration(f"{stem}.post_attention_layernorm", "weight", norms(ffn))

        def norm(t, x):
            return rms_norm(x, self.w[names[t if len(names) > 1 else 0]], self.spec.eps)

        # With a norm after the experts the chain runs on the stream itself.
        once, after = ffn.norm == "once", ffn.norm_at == "after"
        start = norm(0, h) if once and not after else h
        state, frozen = start, None
        for t in range(ffn.iter):
            u = state if once else norm(t, state)
            if frozen is None or ffn.gate != "frozen":
                frozen = self.route(stem, ffn, t, u)
            y = self.experts(stem, ffn, t, u, frozen)
            if ffn.residual in ("inner", "both", "delta"):
                state = state + y
            elif ffn.residual == "init":
                state = start + y
            else:
                state = y
        if ffn.residual not in ("outer", "both", "delta"):
            return state
        added = state - start if ffn.residual == "delta" else state
        return h + ffn.multiplier * (norm(0, added) if after else added)

    def route(self, stem, ffn, t, u):
        """The weight of every expert for every token [B, T, E], zero where it is not selected."""
        router, count = ffn.router, routers(ffn)
        own = t if count > 1 else 0
        logits = u @ self.w[per_iteration(f"{stem}.mlp.gate", "weight", count)[own]].T
        if router.bias:
            logits = logits + self.w[per_iteration(f"{stem}.mlp.gate", "bias", count)[own]]
        scores = logits.softmax(-1) if router.word == "softmax" else logits.sigmoid()
        ranked = scores
        if "bias" in balances(ffn):
            ranked = scores + self.w[per_iteration(f"{stem}.mlp.gate", "e_score_correction_bias", count)[own]]
        if router.groups:
            ranked = self.keep_groups(router, ranked)
        k = ffn.k[t] if isinstance(ffn.k, list) else ffn.k
        selected = self.largest(ranked, k)
        weights = scores * selected
        if router.renorm:
            weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
        self.balance(ffn, k, logits, scores, selected)
        return weights * router.scale

    def keep_groups(self, router, ranked):
        """The scores with those of the dropped groups put out of reach."""
        grouped = ranked.unflatten(-1, (router.groups, -1))
        best = grouped.sort(-1, descending=True).values
        score = best[..., 0] if router.group_score == "max" else best[..., :2].sum(-1)
        kept = self.largest(score, router.keep).bool()
        return grouped.masked_fill(~kept.unsqueeze(-1), -math.inf).flatten(-2)

    def largest(self, values, k):
        """1 at the k largest of the last axis, 0 elsewhere; a stable sort gives ties to the lower index."""
        values = values.detach()
        ordered, index = values.sort(dim=-1, descending=True, stable=True)
        if k < values.shape[-1]:
            self.margin = min(self.margin, (ordered[..., k - 1] - ordered[..., k]).min().item())
        return torch.zeros_like(values).scatter(-1, index[..., :k], 1.0)

    def balance(self, ffn, k, logits, scores, selected):
        tokens, share = scores.shape[1], scores
        if ffn.router.word == "sigmoid":
            share = scores / scores.sum(-1, keepdim=True)
        for term, alpha in balances(ffn).items():
            if term == "seq_aux":
                load = selected.sum(1) * ffn.experts / (k * tokens)
                self.aux = self.aux + alpha * (load * share.mean(1)).sum(-1).mean()
            elif term == "switch_aux":
                load = selected.mean((0, 1)) * ffn.experts / k
                self.aux = self.aux + alpha * (load * share.mean((0, 1))).sum()
            elif term == "z_loss":
                self.aux = self.aux + alpha * logits.logsumexp(-1).square().mean()

    def weigh(self, weight, y):
        return weight * y

    def experts(self, stem, ffn, t, u, weights):
        w, y = self.w, torch.zeros_like(u)
        for expert in range(ffn.experts):
            y = y + self.weigh(weights[..., expert, None], mlp(w, f"{stem}.mlp.experts.{expert}", ffn.act, u))
        runs = {"each": True, "first": t == 0, "last": t == ffn.iter - 1}[ffn.shared_at]
        if ffn.shared and runs:
            shared = mlp(w, f"{stem}.mlp.shared_experts", ffn.act, u)
            if ffn.shared_gate == "sigmoid":
                shared = shared * (u @ w[f"{stem}.mlp.shared_expert_gate.weight"].T).sigmoid()
            y = y + shared
        return y


def run(spec, weights, tokens, targets, dtype=torch.float64, of=Model):
    """Everything a golden holds, computed from weights of any precision, and the narrowest choice made."""
    w = {name: weights[name].to(dtype, copy=True).requires_grad_() for name in parameters(spec)}
    w |= {name: weights[name].to(dtype) for name in state(spec)}
    model = of(spec, w)
    logits = model.forward(tokens).to(dtype)
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    (loss + model.aux).backward()
    result = {"logits": logits.detach(), "loss": loss.detach().reshape(1), "aux_loss": model.aux.detach().reshape(1)}
    for name in parameters(spec):
        # An expert no token chose has no gradient in PyTorch; here that is the zero it means.
        grad = w[name].grad
        result[f"grad.{name}"] = torch.zeros_like(w[name]).detach() if grad is None else grad
    return result, model.margin
