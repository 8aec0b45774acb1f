"""A .coe model in PyTorch, in single precision and as fast as PyTorch has it: what coec is measured against.

It is built from the IR that the stepper prints and the weights that it writes, and computes the same; the script
refuses to compare the two otherwise. tests/parity/reference.py is the definition written out plainly.
Where it makes a difference for the better, weights that coec keeps apart stand side by side: query, key and
value, gate and up projection, experts. AdamW goes element by element, so that this changes no number.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

from torch_experts import swiglu


class Unsupported(Exception):
    """A word of the language that this model has no counterpart of."""


def require(holds, what):
    if not holds:
        raise Unsupported(f"the PyTorch model has no {what}")


def parameter(*tensors):
    return nn.Parameter(torch.cat(tensors).clone())


class Norm(nn.Module):
    def __init__(self, weight, eps):
        super().__init__()
        self.weight, self.eps = parameter(weight), eps

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight


class Attention(nn.Module):
    """Multi-head attention with rotary positions on halves, [B, T, D] to the same."""

    def __init__(self, block, weights, stem, context):
        super().__init__()
        require(list(block) == ["mha"], "attention but mha")
        a = block["mha"]
        require(list(a["rope"]) == ["rope"], "positions but rope")
        require(a["qk_norm"] == "none" and not a["bias"], "norms of queries and keys, nor bias")
        self.heads, self.kv_heads, self.width = a["heads"], a["kv_heads"], a["head_dim"]
        self.qkv = parameter(*(weights[f"{stem}.{part}_proj.weight"] for part in "qkv"))
        self.out = parameter(weights[f"{stem}.o_proj.weight"])
        turns = a["rope"]["rope"]["theta"] ** (-torch.arange(0, self.width, 2, dtype=torch.float64) / self.width)
        angles = torch.outer(torch.arange(context, dtype=torch.float64), turns)
        self.register_buffer("cos", angles.cos().float())
        self.register_buffer("sin", angles.sin().float())

    def rotate(self, x):
        a, b = x.chunk(2, -1)
        return torch.cat([a * self.cos - b * self.sin, b * self.cos + a * self.sin], -1)

    def forward(self, x):
        heads = F.linear(x, self.qkv).unflatten(-1, (-1, self.width)).transpose(1, 2)
        q, k, v = heads.split([self.heads, self.kv_heads, self.kv_heads], 1)
        mixed = F.scaled_dot_product_attention(
            self.rotate(q), self.rotate(k), v, is_causal=True, enable_gqa=self.heads != self.kv_heads
        )
        return F.linear(mixed.transpose(1, 2).flatten(2), self.out)


class Chain(nn.Module):
    """A chain of experts, [N, D] to the same, and what its balance adds to the loss."""

    def __init__(self, block, weights, stem, is_stacked):
        super().__init__()
        require(list(block) == ["coe"], "feed-forward sublayer but coe and moe")
        c = self.block = block["coe"]
        router = c["router"]
        require(c["act"] == "swiglu" and c["norm"] == "once" and c["gate"] != "frozen", "such a chain")
        require(c["shared_at"] == "each" and c["shared_gate"] == "none", "shared experts in some iterations, or gated")
        require(router["score"] == "softmax" and router["groups"] is None, "router but a plain softmax")
        require(all(list(term) == ["seq_aux"] for term in c["balance"]), "balance but seq_aux")
        self.alpha = sum(term["seq_aux"]["alpha"] for term in c["balance"])
        routers = c["iter"] if c["gate"] == "independent" else 1
        gates = [f"{stem}.gate.weight"] if routers == 1 else [f"{stem}.gate.{t}.weight" for t in range(routers)]
        self.gates = nn.ParameterList([parameter(weights[name]) for name in gates])

        def into(mlp):
            return torch.cat([weights[f"{mlp}.gate_proj.weight"], weights[f"{mlp}.up_proj.weight"]])

        experts = [f"{stem}.experts.{expert}" for expert in range(c["experts"])]
        w_in, w_out = [into(mlp) for mlp in experts], [weights[f"{mlp}.down_proj.weight"] for mlp in experts]
        if is_stacked:
            self.w_in, self.w_out = nn.Parameter(torch.stack(w_in)), nn.Parameter(torch.stack(w_out))
        else:
            self.w_in, self.w_out = (nn.ParameterList([parameter(w) for w in all]) for all in (w_in, w_out))
        if c["shared"]:
            self.shared_in = parameter(into(f"{stem}.shared_experts"))
            self.shared_out = parameter(weights[f"{stem}.shared_experts.down_proj.weight"])

    def forward(self, start, stream, sequences, experts):
        """The stream after the chain that starts with `start`, the stream normed."""
        c, state, aux = self.block, start, start.new_zeros(())
        for t, k in enumerate(c["k"]):
            scores = F.linear(state, self.gates[t % len(self.gates)]).softmax(-1)
            gates, index = scores.topk(k, -1)
            if self.alpha:
                aux = aux + self.alpha * seq_aux(scores, index, sequences)
            if c["router"]["renorm"]:
                gates = gates / (gates.sum(-1, keepdim=True) + 1e-20)
            if c["router"]["scale"] != 1:
                gates = gates * c["router"]["scale"]
            y = experts(state, index, gates, self.w_in, self.w_out)
            if c["shared"]:
                y = y + F.linear(swiglu(F.linear(state, self.shared_in)), self.shared_out)
            if c["residual"] in ("inner", "both", "delta"):
                state = state + y
            else:
                state = start + y if c["residual"] == "init" else y
        if c["residual"] in ("outer", "both"):
            state = stream + state
        elif c["residual"] == "delta":
            state = stream + (state - start)
        return state, aux


def seq_aux(scores, index, sequences):
    """The load of each expert in each sequence times its mean score there, summed over experts."""
    count, experts = scores.shape
    tokens = count // sequences
    chosen = index.view(sequences, -1)
    load = scores.new_zeros(sequences, experts).scatter_add(1, chosen, scores.new_ones(chosen.shape))
    load = load * (experts / (index.shape[1] * tokens))
    return (load * scores.view(sequences, tokens, -1).mean(1)).sum(-1).mean()


class Layer(nn.Module):
    def __init__(self, layer, weights, stem, eps, context, is_stacked):
        super().__init__()
        self.attention_norm = Norm(weights[f"{stem}.input_layernorm.weight"], eps)
        self.attention = Attention(layer["attention"], weights, f"{stem}.self_attn", context)
        self.chain_norm = Norm(weights[f"{stem}.post_attention_layernorm.weight"], eps)
        self.chain = Chain(layer["ffn"], weights, f"{stem}.mlp", is_stacked)

    def forward(self, h, experts):
        h = h + self.attention(self.attention_norm(h))
        start = self.chain_norm(h)
        after, aux = self.chain(start.flatten(0, 1), h.flatten(0, 1), len(h), experts)
        return after.view_as(h), aux


class Model(nn.Module):
    """`is_stacked`: whether the experts of a layer are one parameter, or one each."""

    def __init__(self, ir, weights, context, is_stacked):
        super().__init__()
        eps, layers = ir["norm"]["eps"], ir["layers"]
        self.embedding = parameter(weights["model.embed_tokens.weight"])
        self.layers = nn.ModuleList(
            Layer(layers["kinds"][kind], weights, f"model.layers.{number}", eps, context, is_stacked)
            for number, kind in enumerate(layers["order"])
        )
        self.norm = Norm(weights["model.norm.weight"], eps)
        self.head = None if ir["embedding"]["tied"] else parameter(weights["lm_head.weight"])

    def loss(self, tokens, targets, experts):
        """Mean cross-entropy of tokens and targets [B, T], and the balance losses."""
        h, aux = F.embedding(tokens, self.embedding), 0
        for layer in self.layers:
            h, balance = layer(h, experts)
            aux = aux + balance
        logits = F.linear(self.norm(h), self.embedding if self.head is None else self.head)
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten()), aux
