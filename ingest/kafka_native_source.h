/* SPDX-License-Identifier: Apache-2.0
 * Records of a Kafka source by ingest/wire, where its `native` is set; part of
 * kafka_source_parts.h. Threads: the lane's.
 */
#ifndef PS_INGEST_KAFKA_NATIVE_SOURCE_H
#define PS_INGEST_KAFKA_NATIVE_SOURCE_H

#include "ingest/kafka_source_parts.h"

ps_status ps_kafka_native_open(ps_kafka_source *source, ps_error *error) PS_MUST_USE;
/* Whether its memory is within what the ceiling counts. */
ps_status ps_kafka_native_source_suits(const void *config, const ps_lane_env *env,
                                       ps_error *error) PS_MUST_USE;
void ps_kafka_native_close(ps_kafka_source *source);
size_t ps_kafka_native_source_bytes(const ps_kafka_source_config *config, const ps_lane_env *env);
/* Serves the sockets: at every step of the lane, or it would not sleep. */
void ps_kafka_native_step(ps_kafka_source *source);
/* OK: the batch is full. AGAIN: nothing more is there now. */
ps_status ps_kafka_native_fill(ps_kafka_source *source, ps_batch *batch) PS_MUST_USE;
/* The broker gathers for as long as the lane lingers: what is there may go on. */
bool ps_kafka_native_gathers(const ps_kafka_source *source);
int64_t ps_kafka_native_deadline(const ps_kafka_source *source, int64_t due_ns);
/* From the partition's place on. */
void ps_kafka_native_read(ps_kafka_source *source, uint32_t partition);
void ps_kafka_native_stop(ps_kafka_source *source, uint32_t partition);
/* Its end as last heard of, -1: unknown. */
int64_t ps_kafka_native_end(const ps_kafka_source *source, uint32_t partition);

#endif
