"""Whether two programs compute the same: a comparison of others says nothing."""

# Largest relative difference of losses and of norms: of the first step, which is one pass forward and back, and of
# the second, behind one update; and of later ones, where AdamW has made more of what was rounding. They are
# 1e-6 and 1e-5 apart in the first two, by rounding, and a token that falls to another expert now and then. An expert
# fewer in one iteration of model S moves losses by 3e-5 to 2e-4 and norms by 3e-4 to 4e-3, another eps of AdamW by
# as much; a residual that is wired otherwise halves the norm.
FIRST, LATER = {"losses": 1e-5, "norms": 2e-4}, {"losses": 1e-3, "norms": 1e-2}


class Disagree(Exception):
    """The programs do not compute the same."""


def check(what, ours, theirs):
    """Holds the losses and the gradients' norms of the same first steps against each other."""
    for kind in FIRST:
        for step, (a, b) in enumerate(zip(ours[kind], theirs[kind], strict=True)):
            difference, tolerance = abs(a - b) / abs(a), (FIRST if step < 2 else LATER)[kind]
            if not difference <= tolerance:  # nor is NaN
                raise Disagree(
                    f"{what}: the {kind} of step {step + 1} differ by {difference:.1e}, more than {tolerance:.0e}: "
                    f"{a} of coec, {b} of PyTorch"
                )
