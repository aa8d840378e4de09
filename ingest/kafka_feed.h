/* SPDX-License-Identifier: Apache-2.0
 * Keyed records into an existing topic, as `penstock gen --to` and the quickstart send them: an
 * idempotent producer that waits for a broker that is away, and says at the end whether everything
 * arrived.
 */
#ifndef PS_INGEST_KAFKA_FEED_H
#define PS_INGEST_KAFKA_FEED_H

#include "host/base/bytes.h"
#include "host/base/options.h"

typedef struct ps_kafka_feed ps_kafka_feed;

/* Waits up to 30 s for a broker. Fails where the topic does not exist. `properties` may be NULL;
 * both are borrowed for the call. */
ps_status ps_kafka_feed_open(const char *brokers, const char *topic,
                             const ps_string_map *properties, ps_kafka_feed **out,
                             ps_error *error) PS_MUST_USE;

/* Copies; waits while the queue is full. timestamp_ms 0: now. */
ps_status ps_kafka_feed_put(ps_kafka_feed *feed, ps_bytes key, ps_bytes value, int64_t timestamp_ms,
                            ps_error *error) PS_MUST_USE;

/* Waits until all that was put has been acknowledged. Fails with the first record that was not. */
ps_status ps_kafka_feed_flush(ps_kafka_feed *feed, ps_error *error) PS_MUST_USE;
void ps_kafka_feed_close(ps_kafka_feed *feed);

#endif
