"""Training steps of coec and of PyTorch in turn."""

import json
import random
import sys
from contextlib import ExitStack

import agree
import settings
from build import HERE, ROOT
from program import Program

# What is compared: a spec for each model, the architectures that take turns with each other.
MODELS = {
    "S": {name: HERE / f"s.coe#{name}" for name in ("coe", "moe", "moe_eq")},
    "M": {name: HERE / f"m.coe#{name}" for name in ("coe", "moe", "moe_eq")},
    "quickstart": {"coe": ROOT / "specs/quickstart.coe"},
}
PEERS = ("loop", "segments", "grouped", "compile")
CHECKED = 4  # steps of which losses and norms are compared


def say(*words):
    print(*words, file=sys.stderr, flush=True)


class Bench:
    """Starts the programs of one architecture after the other, all from the same weights."""

    def __init__(self, built, folder, environment):
        """`environment`: of a PyTorch process that is timed, by its threads."""
        self.built, self.folder, self.environment = built, folder, environment

    def coec(self, spec, threads):
        return Program([self.built.stepper, spec], RAYON_NUM_THREADS=str(threads))

    def torch(self, name, threads, environment):
        files = [self.folder / f"{name}.json", self.folder / f"{name}.safetensors"]
        return Program([sys.executable, HERE / "torch_side.py", *files, threads], **environment)

    def save(self, name, program):
        """What the PyTorch side begins with."""
        (self.folder / f"{name}.json").write_text(json.dumps(program.about))
        program.ask("save", self.folder / f"{name}.safetensors")


def memory(bench, model, threads):
    """Peak bytes of three steps of each program alone: `counted` by coec's allocator, `resident` by the system, of
    PyTorch also `imported`, what the process held before it had a model."""
    found = {}
    for name, spec in MODELS[model].items():
        with bench.coec(spec, threads) as program:
            bench.save(name, program)
            about = program.about
            program.ask("start")
            program.ask("step", 1)
            program.forget_peak()
            counted = program.ask("step", 3)["peak_bytes"]
            found[name] = {"about": about, "coec": {"counted": counted, "resident": program.resident_peak()}}
        for peer in PEERS:
            # Memory that is kept would be counted as needed.
            with bench.torch(name, threads, settings.environment(bench.folder, threads, True, False)) as program:
                imported = program.resident()
                program.ask("start", peer)
                program.ask("check", peer, 1)
                program.forget_peak()
                program.ask("step", peer, 3)
                found[name][peer] = {"resident": program.resident_peak(), "imported": imported}
        say(f"{model} {name}: memory measured")
    return found


def started(bench, model, threads, stack):
    """Every program of a model by architecture and side, all of which compute the same."""
    programs = {}
    for name, spec in MODELS[model].items():
        ours = programs[name, "coec"] = stack.enter_context(bench.coec(spec, threads))
        torch = bench.torch(name, threads, bench.environment(threads))
        theirs = programs[name, "torch"] = stack.enter_context(torch)
        ours.ask("start")
        first = ours.ask("step", CHECKED)
        for peer in PEERS:
            theirs.ask("start", peer)
            agree.check(f"{model} {name} {peer}", first, theirs.ask("check", peer, CHECKED))
        say(f"{model} {name}, threads: {threads}: coec and {', '.join(PEERS)} compute the same")
    return programs


def rounds(bench, model, threads, count, steps):
    """Turns of all programs of a model: each has one a round, in an order that is drawn anew.

    `turns` are the answers in a list for each architecture and program, `peaks` the matrix products of both sides.
    """
    names, draw = list(MODELS[model]), random.Random(0)
    turns = {name: {who: [] for who in ("coec", *PEERS)} for name in names}
    peaks = {"coec": [], "torch": []}
    with ExitStack() as stack:
        programs = started(bench, model, threads, stack)
        version = programs[names[0], "torch"].about["version"]
        each = [(name, who) for name in names for who in turns[name]]
        for number in range(count):
            for side in draw.sample(list(peaks), len(peaks)):
                answer = programs[draw.choice(names), side].ask("peak")
                peaks[side].append(answer["flops_per_second"])
            for name, who in draw.sample(each, len(each)):
                if who == "coec":
                    answer = programs[name, "coec"].turn("step", steps)
                else:
                    answer = programs[name, "torch"].turn("step", who, steps)
                turns[name][who].append(answer)
            say(f"{model}, threads: {threads}: round {number + 1} of {count}")
    return {"torch": version, "turns": turns, "peaks": peaks}
