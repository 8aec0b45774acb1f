"""`train_torch.py` against `coec train`: the same batches, rates and losses; and runs that are killed and go on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import torch

import exporting
from exporting import REPOSITORY, Worst

SMALL = """model small {{ vocab=256 context=16 dim=16 layers=2 attention=mha(heads=2) embedding=tokens(tied=true)
    ffn=coe(iter=2, k=2, experts=4, shared=1, hidden=8, residual=delta, balance=[seq_aux(0.01), bias(0.01)]) }}
train {{ {fields} batch=6 context=16 eval=every(4, batches=2) seed=7 keep=2 }}
"""
# What is read, and whether its losses may differ by what bf16 rounds.
RUNS = {
    "sources": 'data=[jsonl("{folder}/a.jsonl"), text("{folder}/b.txt")] weights=[0.7, 0.3] loss=completion '
               "steps=8 accumulate=3 schedule=wsd(warmup=3, decay=0.3)",
    "by_size": 'data=[text("{folder}/b.txt"), jsonl("{folder}/a.jsonl")] steps=8 schedule=linear(warmup=0.2) '
               "recompute=layers",
    "constant": 'data=builtin("arithmetic") steps=8 optimizer=adamw(lr=0.003, weight_decay=0.1, clip=0.5) '
                "schedule=constant(warmup=3)",
    "bf16": 'data=builtin("arithmetic") steps=8 precision=bf16',
}


def trainer(folder, *arguments, ranks=1, **options):
    """The command that trains a folder."""
    start = [sys.executable]
    if ranks > 1:
        start += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
    command = [*start, folder / "train_torch.py", "--device", "cpu", *arguments]
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=exporting.environment(), **options,
    )


def train(folder, *arguments, ranks=1, code=0):
    process = trainer(folder, *arguments, ranks=ranks)
    said, _ = process.communicate()
    if process.returncode != code:
        raise RuntimeError(f"train_torch.py {arguments} exits with {process.returncode}\n{said[-4000:]}")
    return said


def lines(run, name="metrics.jsonl"):
    return [json.loads(line) for line in (run / name).read_text().splitlines()]


def fresh(path):
    shutil.rmtree(path, ignore_errors=True)
    return path


def compare(ours, theirs, worst, kind, where):
    ours, theirs = lines(ours), lines(theirs)
    if [line["step"] for line in ours] != [line["step"] for line in theirs]:
        raise AssertionError(f"{where}: other steps")
    for a, b in zip(ours, theirs):
        if a.keys() != b.keys():
            raise AssertionError(f"{where}: lines of metrics.jsonl differ in {a.keys() ^ b.keys()}")
        for name in ("loss", "aux_loss", "val_loss"):
            if name in a:
                worst.add(f"{kind}: losses", abs(a[name] - b[name]), f"{where} step {a['step']} {name}")
        differs = abs(a["lr"] - b["lr"]) + (a["tokens"] != b["tokens"])
        worst.add("rates and tokens", differs, f"{where} step {a['step']}")


def against_coec(coec, spec, name, steps, worst, kind):
    """The same run by both, from the same weights."""
    folder = coec.export(spec, f"train_{name}")
    theirs, ours = fresh(coec.scratch / f"{name}_coec"), fresh(coec.scratch / f"{name}_torch")
    coec.run("train", spec, "--set", f"train.steps={steps}", "--out", theirs, "--plain", cwd=REPOSITORY)
    train(folder, "--out", ours, "--steps", steps)
    compare(ours, theirs, worst, kind, name)


def quickstart(coec):
    """Twenty steps of the quickstart."""
    worst = Worst()
    against_coec(coec, REPOSITORY / "specs" / "quickstart.coe", "quickstart", 20, worst, "f32")
    return worst.checks({"f32": 1e-4, "rates": 1e-12})


def data(coec):
    """Several sources, weights, prompts that are not learnt, schedules, accumulation, bf16."""
    folder = coec.scratch / "texts"
    folder.mkdir(exist_ok=True)
    rows = [{"question": f"What is {a} + {b}?", "answer": f"{a + b}, of course."} for a in range(40) for b in range(20)]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "b.txt").write_text("".join(f"Line {n} is not line {n * n % 91}.\n" for n in range(900)))
    worst = Worst()
    for name, fields in RUNS.items():
        spec = coec.scratch / f"train_{name}.coe"
        spec.write_text(SMALL.format(fields=fields.format(folder=folder)))
        against_coec(coec, spec, name, 8, worst, "bf16" if name == "bf16" else "f32")
    return worst.checks({"bf16": 1e-2, "f32": 1e-4, "rates": 1e-12})


def small(coec):
    spec = coec.scratch / "small.coe"
    spec.write_text(SMALL.format(fields='data=builtin("arithmetic") steps=12 save=every(3) accumulate=3'))
    return spec, coec.export(spec, "small")


def wait_for(path, process):
    while not path.exists():
        if process.poll() is not None:
            raise RuntimeError(f"ended before {path}\n{process.stdout.read()[-4000:]}")
        time.sleep(0.01)


def killed(coec):
    """Killed at many moments, a run goes on and ends as if it had not been."""
    spec, folder = small(coec)
    whole, cut = fresh(coec.scratch / "whole"), fresh(coec.scratch / "cut")
    train(folder, "--out", whole)
    worst = Worst()
    for number, (ready, pause) in enumerate([("step-3", 0.0), ("step-6", 0.05), ("step-9", 0.2)]):
        process = trainer(folder, "--out", cut, *(["--resume"] if number else []))
        wait_for(cut / "checkpoints" / ready, process)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    train(folder, "--out", cut, "--resume")
    compare(cut, whole, worst, "killed", "killed and resumed")
    same(whole, cut, worst, "killed: weights")
    checkpoints = sorted(path.name for path in (cut / "checkpoints").iterdir() if path.name != "unfinished")
    are_kept = checkpoints == ["step-12", "step-9"]
    worst.add("killed: checkpoints kept", 0.0 if are_kept else float("nan"), str(checkpoints))
    return worst.checks({"killed": 0.0, "rates": 0.0})


def same(a, b, worst, kind):
    a, b = exporting.stored(a), exporting.stored(b)
    if a.keys() != b.keys():
        raise AssertionError(f"{kind}: {sorted(a.keys() ^ b.keys())[:3]}")
    for name, value in a.items():
        worst.add(kind, exporting.error(value, b[name]), name)


def ranks(coec):
    """On two ranks, stopped and gone on with in another layout, against one process."""
    spec, folder = small(coec)
    whole, run = fresh(coec.scratch / "whole"), fresh(coec.scratch / "two_ranks")
    train(folder, "--out", whole)
    process = trainer(folder, "--out", run, "--ep", 2, ranks=2, start_new_session=True)
    wait_for(run / "checkpoints" / "step-6", process)
    os.killpg(process.pid, signal.SIGTERM)
    process.communicate()
    train(folder, "--out", run, "--fsdp", 1, "--resume", ranks=2)
    worst = Worst()
    compare(run, whole, worst, "two ranks", "two ranks")
    same(whole, run, worst, "two ranks: weights")
    coec.run("generate", run, "--prompt", "Ana", "--tokens", 4)
    return worst.checks({"two ranks: losses": 1e-5, "two ranks: weights": 1e-4, "rates": 0.0})


def refusals(coec):
    """In a sentence, with nothing begun."""
    _, folder = small(coec)
    out, worst = fresh(coec.scratch / "refused"), Worst()
    told = exporting.read_json(folder / "train.json")

    def refused(words, *arguments):
        said = train(folder, "--out", out, *arguments, code=2)
        is_so = words in said and not out.exists() and "Traceback" not in said
        worst.add("a training is not refused", 0.0 if is_so else float("nan"), f"{words}: {said}")

    refused("--ep 3 does not divide the 1 ranks", "--ep", 3)
    refused("is no run to go on with", "--resume")
    for word, change in {
        "`momentum`": {"optimizer": {**told["train"]["optimizer"], "momentum": 0.9}},
        "`teacher`": {"teacher": "model.safetensors"},
        "`precision` = fp8": {"precision": "fp8"},
    }.items():
        (folder / "train.json").write_text(json.dumps({**told, "train": {**told["train"], **change}}))
        refused(word)
    (folder / "train.json").unlink()
    refused("no train.json")
    return worst.checks({"": 0.0})


def read_by_coec(coec):
    """What a run leaves is read by coec: the report, generation, and training from its weights."""
    spec, folder = small(coec)
    run = fresh(coec.scratch / "read")
    train(folder, "--out", run)
    page = coec.scratch / "report.html"
    done = coec.run("report", run, "--out", page)
    said = coec.run("generate", run, "--prompt", "Ana has", "--tokens", 8, "--temperature", 0, "--json")
    ours = exporting.load(run / "checkpoints" / "step-12")
    prompt = torch.tensor([list(b"Ana has")])
    with torch.no_grad():
        tokens = ours.generate(prompt, max_new_tokens=8, do_sample=False)[0, prompt.shape[1]:].tolist()
    theirs = json.loads(said.stdout)["text"].encode()
    again = fresh(coec.scratch / "again")
    coec.run("train", spec, "--weights", run / "model.safetensors", "--set", "train.steps=2", "--out", again, "--plain")
    first = lines(again)[0]["loss"]
    worst = Worst()
    is_whole = page.stat().st_size > 10_000 and "note" not in done.stdout
    worst.add("report", 0.0 if is_whole else float("nan"), done.stdout)
    # One of the two may end at a special token.
    agree = bytes(tokens).startswith(theirs) or theirs.startswith(bytes(tokens))
    worst.add("greedy tokens", 0.0 if agree else float("nan"), f"{bytes(tokens)} and {theirs}")
    worst.add("its loss goes on", max(first - lines(run)[0]["loss"], 0.0), f"{first}")
    return worst.checks({"report": 0.0, "greedy": 0.0, "its loss": 0.0})
