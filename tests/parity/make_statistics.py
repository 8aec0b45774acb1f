"""What `scipy` says of the differences of paired samples.

    python make_statistics.py

Writes goldens/statistics.json: two samples each, of equally many values, with the means, the sample's standard
deviations, and the 95% confidence interval of the paired t-test.
"""

import json
import random
from pathlib import Path

import numpy as np
from scipy import stats

OUT = Path(__file__).parent / "goldens" / "statistics.json"


def main():
    draw = random.Random(11)
    cases = []
    for count in [2, 3, 4, 5, 7, 10, 30, 100]:
        for spread in [1e-4, 0.1, 30.0]:
            first = [draw.gauss(2.0, spread) for _ in range(count)]
            second = [value + draw.gauss(0.05, spread / 3) for value in first]
            interval = stats.ttest_rel(first, second).confidence_interval(0.95)
            cases.append(
                {
                    "first": first,
                    "second": second,
                    "mean": float(np.mean(np.subtract(first, second))),
                    "low": float(interval.low),
                    "high": float(interval.high),
                    "means": [float(np.mean(first)), float(np.mean(second))],
                    "stds": [float(np.std(first, ddof=1)), float(np.std(second, ddof=1))],
                }
            )
    OUT.write_text(json.dumps(cases, indent=1) + "\n")


main()
