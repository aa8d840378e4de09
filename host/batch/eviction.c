/* SPDX-License-Identifier: Apache-2.0 */
#include "host/batch/eviction.h"

#include <stdbool.h>
#include <string.h>

#include "host/base/check.h"

static void swap(ps_eviction_candidate *a, ps_eviction_candidate *b) {
    const ps_eviction_candidate t = *a;
    *a = *b;
    *b = t;
}

/* Restores a max-heap below `at`. */
static void sift_down(ps_eviction_candidate *heap, uint32_t count, uint32_t at) {
    for (;;) {
        const uint32_t left = 2 * at + 1;
        if (left >= count) return;
        uint32_t child = left;
        if (left + 1 < count && heap[left + 1].last > heap[left].last) child = left + 1;
        if (heap[child].last <= heap[at].last) return;
        swap(&heap[at], &heap[child]);
        at = child;
    }
}

static void sift_up(ps_eviction_candidate *heap, uint32_t at) {
    while (at > 0 && heap[(at - 1) / 2].last < heap[at].last) {
        swap(&heap[at], &heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

void ps_eviction_keep(ps_eviction_candidate *heap, uint32_t *count, uint32_t max,
                      ps_eviction_candidate one) {
    if (*count < max) {
        heap[*count] = one;
        sift_up(heap, (*count)++);
    } else if (one.last < heap[0].last) {
        heap[0] = one;
        sift_down(heap, max, 0);
    }
}

void ps_eviction_sort(ps_eviction_candidate *heap, uint32_t count) {
    for (uint32_t end = count; end > 1; end--) {
        swap(&heap[0], &heap[end - 1]);
        sift_down(heap, end - 1, 0);
    }
}

static void build(ps_eviction_queue *queue, const ps_eviction_scope *scope) {
    const uint32_t max = ps_eviction_queue_max(scope->quota);
    queue->at = queue->count = 0;
    for (uint32_t id = 0; id < scope->entry_count; id++) {
        const ps_series_entry *entry = &scope->entry[id];
        if (entry->live == 0 || entry->partition != scope->partition) continue;
        ps_eviction_keep(queue->candidate, &queue->count, max,
                         (ps_eviction_candidate){entry->last, id, 0});
    }
    ps_eviction_sort(queue->candidate, queue->count);
}

static bool untouched(const ps_eviction_candidate *candidate, const ps_eviction_scope *scope) {
    const ps_series_entry *entry = &scope->entry[candidate->id];
    return entry->live != 0 && entry->partition == scope->partition &&
           entry->last == candidate->last;
}

uint32_t ps_eviction_next(ps_eviction_queue *queue, const ps_eviction_scope *scope) {
    for (int round = 0; round < 2; round++) {
        while (queue->at < queue->count) {
            const ps_eviction_candidate *candidate = &queue->candidate[queue->at++];
            if (untouched(candidate, scope)) return candidate->id;
        }
        build(queue, scope);
    }
    PS_CHECK(queue->count > 0);
    return queue->candidate[queue->at++].id;
}

void ps_eviction_note(ps_eviction_queue *queue, uint32_t id, int64_t last, uint32_t quota) {
    if (queue->at == queue->count || last >= queue->candidate[queue->count - 1].last) return;
    uint32_t low = queue->at, high = queue->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (queue->candidate[middle].last < last)
            low = middle + 1;
        else
            high = middle;
    }
    if (queue->candidate[low].last == last) return; /* said before */
    /* Without room the newest candidate goes: all others are newer still. */
    if (queue->count < ps_eviction_queue_max(quota)) queue->count++;
    memmove(&queue->candidate[low + 1], &queue->candidate[low],
            (queue->count - 1 - low) * sizeof queue->candidate[0]);
    queue->candidate[low] = (ps_eviction_candidate){last, id, 0};
}

void ps_eviction_reset(ps_eviction_queue *queue) {
    queue->at = queue->count = 0;
}
