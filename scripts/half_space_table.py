#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints kernels/half_space_table.h: the trees of kernel half_space_trees, from a seed that never changes."""

TREES, NODES, BITS = 8, 31, 16
HEAD = """/* SPDX-License-Identifier: Apache-2.0
 * Made by scripts/half_space_table.py: which coordinate each node of a tree halves, and
 * the range that a tree halves, which is wider than 0 to 1 by up to a half on either side, so that
 * no two trees cut at the same places.
 */
#ifndef PS_KERNELS_HALF_SPACE_TABLE_H
#define PS_KERNELS_HALF_SPACE_TABLE_H

#include "kernels/dialect.h"

"""


def mix(z):
    """splitmix64: S. Vigna's, public domain."""
    mask = (1 << 64) - 1
    z = (z + 0x9e3779b97f4a7c15) & mask
    z = ((z ^ z >> 30) * 0xbf58476d1ce4e5b9) & mask
    z = ((z ^ z >> 27) * 0x94d049bb133111eb) & mask
    return z ^ z >> 31


def wider(number):
    return (mix(number) >> 40) * 2.0 ** -25


def main():
    out = HEAD + "/* clang-format off */\n/* Bit i: the coordinate of node i; the root is node 1, below node i are 2 i and 2 i + 1. */\n"
    masks = [sum((mix(1000 + tree * 512 + node) >> 33 & 1) << node for node in range(1, NODES + 1)) for tree in range(TREES)]
    out += "PS_TABLE ps_u32 ps_half_space_nodes[%d] = {\n    " % TREES
    out += ",\n    ".join(", ".join("0x%08xu" % m for m in masks[i:i + 4]) for i in range(0, TREES, 4)) + "};\n"
    out += "/* Per coordinate: how far below 0 the range begins, and 2^%d over its length. */\n" % BITS
    out += "PS_TABLE double ps_half_space_ranges[%d][2][2] = {\n    " % TREES
    rows = []
    for tree in range(TREES):
        cells = []
        for k in range(2):
            below, above = wider(tree * 8 + k), wider(tree * 8 + k + 4)
            cells.append("{%r, %r}" % (below, 2.0 ** BITS / (1.0 + below + above)))
        rows.append("{" + ", ".join(cells) + "}")
    print(out + ",\n    ".join(rows) + "};\n/* clang-format on */\n\n#endif")


main()
