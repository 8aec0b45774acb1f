"""Trains the model of this folder in PyTorch, as `coec train` would: the same batches, schedule, AdamW and loss.

    python train_torch.py --out RUN
    torchrun --nproc-per-node 8 train_torch.py --out RUN [--fsdp 8] [--ep 4] [--steps N] [--resume]

RUN is a directory that `coec report` and `coec generate` read, and RUN/model.safetensors is what `coec train
--weights` takes. RUN/checkpoints holds what training goes on from; each is also a folder that transformers loads.

Every rank computes its own parts of a batch. Weights are sharded over `--fsdp` ranks and held once for each so many;
experts are spread over `--ep` of them, each expert whole.
"""

import argparse
import functools
import json
import math
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from safetensors.torch import save_file
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.core_model_loading import revert_weight_conversion
from transformers.distributed import DistributedConfig
from transformers.distributed.checkpoint import load_optimizer_distributed, save_optimizer_distributed
from transformers.distributed.utils import gather_full_state_dict
from transformers.dynamic_module_utils import get_class_from_dynamic_module

HERE = Path(__file__).resolve().parent
SCHEMA = "coec/1"
CODE = ("config.json", "configuration_coec.py", "modeling_coec.py")
LOGS = ("metrics.jsonl", "experts.jsonl")
# What a run keeps of a tokenizer.
TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja",
    "generation_config.json",
)
# What a training may say. A word that is not here would change what is trained.
TRAIN = {
    "data", "weights", "loss", "on_error", "tokenizer", "steps", "tokens", "flops", "batch", "context", "accumulate",
    "optimizer", "schedule", "precision", "recompute", "seed", "eval", "save", "keep",
}
ADAMW = {"lr", "betas", "eps", "weight_decay", "clip"}
VALUES = {"precision": {"f32", "bf16"}, "recompute": {"none", "experts", "layers"}}
# Steps in a row without a finite gradient that end a run.
PATIENCE = 10


class Refused(Exception):
    """What was asked for cannot be done, in one sentence."""


# ---- random numbers: functions of their names, integers alone ------------------------

WORD = (1 << 64) - 1
GOLDEN = 0x9E37_79B9_7F4A_7C15
# What a stream is drawn for.
WINDOWS, SOURCES = 3, 8


def mix(z):
    """The finalizer of SplitMix64."""
    z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9 & WORD
    z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB & WORD
    return z ^ (z >> 31)


class Stream:
    """The random numbers of a seed, a step and a purpose."""

    def __init__(self, seed, step, purpose):
        key = mix((seed + GOLDEN) & WORD)
        key = mix(key ^ ((step + GOLDEN) & WORD))
        self.key, self.drawn = mix(key ^ (purpose * GOLDEN & WORD)), 0

    def next(self):
        self.drawn += 1
        return mix((self.key + self.drawn * GOLDEN) & WORD)

    def below(self, n):
        """Uniform in 0..n: the high half of a product, the uneven rest rejected."""
        reject = (-n & WORD) % n
        while True:
            product = self.next() * n
            if product & WORD >= reject:
                return product >> 64


class Order:
    """A permutation of 0..n that is never written down: a Feistel network, walked until it is inside."""

    def __init__(self, n, key):
        self.n, self.key, self.half = n, key, max(-(-(n - 1).bit_length() // 2), 1)

    def at(self, place):
        number = self.turn(place)
        while number >= self.n:
            number = self.turn(number)
        return number

    def turn(self, number):
        mask = (1 << self.half) - 1
        left, right = number >> self.half, number & mask
        for turn in range(4):
            left, right = right, left ^ (mix(right ^ mix(self.key ^ turn)) & mask)
        return left << self.half | right


# ---- data ----------------------------------------------------------------------------

# A token with this bit is read and not learnt.
UNLEARNT = 1 << 31
# Rows in which sources with weights have their shares exactly.
BLOCK = 4096


class Batch:
    """Windows of one token more than there are inputs; each token but the first is a target once."""

    def __init__(self, windows):
        marked = torch.from_numpy(np.stack(windows).astype(np.int64))
        ids, is_learnt = marked & (UNLEARNT - 1), marked[:, 1:] < UNLEARNT
        self.inputs, self.targets = ids[:, :-1], ids[:, 1:]
        # What each target counts; without it all count the same.
        self.weights = None if is_learnt.all() else is_learnt.float() / is_learnt.sum().clamp(min=1)

    def parts(self, count):
        """Equal parts, the last smaller where they do not divide the rows; the mean of their losses is the batch's."""
        rows = -(-len(self.inputs) // count)
        split = [tensor.split(rows) for tensor in (self.inputs, self.targets)]
        weights = [None] * len(split[0]) if self.weights is None else self.weights.split(rows)
        return [(*part, None if own is None else own * len(weights)) for *part, own in zip(*split, weights)]


class TrainBatches:
    """The batches of a run: a function of seed and step, so that nothing has to be remembered to go on."""

    def __init__(self, sources, weights, seed, batch, context):
        self.sources, self.seed, self.size, self.context = sources, seed, batch, context
        self.counts = [(len(tokens) - 1) // context for _, tokens in sources]
        self.shares = shares(weights) if weights else None

    def batch(self, step):
        return Batch([self.row(step * self.size + row) for row in range(self.size)])

    def row(self, row):
        source, place = self.weighted(row) if self.shares else self.by_size(row)
        key, tokens = self.sources[source]
        count = self.counts[source]
        # Windows begin elsewhere in each epoch, by as much as there is to spare.
        stream = Stream(self.seed, place // count, WINDOWS)
        order, shift = stream.next() ^ key, stream.below((len(tokens) - 1) % self.context + 1)
        window = Order(count, order).at(place % count)
        start = shift + window * self.context
        return tokens[start : start + self.context + 1]

    def by_size(self, row):
        """Without weights all windows of all sources make an epoch, in one order."""
        if len(self.sources) == 1:
            return 0, row
        total = sum(self.counts)
        epoch = row // total
        key = Stream(self.seed, epoch, SOURCES).next()
        source, place = locate(Order(total, key).at(row % total), self.counts)
        return source, epoch * self.counts[source] + place

    def weighted(self, row):
        """With weights the rows of a block are dealt to the sources, each its share."""
        block = row // BLOCK
        key = Stream(self.seed, block, SOURCES).next()
        source, place = locate(Order(BLOCK, key).at(row % BLOCK), self.shares)
        return source, block * self.shares[source] + place


def locate(place, counts):
    """Which of several stretches a place falls into, and where in it."""
    for number, count in enumerate(counts):
        if place < count:
            return number, place
        place -= count
    return 0, place


def shares(weights):
    """Rows of each source in a block: the remainders go to those that lose most by rounding down."""
    total = functools.reduce(lambda a, b: a + b, weights, 0.0)
    exact = [weight / total * BLOCK for weight in weights]
    result = [math.floor(rows) for rows in exact]
    by_loss = sorted(range(len(weights)), key=lambda source: -(exact[source] - result[source]))
    for number in range(BLOCK - sum(result)):
        result[by_loss[number % len(by_loss)]] += 1
    return result


class ValidationBatches:
    """The batches of an evaluation: always the same, spread evenly over the text."""

    def __init__(self, sources, batch, context, count):
        self.sources, self.context = sources, context
        self.windows = [max(len(tokens) - 1, 0) // context for tokens in sources]
        self.total = sum(self.windows)
        self.size = min(batch, self.total)
        self.count = min(count, max(self.total // self.size, 1)) if self.size else 0

    def __iter__(self):
        for index in range(self.count):
            yield Batch([self.row(index * self.size + row) for row in range(self.size)])

    def row(self, place):
        source, window = locate(place * self.total // (self.count * self.size), self.windows)
        start = window * self.context
        return self.sources[source][start : start + self.context + 1]


def read_tokens(path):
    return np.memmap(path, dtype="<u4", mode="r") if path.stat().st_size else np.zeros(0, dtype="<u4")


def read_data(folder, told, train):
    sources = told["sources"]
    tokens = [(source["key"], read_tokens(folder / source["train"])) for source in sources]
    held_out = [read_tokens(folder / source["validation"]) for source in sources]
    for (_, own), source in zip(tokens, sources):
        if len(own) <= train["context"]:
            raise Refused(f"{source['train']} has {len(own)} tokens, and one sequence needs {train['context'] + 1}")
    batch, context = train["batch"], train["context"]
    batches = TrainBatches(tokens, train.get("weights"), train["seed"], batch, context)
    return batches, ValidationBatches(held_out, batch, context, train["eval"]["batches"])


# ---- the learning rate ---------------------------------------------------------------


def amount(said, steps):
    """In steps: a number of them, or a share of all, rounded half up."""
    if "steps" in said:
        return said["steps"]
    whole = math.floor(said["share"] * steps)
    return whole + (said["share"] * steps - whole >= 0.5)


def factor(schedule, step, steps):
    """The share of the peak learning rate at a step, from 0."""
    warmup, shape = amount(schedule["warmup"], steps), schedule["shape"]
    if step < warmup:
        return (step + 1) / warmup
    done = (step - warmup) / max(steps - warmup, 1)
    if shape == "constant":
        return 1.0
    if shape == "linear":
        return 1.0 - done
    if shape == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * done))
    if isinstance(shape, dict) and "wsd" in shape:
        return min(max(steps - step, 0) / max(amount(shape["wsd"]["decay"], steps), 1), 1.0)
    raise unknown(f"a schedule of {shape}")


def unknown(what):
    return Refused(f"train.json says {what}, which this code does not know: written by a newer coec?")


def check_training(train):
    """Refuses what would otherwise be left out in silence."""
    for said, known in ((train, TRAIN), (train["optimizer"], ADAMW)):
        for word in said:
            if word not in known:
                raise unknown(f"`{word}`")
    for word, known in VALUES.items():
        if word in train and train[word] not in known:
            raise unknown(f"`{word}` = {train[word]}")


# ---- ranks ---------------------------------------------------------------------------


class Ranks:
    """The processes of a training, and what they do together."""

    def __init__(self, device):
        self.rank, self.world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        local = int(os.environ.get("LOCAL_RANK", 0))
        self.device = torch.device(device, local) if device == "cuda" else torch.device(device)
        if device == "cuda":
            torch.cuda.set_device(self.device)
        elif self.world > 1:
            # transformers shards over whatever accelerator it finds.
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        if self.world > 1:
            dist.init_process_group("nccl" if device == "cuda" else "gloo")
        self.is_first, self.is_first_here = self.rank == 0, local == 0

    def sum(self, tensor):
        if self.world > 1:
            dist.all_reduce(tensor)
        return tensor

    def wait(self):
        self.sum(torch.zeros(1, device=self.device)).item()


def layout(ranks, config, fsdp, ep):
    """How weights lie on ranks, in the words of transformers; None for one process."""
    world = ranks.world
    fsdp = world if fsdp is None else fsdp
    if fsdp < 1 or world % fsdp:
        raise Refused(f"--fsdp {fsdp} does not divide the {world} ranks")
    if ep < 1 or fsdp % ep:
        raise Refused(f"--ep {ep} does not divide the {fsdp} ranks that weights are sharded over")
    if ep > 1 and not config.chains:
        raise Refused(f"--ep {ep} wants experts to spread, and the model has none")
    for ffn in config.chains:
        if ffn["experts"] % ep:
            raise Refused(f"--ep {ep} does not divide a layer's {ffn['experts']} experts")
    if world == 1:
        return None
    return DistributedConfig(fsdp_size=fsdp, dp_replicate_size=world // fsdp, ep_size=ep)


def load_model(folder, ranks, fsdp=None, ep=1, dtype=torch.float32, **options):
    """The model of a folder, in place on this rank."""
    # transformers copies the code of a folder to a cache; one process of a machine does it for the others.
    if ranks.is_first_here:
        get_class_from_dynamic_module("modeling_coec.CoecForCausalLM", str(folder))
    ranks.wait()
    config = AutoConfig.from_pretrained(folder, trust_remote_code=True)
    distributed = layout(ranks, config, fsdp, ep)
    if distributed is not None:
        options["distributed_config"] = distributed
    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True, dtype=dtype, **options)
    if distributed is None:
        model.to(ranks.device)
        return model.train()
    # transformers leaves most shards as views of whole tensors, which then stay in memory with them.
    model._apply(torch.clone)
    if 1 < ep == distributed.fsdp_size:
        divide_once(model, ranks.world)
    return model.train()


def divide_once(model, world):
    """Where a group of one rank reduces gradients that may overflow, torch divides them twice by the divisor that
    transformers gives to experts: in double and half precision. Of the root of it, twice is once."""
    for layer in model.model.layers:
        experts = getattr(layer.mlp, "experts", None)
        if experts is not None and experts.down_proj.dtype in (torch.float64, torch.float16):
            experts.set_gradient_divide_factor(math.sqrt(world))


# ---- a step --------------------------------------------------------------------------


def wide(x):
    return x if x.dtype == torch.float64 else x.float()


def token_losses(model, ranks, inputs, targets, precision):
    """The cross-entropy of each target, and what else the model says."""
    with torch.autocast(ranks.device.type, torch.bfloat16, enabled=precision == "bf16"):
        seen = model(input_ids=inputs.to(ranks.device), use_cache=False)
    losses = F.cross_entropy(wide(seen.logits).flatten(0, 1), targets.to(ranks.device).flatten(), reduction="none")
    return losses.view_as(targets), seen


def parts_of(batch, accumulate, ranks):
    """This rank's parts of a batch, one a round, with whether a part is its own, and how many parts there are.

    Parts are dealt in order. Where the last round has fewer than ranks, those without one compute along, for nothing,
    since sharded weights are gathered from all. A batch has a part for each rank at least."""
    parts = batch.parts(max(accumulate, ranks.world))
    rounds = -(-len(parts) // ranks.world)
    places = [number * ranks.world + ranks.rank for number in range(rounds)]
    return [(parts[place % len(parts)], place < len(parts)) for place in places], len(parts)


def gradients(model, ranks, batch, accumulate, precision="f32"):
    """Adds a batch's gradients up, in parts; the mean loss and balance loss, and each layer's expert counts."""
    own, count = parts_of(batch, accumulate, ranks)
    losses, loads = torch.zeros(2, dtype=torch.float64, device=ranks.device), {}
    for (inputs, targets, weights), is_own in own:
        each, seen = token_losses(model, ranks, inputs, targets, precision)
        loss = each.mean() if weights is None else (each * weights.to(each)).sum()
        # Gradients are averaged over ranks.
        ((loss + seen.aux_loss) * (ranks.world / count * is_own)).backward()
        losses += torch.stack([loss, seen.aux_loss]).detach().double() * is_own
        for layer, load in enumerate(seen.expert_loads):
            if load is not None:
                loads[layer] = loads.get(layer, 0) + load.double() * is_own
    loss, aux_loss = (ranks.sum(losses) / count).tolist()
    return loss, aux_loss, {layer: ranks.sum(load) for layer, load in loads.items()}


def local(tensor):
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def copies(tensor, ranks):
    """On how many ranks each element of a tensor is."""
    if not isinstance(tensor, DTensor):
        return ranks.world
    placed = zip(tensor.device_mesh.shape, tensor.placements)
    return ranks.world // math.prod(size for size, placement in placed if not placement.is_replicate())


def global_norm(parameters, ranks):
    """The root of the sum of all squares: tensors lie on different meshes, which torch's own norm does not take."""
    total = torch.zeros((), dtype=torch.float64, device=ranks.device)
    for parameter in parameters:
        if parameter.grad is not None:
            total += local(parameter.grad).double().square().sum() / copies(parameter.grad, ranks)
    return ranks.sum(total).sqrt().item()


def apply(model, optimizer, ranks, settings, result, lr):
    """Moves the weights, unless something is not finite; the gradient's norm, and whether they moved."""
    loss, aux_loss, loads = result
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    norm = global_norm(parameters, ranks)
    is_finite = all(map(math.isfinite, (loss, aux_loss, norm)))
    if is_finite:
        if 0 < settings["clip"] < norm:
            for parameter in parameters:
                if parameter.grad is not None:
                    parameter.grad.mul_(settings["clip"] / (norm + 1e-6))
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.step()
        for layer, load in loads.items():
            model.model.layers[layer].mlp.move_biases(load)
    optimizer.zero_grad()
    return norm, is_finite


@torch.no_grad()
def evaluate(model, ranks, batches, accumulate, precision):
    """Mean cross-entropy of what is learnt of held-out text; None where there is none."""
    model.eval()
    sums = torch.zeros(2, dtype=torch.float64, device=ranks.device)
    for batch in batches:
        for (inputs, targets, weights), is_own in parts_of(batch, accumulate, ranks)[0]:
            losses, _ = token_losses(model, ranks, inputs, targets, precision)
            is_learnt = torch.ones_like(losses) if weights is None else (weights > 0).to(losses)
            sums += torch.stack([(losses * is_learnt).double().sum(), is_learnt.double().sum()]) * is_own
    # What FSDP2 leaves whole after a forward pass it shards again in the backward pass, which there is none of.
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()
    model.train()
    total, count = ranks.sum(sums).tolist()
    return total / count if count else None


def make_optimizer(model, settings):
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    # Tensors of several meshes cannot be in one list of a fused step.
    foreach = False if any(isinstance(parameter, DTensor) for parameter in parameters) else None
    return torch.optim.AdamW(
        parameters, lr=settings["lr"], betas=tuple(settings["betas"]), eps=settings["eps"],
        weight_decay=settings["weight_decay"], foreach=foreach,
    )


# ---- the run's directory -------------------------------------------------------------


def named_weights(model):
    """All weights under coec's names, on the CPU of the first rank; the others get nothing."""
    if any(isinstance(parameter, DTensor) for parameter in model.parameters()):
        state = gather_full_state_dict(model)
    else:
        state = {name: tensor.detach().cpu() for name, tensor in model.state_dict().items()}
    if not state:
        return {}
    if model.config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    return {name: tensor.contiguous() for name, tensor in revert_weight_conversion(model, state).items()}


def write_whole(path, text):
    """Writes a file whole or not at all."""
    scratch = path.with_name(path.name + ".part")
    with open(scratch, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(scratch, path)


def sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Run:
    """The directory of a run. Only the first rank writes, the optimizer's state apart."""

    def __init__(self, path, ranks):
        self.path, self.ranks, self.checkpoints = Path(path), ranks, Path(path) / "checkpoints"

    def refuse(self, resume):
        """Before anything takes long."""
        if resume and not self.path.is_dir():
            raise Refused(f"{self.path} is no run to go on with")
        if self.path.exists() and not resume:
            raise Refused(f"{self.path} is there already: --resume goes on with it, another --out begins anew")

    def begin(self):
        self.ranks.wait()
        if self.ranks.is_first:
            self.checkpoints.mkdir(parents=True)
            for name in ("spec.coe", *TOKENIZER):
                if (HERE / name).is_file():
                    shutil.copyfile(HERE / name, self.path / name)
        self.ranks.wait()

    def saved(self):
        """The checkpoints, the newest last; one that is half-written has another name."""
        return sorted(self.checkpoints.glob("step-*"), key=lambda path: int(path.name.removeprefix("step-")))

    def save(self, model, optimizer, state, keep):
        ranks, scratch = self.ranks, self.checkpoints / "unfinished"
        if ranks.is_first:
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True)
        ranks.wait()
        save_optimizer_distributed(model, optimizer, str(scratch / "optimizer"))
        weights = named_weights(model)
        if ranks.is_first:
            save_file(weights, scratch / "model.safetensors", metadata={"format": "pt"})
            for name in CODE:
                shutil.copyfile(HERE / name, scratch / name)
            (scratch / "state.json").write_text(json.dumps(state))
        ranks.wait()
        if ranks.is_first:
            logs = [self.path / name for name in LOGS if (self.path / name).is_file()]
            for path in [*scratch.rglob("*"), scratch, *logs]:
                sync(path)
            done = self.checkpoints / f"step-{state['step']}"
            os.replace(scratch, done)
            sync(self.checkpoints)
            self.show(done)
            for old in self.saved()[:-keep]:
                shutil.rmtree(old)
        ranks.wait()

    def show(self, checkpoint):
        """Makes model.safetensors the weights of a checkpoint."""
        scratch = self.path / "model.safetensors.part"
        scratch.unlink(missing_ok=True)
        try:
            os.link(checkpoint / "model.safetensors", scratch)
        except OSError:
            # Not every file system has second names.
            shutil.copyfile(checkpoint / "model.safetensors", scratch)
        os.replace(scratch, self.path / "model.safetensors")

    def cut_logs(self, step):
        """Lines behind the checkpoint are not of this run's past."""
        for name in LOGS:
            path = self.path / name
            if self.ranks.is_first and path.is_file():
                kept = []
                for line in path.read_text().splitlines():
                    try:
                        if json.loads(line)["step"] <= step:
                            kept.append(line + "\n")
                    except (ValueError, KeyError):
                        break  # torn by a kill
                write_whole(path, "".join(kept))

    def log(self, name, lines):
        if self.ranks.is_first:
            with open(self.path / name, "a", encoding="utf-8") as file:
                file.writelines(json.dumps({"schema": SCHEMA, **line}) + "\n" for line in lines)


def finite(number):
    """JSON has no NaN."""
    return number if math.isfinite(number) else None


# ---- training ------------------------------------------------------------------------


class Session:
    def __init__(self, options, ranks):
        told = json.loads((HERE / "train.json").read_text()) if (HERE / "train.json").is_file() else None
        if told is None:
            raise Refused("the folder has no train.json: the spec it was exported from has no train block")
        self.ranks, self.train, self.run = ranks, told["train"], Run(options.out, ranks)
        self.bytes_per_token = told["bytes_per_token"]
        check_training(self.train)
        self.run.refuse(options.resume)
        self.batches, self.validation = read_data(HERE, told, self.train)
        self.stopped = 0
        newest = self.run.saved()[-1:] if options.resume else []
        newest = newest[0] if newest else None
        self.state = {"step": 0, "tokens": 0, "skipped_in_a_row": 0, "seconds": 0.0, "loads": {}}
        self.state["steps"] = told["steps"]
        if newest is not None:
            self.state = json.loads((newest / "state.json").read_text())
        self.steps = self.state["steps"] = options.steps or self.state["steps"]
        self.model = load_model(newest or HERE, ranks, options.fsdp, options.ep)
        if self.train.get("recompute", "none") != "none":
            self.model.activation_checkpointing_enable({"use_reentrant": False})
        self.optimizer = make_optimizer(self.model, self.train["optimizer"])
        if newest is not None:
            load_optimizer_distributed(self.model, self.optimizer, str(newest / "optimizer"))
        if options.resume:
            self.run.cut_logs(self.state["step"])
        else:
            self.run.begin()
        self.saved_at, self.save_took = time.monotonic(), 0.0

    def go(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        saved = self.state["step"] if self.run.saved() else -1
        while self.state["step"] < self.steps:
            self.step()
            # A signal may reach some ranks only, and clocks differ: what one says holds for all.
            asks = torch.tensor([self.stopped, self.ranks.is_first and self.is_due()], device=self.ranks.device)
            signal_number, is_due = (self.ranks.sum(asks).clamp(max=asks.new_tensor([64, 1]))).tolist()
            gives_up = self.state["skipped_in_a_row"] >= PATIENCE
            if (is_due or signal_number or gives_up) and self.state["step"] < self.steps:
                self.save()
                saved = self.state["step"]
            if gives_up:
                raise Refused(f"{PATIENCE} steps in a row had no finite gradient: the run has diverged")
            if signal_number:
                return 128 + (self.stopped or signal.SIGTERM)
        if saved < self.state["step"]:
            self.save()
        return 0

    def stop(self, number, _):
        self.stopped = number

    def step(self):
        train, state, ranks = self.train, self.state, self.ranks
        begin = time.perf_counter()
        lr = train["optimizer"]["lr"] * factor(train["schedule"], state["step"], self.steps)
        batch = self.batches.batch(state["step"])
        result = gradients(self.model, ranks, batch, train["accumulate"], train["precision"])
        norm, moved = apply(self.model, self.optimizer, ranks, train["optimizer"], result, lr)
        seconds = time.perf_counter() - begin
        loss, aux_loss, loads = result
        state["step"] += 1
        state["tokens"] += batch.inputs.numel()
        state["seconds"] += seconds
        state["skipped_in_a_row"] = 0 if moved else state["skipped_in_a_row"] + 1
        for layer, load in loads.items():
            before = state["loads"].get(str(layer), [[0] * load.shape[1]] * load.shape[0])
            state["loads"][str(layer)] = (load.long().cpu() + torch.tensor(before)).tolist()
        line = {
            "step": state["step"], "tokens": state["tokens"], "loss": finite(loss), "aux_loss": finite(aux_loss),
            "lr": lr, "grad_norm": finite(norm), "tokens_per_s": batch.inputs.numel() / seconds, "mfu": None,
            "seconds": state["seconds"],
        }
        if state["step"] % train["eval"]["every"] == 0 or state["step"] == self.steps:
            val_loss = evaluate(self.model, ranks, self.validation, train["accumulate"], train["precision"])
            if val_loss is not None:
                line["val_loss"] = finite(val_loss)
            self.run.log("experts.jsonl", self.expert_lines())
        self.run.log("metrics.jsonl", [line])
        self.say(line, moved)

    def expert_lines(self):
        for layer, routings in self.state["loads"].items():
            passes = self.model.config.passes.count(int(layer))
            each = len(routings) // passes
            for routing, load in enumerate(routings):
                at = {"layer": int(layer), "pass": routing // each, "iteration": routing % each}
                yield {"step": self.state["step"], **at, "counts": load}
        self.state["loads"] = {}

    def say(self, line, moved):
        if self.ranks.is_first:
            val = line.get("val_loss")
            val = "" if val is None else f", val {val:.3f}, {val / self.bytes_per_token:.3f} a byte"
            loss = "not finite, skipped" if not moved else f"loss {line['loss']:.3f}{val}"
            print(f"step {line['step']}/{self.steps}: {loss}, {line['tokens_per_s']:.0f} tokens/s", flush=True)

    def is_due(self):
        """By steps, or by the clock, and then not sooner than fifty times what saving takes."""
        save = self.train["save"]
        if "every" in save:
            return self.state["step"] % save["every"] == 0
        return time.monotonic() - self.saved_at >= max(60 * save["minutes"], 50 * self.save_took)

    def save(self):
        begin = time.monotonic()
        self.run.save(self.model, self.optimizer, self.state, self.train["keep"])
        self.saved_at = time.monotonic()
        self.save_took = self.saved_at - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", required=True, help="the run's directory")
    parser.add_argument("--fsdp", type=int, help="ranks that weights are sharded over; all when left out")
    parser.add_argument("--ep", type=int, default=1, help="ranks that experts are spread over")
    parser.add_argument("--steps", type=int, help="optimizer steps of the whole run, in place of the spec's")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    options = parser.parse_args()
    ranks = Ranks(options.device)
    try:
        code = Session(options, ranks).go()
    except Refused as refused:
        if ranks.is_first:
            print(f"error: {refused}", file=sys.stderr)
        code = 2
    if ranks.world > 1:
        dist.destroy_process_group()
    sys.exit(code)


if __name__ == "__main__":
    main()
