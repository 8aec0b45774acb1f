"""Folders that `coec export --format torch` writes, and models that transformers makes of them."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.core_model_loading import revert_weight_conversion

TESTS = Path(__file__).resolve().parent.parent
REPOSITORY = TESTS.parent
GOLDENS = TESTS / "parity" / "goldens"
# The reference, the generator of weights, and the reader of specs.
sys.path.insert(0, str(TESTS / "parity"))

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


class Coec:
    """The program under test, and a folder to write into."""

    def __init__(self, program, scratch):
        self.program, self.scratch = str(program), Path(scratch)

    def run(self, *arguments, ok=True, **options):
        command = [self.program, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, **options)
        if ok and done.returncode != 0:
            raise RuntimeError(f"{shlex.join(command)} exits with {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def export(self, source, name, weights=None):
        """The folder of a spec, import or run; with other weights in place of those it would have."""
        out = self.scratch / name
        subprocess.run(["rm", "-rf", str(out)], check=True)
        self.run("export", source, "--format", "torch", "--out", out)
        if weights is not None:
            replace_weights(out, weights)
        return out

    def export_text(self, text, name, weights=None):
        spec = self.scratch / f"{name}.coe"
        spec.write_text(text)
        return self.export(spec, name, weights)


def parameters(coec, spec):
    """How many a spec has."""
    cost = json.loads(coec.run("cost", spec, "--json").stdout)
    return cost["models"][0]["figures"]["params.total"]


def replace_weights(folder, weights):
    """Puts other weights into a folder, in place of all its files of weights."""
    for path in [*folder.glob("model*.safetensors"), *folder.glob("model.safetensors.index.json")]:
        path.unlink()
    save_file({name: value.contiguous() for name, value in weights.items()}, folder / "model.safetensors")


def stored(folder):
    """All tensors of a folder's files."""
    tensors = {}
    for path in sorted(Path(folder).glob("model*.safetensors")):
        tensors |= load_file(path)
    return tensors


def same(a, b):
    """Whether two files' tensors are the same, bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(value, b[name]) for name, value in a.items())


def load(folder, dtype=torch.float32, **options):
    return AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, dtype=dtype, **options)


def named(model, tensors):
    """A model's own tensors under coec's names."""
    return revert_weight_conversion(model, dict(tensors))


def gradients(model):
    """Gradients under coec's names; of a tensor that none reached, the zero it means."""
    own = model.named_parameters()
    return named(model, {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in own})


def run(model, tokens, targets):
    """Logits, losses and gradients of a pass, by the names that goldens have."""
    seen = model(input_ids=tokens, use_cache=False)
    loss = torch.nn.functional.cross_entropy(seen.logits.flatten(0, 1), targets.flatten())
    (loss + seen.aux_loss).backward()
    result = {"logits": seen.logits.detach(), "loss": loss.detach(), "aux_loss": seen.aux_loss.detach()}
    return result | {f"grad.{name}": grad for name, grad in gradients(model).items()}


def error(value, expected):
    """The largest difference, as a share of the largest value where that is above 1."""
    expected = expected.to(value.dtype).reshape(value.shape)
    return ((value - expected).abs().max() / expected.abs().max().clamp(min=1)).item()


class Worst:
    """The largest error of a kind so far, and where it was."""

    def __init__(self):
        self.errors = {}

    def add(self, kind, value, where):
        # Written so that NaN is the largest of all.
        if kind not in self.errors or not value <= self.errors[kind][0]:
            self.errors[kind] = (value, where)

    def compare(self, prefix, result, expected, where):
        """Adds the errors of a pass; both must hold the same tensors."""
        missing = {name for name in expected if name.startswith("grad.")} ^ {
            name for name in result if name.startswith("grad.")
        }
        if missing:
            raise AssertionError(f"{where}: of one of the two there is no {sorted(missing)[:3]}")
        for name, value in result.items():
            if name in expected:
                kind = "gradients" if name.startswith("grad.") else "losses and logits"
                self.add(f"{prefix}: {kind}", error(value, expected[name]), f"{where} {name}")

    def checks(self, bounds):
        """`(name, worst, bound, where)` of each kind, with the bound of the first word that the kind holds."""
        for kind, (value, where) in self.errors.items():
            bound = next(bound for word, bound in bounds.items() if word in kind)
            yield kind, value, bound, where


def read_json(path):
    return json.loads(Path(path).read_text())


def environment(**more):
    """One thread a process: the models are small."""
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}
