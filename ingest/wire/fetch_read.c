/* SPDX-License-Identifier: Apache-2.0
 * Records out of the answers that are held, one answer after the other: what a reader must not see
 * is passed over here.
 *
 * Source: KIP-98, "Consumer": an answer lists the aborted transactions that its range has a part
 * of, by producer and first offset; each is open until its producer's abort marker.
 */
#include <string.h>

#include "host/base/check.h"
#include "ingest/wire/fetcher_parts.h"

typedef ps_wire_fetch_response_aborted_transaction aborted;

static ps_status show(ps_wire_fetcher *fetcher, ps_wire_news news, int64_t next,
                      ps_wire_fetched *out) {
    *out = (ps_wire_fetched){
        .news = news, .partition = fetcher->reading.index, .next = next, .first = -1};
    fetcher->current = *out;
    fetcher->has_current = true;
    return PS_OK;
}

/* ---- aborted transactions ---- */

/* Brokers list them by offset, near enough. */
static void sort(aborted *list, int32_t count) {
    for (int32_t i = 1; i < count; i++) {
        const aborted one = list[i];
        int32_t at = i;
        for (; at > 0 && list[at - 1].first_offset > one.first_offset; at--)
            list[at] = list[at - 1];
        list[at] = one;
    }
}

static int32_t find_active(const ps_wire_reading *reading, int64_t producer_id) {
    for (int32_t i = 0; i < reading->active; i++)
        if (reading->aborted[i].producer_id == producer_id) return i;
    return -1;
}

/* Those that began before the end of this batch are open now. */
static void open_until(ps_wire_reading *reading, int64_t end) {
    while (reading->aborted_at < reading->aborted_count &&
           reading->aborted[reading->aborted_at].first_offset < end) {
        const aborted one = reading->aborted[reading->aborted_at++];
        if (find_active(reading, one.producer_id) < 0) reading->aborted[reading->active++] = one;
    }
}

/* Whether nobody may see this batch: markers, and what was aborted. */
static bool is_hidden(ps_wire_reading *reading, int64_t end) {
    const ps_wire_batch *batch = &reading->batch;
    open_until(reading, end);
    const int32_t open = batch->transactional ? find_active(reading, batch->producer_id) : -1;
    if (!batch->control) return open >= 0;
    bool abort = false;
    if (ps_wire_batch_is_abort(batch, &abort) && abort && open >= 0)
        reading->aborted[open] = reading->aborted[--reading->active];
    return true;
}

/* ---- a partition of an answer ---- */

static void begin_partition(ps_wire_fetcher *fetcher, ps_wire_part *part,
                            const ps_wire_fetch_response_partition_data *data) {
    ps_wire_reading *reading = &fetcher->reading;
    *reading = (ps_wire_reading){.part = part,
                                 .index = (uint32_t)(part - fetcher->parts),
                                 .all = data->records,
                                 .reached = part->due};
    if (reading->all.length == PS_NULL_LENGTH) reading->all.length = 0;
    if (!fetcher->recipe.read_committed || data->aborted_transactions_count <= 0) return;
    /* They lie in the pool of the line, which is ours until the answer is released. */
    reading->aborted = (aborted *)data->aborted_transactions;
    reading->aborted_count = data->aborted_transactions_count;
    sort(reading->aborted, reading->aborted_count);
}

/* The next one of the lane's answer that has something; false: none. */
static bool next_partition(ps_wire_fetcher *fetcher, ps_wire_lane *lane) {
    const ps_wire_fetch_response *answer = lane->answer;
    for (; lane->topic < answer->responses_count; lane->topic++, lane->partition = 0) {
        const ps_wire_fetch_response_fetchable_topic_response *of = &answer->responses[lane->topic];
        const uint32_t topic = ps_wire_topic_of(fetcher->client, lane->version, of);
        while (lane->partition < of->partitions_count) {
            const ps_wire_fetch_response_partition_data *data = &of->partitions[lane->partition++];
            ps_wire_part *part = ps_wire_part_find(fetcher, topic, data->partition_index);
            if (part == NULL || !part->unread || part->came != part->turn ||
                part->lane != (uint32_t)(lane - fetcher->lanes))
                continue;
            begin_partition(fetcher, part, data);
            return true;
        }
    }
    return false;
}

static ps_status is_bad(ps_wire_fetcher *fetcher, int64_t offset, ps_wire_fetched *out) {
    ps_wire_part *part = fetcher->reading.part;
    part->unread = false;
    ps_wire_part_set(fetcher, part, PS_WIRE_PART_STUCK);
    fetcher->reading.part = NULL;
    return show(fetcher, PS_WIRE_BAD, offset, out);
}

/* OK: something to show. END: no more batches. AGAIN: a batch is open, or was passed over. */
static ps_status next_batch(ps_wire_fetcher *fetcher, ps_wire_fetched *out) {
    ps_wire_reading *reading = &fetcher->reading;
    ps_wire_batch *batch = &reading->batch;
    ps_error *why = &fetcher->current_error;
    const ps_status status = ps_wire_batch_next(reading->all, &reading->at, batch, why);
    if (status == PS_END) return PS_END;
    if (status != PS_OK) return is_bad(fetcher, reading->reached, out);
    const int64_t end = batch->base_offset + batch->last_offset_delta + 1;
    if (end <= reading->part->due && !batch->control) return PS_AGAIN;
    if (!ps_wire_batch_intact(batch)) {
        (void)ps_fail(why, PS_IO, "the check sum of the batch at offset %lld is wrong",
                      (long long)batch->base_offset);
        return is_bad(fetcher, batch->base_offset, out);
    }
    if (end > reading->reached) reading->reached = end;
    if (is_hidden(reading, end)) return PS_AGAIN;
    ps_bytes plain = batch->records;
    if (batch->codec != PS_WIRE_NONE &&
        ps_wire_unpack(fetcher->unpacker, batch->codec, batch->records, &plain, why) != PS_OK)
        return is_bad(fetcher, batch->base_offset, out);
    ps_wire_records_begin(&reading->records, batch, plain);
    reading->in_batch = true;
    return PS_AGAIN;
}

/* OK: a record, written to where the caller wants it: a copy of what was written a moment ago, in
 * pieces of another size, would wait for the processor's stores. AGAIN: the batch has no more. */
static inline ps_status next_record(ps_wire_fetcher *fetcher, ps_wire_fetched *out) {
    ps_wire_reading *reading = &fetcher->reading;
    ps_wire_record *record = &out->record;
    for (;;) {
        const uint8_t *at = reading->records.at;
        const ps_status status =
            ps_wire_records_next(&reading->records, record, &fetcher->current_error);
        if (status == PS_END) {
            reading->in_batch = false;
            return PS_AGAIN;
        }
        if (status != PS_OK) return is_bad(fetcher, reading->batch.base_offset, out);
        if (record->offset < reading->part->due) continue;
        reading->part->due = record->offset + 1;
        out->news = fetcher->current.news = PS_WIRE_RECORD;
        out->partition = fetcher->current.partition = reading->index;
        out->code = 0;
        out->next = record->offset + 1;
        out->first = -1;
        out->append_time = reading->records.append_time;
        fetcher->current_at = at;
        fetcher->has_current = true;
        return PS_OK;
    }
}

/* What was shown last and was not taken. A record is read again, from where it lies. */
static void show_again(ps_wire_fetcher *fetcher, ps_wire_fetched *out) {
    ps_wire_reading *reading = &fetcher->reading;
    *out = fetcher->current;
    if (out->news != PS_WIRE_RECORD) return;
    reading->records.at = fetcher->current_at;
    reading->records.left++;
    reading->part->due = 0; /* which is what it raised */
    PS_CHECK(next_record(fetcher, out) == PS_OK);
}

/* What is told at the end of a partition's batches; AGAIN: it is through. */
static ps_status tell_end(ps_wire_fetcher *fetcher, ps_wire_fetched *out) {
    ps_wire_reading *reading = &fetcher->reading;
    ps_wire_part *part = reading->part;
    if (reading->reached > part->due) {
        part->due = reading->reached;
        return show(fetcher, PS_WIRE_PASSED, part->due, out);
    }
    part->unread = false;
    reading->part = NULL;
    if (part->state != PS_WIRE_PART_READING || part->due < part->end || part->at_end == part->due)
        return PS_AGAIN;
    part->at_end = part->due;
    return show(fetcher, PS_WIRE_END, part->due, out);
}

static ps_status read_partition(ps_wire_fetcher *fetcher, ps_wire_fetched *out) {
    ps_wire_reading *reading = &fetcher->reading;
    if (reading->part->came != reading->part->turn || !reading->part->unread) {
        reading->part = NULL; /* stopped, or started again */
        return PS_AGAIN;
    }
    if (reading->in_batch) return next_record(fetcher, out);
    if (!reading->over) {
        const ps_status status = next_batch(fetcher, out);
        if (status != PS_END) return status;
        reading->over = true;
    }
    return tell_end(fetcher, out);
}

/* AGAIN: all of the answer is read. */
static ps_status read_lane(ps_wire_fetcher *fetcher, ps_wire_lane *lane, ps_wire_fetched *out) {
    for (;;) {
        if (fetcher->reading.part == NULL && !next_partition(fetcher, lane)) break;
        const ps_status status = read_partition(fetcher, out);
        if (status != PS_AGAIN) return status;
    }
    lane->answer = NULL;
    ps_wire_client_release(fetcher->client, lane->node, PS_WIRE_TO_FETCH);
    fetcher->changes++;
    return PS_AGAIN;
}

/* News that no answer carries. They wait for what was fetched before. */
static bool take_news(ps_wire_fetcher *fetcher, ps_wire_fetched *out) {
    for (uint32_t n = fetcher->queue_count; n > 0; n--) {
        const uint32_t index = fetcher->queue[fetcher->queue_first];
        ps_wire_part *part = &fetcher->parts[index];
        fetcher->queue_first = (fetcher->queue_first + 1) % fetcher->recipe.partitions;
        if (part->has_news && part->unread) {
            const uint32_t at = fetcher->queue_first + fetcher->queue_count - 1;
            fetcher->queue[at % fetcher->recipe.partitions] = index;
            continue;
        }
        fetcher->queue_count--;
        part->queued = false;
        if (!part->has_news) continue;
        part->has_news = false;
        *out = (ps_wire_fetched){.news = part->news,
                                 .partition = index,
                                 .code = part->code,
                                 .next = part->due,
                                 .first = part->first};
        fetcher->current = *out;
        fetcher->has_current = true;
        return true;
    }
    return false;
}

static ps_status find_something(ps_wire_fetcher *fetcher, ps_wire_fetched *out) {
    if (fetcher->queue_count > 0 && take_news(fetcher, out)) return PS_OK;
    for (uint32_t n = 0; n < fetcher->lane_count; n++) {
        ps_wire_lane *lane = &fetcher->lanes[fetcher->reading_lane];
        if (lane->answer != NULL && read_lane(fetcher, lane, out) == PS_OK) return PS_OK;
        if (++fetcher->reading_lane >= fetcher->lane_count) fetcher->reading_lane = 0;
    }
    return PS_AGAIN;
}

static bool is_amid_batch(const ps_wire_fetcher *fetcher) {
    const ps_wire_reading *reading = &fetcher->reading;
    return reading->in_batch && reading->part != NULL && reading->part->came == reading->part->turn;
}

ps_status ps_wire_fetcher_next(ps_wire_fetcher *fetcher, ps_wire_fetched *out, ps_error *error) {
    if (fetcher->has_current)
        show_again(fetcher, out);
    else if (!is_amid_batch(fetcher) || next_record(fetcher, out) != PS_OK)
        PS_TRY(find_something(fetcher, out));
    if (out->news == PS_WIRE_BAD && error != NULL) *error = fetcher->current_error;
    return PS_OK;
}

void ps_wire_fetcher_taken(ps_wire_fetcher *fetcher) {
    fetcher->has_current = false;
}
