/* SPDX-License-Identifier: Apache-2.0
 * Deletes state records that newer ones say again. A sweep round writes every live series of a
 * partition once. When a round begins, the one before is whole, so what lies before the beginning
 * of the round before that is superfluous twice over: the second round is for a partition that came
 * to this lane in the middle of one.
 *
 * Where a round begins is asked of the broker when we hear of it, which may be a little late: never
 * later than the round's end, and that is all that matters.
 */
#include <stdio.h>
#include <stdlib.h>

#include "host/base/log.h"
#include "ingest/kafka_admin.h"
#include "ingest/kafka_state_parts.h"

static bool take_turn(ps_kafka_state *state, uint32_t partition) {
    pthread_mutex_lock(&state->mutex);
    const bool turned = state->stand[partition].turned;
    state->stand[partition].turned = false;
    pthread_mutex_unlock(&state->mutex);
    return turned;
}

/* Notes where the round begins; true when there is something to delete. */
static bool turn(ps_kafka_state *state, uint32_t partition, ps_kafka_offset *before) {
    ps_kafka_stand *stand = &state->stand[partition];
    uint32_t within;
    int64_t low, high;
    (void)ps_partitions_topic(state->sink->env->partitions, partition, &within);
    if (rd_kafka_query_watermark_offsets(state->sink->helper, state->sink->state_name,
                                         (int32_t)within, &low, &high,
                                         1000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    stand->point[2] = stand->point[1];
    stand->point[1] = stand->point[0];
    stand->point[0] = high;
    before->partition = (int32_t)within;
    before->offset = stand->point[2];
    return stand->point[2] > low;
}

void ps_kafka_trim(ps_kafka_state *state) {
    const uint32_t count = state->sink->env->partitions->count;
    /* Source topics that share a partition of the state topic would delete each other's records. */
    if (state->trim_refused || state->sink->env->partitions->topic_count > 1) return;
    ps_kafka_offset *before = calloc(count + 1, sizeof *before);
    uint32_t wanted = 0;
    for (uint32_t p = 0; before != NULL && p < count; p++) {
        if (!take_turn(state, p)) continue;
        if (!turn(state, p, &before[wanted])) continue;
        (void)snprintf(before[wanted].topic, sizeof before[wanted].topic, "%s",
                       state->sink->state_name);
        wanted++;
    }
    ps_error error;
    if (wanted > 0 &&
        ps_kafka_delete_records(state->sink->helper, before, wanted, &error) != PS_OK) {
        ps_log(PS_LOG_WARNING, "sink kafka",
               "%s; old state records stay, and a restore reads them all", error.message);
        state->trim_refused = true;
    }
    free(before);
}
