/* SPDX-License-Identifier: Apache-2.0 */
#include "host/flow/policy.h"

#include "host/batch/series.h"
#include "host/flow/plan.h"

enum { KEY_AND_LAST_BYTES = 24, LOOKS_PER_STEP = 8 };

size_t ps_policy_entry_bytes(const ps_plan *plan) {
    return KEY_AND_LAST_BYTES + plan->plane_count * sizeof(double);
}

/* Dead places cost a look each; the last batch of a round goes past its end. */
size_t ps_policy_idle_steps(const ps_plan *plan) {
    const size_t dead = plan->series_capacity - plan->series_max;
    return dead / LOOKS_PER_STEP + plan->schema.segments_max;
}

uint64_t ps_policy_round_rows(const ps_plan *plan, uint32_t lanes) {
    const uint64_t steps = plan->series_max + lanes * ps_policy_idle_steps(plan);
    return plan->replays ? steps * ps_policy_entry_bytes(plan) / PS_REPLAY_ROW_BYTES + 1 : 0;
}

uint64_t ps_policy_replay_rows(const ps_plan *plan, uint32_t lanes) {
    return 2 * ps_policy_round_rows(plan, lanes);
}
