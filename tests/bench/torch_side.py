"""Steps of a model in PyTorch on command: the counterpart of tests/examples/stepper, started by steps.py.

    torch_side.py ABOUT.json WEIGHTS.safetensors THREADS

ABOUT.json is the stepper's first line and WEIGHTS what its `save` writes. Lines in, one line of JSON out:

    start PEER      the first weights and a fresh optimizer       {"started": true}
    check PEER N    N steps, with the norm of the gradient        {"losses": [...], "norms": [...]}
    step PEER N     N steps                                       {"seconds": [...], "losses": [...]}
    peak            the best product of two 1024-cubes            {"flops_per_second": ...}
"""

import json
import sys
import time

import torch

import tensors
from torch_experts import grouped, loop, segments
from torch_model import Model

# How each peer computes its experts, whether they are one parameter a layer, and whether it is compiled.
PEERS = {
    "loop": (loop, False, False),
    "segments": (segments, True, False),
    "grouped": (grouped, True, False),
    "compile": (grouped, True, True),
}


class Peer:
    """A way to compute the model. Peers with the same parameters share them, and their optimizer."""

    def __init__(self, side, name):
        experts, self.is_stacked, is_compiled = PEERS[name]
        self.side, self.model = side, side.model(self.is_stacked)

        def loss(tokens, targets):
            return self.model.loss(tokens, targets, experts)

        self.loss = torch.compile(loss) if is_compiled else loss

    def step(self, with_norm=False):
        """One optimizer step: the loss, the norm of the gradient before clipping, and seconds."""
        side, norm = self.side, None
        start = time.perf_counter()
        loss, aux = self.loss(side.tokens, side.targets)
        (loss + aux).backward()
        clip = side.optimizer_values["clip"]
        if clip or with_norm:
            norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), clip or torch.inf)
        side.optimizers[self.is_stacked].step()
        side.optimizers[self.is_stacked].zero_grad(set_to_none=True)
        loss = loss.item()
        return loss, norm, time.perf_counter() - start


class Side:
    def __init__(self, about, path):
        self.ir, self.optimizer_values, self.context = about["model"], about["optimizer"], about["batch"][1]
        self.path = path
        batch = tensors.read(path)
        self.tokens, self.targets = batch["tokens"].long(), batch["targets"].long()
        self.models, self.optimizers, self.peers = {}, {}, {}

    def fresh(self, is_stacked):
        return Model(self.ir, tensors.read(self.path), self.context, is_stacked)

    def model(self, is_stacked):
        if is_stacked not in self.models:
            self.models[is_stacked] = self.fresh(is_stacked)
        return self.models[is_stacked]

    def start(self, name):
        if name not in self.peers:
            self.peers[name] = Peer(self, name)
        peer = self.peers[name]
        peer.model.load_state_dict(self.fresh(peer.is_stacked).state_dict())
        o = self.optimizer_values
        self.optimizers[peer.is_stacked] = torch.optim.AdamW(
            peer.model.parameters(), o["lr"], tuple(o["betas"]), o["eps"], o["weight_decay"], fused=True
        )
        return {"started": True}

    def check(self, name, count):
        steps = [self.peers[name].step(with_norm=True) for _ in range(int(count))]
        return {"losses": [loss for loss, _, _ in steps], "norms": [norm.item() for _, norm, _ in steps]}

    def step(self, name, count):
        steps = [self.peers[name].step() for _ in range(int(count))]
        return {"losses": [loss for loss, _, _ in steps], "seconds": [seconds for _, _, seconds in steps]}

    def peak(self):
        a, b, out = (torch.randn(1024, 1024) for _ in range(3))
        seconds = []
        for _ in range(12):
            start = time.perf_counter()
            torch.mm(a, b, out=out)
            seconds.append(time.perf_counter() - start)
        return {"flops_per_second": 2 * 1024**3 / min(seconds)}


def main():
    about, weights, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    side = Side(json.load(open(about)), weights)
    commands = {"start": side.start, "check": side.check, "step": side.step, "peak": side.peak}
    print(json.dumps({"version": torch.__version__, "peers": list(PEERS)}), flush=True)
    for line in sys.stdin:
        command, *arguments = line.split()
        print(json.dumps(commands[command](*arguments)), flush=True)


if __name__ == "__main__":
    main()
