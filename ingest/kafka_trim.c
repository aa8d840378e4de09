/* SPDX-License-Identifier: Apache-2.0
 * Deletes state records that newer ones say again. A sweep round writes every live series of a
 * partition once. When a round begins, the one before is whole, so what lies before the beginning
 * of the round before that is superfluous twice over: the second round is for a partition that came
 * to this lane in the middle of one.
 *
 * Only committed rounds count. Where a round begins is asked of the broker when its beginning is
 * committed, which is late: the next two that are asked about still have a whole round between
 * them. It is asked when PS_KAFKA_TRIM_BYTES were written since the last time, or a minute has
 * passed. So three rounds, or three times these bytes, are what is there at most; a restart adds
 * one, because it begins with a round anew.
 *
 * A worker that dies again and again before its rounds are over would add without end. Therefore a
 * restore says which is the oldest record that its table still needs, and what lies before is
 * deleted at once. The sweep then begins with the series that were told longest ago
 * (host/batch/sweep.h), and the next restore needs less of them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "host/base/log.h"
#include "ingest/kafka_admin.h"
#include "ingest/kafka_state_parts.h"

enum { ASK_MS = 1000 };

/* Whether a round turned; `*oldest`: what a restored table needs, where that was said. */
static bool take_turn(ps_kafka_state *state, uint32_t partition, int64_t *oldest) {
    ps_kafka_stand *stand = &state->stand[partition];
    pthread_mutex_lock(&state->mutex);
    const bool turned = stand->turned;
    *oldest = stand->oldest;
    stand->turned = false;
    stand->oldest = -1;
    pthread_mutex_unlock(&state->mutex);
    return turned;
}

/* Next time, then: a round that is asked about late is still not over. */
static void give_turn_back(ps_kafka_state *state, uint32_t partition) {
    pthread_mutex_lock(&state->mutex);
    state->stand[partition].turned = state->work = true;
    pthread_mutex_unlock(&state->mutex);
}

/* Notes where the round begins. False: no answer. */
static bool turn(ps_kafka_state *state, uint32_t partition) {
    ps_kafka_stand *stand = &state->stand[partition];
    uint32_t within;
    int64_t low, high;
    (void)ps_partitions_topic(state->sink->env->partitions, partition, &within);
    if (rd_kafka_query_watermark_offsets(state->sink->helper, state->sink->state_name,
                                         (int32_t)within, &low, &high,
                                         ASK_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    stand->point[2] = stand->point[1];
    stand->point[1] = stand->point[0];
    stand->point[0] = high;
    return true;
}

static void raise_floor(ps_kafka_stand *stand, int64_t to) {
    if (to > stand->floor) stand->floor = to;
}

/* Up to where nobody needs a partition of the state topic. Source topics share its partitions, each
 * with rounds of its own: the one that is furthest behind decides, and where one of them is not
 * this lane's, nobody here knows. */
static int64_t needless(const ps_kafka_state *state, uint32_t within) {
    const ps_partitions *all = state->sink->env->partitions;
    int64_t least = INT64_MAX;
    for (uint32_t t = 0; t < all->topic_count; t++) {
        if (within >= all->topic[t].count) continue;
        const int64_t floor = state->stand[all->topic[t].first + within].floor;
        if (floor < least) least = floor;
    }
    return least;
}

static bool is_listed(const ps_kafka_offset *before, uint32_t count, uint32_t within) {
    uint32_t at = 0;
    while (at < count && before[at].partition != (int32_t)within) at++;
    return at < count;
}

/* Only a refusal is for good; a broker that is away is asked again: false. */
static bool delete_before(ps_kafka_state *state, const ps_kafka_offset *before, uint32_t count) {
    ps_error error = {""};
    const ps_status status =
        ps_kafka_delete_records(state->sink->helper, before, count, ASK_MS, &error);
    if (status == PS_OK) return true;
    ps_log(status == PS_AGAIN ? PS_LOG_DEBUG : PS_LOG_WARNING, "sink kafka",
           "%s; old state records stay, and a restore reads them all", error.message);
    state->trim_refused = status != PS_AGAIN;
    return state->trim_refused;
}

/* Of the partitions of all topics that share one; NULL: there was no answer, so it is asked again.
 */
static void note_deleted(ps_kafka_state *state, const ps_kafka_offset *before, uint32_t count) {
    const ps_partitions *all = state->sink->env->partitions;
    for (uint32_t p = 0; before != NULL && p < all->count; p++) {
        uint32_t within;
        (void)ps_partitions_topic(all, p, &within);
        for (uint32_t i = 0; i < count; i++)
            if (before[i].partition == (int32_t)within) state->stand[p].deleted = before[i].offset;
    }
    if (before != NULL) return;
    pthread_mutex_lock(&state->mutex);
    state->work = true;
    pthread_mutex_unlock(&state->mutex);
}

bool ps_kafka_trim(ps_kafka_state *state) {
    const uint32_t count = state->sink->env->partitions->count;
    bool answered = true;
    if (state->trim_refused) return true;
    ps_kafka_offset *before = calloc(count + 1, sizeof *before);
    uint32_t wanted = 0;
    for (uint32_t p = 0; before != NULL && p < count && !ps_kafka_state_stopping(state); p++) {
        int64_t oldest;
        const bool turned = take_turn(state, p, &oldest);
        raise_floor(&state->stand[p], oldest);
        if (turned && !turn(state, p)) {
            give_turn_back(state, p);
            answered = false;
            break;
        }
        raise_floor(&state->stand[p], state->stand[p].point[2]);
        uint32_t within;
        (void)ps_partitions_topic(state->sink->env->partitions, p, &within);
        const int64_t point = needless(state, within);
        if (point <= state->stand[p].deleted || is_listed(before, wanted, within)) continue;
        before[wanted].partition = (int32_t)within;
        before[wanted].offset = point;
        (void)snprintf(before[wanted].topic, sizeof before[wanted].topic, "%s",
                       state->sink->state_name);
        wanted++;
    }
    if (wanted > 0 && !ps_kafka_state_stopping(state)) {
        const bool deleted = delete_before(state, before, wanted);
        note_deleted(state, deleted ? before : NULL, wanted);
        answered = deleted && answered;
    }
    free(before);
    return answered;
}
