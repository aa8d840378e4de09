/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/kafka_queues.h"

#include <stdlib.h>

#include "ingest/kafka_client.h"

/* librdkafka's own cost of a record that it read: operation and message; of each header above six
 * that it writes. */
enum {
    CONSUMED_RECORD_BYTES = 448,
    HEADER_BYTES = 96,
    PRODUCED_RECORDS_MIN = 10000,
    FETCH_BYTES_MIN = 1024 /* a larger batch comes through alone */
};

static int64_t clamp(int64_t value, int64_t min, int64_t max) {
    return value < min ? min : value > max ? max : value;
}

static int64_t number_of(const ps_string_map *properties, const char *name, int64_t otherwise) {
    const char *text = ps_kafka_property(properties, name);
    return text == NULL ? otherwise : strtoll(text, NULL, 10);
}

/* An answer is unpacked whole: of the smallest records that is fifty times its size, of compressed
 * ones about as much by default (ps_kafka_consumer_bytes), so answers are short, and that is what
 * keeps the ceiling true. Where compressed records become more than that, they are shorter still;
 * and where several brokers may answer at the same moment, they share what one would send. */
ps_kafka_queues ps_kafka_queues_of(int64_t memory_bytes, int64_t expansion, int64_t servers) {
    int64_t fetch = clamp(memory_bytes / 32, 1 << 18, 1 << 20);
    if (expansion > PS_KAFKA_EXPANSION)
        fetch = clamp(fetch * PS_KAFKA_EXPANSION / expansion, FETCH_BYTES_MIN, fetch);
    if (servers > 1) fetch = clamp(fetch / servers, FETCH_BYTES_MIN, fetch);
    return (ps_kafka_queues){
        .payload_bytes = clamp(memory_bytes * 3 / 8, 1 << 20, INT64_C(1) << 30),
        .records = clamp(memory_bytes * 3 / 8 / CONSUMED_RECORD_BYTES, 1000, 10000000),
        .fetch_bytes = fetch};
}

int64_t ps_kafka_answer_bytes(const ps_string_map *properties, int64_t memory_bytes,
                              int64_t expansion, int64_t batch_max) {
    const ps_kafka_queues own = ps_kafka_queues_of(memory_bytes, expansion, 1);
    const int64_t fetch = number_of(properties, "fetch.max.bytes", own.fetch_bytes);
    return fetch > batch_max ? fetch : batch_max;
}

size_t ps_kafka_consumer_bytes(const ps_string_map *properties, int64_t memory_bytes,
                               int64_t expansion, int64_t batch_max) {
    const ps_kafka_queues own = ps_kafka_queues_of(memory_bytes, expansion, 1);
    const int64_t payload =
        number_of(properties, "queued.max.messages.kbytes", own.payload_bytes >> 10) << 10;
    const int64_t records = number_of(properties, "queued.min.messages", own.records);
    const int64_t answer = ps_kafka_answer_bytes(properties, memory_bytes, expansion, batch_max);
    /* The queue as it is when the next answer may be asked for, then that answer, as it came and
     * unpacked. A batch that was compressed lives, whole, until its last record is read, beside the
     * next one: so unpacked it counts twice. Of records that are small instead of compressed most
     * is structures, which go one by one: what they become in all may be twice the expansion. */
    return (size_t)(payload + records * CONSUMED_RECORD_BYTES + answer + answer * 2 * expansion);
}

size_t ps_kafka_producer_bytes(const ps_string_map *properties, int64_t memory_bytes) {
    const int64_t records = number_of(properties, "queue.buffering.max.messages",
                                      ps_kafka_producer_records(memory_bytes, 0, 0));
    return (size_t)(records * PS_KAFKA_RECORD_BYTES);
}

uint32_t ps_kafka_producer_records(int64_t memory_bytes, uint32_t headers, size_t header_bytes) {
    const int64_t budget = clamp(memory_bytes, PRODUCED_RECORDS_MIN * PS_KAFKA_RECORD_BYTES,
                                 INT64_C(10000000) * PS_KAFKA_RECORD_BYTES);
    int64_t record = PS_KAFKA_RECORD_BYTES;
    if (headers > PS_KAFKA_RECORD_HEADERS)
        record +=
            (int64_t)(headers - PS_KAFKA_RECORD_HEADERS) * HEADER_BYTES + (int64_t)header_bytes;
    return (uint32_t)clamp(budget / record, 1, 10000000);
}
