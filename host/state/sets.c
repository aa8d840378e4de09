/* SPDX-License-Identifier: Apache-2.0 */
#include "host/state/sets.h"

#include <stdlib.h>

void ps_state_sets_begin(ps_state_sets *sets) {
    sets->open = sets->skipping = sets->again = false;
}

static uint32_t find(const ps_state_sets *sets, int64_t place) {
    uint32_t at = 0;
    while (at < sets->torn_count && sets->torn[at] != place) at++;
    return at;
}

/* The record at hand ends here, without its last chunk. */
static void tear(ps_state_sets *sets) {
    if (!sets->open) return;
    sets->open = false;
    if (sets->skipping) return; /* as is known */
    sets->again = true;
    int64_t *larger = realloc(sets->torn, (sets->torn_count + 1) * sizeof *larger);
    if (larger == NULL) {
        sets->failed = true;
        return;
    }
    sets->torn = larger;
    sets->torn[sets->torn_count++] = sets->first;
}

/* One that was read while it was still being written is not torn. */
static void mend(ps_state_sets *sets) {
    sets->torn[find(sets, sets->first)] = sets->torn[sets->torn_count - 1];
    sets->torn_count--;
    sets->again = true;
}

bool ps_state_sets_take(ps_state_sets *sets, const ps_state_header *header, int64_t place,
                        bool *whole) {
    *whole = false;
    if (header->chunk == 0) {
        tear(sets);
        sets->first = place;
        sets->watermark = header->watermark;
        sets->chunks = header->chunks;
        sets->expected = 0;
        sets->open = true;
        sets->skipping = find(sets, place) < sets->torn_count;
    } else if (!sets->open || header->chunk != sets->expected || header->chunks != sets->chunks ||
               header->watermark != sets->watermark) {
        tear(sets);
        return false; /* its beginning was deleted, or is not there */
    }
    sets->expected++;
    const bool complete = sets->expected == sets->chunks;
    if (complete) sets->open = false;
    if (complete && sets->skipping) mend(sets);
    *whole = complete && !sets->skipping && !sets->again;
    return !sets->skipping && !sets->again;
}

ps_status ps_state_sets_end(ps_state_sets *sets) {
    tear(sets);
    if (sets->failed) return PS_NO_MEMORY;
    return sets->again ? PS_AGAIN : PS_OK;
}

void ps_state_sets_deinit(ps_state_sets *sets) {
    free(sets->torn);
}
