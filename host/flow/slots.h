/* SPDX-License-Identifier: Apache-2.0
 * Lane slots: workers of one pipeline on one host take the lowest free numbers, held by locked
 * files. A worker that is started again finds the numbers of the one that died free, and with them
 * its transactional and membership ids.
 */
#ifndef PS_HOST_FLOW_SLOTS_H
#define PS_HOST_FLOW_SLOTS_H

#include <stdint.h>

#include "host/base/limits.h"
#include "host/base/status.h"

typedef struct ps_slots {
    uint32_t count;
    uint32_t number[PS_LANES_MAX];
    int fd[PS_LANES_MAX]; /* the lock lives as long as the descriptor, so even kill -9 frees it */
} ps_slots;

/* Files `<directory>/<pipeline>-<instance>-<number>.lock`, in $XDG_RUNTIME_DIR/penstock or
 * /tmp/penstock-<uid>. */
ps_status ps_slots_take(ps_slots *slots, const char *pipeline, const char *instance, uint32_t count,
                        ps_error *error) PS_MUST_USE;
void ps_slots_release(ps_slots *slots);

#endif
