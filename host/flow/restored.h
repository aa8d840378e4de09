/* SPDX-License-Identifier: Apache-2.0
 * What a sink gives back of the state that it kept: entries, in the order written and a few at a
 * time, since a table that is larger than the caches is asked for all of them before it is looked
 * at for the first.
 */
#ifndef PS_HOST_FLOW_RESTORED_H
#define PS_HOST_FLOW_RESTORED_H

#include <stdint.h>

enum { PS_STATE_TOGETHER = 32 };

typedef struct ps_state_entry {
    uint64_t key[2];
    int64_t last;
    const double *planes; /* all states of the plan, one after the other; NULL: an eviction */
    uint32_t place;       /* of its record among those that are read: grows from one to the next */
} ps_state_entry;

/* `count`: 1 to PS_STATE_TOGETHER. */
typedef void ps_state_apply(void *context, uint32_t partition, const ps_state_entry *entries,
                            uint32_t count);

#endif
