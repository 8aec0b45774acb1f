"""The whole comparison: what is asked for, in order, and what is printed of it."""

import argparse
import importlib.util
import json
import sys
import tempfile
from pathlib import Path

import machine
import settings
from agree import Disagree
from build import build
from program import Failed
from summary import busy_turns

PARTS = ("steps", "quickstart", "generation", "paper")
ABOUT = """\
Trains the same models by coec and by PyTorch, from the same weights on the same tokens, in turn: one
program at a time, in an order drawn anew for each round. Prints tables in Markdown; what goes on is told on
the other stream. Nothing is printed where the two do not compute the same.

Run it on a machine that does nothing else: PyTorch's threads wait for each other by spinning, and lose most
where a processor is taken from them. README.md says what the columns mean."""


def numbers(text):
    return [int(word) for word in text.split(",")]


def arguments():
    parser = argparse.ArgumentParser(
        "against_torch", description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two rounds of one step: whether all of it works")
    parser.add_argument("--parts", default=",".join(PARTS), help="what to measure (default: %(default)s)")
    parser.add_argument(
        "--models", default="S,M,quickstart", help="of which models steps are compared (default: %(default)s)"
    )
    parser.add_argument("--threads", type=numbers, default=[1, 2], help="numbers of threads (default: 1,2)")
    parser.add_argument("--rounds", type=int, help="turns that each program has (default: 10)")
    parser.add_argument("--steps", type=int, help="steps in a turn (default: 2)")
    parser.add_argument(
        "--passive", action="store_true", help="PyTorch's threads sleep while they wait: slower on an idle machine, "
        "and the only way to a figure on one that is not",
    )  # fmt: skip
    parser.add_argument(
        "--system-malloc", action="store_true", help="leave PyTorch's allocator as it is, which gives large blocks back "
        "to the system and takes them anew in each step",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE", help="every turn, as JSON")
    asked = parser.parse_args()
    asked.rounds = asked.rounds or (2 if asked.quick else 10)
    asked.steps = asked.steps or (1 if asked.quick else 2)
    asked.parts = asked.parts.split(",")
    asked.models = asked.models.split(",")
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return asked


def check_python(parts):
    """What this Python must have."""
    needed = ["torch"] if "steps" in parts else []
    needed += ["torch", "transformers"] if "generation" in parts else []
    missing = [name for name in dict.fromkeys(needed) if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"{sys.executable} has no {' and no '.join(missing)}: set PYTHON to one that has")


def compare(asked, built, folder):
    """Every result by its part, in a list."""
    import generation, paper, quickstart, steps  # noqa: E401

    if unknown := set(asked.models) - set(steps.MODELS):
        sys.exit(f"no model {', '.join(sorted(unknown))}; there are {', '.join(steps.MODELS)}")
    environment = lambda threads: settings.environment(threads, asked.passive, not asked.system_malloc)
    bench = steps.Bench(built, folder, environment)
    found = {part: [] for part in asked.parts}
    if "steps" in asked.parts:
        for model in asked.models:
            held = steps.memory(bench, model, max(asked.threads))
            for threads in asked.threads:
                result = steps.rounds(bench, model, threads, asked.rounds, asked.steps)
                found["steps"].append({"model": model, "threads": threads, "memory": held, **result})
    for threads in asked.threads:
        if "quickstart" in asked.parts:
            found["quickstart"].append(quickstart.measure(bench, threads, 20 if asked.quick else 200))
        if "generation" in asked.parts:
            tokens = 32 if asked.quick else 128
            found["generation"].append(generation.measure(bench, threads, asked.rounds, tokens))
        if "paper" in asked.parts and (result := paper.measure(bench, threads, 2 if asked.quick else 5)):
            found["paper"].append(result)
    return found


def turns_in(result):
    """Every turn of a result."""
    if isinstance(result, dict):
        if "others" in result:
            yield result
        for value in result.values():
            yield from turns_in(value)
    elif isinstance(result, list):
        for value in result:
            yield from turns_in(value)


def show(asked, built, found):
    import generation, paper, quickstart, step_tables  # noqa: E401

    print(f"coec {built.version}, {machine.name()}")
    shown = {
        "steps": (step_tables.main, step_tables.chains, step_tables.memory, step_tables.detail, step_tables.peaks),
        "quickstart": (quickstart.tables,),
        "generation": (generation.tables,),
        "paper": (paper.tables,),
    }
    for part in asked.parts:
        for make in shown[part] if found[part] else ():
            if text := make(found[part]):
                print(f"\n{text}")
    turns, disturbed = busy_turns(turns_in(found))
    if not turns:
        print("\nWhether others used the processor is not known on this system.")
    elif disturbed:
        print(f"\nWARNING: in {disturbed} of {turns} turns others used more than a tenth of a processor: no figures to quote.")
    else:
        print(f"\nIn none of {turns} turns did others use more than a tenth of a processor.")
    if asked.system_malloc:
        print("PyTorch's allocator was left as it is (--system-malloc), which is not its fastest setting.")
    if asked.passive:
        print("WARNING: PyTorch's threads slept while they waited (--passive), which is not its fastest setting.")


def main():
    asked = arguments()
    check_python(asked.parts)
    built = build()
    try:
        with tempfile.TemporaryDirectory(prefix="against_torch_") as folder:
            found = compare(asked, built, Path(folder))
    except (Disagree, Failed) as error:
        sys.exit(f"against_torch: {error}")
    if asked.out:
        asked.out.write_text(json.dumps({"coec": built.version, "machine": machine.name(), **found}))
    show(asked, built, found)


if __name__ == "__main__":
    main()
