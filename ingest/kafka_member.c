/* SPDX-License-Identifier: Apache-2.0
 * Whether we have been the same member of the group all the while. A group that gives a member up
 * gives its partitions to others, who go on from what is committed. The member hears of it as a
 * loss of all that it held, but not always: where it is frozen while it still has to give one
 * partition back, librdkafka (2.15.1, rd_kafka_cgrp_revoke_all_rejoin_maybe) lets that rebalance
 * end first and joins anew with what it keeps; it is given the same again, which is no change, so
 * that nobody is told. What was read of them before, and where state stood, is old then, and the
 * group would take offsets from the new member. But a new member has a new id (KIP-345 too: a
 * static one that comes back), and none comes back. So offsets are committed only under the id
 * under which it was asked where their partition begins.
 */
#include <stdlib.h>
#include <string.h>

#include "ingest/kafka_source_parts.h"

/* Which membership it is that has this id. */
static uint64_t membership_of(ps_kafka_watch *watch, const char *id) {
    pthread_mutex_lock(&watch->mutex);
    if (strncmp(watch->member, id, sizeof watch->member - 1) != 0) {
        (void)strncpy(watch->member, id, sizeof watch->member - 1);
        watch->membership++;
    }
    const uint64_t now = watch->membership;
    pthread_mutex_unlock(&watch->mutex);
    return now;
}

uint64_t ps_kafka_member_now(ps_kafka_source *source) {
    char *member = source->client == NULL ? NULL : rd_kafka_memberid(source->client);
    const uint64_t now = membership_of(&source->watch, member == NULL ? "" : member);
    if (member != NULL) rd_kafka_mem_free(source->client, member);
    return now;
}

bool ps_kafka_link_unbroken(const ps_lane_env *env, const char *member, const uint32_t *partitions,
                            uint32_t count) {
    ps_kafka_source *source = env->source_self;
    ps_kafka_watch *watch = &source->watch;
    const uint64_t now =
        member != NULL ? membership_of(watch, member) : ps_kafka_member_now(source);
    bool unbroken = true;
    pthread_mutex_lock(&watch->mutex);
    for (uint32_t i = 0; i < count; i++) unbroken &= watch->since[partitions[i]] == now;
    pthread_mutex_unlock(&watch->mutex);
    return unbroken;
}
