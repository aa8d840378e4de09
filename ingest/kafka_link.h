/* SPDX-License-Identifier: Apache-2.0
 * What the Kafka sink needs of a Kafka source in the same lane: its connection, and the consumer
 * whose offsets it commits.
 */
#ifndef PS_INGEST_KAFKA_LINK_H
#define PS_INGEST_KAFKA_LINK_H

#include "ingest/kafka_client.h"

extern const ps_source ps_source_kafka;
extern const ps_sink ps_sink_kafka;

typedef struct ps_kafka_link {
    rd_kafka_t *consumer; /* NULL: the source is not Kafka */
    const ps_kafka_source_config *config;
    const char *group;
} ps_kafka_link;

/* Threads: any, after the source was opened. */
ps_kafka_link ps_kafka_link_of(const ps_lane_env *env);

#endif
