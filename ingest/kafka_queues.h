/* SPDX-License-Identifier: Apache-2.0
 * How much librdkafka's queues may hold, and what the memory ceiling counts for them.
 */
#ifndef PS_INGEST_KAFKA_QUEUES_H
#define PS_INGEST_KAFKA_QUEUES_H

#include "host/flow/parts.h"

enum {
    PS_KAFKA_EXPANSION = 25, /* its default: counted twice, also what nine-byte records become */
    PS_KAFKA_BATCH_MAX = 1 << 20, /* what brokers take, unless they were told otherwise */
    PS_KAFKA_BATCH_HEADER = 12,   /* and so much in front of it, in Kafka's own default */
    PS_KAFKA_RECORD_HEADERS = 6,  /* up to so many headers, ... */
    PS_KAFKA_RECORD_BYTES = 512   /* ... a record that waits in a producer takes so much */
};

/* A consumer's queues: a broker is asked for more while they hold less than that, and for so much
 * at a time. */
typedef struct ps_kafka_queues {
    int64_t payload_bytes, records, fetch_bytes;
} ps_kafka_queues;

/* `expansion` 0: as always; `servers`: brokers that may answer at the same moment. */
ps_kafka_queues ps_kafka_queues_of(int64_t memory_bytes, int64_t expansion, int64_t servers);

/* The longest answer of one broker: what it is asked for, or its first batch, which it sends whole
 * whatever it is asked for (KIP-74). What the user's properties say counts. */
int64_t ps_kafka_answer_bytes(const ps_string_map *properties, int64_t memory_bytes,
                              int64_t expansion, int64_t batch_max);

/* Worst-case bytes of a consumer, or of a producer's queue, that was given `memory_bytes`; what the
 * user's properties say of its queues counts. */
size_t ps_kafka_consumer_bytes(const ps_string_map *properties, int64_t memory_bytes,
                               int64_t expansion, int64_t batch_max);
size_t ps_kafka_producer_bytes(const ps_string_map *properties, int64_t memory_bytes);

/* Records with large headers that may wait in a producer of that size: librdkafka counts records
 * alone, and allocates each header by itself. `headers` and `header_bytes`: of one record. */
uint32_t ps_kafka_producer_records(int64_t memory_bytes, uint32_t headers, size_t header_bytes);

#endif
