"""Everything that must hold of `coec export --format torch`: a line a figure, the worst error first.

    python main.py path/to/coec [CHECK...]
"""

import importlib
import sys
import tempfile
import time
import traceback
from pathlib import Path

import torch

from exporting import Coec

CHECKS = [
    "folders.refusals", "folders.accepts", "folders.generation", "goldens.chains", "goldens.families",
    "random_models.models", "folders.checks", "parallel.two_ranks", "parallel.four_ranks", "memory.under_fsdp", "runs.quickstart",
    "runs.data", "runs.killed", "runs.ranks", "runs.refusals", "runs.read_by_coec",
]


def run(name, coec):
    """Whether a check holds; prints a line for each of its figures."""
    module, function = name.split(".")
    try:
        figures = list(getattr(importlib.import_module(module), function)(coec))
    except Exception:
        traceback.print_exc()
        print(f"FAILED {name}", flush=True)
        return False
    for kind, value, bound, where in figures:
        verdict = "ok    " if value <= bound else "FAILED"
        place = f"  {where}" if value > 0 or not value <= bound else ""
        print(f"{verdict} {name}: {kind}: {value:.1e} of {bound:.0e}{place}", flush=True)
    return all(value <= bound for _, value, bound, _ in figures)


def main():
    program, *names = sys.argv[1:]
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        sys.exit(f"no check is called {unknown[0]}: {', '.join(CHECKS)}")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        coec, begin, holds = Coec(Path(program).resolve(), scratch), time.monotonic(), True
        for name in names or CHECKS:
            holds &= run(name, coec)
        print(f"{'all hold' if holds else 'FAILED'}, {time.monotonic() - begin:.0f} s")
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
