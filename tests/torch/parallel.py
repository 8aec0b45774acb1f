"""Ranks against one process that accumulates as many parts: FSDP2, and with it expert parallelism.

Gradients above all: a wrong divisor leaves every loss right.
"""

import importlib
import json
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

import exporting
import make_goldens
import parallel_worker
import spec as language
from exporting import Worst

BOUNDS = {"f64": 1e-12, "f32: losses": 1e-6, "f32: gradients": 1e-5, "exact": 0.0}
CHAIN = "coe(iter={iter}, k={k}, experts=4, shared=1, hidden=8, {rest})"
# Each with the chain's length, what is said of it, and whether its routers are zero, so that all tokens choose the
# first experts: those of the first rank.
CASES = {
    "moe": (1, 2, "residual=outer, balance=[seq_aux(alpha=0.1), bias(rate=0.01)]", False),
    "inner": (2, 2, "residual=inner, balance=switch_aux(alpha=0.2)", False),
    "delta": (2, 2, "residual=delta, balance=[switch_aux(alpha=0.2), z_loss(alpha=0.05)]", False),
    "tied": (2, 2, "residual=delta, gate=tied, balance=[bias(rate=0.01), seq_aux(alpha=0.1)]", False),
    "frozen": (3, 2, "residual=delta, gate=frozen, balance=[bias(rate=0.01), switch_aux(alpha=0.1)]", False),
    "each": (3, 1, "residual=inner, norm=each, balance=[bias(rate=0.01), seq_aux(alpha=0.1)]", False),
    "plain": (3, 2, "residual=delta, act=relu2, balance=bias(rate=0.01)", False),
    "one_rank": (2, 2, "residual=delta, balance=[bias(rate=0.01), switch_aux(alpha=0.1)]", True),
    "one_rank_each": (3, 1, "residual=inner, norm=each, router=sigmoid()", True),
}
VOCAB, CONTEXT = 32, 12


def text(name, case):
    length, k, rest, _ = case
    tied = "true" if name in ("tied", "delta") else "false"
    attention = "mla(heads=2, kv_rank=8, nope=4, rope_dim=4, value=4)" if name == "frozen" else "mha(heads=2)"
    return (
        f"model {name} {{ vocab={VOCAB} context={CONTEXT} dim=16 layers=2 attention={attention} "
        f"embedding=tokens(tied={tied}) ffn={CHAIN.format(iter=length, k=k, rest=rest)} }}\n"
    )


def folders(coec):
    for name, case in CASES.items():
        said = text(name, case)
        weights = make_goldens.random_weights(language.read(said), torch.Generator().manual_seed(7))
        if case[3]:
            weights = {key: value * 0 if ".mlp.gate." in key else value for key, value in weights.items()}
        yield name, coec.export_text(said, f"parallel_{name}", weights)


def case(coec, name, folder, fsdp, ep, dtype, experts, parts=2, batch=4, recompute=False):
    label = f"{name} fsdp={fsdp} ep={ep} {dtype} {experts} {batch}/{parts}{' recompute' if recompute else ''}"
    return {
        "name": label, "folder": str(folder), "fsdp": fsdp, "ep": ep, "dtype": dtype, "experts": experts,
        "parts": parts, "batch": batch, "recompute": recompute, "seed": 3, "vocab": VOCAB, "context": CONTEXT,
        "result": str(coec.scratch / f"{label.replace(' ', '_').replace('/', '_of_')}.safetensors"),
    }


def on_two(coec):
    """Every case in both precisions, with and without expert parallelism; and some with recomputation, with a last
    part that is smaller, and with fewer parts than ranks in the last round."""
    for name, folder in folders(coec):
        for ep in (1, 2):
            yield case(coec, name, folder, 2, ep, "float64", "eager")
            yield case(coec, name, folder, 2, ep, "float32", "grouped_mm")
        yield case(coec, name, folder, 2, 2, "float32", "eager")
        if name in ("frozen", "each"):
            yield case(coec, name, folder, 2, 2, "float64", "eager", parts=4, recompute=True)
            yield case(coec, name, folder, 2, 2, "float64", "eager", parts=4, batch=5)
            yield case(coec, name, folder, 2, 1, "float64", "eager", parts=4, batch=5)


def on_four(coec):
    """Experts that are sharded besides being spread, and weights that are held more than once."""
    for name, folder in folders(coec):
        if name in ("delta", "frozen", "each", "one_rank"):
            for fsdp, ep in ((4, 1), (4, 2), (4, 4), (2, 1), (2, 2), (1, 1)):
                yield case(coec, name, folder, fsdp, ep, "float64", "eager", parts=4, batch=8)
            yield case(coec, name, folder, 4, 2, "float32", "grouped_mm", parts=4, batch=8)
            yield case(coec, name, folder, 2, 2, "float32", "grouped_mm", parts=4, batch=8)


def share(value, expected):
    """The largest difference, as a share of the largest element."""
    most = expected.abs().max()
    return ((value - expected).abs().max() / most).item() if most > 0 else value.abs().max().item()


def compare(case, result, expected, worst):
    precision = "f64" if case["dtype"] == "float64" else "f32"
    if result.keys() != expected.keys():
        raise AssertionError(f"{case['name']}: {sorted(result.keys() ^ expected.keys())[:3]}")
    for name, value in result.items():
        where = f"{case['name']} {name}"
        if name in ("loss", "aux_loss"):
            worst.add(f"{precision}: losses", (value - expected[name]).abs().item(), where)
        elif name == "norm" or name.startswith("grad."):
            worst.add(f"{precision}: gradients", share(value, expected[name]), where)
        elif name.startswith(("load.", "before.")) or name.endswith("e_score_correction_bias"):
            same = value.dtype == expected[name].dtype and torch.equal(value, expected[name])
            worst.add("counts, biases, saved weights: exact", 0.0 if same else float("nan"), where)


def two_ranks(coec):
    return ranks(coec, 2, list(on_two(coec)))


def four_ranks(coec):
    return ranks(coec, 4, list(on_four(coec)))


def ranks(coec, world, cases):
    path = coec.scratch / f"parallel_{world}.json"
    path.write_text(json.dumps(cases))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(world)]
    worker = Path(__file__).with_name("parallel_worker.py")
    done = subprocess.run([*torchrun, worker, path], capture_output=True, text=True, env=exporting.environment())
    if done.returncode != 0:
        raise RuntimeError(f"torchrun exits with {done.returncode}\n{done.stderr[-6000:]}")
    sys.path.insert(0, cases[0]["folder"])
    trainer = importlib.import_module("train_torch")
    alone, worst = trainer.Ranks("cpu"), Worst()
    for case in cases:
        expected = parallel_worker.run(case, alone, trainer)
        compare(case, load_file(case["result"]), expected, worst)
        saved = {name: value.float() for name, value in expected.items() if name.startswith("before.")}
        saved = {name.removeprefix("before."): value for name, value in saved.items()}
        same = exporting.same(saved, exporting.stored(case["folder"]))
        worst.add("saved weights against the folder's: exact", 0.0 if same else float("nan"), case["name"])
    return worst.checks(BOUNDS)
