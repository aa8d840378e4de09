/* SPDX-License-Identifier: Apache-2.0
 * Made by scripts/half_space_table.py: which coordinate each node of a tree halves, and
 * the range that a tree halves, which is wider than 0 to 1 by up to a half on either side, so that
 * no two trees cut at the same places.
 */
#ifndef PS_KERNELS_HALF_SPACE_TABLE_H
#define PS_KERNELS_HALF_SPACE_TABLE_H

#include "kernels/dialect.h"

/* clang-format off */
/* Bit i: the coordinate of node i; the root is node 1, below node i are 2 i and 2 i + 1. */
PS_TABLE ps_u32 ps_half_space_nodes[8] = {
    0x9b213776u, 0x6d06e4feu, 0xc78fc6aau, 0x27f0e2f6u,
    0x532ad600u, 0xfe244fc0u, 0x1a7132d6u, 0x7dc98f4eu};
/* Per coordinate: how far below 0 the range begins, and 2^16 over its length. */
PS_TABLE double ps_half_space_ranges[8][2][2] = {
    {{0.44165539741516113, 39541.84905822076}, {0.28328076004981995, 44381.09503112981}},
    {{0.3092522919178009, 40990.669614782375}, {0.34118133783340454, 37980.06918157927}},
    {{0.1833612322807312, 50838.88369978133}, {0.25101056694984436, 51836.997622288705}},
    {{0.33356285095214844, 40566.5482953578}, {0.3164730370044708, 38948.13405965374}},
    {{0.458827942609787, 34217.5872827815}, {0.08604475855827332, 44400.36737739414}},
    {{0.10667937994003296, 41025.604940811165}, {0.034290432929992676, 43158.45959473752}},
    {{0.007889747619628906, 43819.39378337109}, {0.05525657534599304, 45303.38651598001}},
    {{0.30682843923568726, 39192.743804038495}, {0.10551035404205322, 53132.704098450115}}};
/* clang-format on */

#endif
