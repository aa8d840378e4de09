/* SPDX-License-Identifier: Apache-2.0
 * How a Kafka sink's records get to the brokers: what a client that produces must be able to do,
 * whichever it is. The sink's own files say what is written and when; a way carries it there.
 */
#ifndef PS_INGEST_KAFKA_WAY_H
#define PS_INGEST_KAFKA_WAY_H

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

#include "host/base/status.h"
#include "host/batch/batch.h"
#include "host/batch/headers.h"

typedef struct ps_kafka_sink ps_kafka_sink;

/* A topic that is written to. */
typedef struct ps_kafka_topic {
    const char *name;         /* NULL: not used */
    rd_kafka_topic_t *handle; /* librdkafka's */
    uint32_t number;          /* ingest/wire's */
    uint32_t partitions;
    uint32_t bytes_max; /* its largest record batch, 0: unknown */
} ps_kafka_topic;

/* A record on its way out. Its bytes are borrowed for the call where `copied`, else until the slot
 * of its ticket is released. */
typedef struct ps_kafka_output {
    const ps_kafka_topic *topic;
    int32_t partition; /* RD_KAFKA_PARTITION_UA: where Kafka's partitioner sends the key */
    bool copied;
    ps_bytes key, value; /* null: PS_NULL_LENGTH */
    ps_bytes headers;    /* those it came with, packed; read only where there are some */
    uint32_t header_count;
    const ps_header *added; /* behind them; borrowed for the call */
    uint32_t added_count;
    int64_t timestamp_ms; /* below 0: when it is written; librdkafka takes 0 for that, too */
    uint64_t ticket;
    uint32_t tag;             /* its row, or one of PS_KAFKA_ROW_… */
    uint32_t *unacknowledged; /* counts it until its delivery is known */
} ps_kafka_output;

/* What the committer's calls come to. */
typedef enum ps_kafka_outcome {
    PS_KAFKA_DONE,
    PS_KAFKA_RETRY,  /* not answered in time: the same call may be made again */
    PS_KAFKA_GIVE_UP /* a new producer, and back to what is committed */
} ps_kafka_outcome;

/* A client that produces. Threads: who owns the producer (kafka_sink_parts.h). */
typedef struct ps_kafka_way {
    /* Makes a producer that is ready for a transaction. AGAIN: no broker, no coordinator now.
     * ABORTED: drop it and try anew. */
    ps_status (*open)(ps_kafka_sink *sink, ps_error *error);
    void (*drop)(ps_kafka_sink *sink);
    /* Whether a record with so many headers, of so many bytes, may be sent now; if not,
     * `sink->full` says so. */
    bool (*has_room)(ps_kafka_sink *sink, uint32_t headers, size_t header_bytes);
    /* AGAIN: the queue is full, and `sink->full` says so, or the producer is of no more use, and
     * `sink->broken` does. UNSUPPORTED: larger than the topic takes. */
    ps_status (*send)(ps_kafka_sink *sink, const ps_kafka_output *output, ps_error *error);
    /* In form headers, the rows of a run from `row` on, as long as nothing is odd about them:
     * returns the first one that is `send`'s. NULL: all are. */
    uint32_t (*rows)(ps_kafka_sink *sink, const ps_batch *batch, const ps_run *run, uint32_t row);
    /* What was answered meanwhile; waits so long for something. */
    void (*serve)(ps_kafka_sink *sink, int ms);
    /* The transaction's offsets; then all of it. */
    ps_kafka_outcome (*offsets)(ps_kafka_sink *sink);
    ps_kafka_outcome (*commit)(ps_kafka_sink *sink);
    /* The next transaction of the same producer; false: it must be replaced. */
    bool (*begin)(ps_kafka_sink *sink);
    /* The producer is the lane's from now on, or the committer's: whose sleep its sockets are to
     * end. NULL: it has threads that signal. */
    void (*hand_over)(ps_kafka_sink *sink, bool to_lane);
    /* When the lane is to serve it though nothing comes. NULL: never. */
    int64_t (*deadline)(const ps_kafka_sink *sink);
    /* What went wrong last, "": nothing. NULL: it says so itself. */
    const char *(*trouble)(const ps_kafka_sink *sink);
} ps_kafka_way;

extern const ps_kafka_way ps_kafka_way_librdkafka;
extern const ps_kafka_way ps_kafka_way_native; /* ingest/wire */

#endif
