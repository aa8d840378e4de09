/* SPDX-License-Identifier: Apache-2.0
 * The source's partitions, numbered 0, 1, … across its topics. The numbering is fixed at start-up,
 * the same in every lane and every worker with the same topics, and is what runs, positions and
 * state use instead of names.
 */
#ifndef PS_HOST_BATCH_PARTITIONS_H
#define PS_HOST_BATCH_PARTITIONS_H

#include <stdint.h>

#include "host/base/limits.h"

typedef struct ps_partitions {
    uint32_t topic_count;
    uint32_t count;       /* of all topics together */
    uint32_t brokers;     /* of the cluster; 0: there is none, or nobody asked */
    uint32_t batch_bytes; /* the largest record batch that a topic takes; 0: unknown */
    char cluster[64];     /* its id; these and `id` only where the plan seals */
    uint32_t servers; /* that hold them between them and may answer at the same moment; 0: one */
    struct {
        char name[256]; /* Kafka allows 249 bytes */
        char id[32];    /* another one once it was deleted and made anew */
        uint32_t first; /* number of its partition 0 */
        uint32_t count;
    } topic[PS_TOPICS_MAX];
} ps_partitions;

/* Which topic and which of its partitions `partition` is. */
static inline uint32_t ps_partitions_topic(const ps_partitions *all, uint32_t partition,
                                           uint32_t *within) {
    uint32_t t = 0;
    while (t + 1 < all->topic_count && all->topic[t + 1].first <= partition) t++;
    *within = partition - all->topic[t].first;
    return t;
}

#endif
