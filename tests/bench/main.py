"""The whole comparison: what is asked for, in order."""

import argparse
import importlib.util
import json
import signal
import sys
import tempfile
from pathlib import Path

import generation
import machine
import paper
import quickstart
import report
import settings
import steps
from agree import Disagree
from build import build
from program import Failed

PARTS = ("steps", "quickstart", "generation", "paper")
ABOUT = """\
Trains the same models by coec and by PyTorch, from the same weights on the same tokens, in turn: one
program at a time, in an order drawn anew for each round. Prints tables in Markdown; what goes on is told on
the other stream. Nothing is printed where the two do not compute the same.

Run it on a machine that does nothing else: PyTorch's threads wait for each other by spinning, and lose most
where a processor is taken from them. README.md says what the columns mean.

PYTHON is the Python to run it with: one that has torch, and transformers for generation."""


def several(kind, known=None):
    """A list with commas between; of `known` words where there are such."""

    def read(text):
        words = [kind(word) for word in text.split(",")]
        if known and (unknown := [word for word in words if word not in known]):
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; there are {', '.join(known)}")
        return words

    return read


def arguments():
    parser = argparse.ArgumentParser(
        "against_torch", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="two rounds of one step: whether all of it works")
    add("--parts", type=several(str, PARTS), default=list(PARTS), metavar="A,B", help=f"of {', '.join(PARTS)}")
    models = list(steps.MODELS)
    add("--models", type=several(str, models), default=models, metavar="A,B", help=f"of {', '.join(models)}")
    add("--threads", type=several(int), default=[1, 2], metavar="1,2", help="how many (default: 1,2)")
    add("--rounds", type=int, metavar="N", help="turns that each program has (default: 10)")
    add("--steps", type=int, metavar="N", help="steps in a turn (default: 2)")
    passive = "let PyTorch's threads sleep while they wait: slower on an idle machine, far faster on another"
    add("--passive", action="store_true", help=passive)
    malloc = "let PyTorch give large blocks back to the system and take them anew, as it does by itself"
    add("--system-malloc", action="store_true", help=malloc)
    add("--out", type=Path, metavar="FILE", help="every turn, as JSON, written as results come")
    asked = parser.parse_args()
    asked.rounds = asked.rounds or (2 if asked.quick else 10)
    asked.steps = asked.steps or (1 if asked.quick else 2)
    return asked


def check_python(parts):
    """Ends where this Python lacks what the parts need."""
    needed = {"torch": {"steps", "generation"}, "transformers": {"generation"}}
    missing = [name for name, by in needed.items() if by & set(parts) and importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"against_torch: {sys.executable} has no {' and no '.join(missing)}: set PYTHON to one that has")


def compare(asked, built, folder, keep):
    """Measures part by part; each result is given to `keep` as it comes."""

    def environment(threads):
        return settings.environment(folder, threads, asked.passive, not asked.system_malloc)

    bench = steps.Bench(built, folder, environment)
    if "steps" in asked.parts:
        for model in asked.models:
            held = steps.memory(bench, model, max(asked.threads))
            for threads in asked.threads:
                result = steps.rounds(bench, model, threads, asked.rounds, asked.steps)
                keep("steps", {"model": model, "threads": threads, "memory": held, **result})
    for threads in asked.threads:
        if "quickstart" in asked.parts:
            keep("quickstart", quickstart.measure(bench, threads, 20 if asked.quick else 200))
        if "generation" in asked.parts:
            tokens = 32 if asked.quick else 128
            keep("generation", generation.measure(bench, threads, asked.rounds, tokens))
        if "paper" in asked.parts and (result := paper.measure(bench, threads, 2 if asked.quick else 5)):
            keep("paper", result)


def main():
    # What is stopped ends its programs and removes its files as what fails does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    asked = arguments()
    check_python(asked.parts)
    built = build()
    found = {part: [] for part in asked.parts}

    def keep(part, result):
        found[part].append(result)
        if asked.out:
            document = {"coec": built.version, "machine": machine.name(), **found}
            asked.out.write_text(json.dumps(document))

    try:
        with tempfile.TemporaryDirectory(prefix="against_torch_") as folder:
            compare(asked, built, Path(folder), keep)
    except (Disagree, Failed) as error:
        sys.exit(f"against_torch: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    report.show(asked, built, found)


if __name__ == "__main__":
    main()
