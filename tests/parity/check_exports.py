"""Load what `coec export` writes in transformers, and hold it against the goldens.

    python check_exports.py path/to/coec

Every folder of goldens/families that transformers knows is imported, written anew without its
own settings, and loaded: no tensor may be missing or unexpected, and the logits are the golden's.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

FOLDERS = Path(__file__).parent / "goldens" / "families"
TOLERANCE = 1e-4


def check(coec: str, folder: Path) -> float:
    with tempfile.TemporaryDirectory() as scratch:
        taken, written = Path(scratch) / "taken", Path(scratch) / "written"
        run = lambda *args: subprocess.run([coec, *map(str, args)], check=True, capture_output=True)
        run("import", folder, "--out", taken)
        shutil.rmtree(taken / "hf")  # else the kept settings come back as they were
        run("export", taken, "--format", "hf", "--out", written)
        model, said = AutoModelForCausalLM.from_pretrained(
            written, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"):
            assert not said[kind], f"{folder.name}: {kind}: {said[kind]}"
        golden = load_file(folder / "golden.safetensors")
        if hasattr(model, "set_experts_implementation"):
            model.set_experts_implementation("eager")
        with torch.no_grad():
            logits = model.eval()(golden["tokens"]).logits
        return (torch.linalg.norm(logits - golden["logits"]) / torch.linalg.norm(golden["logits"])).item()


def main() -> None:
    coec = str(Path(sys.argv[1]).resolve())
    torch.set_num_threads(1)
    for folder in sorted(FOLDERS.iterdir()):
        if (folder / "config.json").is_file():
            error = check(coec, folder)
            print(f"{folder.name:24} {error:.0e}")
            assert error < TOLERANCE


if __name__ == "__main__":
    main()
