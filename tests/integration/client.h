/* SPDX-License-Identifier: Apache-2.0
 * Kafka for the acceptance tools: a record that belongs to no library, and reading a topic from its
 * first offset to its end. Nothing here knows the worker's code, so that it can testify against it.
 */
#ifndef PS_TESTS_INTEGRATION_CLIENT_H
#define PS_TESTS_INTEGRATION_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <librdkafka/rdkafka.h>

enum { RECORD_HEADERS_MAX = 64 };

/* `data` is NULL where the field is null, which is not the same as empty. */
typedef struct text {
    const uint8_t *data;
    size_t size;
} text;

typedef struct record_header {
    const char *name;
    text value;
} record_header;

typedef struct record {
    int32_t partition;
    int64_t offset, timestamp_ms;
    bool append_time; /* it is the broker's */
    text key, value;
    uint32_t header_count;
    record_header headers[RECORD_HEADERS_MAX];
} record;

typedef void record_visit(void *context, const record *record);

/* Ends the program with a sentence and exit code 2: a tool that cannot do its work says nothing
 * about the worker. */
__attribute__((noreturn, format(printf, 1, 2))) void client_die(const char *format, ...);

/* A client with these properties, alternately name and value, ending with NULL. */
rd_kafka_t *client_open(rd_kafka_type_t type, const char *brokers, const char *const *properties);

/* Partitions of a topic; dies where it does not exist. */
int32_t client_partitions(rd_kafka_t *client, const char *topic);

/* Calls `visit` for every record in order per partition; returns how many there were. What open
 * transactions hide under read_committed counts as not there. */
uint64_t client_read(const char *brokers, const char *topic, bool committed, record_visit *visit,
                     void *context);

/* Fills `out` with what `message` says; borrows its bytes. */
void client_record(const rd_kafka_message_t *message, record *out);

/* Hands a record to a producer, with its partition, timestamp and headers; waits while the queue is
 * full. */
void client_send(rd_kafka_t *producer, rd_kafka_topic_t *topic, const record *r);

/* Monotonic seconds. */
double client_seconds(void);

#endif
