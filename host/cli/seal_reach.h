/* SPDX-License-Identifier: Apache-2.0
 * What `verify topic` and `verify record` share: a topic at its brokers, and its partitions' logs.
 */
#ifndef PS_HOST_CLI_SEAL_REACH_H
#define PS_HOST_CLI_SEAL_REACH_H

#include "host/cli/config.h"
#include "host/cli/seal.h"
#include "host/seal/audit.h"
#include "ingest/kafka_audit.h"

enum { PS_SEAL_WHERE_MAX = 4096 };

typedef struct ps_seal_reach {
    const ps_seal_job *job;
    const char *topic;
    ps_config *config; /* of --pipeline, NULL: there is none */
    ps_kafka_audit *kafka;
    const ps_kafka_audit_about *about;
    const ps_kafka_span *kafka_span; /* of the partition that is being read */
    ps_audit_span span;
    bool one_log;       /* --dir is a log, not a directory of them … */
    uint32_t partition; /* … and of this partition, as its origin says */
} ps_seal_reach;

/* Looks at the options, at --dir and at the topic: PS_EXIT_GO_ON, or the code to leave with. Owns:
 * ps_seal_reach_deinit in either case. */
int ps_seal_reach_init(ps_seal_reach *reach, const ps_seal_job *job);
void ps_seal_reach_deinit(ps_seal_reach *reach);

/* Where the log of a partition lies. */
const char *ps_seal_reach_where(const ps_seal_reach *reach, uint32_t partition,
                                char where[PS_SEAL_WHERE_MAX]);

/* The partition from offset `from` on, as an audit reads it. */
ps_status ps_seal_reach_begin(ps_seal_reach *reach, uint32_t partition, int64_t from,
                              ps_audit_topic *out, ps_error *error) PS_MUST_USE;

/* What an origin <name>/<cluster>/<topic>/<topic id>/<partition> says of a topic. */
typedef struct ps_seal_topic_log {
    char topic[256], id[64];
    uint32_t partition;
} ps_seal_topic_log;

/* False: it is not of that form. */
bool ps_seal_origin_parse(const char *text, ps_seal_topic_log *out);

/* Whether a log of that origin is of this topic and partition. Fails: PS_UNKNOWN_NAME: of another.
 * `*anew`: of one that had the same name, which was deleted since. */
ps_status ps_seal_reach_match(const ps_seal_reach *reach, const char *origin, uint32_t partition,
                              bool *anew, ps_error *error) PS_MUST_USE;

#endif
