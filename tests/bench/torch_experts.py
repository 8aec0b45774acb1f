"""The weighted sum of the selected experts, in the ways that PyTorch offers.

Each function takes tokens x [N, D], the selected experts index [N, K] and their weights gates [N, K], and the
experts' weights w_in, E times [2F, D] with the gate's rows before the up projection's, and w_out, E times [D, F].
It returns [N, D]: the sum over k of gates[n, k] * E(x[n]), E = w_out (silu(gate) * up).
"""

import torch
import torch.nn.functional as F

grouped_mm = getattr(F, "grouped_mm", None) or torch._grouped_mm


def swiglu(gate_up):
    gate, up = gate_up.chunk(2, -1)
    return F.silu(gate) * up


def loop(x, index, gates, w_in, w_out):
    """Expert by expert, as transformers does it without its kernels: rows are taken out and added back."""
    y = torch.zeros_like(x)
    for expert, (into, out) in enumerate(zip(w_in, w_out)):
        token, place = torch.where(index == expert)
        rows = F.linear(swiglu(F.linear(x.index_select(0, token), into)), out)
        y = y.index_add(0, token, rows * gates[token, place, None])
    return y


class Permute(torch.autograd.Function):
    """Each of N rows K times, in the order of their experts. Its gradient is taken back by the inverse order,
    which is faster than the scattered additions that autograd makes of a gather."""

    @staticmethod
    def forward(ctx, x, order, inverse, k):
        ctx.save_for_backward(inverse)
        ctx.k = k
        return x.index_select(0, order // k)

    @staticmethod
    def backward(ctx, grad):
        (inverse,) = ctx.saved_tensors
        return grad.index_select(0, inverse).unflatten(0, (-1, ctx.k)).sum(1), None, None, None


class Restore(torch.autograd.Function):
    """The rows in the order of the tokens again."""

    @staticmethod
    def forward(ctx, rows, order, inverse):
        ctx.save_for_backward(order)
        return rows.index_select(0, inverse)

    @staticmethod
    def backward(ctx, grad):
        (order,) = ctx.saved_tensors
        return grad.index_select(0, order), None, None


def by_expert(x, index, experts):
    """The rows sorted by expert, where the rows of each expert end, and the orders there and back."""
    chosen, order = index.flatten().sort(stable=True)
    ends = torch.searchsorted(chosen, torch.arange(experts), right=True)
    inverse = torch.empty_like(order).scatter(0, order, torch.arange(len(order)))
    return Permute.apply(x, order, inverse, index.shape[1]), ends, order, inverse


def by_token(rows, gates, order, inverse):
    """The weighted sum of each token's rows."""
    rows = Restore.apply(rows, order, inverse).unflatten(0, gates.shape)
    return (rows * gates.unsqueeze(-1)).sum(1)


def grouped(x, index, gates, w_in, w_out):
    """Sorted rows and torch's grouped product; w_in [E, 2F, D], w_out [E, D, F]."""
    rows, ends, order, inverse = by_expert(x, index, len(w_in))
    ends = ends.int()
    hidden = swiglu(grouped_mm(rows, w_in.transpose(1, 2), offs=ends))
    return by_token(grouped_mm(hidden, w_out.transpose(1, 2), offs=ends), gates, order, inverse)


class Segments(torch.autograd.Function):
    """Each segment of rows times the transposed matrix of its expert, results written in place."""

    @staticmethod
    def forward(ctx, rows, weight, bounds):
        ctx.save_for_backward(rows, weight)
        ctx.bounds = bounds
        out = rows.new_empty(len(rows), weight.shape[1])
        for expert, (start, end) in enumerate(bounds):
            torch.mm(rows[start:end], weight[expert].t(), out=out[start:end])
        return out

    @staticmethod
    def backward(ctx, grad):
        rows, weight = ctx.saved_tensors
        grad_rows, grad_weight = torch.empty_like(rows), torch.empty_like(weight)
        for expert, (start, end) in enumerate(ctx.bounds):
            segment = grad[start:end]
            torch.mm(segment, weight[expert], out=grad_rows[start:end])
            torch.mm(segment.t(), rows[start:end], out=grad_weight[expert])
        return grad_rows, grad_weight, None


def segments(x, index, gates, w_in, w_out):
    """Sorted rows and a product for each expert; w_in [E, 2F, D], w_out [E, D, F]."""
    rows, ends, order, inverse = by_expert(x, index, len(w_in))
    ends = ends.tolist()
    bounds = list(zip([0, *ends], ends))
    hidden = swiglu(Segments.apply(rows, w_in, bounds))
    return by_token(Segments.apply(hidden, w_out, bounds), gates, order, inverse)
