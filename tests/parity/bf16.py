"""The reference in bf16: factors of products are rounded, and nothing else, forward and backward.

`run` computes a golden in double precision, so that what it holds is the definition's and not one order's of
sums; `autocast` is what PyTorch itself makes of the same model.
"""

import torch

import chains
import reference


def rounded(x):
    """The nearest numbers of bf16, ties to even, of doubles that are neither huge nor tiny."""
    dropped = 52 - 7
    bits = x.detach().contiguous().view(torch.int64)
    half = (1 << (dropped - 1)) - 1 + ((bits >> dropped) & 1)
    return ((bits + half) >> dropped << dropped).view(torch.float64)


class Product(torch.autograd.Function):
    """Both factors of each of the three products are rounded."""

    @staticmethod
    def forward(ctx, a, b):
        a, b = rounded(a), rounded(b)
        ctx.save_for_backward(a, b)
        return a @ b

    @staticmethod
    def backward(ctx, grad):
        (a, b), grad = ctx.saved_tensors, rounded(grad)
        return (grad @ b.mT).sum_to_size(a.shape), (a.mT @ grad).sum_to_size(b.shape)


class Weighed(torch.autograd.Function):
    """A gate times the output of an expert. The gate's gradient is y . dy; where y is not kept, it is made of the
    gradient as it enters the expert's products, g dy, rounded."""

    @staticmethod
    def forward(ctx, gate, y):
        ctx.save_for_backward(gate, y)
        return gate * y

    @staticmethod
    def backward(ctx, grad):
        gate, y = ctx.saved_tensors
        by = torch.where(gate == 0, 1.0, gate)
        return (rounded(by * grad) * y).sum(-1, keepdim=True) / by, gate * grad


class WithoutOutputs(reference.Model):
    def weigh(self, weight, y):
        return Weighed.apply(weight, y)


def replaced(multiply, run):
    """`run` with another product in place of the reference's."""
    own, reference.multiply = reference.multiply, multiply
    try:
        return run()
    finally:
        reference.multiply = own


def run(spec, weights, tokens, targets, of=reference.Model):
    return replaced(Product.apply, lambda: reference.run(spec, weights, tokens, targets, of=of))


def autocast(spec, weights, tokens, targets):
    """The same in single precision under autocast, which is off in routers, softmax and loss; its selections are
    those of `run`."""
    made = []

    class Noting(reference.Model):
        def largest(self, values, k):
            made.append(super().largest(values, k))
            return made[-1]

    class Forced(reference.Model):
        def largest(self, values, k):
            return made.pop(0).to(values.dtype)

    def multiply(a, b):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return a @ b

    run(spec, weights, tokens, targets, of=Noting)
    result, _ = replaced(
        multiply, lambda: reference.run(spec, weights, tokens, targets, torch.float32, of=Forced)
    )
    return result


def entries():
    def entry(name, comment, ffn, *more, attention="mha(heads=4)", layers=2):
        found = chains.entry(name, comment, ffn, attention=attention, layers=layers, more=more)
        # Wide enough that sums are sums.
        found.text = found.text.replace("dim       = 8", "dim       = 24").replace("vocab     = 16", "vocab     = 32")
        return found

    yield entry("chain", "A chain with shared experts and balance losses.",
                "coe(iter=2, k=2, experts=6, shared=1, hidden=16, residual=delta,\n"
                "                    balance=[seq_aux(alpha=0.1), z_loss(alpha=0.01)])")
    yield entry("latent", "Latent attention with a latent of queries, and sigmoid scores.",
                "coe(iter=2, k=[2, 1], experts=5, shared=1, hidden=12, norm=each,\n"
                "                    router=sigmoid(renorm=true, scale=2.0))",
                attention="mla(heads=2, kv_rank=12, q_rank=10, nope=8, rope_dim=4, value=6)")
    yield entry("dense", "Dense layers.", "dense(hidden=40)")
    yield entry("tied", "The embedding as the head, grouped queries with norms and biases, gated shared experts.",
                "moe(k=2, experts=4, shared=2, hidden=12, act=geglu, shared_gate=sigmoid)",
                "embedding = tokens(tied=true)",
                attention="mha(heads=4, kv_heads=2, head_dim=8, qk_norm=head, bias=true)")
