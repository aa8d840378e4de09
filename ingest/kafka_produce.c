/* SPDX-License-Identifier: Apache-2.0
 * Records through librdkafka: key and value are produced out of the slot, which stays as it is
 * until the batch is released; only headers are copied, because its interface has no other way.
 */
#include <string.h>

#include "host/batch/headers.h"
#include "ingest/kafka_sink_calls.h"

static size_t length_of(ps_bytes bytes) {
    return bytes.length == PS_NULL_LENGTH ? 0 : bytes.length;
}

static void add(rd_kafka_headers_t *headers, const ps_header *header) {
    (void)rd_kafka_header_add(headers, (const char *)header->name.data,
                              (ssize_t)header->name.length, header->value.data,
                              (ssize_t)length_of(header->value));
}

/* The source's headers in their order, duplicates and nulls kept, and what is added. NULL: none. */
static rd_kafka_headers_t *headers_of(const ps_kafka_output *output) {
    const uint32_t count = output->header_count + output->added_count;
    if (count == 0) return NULL;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(count);
    ps_header header;
    if (output->header_count > 0)
        for (uint32_t at = 0; ps_headers_next(output->headers, &at, &header);)
            add(headers, &header);
    for (uint32_t i = 0; i < output->added_count; i++) add(headers, &output->added[i]);
    return headers;
}

/* librdkafka's queue counts records; once a row with many headers waits in it, fewer may wait
 * beside it, until all have left. */
static bool has_room(ps_kafka_sink *sink, uint32_t headers, size_t header_bytes) {
    if (headers <= PS_KAFKA_RECORD_HEADERS && sink->records_max == 0) return true;
    const uint32_t waiting = (uint32_t)rd_kafka_outq_len(sink->producer);
    if (waiting == 0) sink->records_max = 0;
    if (headers > PS_KAFKA_RECORD_HEADERS) {
        const uint32_t most =
            ps_kafka_producer_records(sink->env->memory_bytes, headers, header_bytes);
        if (sink->records_max == 0 || most < sink->records_max) sink->records_max = most;
    }
    if (sink->records_max == 0 || waiting < sink->records_max) return true;
    sink->full = true;
    return false;
}

static ps_status refusal(ps_kafka_sink *sink, rd_kafka_error_t *failure, ps_error *error) {
    const rd_kafka_resp_err_t err = rd_kafka_error_code(failure);
    ps_status status = PS_AGAIN;
    if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        sink->full = true;
    else if (err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE)
        status = PS_UNSUPPORTED;
    else if (err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
        status = ps_fail(error, PS_IO, "cannot write to the sink's topic: %s: was it deleted?",
                         rd_kafka_error_string(failure));
    else
        sink->broken = true; /* the producer is fatal or must abort: a new one does it again */
    rd_kafka_error_destroy(failure);
    return status;
}

static ps_status put(ps_kafka_sink *sink, const ps_kafka_output *output, ps_error *error) {
    rd_kafka_headers_t *headers = headers_of(output); /* librdkafka's once it is produced */
    rd_kafka_vu_t parts[8];
    size_t n = 0;
    parts[n].vtype = RD_KAFKA_VTYPE_RKT;
    parts[n++].u.rkt = output->topic->handle;
    parts[n].vtype = RD_KAFKA_VTYPE_PARTITION;
    parts[n++].u.i32 = output->partition;
    parts[n].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    /* librdkafka allocates the record anyhow; with the copy it is one block. */
    parts[n++].u.i = output->copied ? RD_KAFKA_MSG_F_COPY : 0;
    parts[n].vtype = RD_KAFKA_VTYPE_VALUE;
    parts[n].u.mem.ptr = (void *)(uintptr_t)output->value.data;
    parts[n++].u.mem.size = length_of(output->value);
    parts[n].vtype = RD_KAFKA_VTYPE_KEY;
    parts[n].u.mem.ptr = (void *)(uintptr_t)output->key.data;
    parts[n++].u.mem.size = length_of(output->key);
    parts[n].vtype = RD_KAFKA_VTYPE_OPAQUE;
    parts[n++].u.ptr = ps_kafka_tag(output->ticket, output->tag);
    if (output->timestamp_ms > 0) {
        parts[n].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
        parts[n++].u.i64 = output->timestamp_ms;
    }
    if (headers != NULL) {
        parts[n].vtype = RD_KAFKA_VTYPE_HEADERS;
        parts[n++].u.headers = headers;
    }
    rd_kafka_error_t *failure = rd_kafka_produceva(sink->producer, parts, n);
    if (__builtin_expect(failure == NULL, 1)) {
        ++*output->unacknowledged;
        return PS_OK;
    }
    if (headers != NULL) rd_kafka_headers_destroy(headers);
    return refusal(sink, failure, error);
}

static void serve(ps_kafka_sink *sink, int ms) {
    (void)rd_kafka_poll(sink->producer, ms);
}

const ps_kafka_way ps_kafka_way_librdkafka = {
    .open = ps_kafka_setup_producer,
    .drop = ps_kafka_drop_producer,
    .has_room = has_room,
    .send = put,
    .serve = serve,
    .offsets = ps_kafka_offsets,
    .commit = ps_kafka_commit,
    .begin = ps_kafka_begin,
};
