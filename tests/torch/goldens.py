"""Every golden through PyTorch: logits, losses and gradients, and tensors there and back bit for bit."""

import torch
from safetensors.torch import load_file

import exporting
from exporting import GOLDENS, Worst

# Goldens are stored in single precision, which is what is left of an error in double.
BOUNDS = {"f64": 2e-6, "f32: losses and logits": 1e-5, "f32: gradients": 5e-5, "back": 0.0}


def both_precisions(folder, tokens, targets, expected, worst, where):
    for name, dtype in (("f64", torch.float64), ("f32", torch.float32)):
        model = exporting.load(folder, dtype)
        worst.compare(name, exporting.run(model, tokens, targets), expected, where)
    there_and_back(model, folder, worst, where)


def there_and_back(model, folder, worst, where):
    """What a model saves is what it was loaded from."""
    saved = folder.parent / "saved"
    model.save_pretrained(saved)
    same = exporting.same(exporting.stored(folder), exporting.stored(saved))
    worst.add("there and back", 0.0 if same else float("nan"), where)


def chains(coec):
    worst = Worst()
    for path in sorted((GOLDENS / "chains").glob("*.coe")):
        golden = load_file(path.with_suffix(".safetensors"))
        weights = {name.removeprefix("weight."): value for name, value in golden.items() if name.startswith("weight.")}
        folder = coec.export(path, path.stem, weights)
        both_precisions(folder, golden["tokens"], golden["targets"], golden, worst, path.stem)
    return worst.checks(BOUNDS)


def families(coec):
    """What was imported from a Hugging Face folder, and exported from there."""
    worst = Worst()
    for path in sorted((GOLDENS / "families").rglob("config.json")):
        name = path.parent.relative_to(GOLDENS / "families").as_posix().replace("/", "_")
        imported = coec.scratch / f"{name}_import"
        coec.run("import", path.parent, "--out", imported)
        folder = coec.export(imported, name)
        golden = load_file(path.parent / "golden.safetensors")
        both_precisions(folder, golden["tokens"], golden["targets"], golden, worst, name)
    return worst.checks(BOUNDS)
