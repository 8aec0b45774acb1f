"""Models drawn at random from the whole language, against the reference in double precision."""

import itertools
import random

import torch

import exporting
from exporting import Worst
import make_goldens
import reference
import spec as language

# Double against double: only the order of sums is left.
BOUNDS = {"f64": 1e-11, "f32: losses and logits": 1e-5, "f32: gradients": 5e-5, "back": 0.0}
COUNT = 50
# Draws of weights before a model is passed over for another.
ATTEMPTS = 60


def rope(draw):
    if draw.random() < 0.5:
        return f"rope(theta={draw.choice([50, 500, 10000])})"
    return (
        f"yarn(theta={draw.choice([100, 10000])}, factor={draw.choice([2, 8])}, original={draw.choice([16, 64])}, "
        f"beta_fast={draw.choice([4, 32])}, beta_slow=1, mscale={draw.choice([0.7, 1])}, "
        f"mscale_all_dim={draw.choice([0, 0.4, 1])})"
    )


def attention(draw):
    heads = draw.choice([1, 2, 4])
    if draw.random() < 0.5:
        kv_heads = draw.choice([n for n in (1, 2, 4) if heads % n == 0])
        return (
            f"mha(heads={heads}, kv_heads={kv_heads}, head_dim={draw.choice([2, 4, 6, 8])}, rope={rope(draw)}, "
            f"qk_norm={draw.choice(['none', 'head', 'full'])}, bias={draw.choice(['true', 'false'])})"
        )
    q_rank = draw.choice(["", ", q_rank=5", ", q_rank=8"])
    return (
        f"mla(heads={heads}, kv_rank={draw.choice([4, 7])}{q_rank}, nope={draw.choice([1, 4])}, "
        f"rope_dim={draw.choice([2, 4, 8])}, value={draw.choice([3, 4, 8])}, rope={rope(draw)})"
    )


def act(draw):
    return draw.choice(["swiglu", "geglu", "gelu", "relu2"])


def dense(draw):
    return f"dense(hidden={draw.choice([5, 8, 12])}, act={act(draw)})"


def router(draw, experts, most):
    """A router that can select as many experts as are wanted at most."""
    fields = [f"renorm={draw.choice(['true', 'false'])}", f"scale={draw.choice([1.0, 1.7, 2.5])}"]
    groups = [n for n in (2, 3, 4) if experts % n == 0 and experts // n > 1]
    if groups and draw.random() < 0.5:
        count = draw.choice(groups)
        keep = draw.choice([n for n in range(1, count + 1) if n * experts // count >= most])
        fields += [f"groups={count}", f"keep={keep}", f"group_score={draw.choice(['max', 'top2'])}"]
    return f"{draw.choice(['softmax', 'sigmoid'])}({', '.join(fields)})"


def balance(draw):
    terms = ["seq_aux(alpha=0.3)", "switch_aux(alpha=0.2)", "z_loss(alpha=0.05)", "bias(rate=0.01)"]
    chosen = draw.sample(terms, draw.choice([0, 1, 1, 2, 3, 4]))
    return f"[{', '.join(chosen)}]" if len(chosen) != 1 else chosen[0]


def chain(draw):
    count, experts = draw.choice([1, 2, 3]), draw.choice([1, 3, 4, 6, 8])
    norm = draw.choice(["once", "once", "each", "tied"])
    residuals = ["inner", "outer", "init", "none"] + (["both", "delta", "delta"] if norm == "once" else [])
    gate = draw.choice(["independent", "tied", "frozen"])
    ks = [draw.randint(1, min(3, experts)) for _ in range(count)]
    is_list = gate != "frozen" and draw.random() < 0.5
    k = f"[{', '.join(map(str, ks))}]" if is_list else str(ks[0])
    shared = draw.choice([0, 1, 2])
    fields = [
        f"iter={count}", f"k={k}", f"experts={experts}", f"shared={shared}", f"hidden={draw.choice([3, 4, 8])}",
        f"act={act(draw)}", f"residual={draw.choice(residuals)}", f"gate={gate}", f"norm={norm}",
        f"shared_at={draw.choice(['each', 'first', 'last'])}",
        f"router={router(draw, experts, max(ks))}", f"balance={balance(draw)}",
    ]
    if shared:
        fields.append(f"shared_gate={draw.choice(['none', 'sigmoid'])}")
    return f"coe({', '.join(fields)})"


def text(name, draw):
    layers = draw.choice([1, 2, 3])
    fields = {
        "vocab": 19, "context": 16, "dim": draw.choice([8, 12]), "layers": layers,
        "norm": f"rms(eps={draw.choice(['1e-6', '0.001', '0.1'])})",
        "embedding": f"tokens(tied={draw.choice(['true', 'false'])})",
        "attention": attention(draw), "ffn": chain(draw),
    }
    if layers > 1 and draw.random() < 0.6:
        fields["ffn[0]"] = draw.choice([dense, chain])(draw)
    if layers > 1 and draw.random() < 0.4:
        fields[f"attention[{layers - 1}]"] = attention(draw)
    return "\n".join([f"model {name} {{", *(f"    {key} = {value}" for key, value in fields.items()), "}", ""])


def clear(spec, number):
    """Weights and tokens under which no choice is narrow and single precision stays close, and what the reference
    makes of them; None where that is not soon found."""
    for attempt in range(ATTEMPTS):
        draw = torch.Generator().manual_seed(ATTEMPTS * number + attempt)
        weights = make_goldens.random_weights(spec, draw)
        tokens, targets = make_goldens.random_tokens(spec.vocab, draw)
        result, margin = reference.run(spec, weights, tokens, targets)
        rounded, _ = reference.run(spec, weights, tokens, targets, torch.float32)
        rounding = max(make_goldens.errors(rounded, result).values())
        if margin >= make_goldens.MARGIN and rounding <= make_goldens.ROUNDING:
            return weights, tokens, targets, result
    return None


def models(coec):
    from goldens import both_precisions

    worst = Worst()
    for name, said, (weights, tokens, targets, result) in itertools.islice(drawn(), COUNT):
        folder = coec.export_text(said, name, weights)
        both_precisions(folder, tokens, targets, result, worst, name)
    return worst.checks(BOUNDS)


def drawn():
    for number in itertools.count():
        name = f"random_{number}"
        said = text(name, random.Random(number))
        found = clear(language.read(said), number)
        if found is not None:
            yield name, said, found
