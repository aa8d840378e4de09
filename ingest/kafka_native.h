/* SPDX-License-Identifier: Apache-2.0
 * What of a pipeline file's Kafka properties penstock's own client (ingest/wire) understands, and
 * what they come to for it. The properties keep librdkafka's names, whichever client reads them;
 * librdkafka stays the group's member in any case, so what concerns the group alone is its
 * business.
 */
#ifndef PS_INGEST_KAFKA_NATIVE_H
#define PS_INGEST_KAFKA_NATIVE_H

#include "ingest/kafka_client.h"
#include "ingest/wire/client.h"

/* The name of the first property of a CONSUMER, TRANSACTIONAL or IDEMPOTENT role that only
 * librdkafka can do, or a few words such as "librdkafka older than 2.15"; NULL: penstock's own
 * client can do all of it. Borrowed from the map. */
const char *ps_kafka_native_lacks(const ps_string_map *properties, ps_kafka_role role);

/* The same of the properties alone, for who is in no group and writes nothing: librdkafka may be
 * older then. */
const char *ps_kafka_native_lacks_property(const ps_string_map *properties, ps_kafka_role role);

/* `inherited` (may be NULL; only its connection settings count), then `properties`: the last that
 * was said wins. Borrows strings from the maps. Fails: BAD_CONFIG, and names the property, never
 * its value. */
ps_status ps_kafka_native_security(const ps_string_map *inherited, const ps_string_map *properties,
                                   ps_wire_security *out, ps_error *error) PS_MUST_USE;

/* A number, as librdkafka spells it; `otherwise` where it is not set under any of its names. */
int64_t ps_kafka_native_number(const ps_string_map *properties, const char *name,
                               int64_t otherwise);

/* compression.type as a ps_wire_codec. */
uint8_t ps_kafka_native_codec(const ps_string_map *properties);

/* Room for the largest answer but those to Fetch and Produce: metadata of so many. */
static inline size_t ps_kafka_native_control_bytes(size_t partitions, size_t brokers) {
    return (64 << 10) + partitions * 100 + brokers * 400;
}

/* The end of a message about what a client (NULL: there is none) failed for: what to try, where
 * that is known, or nothing. `too_large`: said of an answer for which it has no room. */
const char *ps_kafka_native_advice(ps_status status, const ps_wire_client *client,
                                   const char *too_large);

/* As whom the group knows this consumer. A broker makes a member's id of the instance's, which may
 * be 255 bytes long. */
typedef struct ps_kafka_membership {
    int32_t generation;
    char member[512], instance[256];
    bool is_static;
} ps_kafka_membership;

/* False: it is no member now. Waits for librdkafka's main thread. Threads: any. */
bool ps_kafka_membership_of(rd_kafka_t *consumer, ps_kafka_membership *out);

#endif
