/* SPDX-License-Identifier: Apache-2.0
 * Records that the broker will never take. One of them would abort its transaction for ever, so
 * its position is remembered over the abort, and when the lane comes by again the row goes to the
 * dead letters as output_refused. A batch of records is refused as a whole when it is too large:
 * then the next producer makes batches half as large, until whoever is refused must have been
 * alone, so that nobody innocent is condemned. At most PS_KAFKA_REFUSED_MAX positions are
 * remembered between two commits; with more the lane stops, since then it is not the records that
 * are wrong. A record of many rows (form packed) is made of fewer and fewer for the same reason.
 */
#include <inttypes.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/batch/rejects.h"
#include "ingest/kafka_sink_calls.h"

typedef enum verdict { GONE, REFUSED, TOO_LARGE, FORBIDDEN, FINAL, BROKEN } verdict;

/* RD_KAFKA_RESP_ERR__INVALID_DIFFERENT_RECORD, which older libraries do not name, nor tell apart
 * from a record that was refused itself. */
enum { NEIGHBOUR_REFUSED = -138 };

#define IN_VAIN_NS (60 * PS_NS_PER_S)
enum { CAREFUL_COMMITS = 64 /* several times what a transaction holds in slots */ };

static verdict judge(rd_kafka_resp_err_t err) {
    switch ((int)err) {
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT: /* we threw it away ourselves */
    case NEIGHBOUR_REFUSED:
        return GONE;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        return TOO_LARGE;
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
        return REFUSED;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
        return FORBIDDEN;
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR_INVALID_REQUEST:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR_SECURITY_DISABLED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
        return FINAL;
    default:
        return BROKEN;
    }
}

static uint32_t partition_of_row(const ps_batch *batch, uint32_t row) {
    uint32_t low = 0, high = batch->run_count;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        if (batch->runs[middle].first_row <= row)
            low = middle;
        else
            high = middle;
    }
    return batch->runs[low].partition;
}

static bool remember(ps_kafka_sink *sink, uint32_t partition, int64_t offset) {
    for (uint32_t i = 0; i < sink->refused_count; i++)
        if (sink->refused[i].partition == partition && sink->refused[i].next == offset) return true;
    if (sink->refused_count == PS_KAFKA_REFUSED_MAX) return false;
    sink->refused[sink->refused_count++] = (ps_position){partition, offset};
    return true;
}

/* Of a row, a dead letter or a state record. */
static void refuse(ps_kafka_sink *sink, const ps_kafka_undelivered *record) {
    const uint64_t ticket = record->tag >> 32;
    const uint32_t row = (uint32_t)record->tag;
    const char *reason = rd_kafka_err2str(record->err);
    const ps_kafka_slot *slot = ps_kafka_slot_of(sink, ticket);
    if (row == PS_KAFKA_ROW_STATE || (row & PS_KAFKA_ROW_DEAD) != 0) {
        ps_kafka_sink_fail(sink, PS_IO,
                           "topic %s refuses a record of %zu bytes: %s; raise its "
                           "max.message.bytes",
                           record->topic, record->bytes, reason);
        return;
    }
    if (slot->batch == NULL || (uint32_t)slot->ticket != (uint32_t)ticket) {
        sink->careful_commits = CAREFUL_COMMITS; /* it comes again */
        return;
    }
    const int64_t offset = ((const int64_t *)ps_batch_system(slot->batch, PS_COLUMN_OFFSET))[row];
    if (remember(sink, partition_of_row(slot->batch, row), offset)) return;
    ps_kafka_sink_fail(sink, PS_IO, "topic %s refuses more than %d records of one transaction: %s",
                       record->topic, PS_KAFKA_REFUSED_MAX, reason);
}

/* Whether `row` stands for several, of which any may be the reason. */
static bool is_pack(uint32_t row) {
    return (row & PS_KAFKA_ROW_DEAD) == 0 && (row & PS_KAFKA_ROW_PACK) != 0;
}

void ps_kafka_acknowledged(ps_kafka_sink *sink, uint64_t tag) {
    if ((uint32_t)tag == PS_KAFKA_ROW_STATE)
        sink->states_unacknowledged--;
    else
        ps_kafka_slot_of(sink, tag >> 32)->unacknowledged--;
}

static void fail_finally(ps_kafka_sink *sink, const ps_kafka_undelivered *record) {
    const bool some = record->reason.length > 0 && record->reason.length != PS_NULL_LENGTH;
    ps_kafka_sink_fail(
        sink, PS_IO, "cannot write to topic %s: %s (%d)%s%.*s%s%s", record->topic,
        rd_kafka_err2str(record->err), (int)record->err, some ? ", in the broker's words \"" : "",
        some ? (int)record->reason.length : 0, some ? (const char *)record->reason.data : "",
        some ? "\"" : "", ps_kafka_advice(record->err));
}

void ps_kafka_note_broken(ps_kafka_sink *sink, const char *what, const char *why) {
    if (sink->broken) return;
    sink->broken = true;
    /* Another trouble: there was nothing to write meanwhile. */
    if (ps_clock_ns() - sink->in_vain.told_ns > IN_VAIN_NS) sink->in_vain.since_ns = 0;
    if (ps_kafka_patience_tell(&sink->in_vain))
        ps_log(PS_LOG_WARNING, "sink kafka",
               "for %lld s nothing could be written, still going back to what is committed and "
               "trying again: %s: %s",
               ps_kafka_patience_s(&sink->in_vain), what, why);
    else
        ps_log(PS_LOG_DEBUG, "sink kafka", "%s: %s", what, why);
}

void ps_kafka_not_delivered(ps_kafka_sink *sink, const ps_kafka_undelivered *record) {
    const bool pack = is_pack((uint32_t)record->tag);
    switch (judge(record->err)) {
    case GONE:
        return;
    case TOO_LARGE:
        sink->broken = true;
        if (!record->alone)
            sink->batch_bytes_wanted = sink->batch_bytes / 2;
        else if (pack)
            ps_kafka_pack_smaller(sink->pack);
        else
            refuse(sink, record);
        return;
    case REFUSED:
        sink->broken = true;
        if (pack)
            ps_kafka_pack_smaller(sink->pack);
        else
            refuse(sink, record);
        return;
    case FORBIDDEN:
        ps_kafka_fail_forbidden(sink, record->topic, rd_kafka_err2str(record->err));
        return;
    case FINAL:
        fail_finally(sink, record);
        return;
    case BROKEN:
        ps_kafka_note_broken(sink, record->topic, rd_kafka_err2str(record->err));
    }
}

void ps_kafka_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
    ps_kafka_sink *sink = opaque;
    (void)client;
    const ps_kafka_undelivered record = {
        .topic = rd_kafka_topic_name(message->rkt),
        .err = message->err,
        .tag = (uint64_t)(uintptr_t)message->_private,
        .bytes = message->len,
        /* It would not have fitted with another. */
        .alone = message->len + message->key_len >= sink->batch_bytes,
    };
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        ps_kafka_acknowledged(sink, record.tag);
    else
        ps_kafka_not_delivered(sink, &record);
}

void ps_kafka_refused_mark(ps_kafka_sink *sink, const ps_batch *batch) {
    const int64_t *offset = ps_batch_system(batch, PS_COLUMN_OFFSET);
    uint8_t *reject = ps_batch_system(batch, PS_COLUMN_REJECT);
    for (uint32_t i = 0; i < sink->refused_count; i++) {
        for (uint32_t r = 0; r < batch->run_count; r++) {
            const ps_run *run = &batch->runs[r];
            if (run->partition != sink->refused[i].partition) continue;
            for (uint32_t row = run->first_row; row < run->first_row + run->rows; row++)
                if (offset[row] == sink->refused[i].next && reject[row] == PS_REJECT_NONE)
                    reject[row] = PS_REJECT_OUTPUT_REFUSED;
        }
    }
}

void ps_kafka_refused_trim(ps_kafka_sink *sink) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < sink->refused_count; i++)
        if (sink->next[sink->refused[i].partition] <= sink->refused[i].next)
            sink->refused[kept++] = sink->refused[i];
    sink->refused_count = kept;
    if (sink->pack != NULL) ps_kafka_pack_committed(sink->pack);
}
