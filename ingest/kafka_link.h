/* SPDX-License-Identifier: Apache-2.0
 * What the Kafka sink needs of a Kafka source in the same lane: its connection, and the consumer
 * whose offsets it commits.
 */
#ifndef PS_INGEST_KAFKA_LINK_H
#define PS_INGEST_KAFKA_LINK_H

#include "ingest/kafka_client.h"

extern const ps_source ps_source_kafka;
extern const ps_sink ps_sink_kafka;

/* Their `foreign`. */
const char *ps_kafka_source_foreign(const void *config);
const char *ps_kafka_sink_foreign(const void *config);

/* kafka_identify.c: the source's `identify`. */
ps_status ps_kafka_identify(const void *config, ps_partitions *all, ps_error *error);

typedef struct ps_kafka_link {
    const ps_kafka_source_config *config; /* NULL: the source is not Kafka */
    const char *group;
} ps_kafka_link;

ps_kafka_link ps_kafka_link_of(const ps_lane_env *env);

/* The consumer as it is now: the source replaces one that has become fatal, but only while nothing
 * of its lane is in flight. Threads: the lane's, or a committer's while it commits. */
rd_kafka_t *ps_kafka_link_consumer(const ps_lane_env *env);

/* Whether we, the `member` that the group's metadata names (NULL: ask), are still the one that
 * asked where these partitions begin; if not, others may have moved them on. Threads: a
 * committer's, after it took the metadata. */
bool ps_kafka_link_unbroken(const ps_lane_env *env, const char *member, const uint32_t *partitions,
                            uint32_t count);

/* How answers to asynchronous commits (rd_kafka_commit) come back, on the lane's thread. */
typedef void ps_kafka_answer(void *opaque, rd_kafka_resp_err_t err,
                             const rd_kafka_topic_partition_list_t *list);
void ps_kafka_link_answers(const ps_lane_env *env, ps_kafka_answer *answer, void *opaque);

#endif
