"""One rank of a step whose memory is followed: torchrun runs this for `memory.py`. The first rank prints JSON."""

import importlib
import json
import sys

import torch
import torch.distributed as dist
from torch.distributed._tools.fsdp2_mem_tracker import FSDPMemTracker

SETTINGS = {"lr": 1e-3, "betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": 0.01, "clip": 1.0}


def main():
    folder, sequences = sys.argv[1], int(sys.argv[2])
    sys.path.insert(0, folder)
    trainer = importlib.import_module("train_torch")
    ranks = trainer.Ranks("cpu")
    model = trainer.load_model(folder, ranks, fsdp=ranks.world)
    optimizer = trainer.make_optimizer(model, SETTINGS)
    draw = torch.Generator().manual_seed(1)

    def step():
        shape = (ranks.world * sequences, model.config.max_position_embeddings + 1)
        rows = torch.randint(model.config.vocab_size, shape, generator=draw)
        batch = trainer.Batch([row.numpy().astype("uint32") for row in rows])
        result = trainer.gradients(model, ranks, batch, ranks.world)
        trainer.apply(model, optimizer, ranks, SETTINGS, result, 1e-3)

    # Moments are made by the first step.
    step()
    tracker = FSDPMemTracker(model, optimizer)
    with tracker:
        step()
    if ranks.is_first:
        (peak,) = tracker.get_tracker_snapshot("peak").values()
        print(json.dumps({str(kind).rsplit(".", 1)[-1]: held for kind, held in peak.items()}))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
