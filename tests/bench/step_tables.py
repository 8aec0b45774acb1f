"""The tables of steps.py."""

from steps import PEERS
from summary import best, median, mib, ms, percent, ratio, spread, table, thousands


def fastest(turns):
    """The PyTorch peer with the shortest median step."""
    return min(PEERS, key=lambda peer: median(turns[peer]))


def peak(result):
    """FLOP/s of the better of the two matrix products: both sides are held against the same."""
    return max(max(side) for side in result["peaks"].values())


def rows(results):
    """Every (model, threads, architecture) with its turns, cost and memory."""
    for result in results:
        for name, turns in result["turns"].items():
            yield result, name, turns, result["memory"][name]


def main(results):
    """Medians, the ratio, rates and memory."""
    header = ["step, median ms", "threads", "coec", *PEERS, "coec / best"]
    header += ["coec tokens/s", "torch tokens/s", "coec of peak", "torch of peak"]
    lines = []
    for result, name, turns, memory in rows(results):
        about, theirs = memory["about"], fastest(turns)
        tokens = about["batch"][0] * about["batch"][1]
        rates = [tokens / median(turns[who]) for who in ("coec", theirs)]
        line = [f"{result['model']} {name}", result["threads"]]
        line += [ms(median(turns[who])) for who in ("coec", *PEERS)]
        line += [f"{ratio(turns['coec'], turns[theirs]):.2f}"]
        line += [thousands(rate) for rate in rates]
        line += [percent(rate * about["flops_train"] / peak(result)) for rate in rates]
        lines.append(line)
    return table(header, lines)


def memory(results):
    """Peak memory of a step, the same for all numbers of threads."""
    header = ["peak of a step, MiB", "coec counted", "coec resident", *PEERS, "importing torch"]
    lines, seen = [], set()
    for result, name, _, memory in rows(results):
        if (result["model"], name) in seen:
            continue
        seen.add((result["model"], name))
        line = [f"{result['model']} {name}", mib(memory["coec"]["counted"]), mib(memory["coec"]["resident"])]
        line += [mib(memory[peer]["resident"]) for peer in PEERS]
        lines.append([*line, mib(memory[PEERS[0]]["imported"])])
    return table(header, lines)


def chains(results):
    """What the chain costs beside the mixture whose FLOPs are equal."""
    header = ["the chain's step by that of moe_eq", "threads", "coec", "torch, best of each", "FLOPs"]
    lines = []
    for result in results:
        turns, memory = result["turns"], result["memory"]
        if not {"coe", "moe_eq"} <= turns.keys():
            continue
        chain, mixture = turns["coe"], turns["moe_eq"]
        theirs = ratio(chain[fastest(chain)], mixture[fastest(mixture)])
        flops = memory["coe"]["about"]["flops_train"] / memory["moe_eq"]["about"]["flops_train"]
        ours = ratio(chain["coec"], mixture["coec"])
        lines.append([result["model"], result["threads"], f"{ours:.2f}", f"{theirs:.2f}", f"{flops:.3f}"])
    return table(header, lines) if lines else None


def detail(results):
    """Best, median and spread of everything."""
    header = ["step: best / median ms, spread", "threads", "coec", *PEERS]
    lines = []
    for result, name, turns, _ in rows(results):
        cells = [f"{ms(best(t))} / {ms(median(t))} ±{spread(t):.0%}" for t in (turns[w] for w in ("coec", *PEERS))]
        lines.append([f"{result['model']} {name}", result["threads"], *cells])
    return table(header, lines)


def peaks(results):
    """The matrix products that shares are of."""
    header = ["best 1024-cube product, GFLOP/s", "threads", "coec", "torch"]
    lines = []
    for result in results:
        best_of = [f"{max(result['peaks'][side]) / 1e9:.0f}" for side in ("coec", "torch")]
        lines.append([result["model"], result["threads"], *best_of])
    return table(header, lines)
