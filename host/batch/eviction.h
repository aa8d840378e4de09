/* SPDX-License-Identifier: Apache-2.0
 * Which series of a full partition goes: exactly the one whose newest row is the oldest, without
 * keeping a list in that order. A queue holds the oldest sixteenth as of its last building; a
 * candidate that was touched since is skipped, and since all others were newer at the building, the
 * first untouched one is the oldest of all. Building is one pass over the table, so an eviction
 * costs sixteen looks on average and a touch costs nothing.
 */
#ifndef PS_HOST_BATCH_EVICTION_H
#define PS_HOST_BATCH_EVICTION_H

#include <stdint.h>

typedef struct ps_series_entry {
    uint64_t key[2];
    int64_t last; /* source offset of its newest row: unique within its partition */
    uint32_t partition;
    uint32_t batch; /* the batch that touched it last, by number */
    uint32_t local; /* its segment there; before the first: where its restored record lies */
    uint32_t live;
} ps_series_entry;

typedef struct ps_eviction_candidate {
    int64_t last;
    uint32_t id, reserved;
} ps_eviction_candidate;

/* Keeps the `max` oldest in a heap whose top is the newest of them; then they can be sorted. */
void ps_eviction_keep(ps_eviction_candidate *heap, uint32_t *count, uint32_t max,
                      ps_eviction_candidate one);
void ps_eviction_sort(ps_eviction_candidate *heap, uint32_t count);

typedef struct ps_eviction_queue {
    ps_eviction_candidate *candidate; /* ascending by `last` */
    uint32_t at, count;
} ps_eviction_queue;

typedef struct ps_eviction_scope {
    const ps_series_entry *entry;
    uint32_t entry_count;
    uint32_t partition;
    uint32_t quota;
} ps_eviction_scope;

/* Candidates that a queue needs for a share of `quota` series. */
static inline uint32_t ps_eviction_queue_max(uint32_t quota) {
    return quota / 16 + 1;
}

/* The id to evict; the partition has at least one live series. */
uint32_t ps_eviction_next(ps_eviction_queue *queue, const ps_eviction_scope *scope);

/* A series got this `last` out of order, as a restore gives them: it may belong among the oldest.
 */
void ps_eviction_note(ps_eviction_queue *queue, uint32_t id, int64_t last, uint32_t quota);

/* Forgets the candidates: the partition's series were replaced. */
void ps_eviction_reset(ps_eviction_queue *queue);

#endif
