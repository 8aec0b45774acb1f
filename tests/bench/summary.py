"""Numbers of a distribution, and tables."""

import statistics


def best(turns):
    """The fastest step of all turns, seconds."""
    return min(step for turn in turns for step in turn["seconds"])


def median(turns):
    return statistics.median(step for turn in turns for step in turn["seconds"])


def spread(turns):
    """Half the distance of the quartiles, as a share of the median."""
    steps = [step for turn in turns for step in turn["seconds"]]
    if len(steps) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(steps, n=4, method="inclusive")
    return (high - low) / 2 / middle


def ratio(ours, theirs):
    """The median over rounds of a turn's median by that of the other program in the same round: what the whole
    machine does for a while falls on both."""
    pairs = zip(ours, theirs, strict=True)
    return statistics.median(
        statistics.median(a["seconds"]) / statistics.median(b["seconds"]) for a, b in pairs
    )


def busy_turns(turns):
    """How many turns there were, and in how many of them others used more than a tenth of a processor."""
    known = [turn["others"] for turn in turns if turn["others"] is not None]
    return len(known), sum(others > 0.1 for others in known)


def table(header, rows):
    """Markdown, its columns one below the other; the first column to the left, numbers to the right."""
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells)]

    def line(row):
        padded = [cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * w if i == 0 else "-" * (w - 1) + ":") for i, w in enumerate(widths)]
    return "\n".join([line(cells[0]), line(rule), *map(line, cells[1:])])


def ms(seconds):
    return f"{seconds * 1e3:.0f}" if seconds >= 0.1 else f"{seconds * 1e3:.2f}"


def mib(count):
    return "-" if count is None else f"{count / 2**20:.0f}"


def percent(share):
    return f"{share:.0%}"


def thousands(value):
    return f"{value:,.0f}"
