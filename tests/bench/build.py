"""What is measured of coec: built from this checkout, with the features of everyday use."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


@dataclass
class Built:
    coec: Path
    stepper: Path
    version: str


def build():
    """Without -p, as everywhere: another selection of packages would compile Burn again."""
    command = ["cargo", "build", "--release", "--locked", "--bin", "coec", "--example", "stepper"]
    subprocess.run(command, cwd=ROOT, check=True)
    target = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    release = Path(json.loads(target.stdout)["target_directory"]) / "release"
    said = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return Built(release / "coec", release / "examples" / "stepper", said.stdout.strip() or "of no commit")
