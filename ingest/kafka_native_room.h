/* SPDX-License-Identifier: Apache-2.0
 * What penstock's own client takes of a sink's share of the memory ceiling, and how large its
 * batches may be then. Asked twice: when the cluster is known and `client: auto` has to choose, and
 * when a producer is made.
 */
#ifndef PS_INGEST_KAFKA_NATIVE_ROOM_H
#define PS_INGEST_KAFKA_NATIVE_ROOM_H

#include "host/flow/parts.h"
#include "ingest/wire/producer.h"

enum { PS_KAFKA_BATCH_BYTES_MAX = 256 << 10 };

/* Its brokers, answers, and what its topics and partitions take: those are set before. */
void ps_kafka_native_room_client(int64_t memory_bytes, uint32_t brokers,
                                 ps_wire_client_recipe *out);
/* Its batches, none larger than `most`, of what is left. BAD_CONFIG: too little is. */
ps_status ps_kafka_native_room_batches(int64_t memory_bytes, const ps_wire_client_recipe *client,
                                       size_t most, ps_wire_producer_recipe *out,
                                       ps_error *error) PS_MUST_USE;

#endif
