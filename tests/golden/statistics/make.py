#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the files beside it: answers of scipy, statsmodels and numpy, which tests compare ours with.

tests/golden/statistics/make.py [NAME…]     needs numpy, scipy and statsmodels; without names: all
"""
import os
import random
import sys

import numpy as np
from scipy import special, stats

HERE = os.path.dirname(os.path.abspath(__file__))


def write(name, lines):
    with open(os.path.join(HERE, name), "w", encoding="ascii") as file:
        file.write("# made by make.py, do not edit\n" + "\n".join(lines) + "\n")


def beta():
    """a b q log I_x(a, b) where x = 1 / (1 + q); of those that a double still knows."""
    lines = []
    for a in (0.5, 1, 1.5, 3.25, 15.75, 16, 40, 333.5, 12345.5, 500000):
        for b in (0.5, 1, 2, 4.5, 8):
            for at in (1e-12, 1e-4, 0.02, 0.3, 1, 3, 10, 60, 300):
                q = at / a
                # By its complement: x near 1 has lost what q still knows.
                p, rest = special.betaincc(b, a, q / (1 + q)), special.betainc(b, a, q / (1 + q))
                log = np.log1p(-rest) if rest < 0.5 else np.log(p)
                if p > 1e-280:
                    lines.append(f"{a!r} {b!r} {q!r} {float(log)!r}")
    write("beta.txt", lines)


def welch():
    """Sizes, the two samples, then t, df and p of scipy's ttest_ind(equal_var=False)."""
    draw = random.Random(7)
    lines = []
    for case in range(60):
        n, m = draw.randrange(2, 40), draw.randrange(2, 40)
        shift, wide = draw.choice((0, 0.3, 2, 40)), draw.choice((0.01, 1, 30))
        one = [round(draw.gauss(100, 1), 6) for _ in range(n)]
        two = [round(draw.gauss(100 + shift, wide), 6) for _ in range(m)]
        r = stats.ttest_ind(two, one, equal_var=False)
        if r.pvalue > 1e-280:
            numbers = one + two + [float(r.statistic), float(r.df), float(r.pvalue)]
            lines.append(f"{n} {m} " + " ".join(map(repr, numbers)))
    write("welch.txt", lines)


ALL = {"beta": beta, "welch": welch}
for asked in sys.argv[1:] or ALL:
    ALL[asked]()
