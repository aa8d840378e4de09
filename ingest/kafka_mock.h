/* SPDX-License-Identifier: Apache-2.0
 * A broker inside this process: librdkafka's mock cluster, which speaks the Kafka protocol on
 * loopback. For `penstock quickstart` and tests of error paths, where it is honest: it accepts
 * transactions, but fences nobody by transactional id, stores no offsets of transactions, filters
 * no aborted records and keeps only the newest 5 MB of a partition. What needs exactly once needs a
 * real broker.
 */
#ifndef PS_INGEST_KAFKA_MOCK_H
#define PS_INGEST_KAFKA_MOCK_H

#include <stdint.h>

#include "host/base/status.h"

typedef struct ps_kafka_mock ps_kafka_mock;

ps_status ps_kafka_mock_open(uint32_t brokers, ps_kafka_mock **out, ps_error *error) PS_MUST_USE;
void ps_kafka_mock_close(ps_kafka_mock *mock);

/* "127.0.0.1:12345,…": for `brokers`. */
const char *ps_kafka_mock_brokers(const ps_kafka_mock *mock);

ps_status ps_kafka_mock_topic(ps_kafka_mock *mock, const char *topic, uint32_t partitions,
                              ps_error *error) PS_MUST_USE;

#endif
