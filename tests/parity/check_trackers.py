"""The twelve lines of docs/watch.md, run as they stand there against the packages they name.

    pip install wandb==0.31.0 trackio==0.43.0
    python check_trackers.py path/to/coec

Both keep their figures on this machine: wandb offline, trackio in a folder. Each is fed while a run goes on, and
must end up with every step and every loss of its log.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

SPEC = """model tiny {
    vocab=256 context=16 dim=16 layers=2 embedding=tokens(tied=true) attention=mha(heads=2)
    ffn=coe(iter=2, k=2, experts=4, shared=1, hidden=8, residual=delta)
}
train { steps=3000 batch=4 context=16 eval=every(100, batches=2) }
"""


def twelve_lines():
    page = (Path(__file__).parent / "../../docs/watch.md").read_text()
    program = page.split("```python\n")[1].split("```")[0]
    assert len(program.splitlines()) == 12, len(program.splitlines())
    return program


def of_trackio(folder):
    (database,) = folder.glob("trackio/*.db")
    rows = sqlite3.connect(database).execute("select step, metrics from metrics order by step")
    return [(step, json.loads(metrics)["loss"]) for step, metrics in rows]


def records(file):
    """The records of a log in the format of LevelDB, behind a header of seven bytes."""
    log, at, parts = file.read_bytes(), 7, b""
    while at + 7 <= len(log):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        length, kind = int.from_bytes(log[at + 4 : at + 6], "little"), log[at + 6]
        parts += log[at + 7 : at + 7 + length]
        at += 7 + length
        # Whole, or the last of several.
        if kind in (1, 4):
            yield parts
            parts = b""


def of_wandb(folder):
    from wandb.proto import wandb_internal_pb2

    (file,) = folder.glob("wandb/offline-run-*/*.wandb")
    found = []
    for data in records(file):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.HasField("history"):
            items = {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
            found.append((record.history.step.num, items["loss"]))
    return found


def check(coec, tracker, program, read):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "tiny.coe").write_text(SPEC)
        (folder / "feed.py").write_text(program)
        environment = {
            **os.environ,
            "PATH": f"{coec.parent}:{os.environ['PATH']}",
            "COEC_CACHE": str(folder / "cache"),
            "WANDB_MODE": "offline",
            "WANDB_DIR": str(folder),
            "TRACKIO_DIR": str(folder / "trackio"),
        }
        quiet = {"cwd": folder, "env": environment, "stdout": subprocess.DEVNULL}
        training = subprocess.Popen([coec, "train", "tiny.coe", "--out", "run"], **quiet)
        while not (folder / "run" / "metrics.jsonl").exists():
            assert training.poll() is None
        subprocess.run([sys.executable, "feed.py", "run"], check=True, stderr=subprocess.DEVNULL, **quiet)
        assert training.wait() == 0
        lines = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
        found = read(folder)
        assert found == [(line["step"], line["loss"]) for line in lines], f"{tracker}: {len(found)} of {len(lines)}"
        print(f"{tracker}: {len(found)} steps, each with its loss")


program = twelve_lines()
coec = Path(sys.argv[1]).resolve()
check(coec, "wandb", program, of_wandb)
check(coec, "trackio", program.replace("import wandb  # or: import trackio", "import trackio"), of_trackio)
