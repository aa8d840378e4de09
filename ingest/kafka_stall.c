/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/kafka_stall.h"

#include <inttypes.h>

#include "host/base/log.h"

#define AGAIN_NS (10 * PS_NS_PER_S)

static long long seconds_since(int64_t ns) {
    return (long long)((ps_clock_ns() - ns) / PS_NS_PER_S);
}

void ps_kafka_stall_tell(ps_kafka_stall *stall, const char *part, const char *done,
                         const char *topic, const ps_wire_stalled *now, ps_wire_client *client) {
    const int64_t now_ns = ps_clock_ns();
    if (now_ns - now->since_ns < PS_KAFKA_STALLED_NS) return;
    const bool same =
        stall->told_ns > 0 && stall->topic == now->topic && stall->within == now->within;
    if (stall->told_ns > 0 && now_ns - stall->told_ns < AGAIN_NS) return;
    if (!same || now->since_ns < stall->since_ns) stall->since_ns = now->since_ns;
    stall->told_ns = now_ns;
    stall->topic = now->topic;
    stall->within = now->within;
    ps_error why;
    ps_wire_stalled_why(client, now, &why);
    ps_log(PS_LOG_WARNING, part, "%s/%" PRIu32 ": nothing was %s for %lld s, still trying: %s",
           topic, now->within, done, seconds_since(stall->since_ns), why.message);
}

void ps_kafka_stall_over(ps_kafka_stall *stall, const char *part, const char *done,
                         const char *topic) {
    if (stall->told_ns == 0) return;
    ps_log(PS_LOG_INFO, part, "%s/%" PRIu32 ": it is %s again, after %lld s", topic, stall->within,
           done, seconds_since(stall->since_ns));
    *stall = (ps_kafka_stall){0};
}
