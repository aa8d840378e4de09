/* SPDX-License-Identifier: Apache-2.0
 * `penstock reset`: moves a pipeline's group and its state together, in one transaction, so that a
 * worker that starts afterwards finds them in agreement.
 */
#ifndef PS_INGEST_KAFKA_RESET_H
#define PS_INGEST_KAFKA_RESET_H

#include "host/flow/parts.h"

typedef enum ps_reset_to {
    PS_RESET_STAY,
    PS_RESET_EARLIEST,
    PS_RESET_LATEST,
    PS_RESET_OFFSETS
} ps_reset_to;

typedef struct ps_reset_offset {
    const char *topic; /* NULL: the only one */
    int32_t partition;
    int64_t offset;
} ps_reset_offset;

typedef struct ps_reset_request {
    const char *pipeline;
    const void *source_config; /* of ps_source_kafka */
    const void *sink_config;   /* of ps_sink_kafka; NULL: the sink keeps no state in Kafka */
    const ps_plan *plan;
    ps_reset_to to;
    const ps_reset_offset *offsets; /* PS_RESET_OFFSETS: partitions that are not named stay */
    uint32_t offset_count;
    bool forget_state; /* the detectors' histories too; else they are kept and go on at the new
                          place */
} ps_reset_request;

/* Told for every partition that moves or is restamped. PS_OFFSET_NONE: nothing was committed. */
typedef void ps_reset_told(void *context, const char *topic, int32_t partition, int64_t from,
                           int64_t to);

/* Blocks. AGAIN while the group has members; no offset and no state is changed on a failure, but
 * for old state that could not be deleted once the rest was done, as the message then says. */
ps_status ps_kafka_reset(const ps_reset_request *request, ps_reset_told *told, void *context,
                         ps_error *error) PS_MUST_USE;

#endif
