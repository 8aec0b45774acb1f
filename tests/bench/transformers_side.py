"""Generation by transformers on command: the counterpart of the stepper's `generate`, started by generation.py.

    transformers_side.py FOLDER BATCH.safetensors THREADS

FOLDER is what `coec export` writes and BATCH what the stepper's `save` does. Lines in, one line of JSON out:

    loop EXPERTS N P        the model is called token by token, with its cache
    generate EXPERTS N P    `generate` is called, which does that and more

Both continue the first P tokens of the batch by N, greedily, their experts computed by EXPERTS, and answer
{"tokens": [...], "seconds": [...]} of each token; the first has read the prompt.
"""

import json
import sys
import time

import torch
import transformers
from transformers import AutoModelForCausalLM

import tensors


class Clock:
    """A streamer of `generate`: when each token came."""

    def __init__(self):
        self.times = []

    def put(self, _):
        self.times.append(time.perf_counter())

    def end(self):
        pass


def loop(model, prompt, count):
    unread, cache, tokens, times = prompt, None, [], [time.perf_counter()]
    for _ in range(count):
        answer = model(unread, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache, unread = answer.past_key_values, answer.logits[:, -1:].argmax(-1)
        tokens.append(unread.item())
        times.append(time.perf_counter())
    return tokens, times


def generate(model, prompt, count):
    clock = Clock()  # is first given the prompt
    lengths = {"min_new_tokens": count, "max_new_tokens": count}
    rows = model.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, streamer=clock, **lengths)
    return rows[0, prompt.shape[1] :].tolist(), clock.times


def main():
    folder, batch, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    transformers.logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = tensors.read(batch)["tokens"].flatten().long()
    ways = {"loop": loop, "generate": generate}
    print(json.dumps({"version": transformers.__version__}), flush=True)
    for line in sys.stdin:
        way, experts, count, prompt = line.split()
        model.set_experts_implementation(experts)
        with torch.inference_mode():
            tokens, times = ways[way](model, ids[: int(prompt)].unsqueeze(0), int(count))
        seconds = [after - before for before, after in zip(times, times[1:])]
        print(json.dumps({"tokens": tokens, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
