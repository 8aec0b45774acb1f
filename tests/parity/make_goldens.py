"""Writes the goldens: `python make_goldens.py [chains] [bf16] [families] [published] [training]`, all when left out."""

import math
import shutil
import sys
import zlib
from pathlib import Path

import torch
from safetensors.torch import save_file

import bf16
import chains
import published_chain
import reference
import spec as language
import training
import words

GOLDENS = Path(__file__).parent / "goldens"
BATCH, LENGTH = 2, 7
# Scores closer than this could be ordered differently by single precision.
MARGIN = 1e-3
# What single precision may lose here, as a share of a tensor's largest value: a golden that
# it cannot come near would test the order of sums and not the model.
ROUNDING = 1e-5
# The same two for a run of many steps, which starts single precision on its way apart: the weights of
# torch's own run in single precision stay this close, and no selection is as narrow as ten times that.
TRAINING_MARGIN = 3e-5
TRAINING_ROUNDING = 3e-6


def random_weights(spec, draw):
    """Weights under which every mechanism matters: norms off 1, scores apart, biases off 0."""
    weights = {}
    for name, shape in {**reference.parameters(spec), **reference.state(spec)}.items():
        noise = torch.randn(shape, generator=draw, dtype=torch.float64)
        if "norm" in name:
            value = 1 + 0.2 * noise
        elif name.endswith("e_score_correction_bias"):
            value = 0.2 * noise
        elif name.endswith("bias"):
            value = 0.5 * noise
        elif ".mlp.gate." in name:
            value = 0.7 * noise
        elif "embed_tokens" in name or "shared_expert_gate" in name or name.endswith("sinks"):
            value = noise
        else:
            value = 1.2 * noise / shape[-1] ** 0.5
        weights[name] = value.float()
    return weights


def random_tokens(vocab, draw):
    tokens = torch.randint(vocab, (BATCH, LENGTH), generator=draw)
    return tokens, torch.randint(vocab, (BATCH, LENGTH), generator=draw)


def single(tensors):
    """What is stored: single precision, whole numbers as they are."""
    return {name: (value.float() if value.is_floating_point() else value).contiguous() for name, value in tensors.items()}


def change(other, result):
    return max((other[key] - result[key]).abs().max() for key in ("logits", "aux_loss"))


def beyond_every_limit(spec, weights, tokens, targets, result):
    """Whether each of the three limits of `clamped` matters: on the gate, and on what it gates from either side."""
    own, changes = reference.clamped, []
    for gate, low, high in ((None, -7, 7), (7, None, 7), (7, -7, None)):

        def without(gate_values, up, gate=gate, low=low, high=high):
            gate_values, up = gate_values.clamp(max=gate or math.inf), up.clamp(low or -math.inf, high or math.inf)
            return (up + 1) * gate_values * (1.702 * gate_values).sigmoid()

        reference.clamped = without
        try:
            changes.append(change(reference.run(spec, weights, tokens, targets)[0], result))
        finally:
            reference.clamped = own
    return min(changes) >= MARGIN


def clear(entry, spec, dtype=torch.float32):
    """Weights, tokens, targets and result of the first seed under which an entry shows what it is for:
    no choice is narrow, and each change it names changes the result."""

    def attempt(draw):
        weights, (tokens, targets) = random_weights(spec, draw), random_tokens(spec.vocab, draw)
        trained = reference.parameters(spec)
        weights = {name: value.to(dtype) if name in trained else value for name, value in weights.items()}
        flat = getattr(entry, "flat_router", False)
        if flat:
            weights = {name: value * 0 if ".mlp.gate." in name else value for name, value in weights.items()}
        loud = getattr(entry, "loud", 1.0)
        if loud != 1:
            weights = {name: value * loud if name.endswith(("gate_proj.weight", "up_proj.weight")) else value
                       for name, value in weights.items()}
        result, margin = reference.run(spec, weights, tokens, targets)
        if margin < MARGIN and not flat:
            return None
        rounded, _ = reference.run(spec, weights, tokens, targets, torch.float32)
        if max(errors(rounded, result).values()) > ROUNDING:
            return None
        for old, new in entry.unlike:
            if old not in entry.text:
                raise ValueError(f"{entry.name}: {old} is not in the spec")
            # A changed spec may ask for fewer tensors, never for others.
            other, _ = reference.run(language.read(entry.text.replace(old, new)), weights, tokens, targets)
            if change(other, result) < MARGIN:
                return None
        if loud != 1 and not beyond_every_limit(spec, weights, tokens, targets, result):
            return None
        return weights, tokens, targets, result

    for number in range(200):
        found = attempt(torch.Generator().manual_seed(zlib.crc32(entry.name.encode()) + number))
        if found is not None:
            return found
    raise RuntimeError(f"{entry.name}: no seed shows it")


def chain(entry):
    weights, tokens, targets, result = clear(entry, language.read(entry.text))
    stored = {f"weight.{name}": value for name, value in weights.items()}
    stored |= {"tokens": tokens, "targets": targets, **result}
    (GOLDENS / "chains" / f"{entry.name}.coe").write_text(entry.text)
    save_file(single(stored), GOLDENS / "chains" / f"{entry.name}.safetensors")


def initial_weights(spec, draw):
    """Weights as training begins with them."""
    weights = {}
    for name, shape in {**reference.parameters(spec), **reference.state(spec)}.items():
        if "norm" in name:
            value = torch.ones(shape)
        elif name.endswith(("bias", "sinks")):
            value = torch.zeros(shape)
        elif ".mlp.gate." in name:
            value = (2 * torch.rand(shape, generator=draw) - 1) / shape[-1] ** 0.5
        else:
            value = 0.02 * torch.randn(shape, generator=draw)
        weights[name] = value
    return weights


def in_bf16(entry):
    """Under weights that matter: the definition's gradients, and those of kernels that keep no expert's output.
    Under those that training begins with: what autocast makes of it."""
    spec = language.read(entry.text)
    (GOLDENS / "bf16" / f"{entry.name}.coe").write_text(entry.text)
    shown = [entry.name]
    for kind, draw_weights in (("", random_weights), ("_initial", initial_weights)):
        for number in range(200):
            draw = torch.Generator().manual_seed(zlib.crc32(entry.name.encode()) + number)
            weights, (tokens, targets) = draw_weights(spec, draw), random_tokens(spec.vocab, draw)
            defined, margin = bf16.run(spec, weights, tokens, targets)
            if margin >= MARGIN / 5:
                break
        else:
            raise RuntimeError(f"{entry.name}: no seed is fit")
        made, _ = bf16.run(spec, weights, tokens, targets, of=bf16.WithoutOutputs)
        stored = {f"weight.{name}": value for name, value in weights.items()}
        stored |= {"tokens": tokens, "targets": targets, **made}
        stored |= {f"defined.{name}": value for name, value in defined.items() if name.startswith("grad.")}
        theirs = bf16.autocast(spec, weights, tokens, targets)
        if kind:
            stored |= {f"autocast.{name}": value for name, value in theirs.items()}
        save_file(single(stored), GOLDENS / "bf16" / f"{entry.name}{kind}.safetensors")
        whole, _ = reference.run(spec, weights, tokens, targets)
        for what, other in (("made", made), ("autocast", theirs), ("f32", whole)):
            apart = {key: ((other[key] - value).norm() / value.norm().clamp(min=1e-12)).item()
                     for key, value in defined.items() if key != "aux_loss" and value.norm() > 1e-9}
            gradients = max(value for key, value in apart.items() if key.startswith("grad."))
            shown.append(f"{kind[1:]} {what} {apart['logits']:.0e} {gradients:.0e}")
    return ", ".join(shown)


def training_run(entry):
    """A run whose selections single precision makes too, and some of whose steps clip."""
    spec = language.read(entry.model)
    for number in range(entry.seed, entry.seed + 1000):
        draw = torch.Generator().manual_seed(zlib.crc32(entry.name.encode()) + number)
        # Drawn in single precision, so that both sides start from what is stored.
        weights, tokens = random_weights(spec, draw), training.batches(draw)
        result, margin = training.run(entry, weights, tokens)
        clipped = sum(norm > entry.clip for norm in result["norms"])
        if margin < TRAINING_MARGIN or not 5 <= clipped <= training.STEPS - 5:
            continue
        rounded, _ = training.run(entry, weights, tokens, torch.float32)
        if max(errors(rounded, result).values()) > TRAINING_ROUNDING:
            continue
        stored = {f"weight.{name}": value for name, value in weights.items()} | {"tokens": tokens} | result
        (GOLDENS / "training" / f"{entry.name}.coe").write_text(entry.model + entry.train)
        save_file(single(stored), GOLDENS / "training" / f"{entry.name}.safetensors")
        return f"{entry.name}: seed {number}, margin {margin:.1e}, {clipped} of {training.STEPS} steps clip"
    raise RuntimeError(f"{entry.name}: no seed is fit")


def published(entry):
    weights, tokens, targets, result = clear(entry, language.read(entry.text))
    folder = fresh(GOLDENS / "families" / "coe_deepseekv2" / entry.name)
    published_chain.save(entry, weights, folder)
    (folder / "model.coe").write_text(entry.text)
    save_file(single({"tokens": tokens, "targets": targets, **result}), folder / "golden.safetensors")


def family(entry):
    """One model of `transformers`; returns how far the reference is from it."""
    import families

    spec, folder = language.read(entry.text), GOLDENS / "families" / entry.name
    weights, tokens, targets, _ = clear(entry, spec, entry.dtype)
    families.save(entry, weights, fresh(folder))
    unknown = entry.published.get("model_type", entry.config.model_type) != entry.config.model_type
    theirs = families.run(folder, tokens, targets, entry.config if unknown else None)
    ours, _ = reference.run(spec, families.stored(folder), tokens, targets)
    (folder / "model.coe").write_text(entry.text)
    save_file(single({"tokens": tokens, "targets": targets, **theirs}), folder / "golden.safetensors")
    return compare(ours, theirs)


def without_class(entry):
    """One model that `transformers` has no class for; returns how far the reference is from the authors' code."""
    import unclassed

    spec, folder = language.read(entry.text), GOLDENS / "families" / entry.name
    weights, tokens, targets, _ = clear(entry, spec, entry.dtype)
    unclassed.save(entry, weights, fresh(folder))
    theirs = unclassed.run(folder, tokens, targets)
    ours, _ = reference.run(spec, unclassed.stored(folder), tokens, targets)
    (folder / "model.coe").write_text(entry.text)
    save_file(single({"tokens": tokens, "targets": targets, **theirs}), folder / "golden.safetensors")
    if "V2" in entry.settings["architectures"][0]:
        other = {"logits": unclassed.by_another_name(folder, tokens)}
        print(f"{entry.name} by another name:{errors(other, {'logits': ours['logits']})['logits']:12.1e}")
    return compare(ours, theirs)


def errors(found, wanted):
    """The largest difference in each tensor, relative to its largest value."""
    return {key: ((found[key] - value).abs().max() / value.abs().max().clamp(min=1e-12)).item()
            for key, value in wanted.items()}


def compare(ours, theirs):
    """The worst errors of the logits and of the gradients."""
    del ours["aux_loss"]
    assert ours.keys() == theirs.keys(), ours.keys() ^ theirs.keys()
    worst = errors(ours, theirs)
    return worst["logits"], max(error for key, error in worst.items() if key.startswith("grad."))


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def main(parts):
    torch.set_num_threads(1)
    if not parts or "chains" in parts:
        fresh(GOLDENS / "chains")
        entries = [*chains.entries(), *words.entries()]
        for entry in entries:
            chain(entry)
        print(f"{len(entries)} chains")
    if not parts or "bf16" in parts:
        fresh(GOLDENS / "bf16")
        for entry in bf16.entries():
            print(in_bf16(entry))
    if not parts or "families" in parts:
        import families
        import newer_families
        import unclassed

        print(f"{'family':<24}{'logits':>12}{'gradients':>12}")
        known = [*families.all_families(), *newer_families.all_families()]
        made = [(family, entry) for entry in known] + [(without_class, entry) for entry in unclassed.all_unclassed()]
        for make, entry in made:
            logits, grads = make(entry)
            print(f"{entry.name:<24}{logits:12.1e}{grads:12.1e}")
            if max(logits, grads) > 1e-9:
                raise SystemExit(f"{entry.name}: the reference and the family's code disagree")
    if not parts or "published" in parts:
        variants = list(published_chain.all_variants())
        for entry in variants:
            published(entry)
        print(f"{len(variants)} variants of the published chain")
    if not parts or "training" in parts:
        fresh(GOLDENS / "training")
        for entry in training.entries():
            print(training_run(entry))


if __name__ == "__main__":
    main(sys.argv[1:])
