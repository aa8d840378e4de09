/* SPDX-License-Identifier: Apache-2.0
 * How long a batch that is not full waits for more rows. Nobody sees a transaction's rows before
 * its commit, so a few of them may wait for each other until then: each batch costs a wake, and
 * each one that waits for the commit costs a slot.
 */
#ifndef PS_INGEST_KAFKA_LINGER_H
#define PS_INGEST_KAFKA_LINGER_H

#include "ingest/kafka_source_parts.h"

/* Whether it waits for a commit. */
bool ps_kafka_batch_waits(const ps_batch *batch, int64_t now_ns);
/* When it goes on though it is not full; INT64_MAX: it is empty. */
int64_t ps_kafka_batch_due(const ps_kafka_source *source, const ps_batch *batch, int64_t now_ns);

#endif
