"""Twenty optimizer steps of small models, by torch.optim.AdamW and torch's own clipping.

The forward pass is `reference.py`; what is added here is what makes a step of it: parts of a
batch, clipping by the global norm, the schedule, decoupled weight decay, and the selection bias
that moves by the loads of the step. All in double precision.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F

import reference
import spec as language

STEPS, BATCH, LENGTH = 20, 4, 6
LR, BETAS, DECAY, WARMUP, RATE = 0.005, (0.9, 0.95), 0.1, 6, 0.02
# AdamW divides by the root of the second moment. Where a gradient is little more than rounding, that
# quotient is a sign that single precision draws by lot, and no two programs would agree on it; with an eps
# well above rounding (1e-7 here) and below most gradients (1e-2) the quotient is small there, and still
# most elements move by nearly the learning rate, so that the place of eps and of the corrections matters.
EPS = 1e-3


@dataclass
class Entry:
    name: str
    gate: str
    accumulate: int
    # Between the largest and the smallest norm of the run, so that some steps clip and some do not.
    clip: float
    # Where the search for a seed begins: the first that is fit, for it may take minutes to find.
    seed: int = 0
    # A field of the model besides.
    more: str = ""
    layers: int = 2

    @property
    def model(self):
        return f"""/// {STEPS} steps, gate={self.gate}, a batch in {self.accumulate} part(s).
model {self.name} {{
    vocab     = 256
    context   = {LENGTH}
    dim       = 8
    layers    = {self.layers}
    attention = mha(heads=2)
    ffn       = coe(iter=2, k=2, experts=6, shared=1, hidden=6, residual=delta, gate={self.gate},
                    router=softmax(renorm=true), balance=[seq_aux(alpha=0.1), bias(rate={RATE})])
{f"    {self.more}{chr(10)}" if self.more else ""}}}
"""

    @property
    def train(self):
        return f"""
train {{
    steps      = {STEPS}
    batch      = {BATCH}
    context    = {LENGTH}
    accumulate = {self.accumulate}
    optimizer  = adamw(lr={LR}, betas=[{BETAS[0]}, {BETAS[1]}], eps={EPS}, weight_decay={DECAY}, clip={self.clip})
    schedule   = cosine(warmup={WARMUP})
}}
"""


def entries():
    return [
        Entry("training", "independent", 1, 3.0, 336),
        Entry("training_in_parts", "tied", 2, 3.0, 16),
        Entry("training_looped", "independent", 2, 5.0, 6, "loop[0] = 2", 1),
    ]


class Counting(reference.Model):
    """Remembers how often each router selected each expert."""

    def forward(self, tokens):
        self.counts = {}
        return super().forward(tokens)

    def route(self, stem, ffn, t, u):
        count = reference.routers(ffn)
        biases = reference.per_iteration(f"{stem}.mlp.gate", "e_score_correction_bias", count)
        self.bias = biases[t if count > 1 else 0]
        return super().route(stem, ffn, t, u)

    def balance(self, ffn, k, logits, scores, selected):
        # A tied router, and one in a looped layer, is asked several times; its counts add up.
        self.counts[self.bias] = self.counts.get(self.bias, 0) + selected.sum((0, 1))
        super().balance(ffn, k, logits, scores, selected)


def factor(step):
    """The share of the peak learning rate at a step, from 0: a linear rise over the warm-up, whose last
    step has the peak, then half a cosine that would reach 0 with the step after the last."""
    if step < WARMUP:
        return (step + 1) / WARMUP
    return (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP))) / 2


def batches(draw):
    """Token ids [STEPS, BATCH, LENGTH + 1]; the last column is only ever a target. Few distinct ones, so
    that there is something to learn, and rows of the embedding that only decay."""
    return torch.randint(24, (STEPS, BATCH, LENGTH + 1), generator=draw)


def run(entry, weights, tokens, dtype=torch.float64):
    """What the run leaves behind, and the narrowest choice it made."""
    spec = language.read(entry.model)
    w = {name: weights[name].to(dtype, copy=True).requires_grad_() for name in reference.parameters(spec)}
    w |= {name: weights[name].to(dtype, copy=True) for name in reference.state(spec)}
    trained = [w[name] for name in reference.parameters(spec)]
    optimizer = torch.optim.AdamW(trained, lr=LR, betas=BETAS, eps=EPS, weight_decay=DECAY, foreach=False)
    rows, margin = {"losses": [], "aux_losses": [], "norms": [], "rates": []}, math.inf
    for step in range(STEPS):
        # An expert no token chose has a gradient of zero: it decays, and its moments fade.
        for value in trained:
            value.grad = torch.zeros_like(value)
        losses, aux_losses, counts = [], [], {}
        for part in tokens[step].chunk(entry.accumulate):
            model = Counting(spec, w)
            logits = model.forward(part[:, :-1])
            loss = F.cross_entropy(logits.flatten(0, 1), part[:, 1:].flatten())
            ((loss + model.aux) / entry.accumulate).backward()
            losses.append(loss.item())
            aux_losses.append(model.aux.item())
            margin = min(margin, model.margin)
            for name, count in model.counts.items():
                counts[name] = counts.get(name, 0) + count
        norm = torch.nn.utils.clip_grad_norm_(trained, entry.clip)
        for group in optimizer.param_groups:
            group["lr"] = LR * factor(step)
        optimizer.step()
        with torch.no_grad():
            for name, count in counts.items():
                w[name] += RATE * torch.sign(count.mean() - count)
        rows["losses"].append(sum(losses) / len(losses))
        rows["aux_losses"].append(sum(aux_losses) / len(aux_losses))
        rows["norms"].append(norm.item())
        rows["rates"].append(LR * factor(step))
    result = {name: torch.tensor(values, dtype=torch.float64) for name, values in rows.items()}
    return result | {f"final.{name}": value.detach() for name, value in w.items()}, margin
