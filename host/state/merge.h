/* SPDX-License-Identifier: Apache-2.0
 * What several batches did to the state, as one: the newest image of every series that they touched
 * or swept. A sink that writes state more rarely than rows keeps it here meanwhile, and the batches
 * themselves are free.
 *
 * One record of it brings a restore to the state that the records of the batches, one after the
 * other, would have brought it to. Only for policy delta: what policy replay writes of a series
 * stands at the watermark of one batch.
 */
#ifndef PS_HOST_STATE_MERGE_H
#define PS_HOST_STATE_MERGE_H

#include "host/state/record.h"

typedef struct ps_state_merge ps_state_merge;

/* An empty one takes any batch of the plan. */
size_t ps_state_merge_bytes(const ps_plan *plan);

/* Owns: nothing; it lives in `memory`. */
ps_state_merge *ps_state_merge_open(void *memory, const ps_plan *plan);

/* False: it does not fit, write first what is there. The batch's kernels have finished. */
bool ps_state_merge_add(ps_state_merge *merge, const ps_batch *batch) PS_MUST_USE;

/* Borrowed until the next call. */
const ps_state_delta *ps_state_merge_delta(const ps_state_merge *merge);

void ps_state_merge_clear(ps_state_merge *merge);

#endif
