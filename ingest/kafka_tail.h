/* SPDX-License-Identifier: Apache-2.0
 * Reads a topic from its beginning as it grows, committed records only, without a group: how the
 * quickstart looks at what the pipeline wrote.
 */
#ifndef PS_INGEST_KAFKA_TAIL_H
#define PS_INGEST_KAFKA_TAIL_H

#include "host/base/bytes.h"
#include "host/base/status.h"

typedef struct ps_kafka_tail ps_kafka_tail;

/* One record; everything is borrowed until the callback returns. */
typedef struct ps_kafka_tailed {
    ps_bytes key, value;
    const void *message; /* for ps_kafka_tail_header */
} ps_kafka_tailed;
typedef void ps_kafka_tail_fn(void *context, const ps_kafka_tailed *record);

ps_status ps_kafka_tail_open(const char *brokers, const char *topic, ps_kafka_tail **out,
                             ps_error *error) PS_MUST_USE;

/* Hands over what is there, waiting at most `timeout_ms` for the first record; returns how many. */
uint32_t ps_kafka_tail_read(ps_kafka_tail *tail, int timeout_ms, ps_kafka_tail_fn *fn,
                            void *context);

/* The last header of that name; its data is NULL where there is none. */
ps_bytes ps_kafka_tail_header(const ps_kafka_tailed *record, const char *name);

void ps_kafka_tail_close(ps_kafka_tail *tail);

#endif
