/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/kafka_linger.h"

#define SOON_NS (7 * PS_NS_PER_MS) /* a Fetch that was to be answered by then is not waited for */

enum { MANY_SHARE = 8 }; /* of a batch's rows: more of them go on as soon as `linger` says */

bool ps_kafka_batch_waits(const ps_batch *batch, int64_t now_ns) {
    const uint32_t most = batch->enough > 0 ? batch->enough : batch->schema->arena_bytes;
    return batch->shown_ns > now_ns + SOON_NS && batch->arena_used < most / 2 &&
           batch->rows < batch->schema->rows_max / MANY_SHARE;
}

int64_t ps_kafka_batch_due(const ps_kafka_source *source, const ps_batch *batch, int64_t now_ns) {
    if (batch->filled_ns == 0) return INT64_MAX;
    const int64_t due_ns = batch->filled_ns + source->env->linger_ns;
    return ps_kafka_batch_waits(batch, now_ns) && batch->shown_ns > due_ns ? batch->shown_ns
                                                                           : due_ns;
}
