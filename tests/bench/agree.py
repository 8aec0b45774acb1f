"""Whether two programs compute the same: a comparison of others says nothing."""

# Largest relative difference. In fact they are 1e-6 and 1e-5 apart, which is rounding, and a token that falls to
# another expert now and then; a residual that is wired otherwise, or one expert fewer, moves the norm by percents.
LOSS, NORM = 1e-3, 1e-2


class Disagree(Exception):
    """The programs do not compute the same."""


def check(what, ours, theirs):
    """Holds the losses and the gradients' norms of the same first steps against each other."""
    for kind, tolerance in (("losses", LOSS), ("norms", NORM)):
        pairs = list(zip(ours[kind], theirs[kind], strict=True))
        worst = max(abs(a - b) / abs(a) for a, b in pairs)
        if not worst <= tolerance:  # nor is NaN
            raise Disagree(f"{what}: the {kind} of coec and PyTorch differ by {worst:.1e}: {pairs}")
