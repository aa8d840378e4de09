/* SPDX-License-Identifier: Apache-2.0
 * What becomes of a lane's partitions while it runs.
 */
#ifndef PS_HOST_FLOW_EVENT_H
#define PS_HOST_FLOW_EVENT_H

#include <stdint.h>

/* Membership changes, as the lane meets them. The same event is told until it is answered. */
typedef enum ps_event_kind {
    PS_EVENT_NONE,
    PS_EVENT_ASSIGNED, /* answer after `start` was called for each of them */
    PS_EVENT_REVOKED,  /* answer after all that is in flight is committed */
    PS_EVENT_LOST      /* somebody else may have them: drop what is in flight, then answer */
} ps_event_kind;

typedef struct ps_event {
    ps_event_kind kind;
    uint32_t count;
    const uint32_t *partitions;
} ps_event;

#define PS_OFFSET_NONE INT64_MIN /* nothing is committed: start where the configuration says */

#endif
