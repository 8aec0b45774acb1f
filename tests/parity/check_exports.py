"""Load what `coec export` writes in transformers, and hold it against the goldens.

    python check_exports.py path/to/coec              # or only: tokenizers, which needs no torch

Every folder of goldens/families whose type transformers knows is imported, written anew without its
own settings, and loaded: no tensor may be missing or unexpected, and the logits are the golden's.
The tokenizers of goldens/tokenizers are exported with one of them: transformers gives each text the
tokens that its tokenizer.json gives, and knows what ends one.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from transformers import CONFIG_MAPPING, AutoTokenizer, GenerationConfig

GOLDENS = Path(__file__).parent / "goldens"
FOLDERS = GOLDENS / "families"
TOKENIZERS = GOLDENS / "tokenizers"
TOLERANCE = 1e-4


def check(coec: str, folder: Path) -> float:
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(1)
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


def check_tokenizer(coec: str, name: str, cases: list) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        taken, written = Path(scratch) / "taken", Path(scratch) / "written"
        run = lambda *args: subprocess.run([coec, *map(str, args)], check=True, capture_output=True)
        run("import", FOLDERS / "mixtral", "--out", taken)
        shutil.rmtree(taken / "hf")
        shutil.copy(TOKENIZERS / f"{name}.json", taken / "tokenizer.json")
        run("export", taken, "--format", "hf", "--out", written)
        tokenizer = AutoTokenizer.from_pretrained(written)
        for case in cases:
            ids = tokenizer(case["text"], add_special_tokens=False)["input_ids"]
            assert ids == case["ids"], f"{name}: {case['text']!r}: {ids}, not {case['ids']}"
            if case["decoded"] is not None:
                assert tokenizer.decode(ids) == case["decoded"], f"{name}: {tokenizer.decode(ids)!r}"
        ends = json.loads((written / "config.json").read_text())["eos_token_id"]
        if ends is not None:
            assert GenerationConfig.from_pretrained(written).eos_token_id == ends, name
            first = ends if isinstance(ends, int) else ends[0]
            assert tokenizer.eos_token_id in (first, None), f"{name}: {tokenizer.eos_token_id}"


def main() -> None:
    coec = str(Path(sys.argv[1]).resolve())
    for name, cases in json.loads((TOKENIZERS / "cases.json").read_text()).items():
        check_tokenizer(coec, name, cases["encoded"])
        print(f"{name:24} same tokens")
    if sys.argv[2:] == ["tokenizers"]:
        return
    for folder in sorted(FOLDERS.iterdir()):
        if (folder / "config.json").is_file():
            kind = json.loads((folder / "config.json").read_text())["model_type"]
            if kind not in CONFIG_MAPPING:
                print(f"{folder.name:24} transformers has no {kind}")
                continue
            error = check(coec, folder)
            print(f"{folder.name:24} {error:.0e}")
            assert error < TOLERANCE


if __name__ == "__main__":
    main()
