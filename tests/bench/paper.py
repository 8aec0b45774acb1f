"""A step of the published model, 781M parameters: coec alone, for two of them would not fit."""

import machine
from build import ROOT
from program import Program
from steps import say
from summary import best, median, mib, percent, table

SPEC = ROOT / "specs/paper/coe2_4_64.coe"
BATCH, CONTEXT = 1, 512
# Of the closed form: what is held for a moment beside it, and the system's own.
ROOM = 1.2


def measure(bench, threads, count):
    """The seconds of some steps, or None where there is not the memory for one."""
    sets = {"train.batch": BATCH, "train.context": CONTEXT, "train.precision": "f32"}
    options = [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
    with Program([bench.built.stepper, SPEC, *options], RAYON_NUM_THREADS=str(threads)) as coec:
        needed, free = coec.about["memory_train"] * ROOM, machine.available()
        if free is not None and free < needed:
            say(f"the published model is left out: it needs {needed / 2**30:.1f} GiB, {free / 2**30:.1f} are free")
            return None
        peak = coec.ask("peak")["flops_per_second"]
        coec.ask("start")
        coec.ask("step", 1)  # first touches the moments
        turns = [coec.turn("step", 1) for _ in range(count)]
        return {"threads": threads, "about": coec.about, "turns": turns, "peak": peak}


def tables(results):
    header = [f"coe2_4_64, {BATCH} x {CONTEXT} tokens", "threads", "best s", "median s", "tokens/s", "of peak", "MiB"]
    lines = []
    for result in results:
        turns, about = result["turns"], result["about"]
        rate = BATCH * CONTEXT / median(turns)
        share = percent(rate * about["flops_train"] / result["peak"])
        held = mib(max(turn["peak_bytes"] for turn in turns))
        seconds = [f"{best(turns):.2f}", f"{median(turns):.2f}"]
        lines.append(["a step of coec", result["threads"], *seconds, f"{rate:.0f}", share, held])
    return table(header, lines)
