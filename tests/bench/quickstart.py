"""The quickstart as a user trains it: `coec train`, whole, with its evaluations and commits."""

import json
import os
import subprocess

from build import ROOT
from summary import mib, percent, table, thousands


def measure(bench, threads, steps):
    """What the run's report card says of it."""
    run = bench.folder / f"quickstart-{threads}"
    command = [bench.built.coec, "train", ROOT / "specs/quickstart.coe", "--out", run, "--plain"]
    environment = {**os.environ, "RAYON_NUM_THREADS": str(threads)}
    subprocess.run(
        [*command, "--set", f"train.steps={steps}"], check=True, stdout=subprocess.DEVNULL, env=environment
    )
    measured = json.loads((run / "budget.json").read_text())["measured"]
    return {"threads": threads, "steps": steps, **measured}


def tables(results):
    header = ["coec train, the quickstart", "threads", "tokens/s", "of peak", "peak, GFLOP/s", "memory, MiB"]
    lines = [
        [
            f"{result['steps']} steps",
            result["threads"],
            thousands(result["throughput"]),
            percent(result["mfu"]),
            f"{result['gemm_peak'] / 1e9:.0f}",
            mib(result["memory"]),
        ]
        for result in results
    ]
    return table(header, lines)
