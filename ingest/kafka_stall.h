/* SPDX-License-Identifier: Apache-2.0
 * What is said of partitions that penstock's own client tries in vain: nothing for some seconds, in
 * which leaders move, then a warning now and then, and that it is over.
 */
#ifndef PS_INGEST_KAFKA_STALL_H
#define PS_INGEST_KAFKA_STALL_H

#include <stdbool.h>
#include <stdint.h>

#include "host/base/clock.h"
#include "ingest/wire/stalled.h"

#define PS_KAFKA_STALLED_NS (5 * PS_NS_PER_S) /* before the first warning */

typedef struct ps_kafka_stall {
    int64_t since_ns, told_ns; /* told_ns 0: not told */
    uint32_t topic, within;    /* of which it was told */
} ps_kafka_stall;

/* `part`: who says it; `done`: "read" or "taken", by a broker. */
void ps_kafka_stall_tell(ps_kafka_stall *stall, const char *part, const char *done,
                         const char *topic, const ps_wire_stalled *now, ps_wire_client *client);
void ps_kafka_stall_over(ps_kafka_stall *stall, const char *part, const char *done,
                         const char *topic);

#endif
