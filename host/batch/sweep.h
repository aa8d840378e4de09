/* SPDX-License-Identifier: Apache-2.0
 * Which series the sweep tells next. A round tells every live series once: by their index, but
 * after a restore in the order in which the kept records told them. So lives that are shorter than
 * a round share one, each goes on where the one before ended.
 *
 * Within a round of a partition the records' order says which series was told first; otherwise the
 * rounds' numbers do, so they are counted on from one life to the next, and past those that a
 * partition brings from another lane. A queue holds the oldest sixteenth of what is left: filling
 * it is one pass over the table, so a step of that round costs sixteen looks, of any other one.
 */
#ifndef PS_HOST_BATCH_SWEEP_H
#define PS_HOST_BATCH_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/batch/eviction.h"

typedef struct ps_sweep {
    int64_t round;
    uint32_t at;      /* the next index */
    bool begun;       /* a batch has been swept: the number of the round stands */
    bool by_age;      /* this round goes on by age, not by index */
    int64_t restored; /* entries that were restored */
    int64_t seen;     /* the newest round of one */
    int64_t *told;    /* [capacity] above 0: restored, in this order; else -1 - its last round */
    ps_eviction_candidate *oldest; /* of what this round has not told, ascending */
    uint32_t oldest_at, oldest_count, oldest_max;
} ps_sweep;

typedef struct ps_sweep_scope {
    const ps_series_entry *entry;
    uint32_t entry_count;
    const uint8_t *held; /* partitions that are not swept now */
} ps_sweep_scope;

size_t ps_sweep_bytes(uint32_t capacity);
void ps_sweep_open(ps_sweep *sweep, uint8_t **memory, uint32_t capacity);

/* Its first row does: the batch brings its state. */
void ps_sweep_born(ps_sweep *sweep, uint32_t id);

/* A kept record of this round has told the series whole, or that it began. */
void ps_sweep_restored(ps_sweep *sweep, uint32_t id, int64_t round);

/* A restored partition may be swept from now on. */
void ps_sweep_wake(ps_sweep *sweep);

/* The next series; PS_NOWHERE: none in this batch. `*looks`: at dead and held ones, until it is 0.
 */
uint32_t ps_sweep_next(ps_sweep *sweep, const ps_sweep_scope *scope, uint32_t *looks);

/* Begins a round where one has ended. */
void ps_sweep_turn(ps_sweep *sweep, const ps_sweep_scope *scope);

#endif
