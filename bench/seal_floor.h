/* SPDX-License-Identifier: Apache-2.0
 * What no way of sealing can do without, each by itself: the hashes of a log's records, and its
 * files. Children for ps_measure_child(); the context is a ps_seal_floor.
 */
#ifndef PS_BENCH_SEAL_FLOOR_H
#define PS_BENCH_SEAL_FLOOR_H

#include <stdint.h>

typedef struct ps_seal_floor {
    uint64_t rows;
    uint32_t logs;
    const char *folder; /* where the files go */
} ps_seal_floor;

/* For each record SHA-256 of a key of 24 bytes, of its entry, and a node of the tree, 4,096 records
 * at a time; the value's hash is another stage's. */
int ps_seal_floor_hashes(void *context);

/* For every 256 records of a log a bundle of entries and a tile of hashes, as files of their own.
 */
int ps_seal_floor_files(void *context);

#endif
