/* SPDX-License-Identifier: Apache-2.0
 * Heavy state comes back by reading rows again: the kept slices say each series as of some row, and
 * the rows since then go through the same calls, which give the same bits. They ride in ordinary
 * batches beside rows of other partitions, and leave them before anybody counts or writes: a run
 * has its rows that were out before in front, and a position that they reach is no news.
 */
#include <inttypes.h>
#include <string.h>

#include "host/base/log.h"
#include "host/flow/lane_parts.h"

int64_t ps_lane_replay_from(ps_lane *lane, uint32_t partition, int64_t next) {
    if (!lane->plan->replays || lane->series == NULL || next == PS_OFFSET_NONE) return next;
    const int64_t from = ps_series_replay(lane->series, partition, next);
    if (from == next) return next;
    lane->owned[partition].replay_to = next;
    lane->replaying++;
    ps_count(&lane->metrics->replays, 1);
    uint32_t within;
    const uint32_t topic = ps_partitions_topic(lane->config.env.partitions, partition, &within);
    ps_log(PS_LOG_INFO, "lane",
           "lane %" PRIu32 " reads %s/%" PRIu32 " again from offset %" PRId64 " to %" PRId64
           ": its state is rebuilt from these records",
           lane->config.env.lane, lane->config.env.partitions->topic[topic].name, within, from,
           next);
    return from;
}

void ps_lane_replay_stop(ps_lane *lane, uint32_t partition) {
    lane->replaying -= lane->owned[partition].replay_to != 0;
    lane->owned[partition].replay_to = 0;
}

void ps_lane_replay_positions(ps_lane *lane, ps_batch *batch) {
    uint32_t kept = 0;
    if (lane->replaying == 0) return;
    for (uint32_t i = 0; i < batch->position_count; i++) {
        const ps_position position = batch->positions[i];
        const int64_t to = lane->owned[position.partition].replay_to;
        if (to == 0 || position.next > to) batch->positions[kept++] = position;
        if (to == 0 || position.next < to) continue;
        ps_lane_replay_stop(lane, position.partition);
        ps_series_hold(lane->series, position.partition, false);
    }
    batch->position_count = kept;
}

void ps_lane_replay_rows(ps_lane *lane, ps_batch *batch) {
    const int64_t *offset = ps_batch_system(batch, PS_COLUMN_OFFSET);
    uint32_t kept = 0;
    if (!lane->plan->replays) return;
    for (uint32_t r = 0; r < batch->run_count; r++) {
        ps_run run = batch->runs[r];
        const int64_t next = lane->owned[run.partition].next;
        const uint32_t rows = run.rows;
        while (run.rows > 0 && offset[run.first_row] < next) {
            ps_batch_before(batch, run.first_row++);
            run.rows--;
        }
        ps_count(&lane->metrics->rows_replayed, rows - run.rows);
        if (run.rows == 0) continue;
        run.first_offset = offset[run.first_row];
        batch->runs[kept++] = run;
    }
    batch->run_count = kept;
}
