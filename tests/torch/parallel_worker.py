"""One rank of a parallel pass: torchrun runs this for `parallel.py`, which says what in a file.

Losses, gradients, expert counts, and what a step does to selection biases and to the weights' file.
"""

import importlib
import json
import sys

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch.distributed.tensor import DTensor

import exporting


def settings():
    return {"lr": 1e-3, "betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": 0.01, "clip": 1.0}


def whole(tensor):
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def run(case, ranks, trainer):
    """Everything that is compared of one case; the same code for one process and for several."""
    dtype = getattr(torch, case["dtype"])
    parallel = {"fsdp": case["fsdp"], "ep": case["ep"]} if ranks.world > 1 else {}
    model = trainer.load_model(case["folder"], ranks, dtype=dtype, experts_implementation=case["experts"], **parallel)
    if case["recompute"]:
        model.activation_checkpointing_enable({"use_reentrant": False})
    before = {name: value.clone() for name, value in trainer.named_weights(model).items()}
    draw = torch.Generator().manual_seed(case["seed"])
    rows = torch.randint(case["vocab"], (case["batch"], case["context"] + 1), generator=draw)
    batch = trainer.Batch([row.numpy().astype("uint32") for row in rows])
    optimizer = trainer.make_optimizer(model, settings())
    result = trainer.gradients(model, ranks, batch, case["parts"])
    grads = {name: whole(p.grad).cpu().clone() for name, p in model.named_parameters()}
    norm, _ = trainer.apply(model, optimizer, ranks, settings(), result, 1e-3)
    after = trainer.named_weights(model)
    loss, aux_loss, loads = result
    numbers = {"loss": loss, "aux_loss": aux_loss, "norm": norm}
    tensors = {name: torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()}
    tensors |= {f"load.{layer}": load.cpu() for layer, load in loads.items()}
    if ranks.is_first:
        tensors |= {f"grad.{name}": value for name, value in exporting.named(model, grads).items()}
        tensors |= {f"before.{name}": value for name, value in before.items()}
        tensors |= {f"after.{name}": value for name, value in after.items()}
    return {name: value.contiguous() for name, value in tensors.items()}


def main():
    told = exporting.read_json(sys.argv[1])
    sys.path.insert(0, told[0]["folder"])
    trainer = importlib.import_module("train_torch")
    ranks = trainer.Ranks("cpu")
    for case in told:
        result = run(case, ranks, trainer)
        if ranks.is_first:
            save_file(result, case["result"])
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
