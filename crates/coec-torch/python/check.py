"""Holds the model of this folder to its budget: what coec counted, PyTorch counts again.

    python check.py

Parameters are those of the model as transformers builds it, FLOPs those of the products that it runs, by torch's own
counter: a pass over one sequence of the whole context, forward and backward, on the meta device, where nothing is
computed and no weight is needed. Attention is two products of whole T x T matrices here, of which coec may execute
less; every other product is the same. Exits with 1 where two figures differ.
"""

import json
import math
import sys
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode, register_flop_formula
from transformers import AutoConfig, AutoModelForCausalLM
from transformers import logging

HERE = Path(__file__).resolve().parent
aten = torch.ops.aten


@register_flop_formula(aten._grouped_mm)
def grouped_product(a, b, *_, out_shape=None, **__):
    """Rows in groups, each by its group's matrix; for the weights' gradients, groups of columns by groups of rows."""
    return 2 * math.prod(a) * b[-1]


def counted_once(model):
    """Trained elements, a tied head once."""
    return sum({id(p): p.numel() for p in model.parameters() if p.requires_grad}.values())


def attention_flops(counter, model):
    """What attention's two products came to: they alone are products of batches of matrices there."""
    root = type(model).__name__
    inside = [f"{root}.{name}" for name, _ in model.named_modules() if name.endswith(".self_attn")]
    return sum(counter.get_flop_counts().get(name, {}).get(aten.bmm, 0) for name in inside)


def count(model, context):
    """FLOPs of the forward pass, of attention's two products in it, and of the backward pass."""
    # Biases are no products, and where experts have them each is run for the tokens it finds, of which there are none here.
    for module in model.modules():
        if getattr(module, "has_biases", False):
            module.has_biases = False
    tokens = torch.zeros(1, context, dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as forward:
        seen = model(input_ids=tokens, use_cache=False)
        loss = seen.logits.float().square().mean() + seen.aux_loss
    with FlopCounterMode(display=False) as backward:
        loss.backward()
    return forward.get_total_flops(), attention_flops(forward, model), backward.get_total_flops()


def experts_that_count(config):
    """The default, but where it would not be taken: it wants rows of whole 16 bytes."""
    widths = [width for ffn in config.chains for width in (config.hidden_size, ffn["hidden"])]
    return "grouped_mm" if all(width % 4 == 0 for width in widths) else "batched_mm"


def main():
    logging.set_verbosity_error()
    budget = json.loads((HERE / "budget.json").read_text())
    told, figures = budget["torch"], budget["figures"]
    config = AutoConfig.from_pretrained(HERE, trust_remote_code=True)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(
            config, trust_remote_code=True, dtype=torch.float32, attn_implementation="eager",
            experts_implementation=experts_that_count(config),
        )
    context, products, mixing = told["context"], told["flops"]["products"], told["flops"]["attention"]
    forward, attention, backward = count(model.train(), context)
    # Of the pass what was counted, a token its share.
    rows = [
        ("parameters", figures["params.total"], counted_once(model), 1),
        ("FLOP a token, all products but attention's two", products, forward - attention, context),
        ("FLOP a token, attention's two, T x T", mixing, attention, context),
        ("FLOP a token, backward", 2 * (products + mixing), backward, context),
    ]
    print(f"{config.model['name']}: 1 x {context} tokens")
    print(f"{'figure':<48}{'coec':>20}{'torch':>20}  verdict")
    holds = True
    for name, expected, found, tokens in rows:
        is_equal = expected * tokens == found
        holds &= is_equal
        share = found // tokens if found % tokens == 0 else found / tokens
        print(f"{name:<48}{expected:>20,}{share:>20,}  {'equal' if is_equal else 'DIFFERS'}")
    executed = figures["flops.executed"]
    print(f"of attention's two coec executes {executed - products:,} FLOP a token: flops.executed is {executed:,}")
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
