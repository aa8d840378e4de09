/* SPDX-License-Identifier: Apache-2.0
 * What commands and the sink ask of a cluster beyond data: topics, a group's offsets, records to
 * forget. Every call blocks, up to its time limit; none belongs on a lane.
 */
#ifndef PS_INGEST_KAFKA_ADMIN_H
#define PS_INGEST_KAFKA_ADMIN_H

#include "ingest/kafka_client.h"

enum { PS_KAFKA_ADMIN_MS = 30000 };

typedef struct ps_kafka_offset {
    char topic[256];
    int32_t partition;
    int64_t offset; /* PS_OFFSET_NONE: none */
} ps_kafka_offset;

/* How many brokers the cluster has. AGAIN: no answer within `timeout_ms`. */
ps_status ps_kafka_brokers_count(rd_kafka_t *client, int timeout_ms, uint32_t *count) PS_MUST_USE;

/* Makes a topic of our own, whose records are kept until we delete them; one that is there already
 * is fine. `replication` -1: the cluster's default. */
ps_status ps_kafka_topic_create(rd_kafka_t *client, const char *topic, uint32_t partitions,
                                int replication, ps_error *error) PS_MUST_USE;

/* Gives a topic so many partitions, of which it has fewer. */
ps_status ps_kafka_topic_widen(rd_kafka_t *client, const char *topic, uint32_t partitions,
                               ps_error *error) PS_MUST_USE;

/* AGAIN while the group has members: moving offsets under them would be undone or fenced. A worker
 * that has stopped stays one until its session ends. */
ps_status ps_kafka_group_empty(rd_kafka_t *client, const char *group, ps_error *error) PS_MUST_USE;

/* Sets `owned` of each partition that a member of the group owns; `*at_rest`: and that is what it
 * settled on. AGAIN: no answer within `timeout_ms`. */
ps_status ps_kafka_group_owned(rd_kafka_t *client, const char *group, const ps_partitions *all,
                               uint8_t *owned, bool *at_rest, int timeout_ms) PS_MUST_USE;

/* Reads what `group` has committed for each of `offsets`. */
ps_status ps_kafka_group_offsets(rd_kafka_t *client, const char *group, ps_kafka_offset *offsets,
                                 uint32_t count, ps_error *error) PS_MUST_USE;

/* First and last + 1 offset of a partition. */
ps_status ps_kafka_watermarks(rd_kafka_t *client, const char *topic, int32_t partition,
                              int64_t *low, int64_t *high, ps_error *error) PS_MUST_USE;

/* Last + 1 offset of a partition, open transactions included: what watermarks say to a client that
 * reads what is committed ends before those. AGAIN: no answer within `timeout_ms`. */
ps_status ps_kafka_true_end(rd_kafka_t *client, const char *topic, int32_t partition,
                            int timeout_ms, int64_t *end, ps_error *error) PS_MUST_USE;

/* A topic's id, which is another one when it was deleted and made anew, as Kafka's own tools print
 * it. AGAIN: no answer within `timeout_ms`. UNSUPPORTED: brokers or library have none. */
ps_status ps_kafka_topic_id(rd_kafka_t *client, const char *topic, int timeout_ms, char *id,
                            size_t id_bytes, ps_error *error) PS_MUST_USE;

/* A topic's largest record batch (max.message.bytes), and whether it is compacted. */
typedef struct ps_kafka_limit {
    const char *topic;
    uint32_t bytes_max;          /* 0: unknown */
    bool has_cleanup, compacts;  /* cleanup.policy was told, and has `compact` in it */
    rd_kafka_resp_err_t refused; /* why, where a broker would not tell */
} ps_kafka_limit;

/* Sets these as far as this user may ask and a broker answers within `timeout_ms`. */
void ps_kafka_limits(rd_kafka_t *client, ps_kafka_limit *limits, uint32_t count, int timeout_ms);

/* Deletes all records of each partition below its offset. AGAIN: no answer within `timeout_ms`, or
 * one that asking later may mend. */
ps_status ps_kafka_delete_records(rd_kafka_t *client, const ps_kafka_offset *before, uint32_t count,
                                  int timeout_ms, ps_error *error) PS_MUST_USE;

#endif
