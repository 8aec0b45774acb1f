"""Generation with a cache, of coec and of transformers in turn, on the same weights."""

import random
import statistics
import subprocess
import sys

from agree import Disagree
from build import HERE
from program import Program
from steps import say
from summary import ms, ratio, table

SPEC = HERE / "generate.coe"
PROMPT = 64
# Weights gathered for each token (batched_mm) take half as long again for a token, and seconds for a prompt.
PEERS = [(way, experts) for way in ("loop", "generate") for experts in ("eager", "grouped_mm")]


def measure(bench, threads, count, tokens):
    """Turns of coec and of transformers, each a continuation of the same prompt by so many tokens."""
    folder, built = bench.folder, bench.built
    run, exported, batch = folder / "generate", folder / "exported", folder / "generate.safetensors"
    if not exported.exists():
        quiet = {"check": True, "stdout": subprocess.DEVNULL}
        subprocess.run([built.coec, "train", SPEC, "--out", run, "--plain"], **quiet)
        subprocess.run([built.coec, "export", run, "--format", "hf", "--out", exported], **quiet)
    ours = [built.stepper, SPEC, "--weights", run / "model.safetensors"]
    theirs = [sys.executable, HERE / "transformers_side.py", exported, batch, threads]
    with Program(ours, RAYON_NUM_THREADS=str(threads)) as coec:
        coec.ask("save", batch)
        with Program(theirs, **bench.environment(threads)) as library:
            turns = {"coec": lambda n: coec.turn("generate", n, PROMPT)}
            for peer in PEERS:
                turns[" ".join(peer)] = lambda n, peer=peer: library.turn(*peer, n, PROMPT)
            said = {who: turn(tokens)["tokens"] for who, turn in turns.items()}
            differ = [who for who in said if said[who] != said["coec"]]
            if differ:
                raise Disagree(f"transformers ({', '.join(differ)}) continues the prompt otherwise than coec")
            say(f"generation, threads: {threads}: coec and transformers say the same {tokens} tokens")
            found, draw = {who: [] for who in turns}, random.Random(0)
            for number in range(count):
                for who in draw.sample(list(turns), len(turns)):
                    found[who].append(turns[who](tokens))
                say(f"generation, threads: {threads}: round {number + 1} of {count}")
            return {"threads": threads, "turns": found, "transformers": library.about["version"]}


def by_token(turns):
    """The same turns with the seconds of a token behind the prompt: those of each turn added up, for one may be
    far shorter than the next."""
    return [{"seconds": [statistics.mean(turn["seconds"][1:])]} for turn in turns]


def tables(results):
    header = ["generation", "threads", "tokens/s", "coec is faster", "prompt, ms"]
    lines = []
    for result in results:
        ours = by_token(result["turns"]["coec"])
        for who, turns in result["turns"].items():
            theirs = by_token(turns)
            rate = 1 / statistics.median(turn["seconds"][0] for turn in theirs)
            first = statistics.median(turn["seconds"][0] for turn in turns)
            name = who if who == "coec" else f"transformers, {who}"
            times = "" if who == "coec" else f"{1 / ratio(ours, theirs):.1f} times"
            lines.append([name, result["threads"], f"{rate:.0f}", times, ms(first)])
    return table(header, lines)
