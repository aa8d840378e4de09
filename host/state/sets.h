/* SPDX-License-Identifier: Apache-2.0
 * Which chunks of a state topic's partition may be applied: those of whole records. A writer
 * without transactions that dies between two chunks of a record leaves the first ones behind, and
 * whoever comes next writes that time anew from where the last whole record stands; what a torn
 * record holds would count twice.
 *
 * Nothing is kept back while reading, since a torn record is rare and may be large: the one that
 * turns out to be torn has been applied, so its place is noted, all is read again, and it is passed
 * over.
 */
#ifndef PS_HOST_STATE_SETS_H
#define PS_HOST_STATE_SETS_H

#include "host/state/record.h"

typedef struct ps_state_sets {
    int64_t *torn; /* places of the first chunks of torn records */
    uint32_t torn_count;
    int64_t first; /* of the record at hand */
    int64_t watermark;
    uint32_t expected, chunks;
    bool open;     /* its last chunk is still to come */
    bool skipping; /* it is known to be torn */
    bool again;    /* this reading cannot count */
    bool failed;   /* no memory */
} ps_state_sets;

/* A reading begins. Zeroed memory is where the first one begins. */
void ps_state_sets_begin(ps_state_sets *sets);

/* The next chunk, and its place in the partition. Whether it may be applied; `*whole`: and with it
 * its record is complete. */
bool ps_state_sets_take(ps_state_sets *sets, const ps_state_header *header, int64_t place,
                        bool *whole);

/* The reading is over. AGAIN: it does not count, begin anew. */
ps_status ps_state_sets_end(ps_state_sets *sets) PS_MUST_USE;

void ps_state_sets_deinit(ps_state_sets *sets);

#endif
