/* SPDX-License-Identifier: Apache-2.0
 * A topic as an auditor reads it: partition after partition, from its first record to the end that
 * it has now, committed records only, without a group and without a trace on the brokers.
 */
#ifndef PS_INGEST_KAFKA_AUDIT_H
#define PS_INGEST_KAFKA_AUDIT_H

#include "host/base/bytes.h"
#include "host/base/options.h"
#include "host/base/status.h"

typedef struct ps_kafka_audit ps_kafka_audit;

typedef enum ps_kafka_cleanup {
    PS_KAFKA_CLEANUP_UNKNOWN, /* this user may not ask, or the broker did not say */
    PS_KAFKA_CLEANUP_DELETE,
    PS_KAFKA_CLEANUP_COMPACT /* alone, or with delete */
} ps_kafka_cleanup;

enum { PS_KAFKA_ID_MAX = 23 };

typedef struct ps_kafka_audit_about {
    uint32_t partitions;
    ps_kafka_cleanup cleanup;
    char id[PS_KAFKA_ID_MAX]; /* the topic's, as Kafka's own tools print it; "": unknown */
} ps_kafka_audit_about;

/* Everything is borrowed until it is closed; `properties` may be NULL. Waits up to 30 s for a
 * broker. Fails: PS_BAD_CONFIG: a property; PS_IO: no broker, no topic. */
ps_status ps_kafka_audit_open(const char *brokers, const ps_string_map *properties,
                              const char *topic, ps_kafka_audit **out, ps_error *error) PS_MUST_USE;

/* The same, with brokers and properties as the options of a ps_source_kafka have them. */
ps_status ps_kafka_audit_open_source(const void *source_config, const char *topic,
                                     ps_kafka_audit **out, ps_error *error) PS_MUST_USE;
void ps_kafka_audit_close(ps_kafka_audit *audit);
const ps_kafka_audit_about *ps_kafka_audit_about_of(const ps_kafka_audit *audit);

/* Of a partition: the first offset, which retention may raise while it is read, and the end, which
 * is where it ended when reading began. */
typedef struct ps_kafka_span {
    int64_t first, end;
} ps_kafka_span;

/* From now on this partition, from offset `from` on where that is above the first. The span stays
 * valid until the audit is closed. */
ps_status ps_kafka_audit_begin(ps_kafka_audit *audit, uint32_t partition, int64_t from,
                               const ps_kafka_span **span, ps_error *error) PS_MUST_USE;

/* Headers as host/batch/headers.h packs them; bytes are borrowed until the next call. */
typedef struct ps_kafka_audited {
    int64_t offset, timestamp_ms;
    bool append_time;
    ps_bytes key, headers, value;
} ps_kafka_audited;

/* PS_END: the partition's end. Fails: PS_TAMPERED: a batch is there and cannot be read; PS_IO. */
ps_status ps_kafka_audit_next(ps_kafka_audit *audit, ps_kafka_audited *out,
                              ps_error *error) PS_MUST_USE;

#endif
