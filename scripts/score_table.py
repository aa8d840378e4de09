#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes kernels/score_table.h: scripts/score_table.py > kernels/score_table.h (wants mpmath).

Each row interpolates -log10(erfc(z / sqrt 2)) at the Chebyshev nodes of its quarter, in 40 digits. The first row
interpolates the quotient by u instead, so that the score of 0 is exactly 0 and small scores keep their digits.
"""
import mpmath as mp

mp.mp.dps = 40
ROWS, WIDTH, COEFFICIENTS = 32, mp.mpf(1) / 4, 8


def score(z):
    return -mp.log10(mp.erfc(z / mp.sqrt(2)))


def row(k):
    count = COEFFICIENTS - 1 if k == 0 else COEFFICIENTS
    nodes = [(1 + mp.cos(mp.pi * (2 * i + 1) / (2 * count))) / 2 for i in range(count)]
    values = [score((k + u) * WIDTH) / (u if k == 0 else 1) for u in nodes]
    powers = mp.matrix([[u**j for j in range(count)] for u in nodes])
    found = [float(c) for c in mp.lu_solve(powers, mp.matrix(values))]
    return ([0.0] if k == 0 else []) + found


print("""/* SPDX-License-Identifier: Apache-2.0
 * Made by scripts/score_table.py: row k holds a polynomial in u = 4 z - k that gives
 * -log10(erfc(z / sqrt 2)) for k / 4 <= z < (k + 1) / 4, lowest power first; its own error is below
 * 4e-15. The first row starts with an exact 0.
 */
#ifndef PS_KERNELS_SCORE_TABLE_H
#define PS_KERNELS_SCORE_TABLE_H

#include "kernels/dialect.h"

/* clang-format off */
PS_TABLE double ps_score_table[32][8] = {""")
for k in range(ROWS):
    found = [repr(c) for c in row(k)]
    print("    {" + ",\n     ".join(", ".join(found[i : i + 3]) for i in (0, 3, 6)) + "},")
print("};\n/* clang-format on */\n\n#endif")
