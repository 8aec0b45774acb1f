"""What TensorBoard's own reader finds in an event file of coec.

    python make_tensorboard.py path/to/coec

Exports the logs in goldens/tensorboard as an event file beside them, and writes read.json: every scalar as
[time, step, value], every histogram as [time, step, [min, max, num, sum, sum of squares, limits, counts]].
A number that is none is null. Then it kills and resumes a run while TensorBoard reads it, and holds what it
has read against the run's metrics.
"""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

GOLDENS = Path(__file__).parent / "goldens" / "tensorboard"

# When the last step of the logs is said to have ended.
END = 1_700_000_000


def everything(folder):
    """All that the reader of TensorBoard finds in a folder of event files."""
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "histograms": 0})
    events.Reload()
    return events


def scalars(events):
    def number(value):
        return value if math.isfinite(value) else None

    return {
        tag: [[event.wall_time, event.step, number(event.value)] for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def histograms(events):
    def of(value):
        return [value.min, value.max, value.num, value.sum, value.sum_squares, value.bucket_limit, value.bucket]

    return {
        tag: [[event.wall_time, event.step, of(event.histogram_value)] for event in events.Histograms(tag)]
        for tag in events.Tags()["histograms"]
    }


def make_golden(coec):
    with tempfile.TemporaryDirectory() as folder:
        run, out = Path(folder) / "run", Path(folder) / "out"
        run.mkdir()
        for log in ["metrics.jsonl", "experts.jsonl"]:
            shutil.copyfile(GOLDENS / log, run / log)
        os.utime(run / "metrics.jsonl", (END, END))
        subprocess.run([coec, "export", run, "--format", "tensorboard", "--out", out], check=True)
        (file,) = out.iterdir()
        shutil.copyfile(file, GOLDENS / file.name)
        events = everything(out)
        # As the tensors that today's TensorBoard makes of it.
        loaded = [value for event in EventFileLoader(str(file)).Load() for value in event.summary.value]
        plugins = {value.metadata.plugin_data.plugin_name for value in loaded if value.HasField("metadata")}
        assert plugins == {"scalars", "histograms"}, plugins
        counts = next(value for value in loaded if value.tag.startswith("experts/"))
        print("the first histogram, as TensorBoard draws it:")
        print(tensor_util.make_ndarray(counts.tensor))
    read = {"scalars": scalars(events), "histograms": histograms(events)}
    (GOLDENS / "read.json").write_text(json.dumps(read, indent=1) + "\n")
    steps = {tag: len(values) for tag, values in read["scalars"].items()}
    print(f"{file.name}: {steps}, {len(read['histograms'])} histograms")


SPEC = """model tiny {
    vocab=256 context=16 dim=16 layers=2 embedding=tokens(tied=true) attention=mha(heads=2)
    ffn=coe(iter=2, k=2, experts=4, shared=1, hidden=8, residual=delta, balance=seq_aux(alpha=0.01))
}
train { steps=3000 batch=4 context=16 eval=every(100, batches=2) save=every(250) }
"""


def check_resumed(coec):
    """A run that is killed and goes on has each step once, for a reader that was there all the time too."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "tiny.coe").write_text(SPEC)
        environment = {**os.environ, "COEC_CACHE": str(folder / "cache")}
        run = folder / "run"
        commands = [[coec, "train", "tiny.coe", "--out", "run", "--tensorboard"], [coec, "train", "--resume", "run"]]
        watching = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "histograms": 0})
        for command in [commands[0], commands[1], commands[1]]:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
            steps = (len((run / "metrics.jsonl").read_text().splitlines()) if (run / "metrics.jsonl").exists() else 0)
            goal = steps + 700
            while process.poll() is None:
                if (run / "tensorboard").exists():
                    watching.Reload()
                log = run / "metrics.jsonl"
                if log.exists() and goal < 2100 and len(log.read_text().splitlines()) >= goal:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                time.sleep(0.02)
        watching.Reload()
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        expected = [(line["step"], line["loss"]) for line in lines]
        assert len(expected) == 3000, len(expected)
        for name, events in [("from the start", watching), ("afterwards", everything(run / "tensorboard"))]:
            read = [(event.step, event.value) for event in events.Scalars("loss")]
            assert [step for step, _ in read] == [step for step, _ in expected], f"{name}: {len(read)} steps"
            assert all(math.isclose(a[1], b[1], rel_tol=1e-6) for a, b in zip(read, expected)), name
            print(f"a run killed twice, read {name}: {len(read)} steps, each once")


coec = str(Path(sys.argv[1]).resolve())
make_golden(coec)
check_resumed(coec)
