/* SPDX-License-Identifier: Apache-2.0
 * What a sink gives back of the state that it kept: entries, in the order written and a few at a
 * time, since a table that is larger than the caches is asked for all of them before it is looked
 * at for the first.
 */
#ifndef PS_HOST_FLOW_RESTORED_H
#define PS_HOST_FLOW_RESTORED_H

#include <stdint.h>

enum { PS_STATE_TOGETHER = 32 };

typedef enum ps_state_kind {
    PS_STATE_PLANES, /* all that is known of a series */
    PS_STATE_GONE,   /* it was evicted */
    /* Policy replay only: */
    PS_STATE_BORN, /* it began at row `mark` */
    PS_STATE_MOVED /* it had rows; says nothing of a series that was not named before */
} ps_state_kind;

typedef struct ps_state_entry {
    uint64_t key[2];
    int64_t last;
    ps_state_kind kind;
    const double *planes; /* of PS_STATE_PLANES: all states of the plan, one after the other */
    int64_t mark;         /* the series' rows from this offset on are not in them */
    uint32_t place;       /* of its record among those that are read: grows from one to the next */
    int64_t round;        /* the sweep round of its record */
} ps_state_entry;

/* `count`: 1 to PS_STATE_TOGETHER. */
typedef void ps_state_apply(void *context, uint32_t partition, const ps_state_entry *entries,
                            uint32_t count);

#endif
