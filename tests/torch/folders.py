"""What a folder holds besides the mathematics: its check, generation, what it refuses, what it accepts."""

import contextlib
import importlib
import io
import json
import sys

import torch
from safetensors.torch import load_file, save_file

import exporting
from exporting import GOLDENS, REPOSITORY, Worst

ANYWAY = {"": 0.0}


def said(worst, kind, is_so, where):
    worst.add(kind, 0.0 if is_so else float("nan"), where)


def golden(coec, name):
    path = GOLDENS / "chains" / f"{name}.coe"
    stored = load_file(path.with_suffix(".safetensors"))
    weights = {key.removeprefix("weight."): value for key, value in stored.items() if key.startswith("weight.")}
    return coec.export(path, name, weights), stored


def run_check(folder):
    """What the folder's check.py exits with, and what it says."""
    sys.path.insert(0, str(folder))
    check = importlib.import_module("check")
    check.HERE, printed = folder, io.StringIO()
    with contextlib.redirect_stdout(printed):
        try:
            check.main()
        except SystemExit as ended:
            return ended.code, printed.getvalue()
    raise AssertionError("check.py does not exit")


def checks(coec):
    """Counts of every golden and of every spec of the repository; and that a wrong one is found."""
    worst = Worst()
    specs = [*sorted((GOLDENS / "chains").glob("*.coe")), *sorted((REPOSITORY / "specs").rglob("*.coe"))]
    # The study's arms are several in a file, and train on data that is not here.
    for path in [path for path in specs if path.parent.name != "study"]:
        # Of a large model only the counts are wanted, and not its gigabytes.
        if exporting.parameters(coec, path) > 50e6:
            continue
        folder = coec.export(path, f"check_{path.stem}")
        code, text = run_check(folder)
        said(worst, "check.py: figures differ", code == 0, f"{path.stem}\n{text}")
    whole = (folder / "budget.json").read_text()
    for change in ("parameters", "products", "attention"):
        budget = json.loads(whole)
        if change == "parameters":
            budget["figures"]["params.total"] += 1
        else:
            budget["torch"]["flops"][change] += 2
        (folder / "budget.json").write_text(json.dumps(budget))
        code, text = run_check(folder)
        said(worst, "check.py: a wrong figure is found", code == 1 and "DIFFERS" in text, change)
    return worst.checks(ANYWAY)


GENERATING = [
    "mha_grouped", "mha_qk_norm_full", "mha_yarn", "mla", "mla_yarn_q_rank", "chain_once_inner_tied",
    "chain_each_outer_independent", "shared_gate_last", "everything", "override_every", "groups_top2_bias",
]


def generation(coec):
    """Greedy tokens with a cache are those without."""
    worst = Worst()
    for name in GENERATING:
        folder, stored = golden(coec, name)
        for implementation in ("sdpa", "eager"):
            model = exporting.load(folder, torch.float64, attn_implementation=implementation).eval()
            prompt = stored["tokens"][:, :3]
            cached, plain = (
                model.generate(prompt, max_new_tokens=9, do_sample=False, use_cache=cache)
                for cache in (True, False)
            )
            said(worst, "greedy tokens differ by the cache", torch.equal(cached, plain), f"{name} {implementation}")
            with torch.no_grad():
                at_once = model(input_ids=plain).logits
                first = model(input_ids=plain[:, :5], use_cache=True)
                rest = model(input_ids=plain[:, 5:], cache=first.cache, use_cache=True)
            in_two = torch.cat([first.logits, rest.logits], 1)
            worst.add("logits of a cached pass", exporting.error(in_two, at_once), f"{name} {implementation}")
    return worst.checks({"logits": 1e-12, "greedy": 0.0})


def refuses(call, *words):
    """Whether a call ends with an error that says these words."""
    try:
        call()
    except Exception as error:
        return all(word in str(error) for word in words)
    return False


def newer(folder, change):
    """The folder, with a setting that this code does not know."""
    config = exporting.read_json(folder / "config.json")
    change(config["model"])
    target = folder.parent / "newer"
    target.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.is_file():
            (target / path.name).write_bytes(path.read_bytes())
    (target / "config.json").write_text(json.dumps(config))
    return target


NEWER = {
    "loop": lambda model: model.update(loop=[{"first": 0, "end": 1, "times": 2}]),
    "window": lambda model: model["layers"]["kinds"][0]["attention"]["mha"].update(window=4),
    "spiral": lambda model: model["layers"]["kinds"][0]["ffn"]["coe"].update(residual="spiral"),
    "median": lambda model: model["layers"]["kinds"][0]["ffn"]["coe"]["balance"].append({"median": {"alpha": 0.1}}),
    "linear": lambda model: model["layers"]["kinds"][0].update(attention={"linear": {"heads": 2}}),
    "cold": lambda model: model["layers"]["kinds"][0]["ffn"]["coe"]["router"].update(cold=1),
}


def refusals(coec):
    worst = Worst()
    folder, stored = golden(coec, "balance_bias")
    tokens = stored["tokens"]
    for word, change in NEWER.items():
        target = newer(folder, change)
        said(worst, "an unknown word loads", refuses(lambda: exporting.load(target), word, "newer coec"), word)
    model = exporting.load(folder)
    padded = torch.ones_like(tokens)
    padded[0, 0] = 0
    said(worst, "padding runs", refuses(lambda: model(input_ids=tokens, attention_mask=padded), "no padding"), "")
    positions = torch.arange(tokens.shape[1]).unsqueeze(0) + 1
    said(worst, "other positions run", refuses(lambda: model(input_ids=tokens, position_ids=positions), "from 0"), "")
    logits = model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits
    said(worst, "a mask of ones is refused", logits.isfinite().all(), "")
    sys.path.insert(0, str(folder))
    trainer = importlib.import_module("train_torch")

    class EightRanks:
        world = 8

    for fsdp, ep, words in ((3, 1, "--fsdp 3"), (4, 8, "--ep 8"), (8, 2, "5 experts"), (8, 0, "--ep 0")):
        refused = refuses(lambda: trainer.layout(EightRanks, model.config, fsdp, ep), words)
        said(worst, "a layout is not refused", refused, f"fsdp={fsdp} ep={ep}")
    return worst.checks(ANYWAY)


def accepts(coec):
    """Shards, a surplus tied head, bf16; loss and aux_loss; two models of different experts in one process."""
    worst = Worst()
    folder, stored = golden(coec, "tied_embedding")
    weights = exporting.stored(folder)
    tokens, expected = stored["tokens"], stored["logits"]

    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
    exporting.replace_weights(folder, weights)
    model = exporting.load(folder)
    worst.add("a surplus tied head", exporting.error(model(input_ids=tokens).logits, expected), "")
    del weights["lm_head.weight"]
    exporting.replace_weights(folder, weights)
    in_shards(folder, weights)
    model = exporting.load(folder)
    worst.add("shards", exporting.error(model(input_ids=tokens).logits, expected), "")
    model.save_pretrained(folder.parent / "saved")
    said(worst, "shards there and back", exporting.same(exporting.stored(folder.parent / "saved"), weights), "")

    for name in ("balance_together", "everything"):
        other, golden_of = golden(coec, name)
        model = exporting.load(other)
        seen = model(input_ids=golden_of["tokens"], labels=golden_of["tokens"], output_hidden_states=True)
        cross_entropy = torch.nn.functional.cross_entropy(
            seen.logits[:, :-1].flatten(0, 1), golden_of["tokens"][:, 1:].flatten()
        )
        worst.add("loss is cross-entropy and aux_loss", abs((seen.loss - seen.aux_loss - cross_entropy).item()), name)
        said(worst, "hidden states", len(seen.hidden_states) == model.config.num_hidden_layers + 1, name)
        rounded = exporting.load(other, torch.bfloat16)(input_ids=golden_of["tokens"]).logits
        said(worst, "bf16 is not finite", rounded.dtype == torch.bfloat16 and rounded.isfinite().all(), name)

    models = {name: exporting.load(golden(coec, name)[0]) for name in ("act_relu2", "act_geglu")}
    for name, model in models.items():
        model.save_pretrained(folder.parent / "saved")
        same = exporting.stored(folder.parent / "saved").keys() == exporting.stored(folder.parent / name).keys()
        said(worst, "another model's names are saved", same, name)
    return worst.checks({"a surplus": 1e-5, "shards there": 0.0, "shards": 1e-5, "loss is": 1e-6, "": 0.0})


def in_shards(folder, weights):
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    halves = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for path, part in halves.items():
        save_file({name: weights[name] for name in part}, folder / path, metadata={"format": "pt"})
    size = sum(value.numel() * value.element_size() for value in weights.values())
    places = {name: path for path, part in halves.items() for name in part}
    index = {"metadata": {"total_size": size}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
