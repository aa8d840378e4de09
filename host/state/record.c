/* SPDX-License-Identifier: Apache-2.0 */
#include "host/state/record.h"

#include <string.h>

#include "host/base/carve.h"
#include "host/batch/series.h"

static const char magic[4] = {'P', 'S', 's', 't'};

enum {
    FIXED_BYTES = 4 + 2 + 2 + 8 + 4 + 2 + 2 + 8 + 8 + 4 + 4 + 4 + 2,
    EVICTION_BYTES = 16,
    TOUCHED_BYTES = 32
};

/* The parts of a record, in their order. */
enum { EVICTIONS, TOUCHED, ENTRIES, PARTS };

/* What one partition has in the delta at hand. */
typedef struct share {
    uint32_t count[PARTS];
    uint32_t first[PARTS]; /* in the grouped orders */
    uint32_t listed;
} share;

struct ps_state_writer {
    const ps_plan *plan;
    const ps_partitions *partitions;
    ps_state_delta delta;
    size_t chunk_bytes, bytes[PARTS]; /* of one in each part */
    uint32_t planes;
    uint32_t listed_count, listed_at; /* partitions with a record */
    uint32_t chunk, chunks;           /* of the partition at hand */
    uint32_t at[PARTS];               /* within it */
    share *share;                     /* [PS_PARTITIONS_MAX] */
    int64_t *watermark;               /* [PS_PARTITIONS_MAX] */
    uint32_t *listed;                 /* [PS_PARTITIONS_MAX] */
    uint32_t *order[PARTS];           /* segments; evictions: [rows_max] */
};

size_t ps_state_writer_bytes(const ps_plan *plan) {
    return ps_carve_size(sizeof(ps_state_writer)) +
           ps_carve_size(PS_PARTITIONS_MAX * sizeof(share)) +
           ps_carve_size(PS_PARTITIONS_MAX * sizeof(int64_t)) +
           ps_carve_size(PS_PARTITIONS_MAX * sizeof(uint32_t)) +
           2 * ps_carve_size(plan->schema.segments_max * sizeof(uint32_t)) +
           ps_carve_size(plan->schema.rows_max * sizeof(uint32_t));
}

ps_state_writer *ps_state_writer_open(void *memory, const ps_plan *plan,
                                      const ps_partitions *partitions, size_t chunk_bytes) {
    uint8_t *at = memory;
    ps_state_writer *writer = ps_carve(&at, sizeof *writer);
    memset(writer, 0, sizeof *writer);
    writer->plan = plan;
    writer->partitions = partitions;
    writer->chunk_bytes = chunk_bytes;
    for (uint32_t i = 0; i < plan->state_count; i++) writer->planes += plan->state[i].planes;
    writer->bytes[EVICTIONS] = EVICTION_BYTES;
    writer->bytes[TOUCHED] = TOUCHED_BYTES;
    writer->bytes[ENTRIES] = ps_policy_entry_bytes(plan);
    writer->share = ps_carve(&at, PS_PARTITIONS_MAX * sizeof(share));
    writer->watermark = ps_carve(&at, PS_PARTITIONS_MAX * sizeof(int64_t));
    writer->listed = ps_carve(&at, PS_PARTITIONS_MAX * sizeof(uint32_t));
    writer->order[TOUCHED] = ps_carve(&at, plan->schema.segments_max * sizeof(uint32_t));
    writer->order[ENTRIES] = ps_carve(&at, plan->schema.segments_max * sizeof(uint32_t));
    writer->order[EVICTIONS] = ps_carve(&at, plan->schema.rows_max * sizeof(uint32_t));
    memset(writer->share, 0, PS_PARTITIONS_MAX * sizeof(share));
    for (uint32_t p = 0; p < PS_PARTITIONS_MAX; p++) writer->watermark[p] = PS_OFFSET_NONE;
    PS_CHECK(chunk_bytes >= FIXED_BYTES + 256 + writer->bytes[ENTRIES]);
    return writer;
}

void ps_state_writer_watermark(ps_state_writer *writer, uint32_t partition, int64_t next) {
    writer->watermark[partition] = next;
}

static share *list(ps_state_writer *writer, uint32_t partition) {
    share *of = &writer->share[partition];
    if (!of->listed) {
        *of = (share){.listed = 1};
        writer->listed[writer->listed_count++] = partition;
    }
    return of;
}

/* The part that a segment is written in. An evicted one's image is void, what was read again is not
 * new; a swept one of a partition whose place is unknown cannot be stamped. */
static uint32_t part_of(const ps_state_writer *writer, const ps_segment *segment) {
    if (segment->kind == PS_SEGMENT_EVICTED || segment->kind == PS_SEGMENT_REPLAYED ||
        writer->watermark[segment->partition] == PS_OFFSET_NONE)
        return PARTS;
    return writer->plan->replays && segment->kind == PS_SEGMENT_TOUCHED ? TOUCHED : ENTRIES;
}

static void put_order(ps_state_writer *writer, uint32_t partition, uint32_t part, uint32_t which) {
    share *of = &writer->share[partition];
    writer->order[part][of->first[part] + of->count[part]++] = which;
}

/* Counting sort of segments and evictions by partition and part, in their own order within each. */
static void group(ps_state_writer *writer) {
    const ps_state_delta *delta = &writer->delta;
    uint32_t sum[PARTS] = {0}, part;
    for (uint32_t s = 0; s < delta->segment_count; s++)
        if ((part = part_of(writer, &delta->segments[s])) != PARTS)
            list(writer, delta->segments[s].partition)->count[part]++;
    for (uint32_t e = 0; e < delta->eviction_count; e++)
        list(writer, delta->evictions[e].partition)->count[EVICTIONS]++;
    for (uint32_t i = 0; i < writer->listed_count; i++) {
        share *of = &writer->share[writer->listed[i]];
        for (part = 0; part < PARTS; part++) {
            of->first[part] = sum[part];
            sum[part] += of->count[part];
            of->count[part] = 0;
        }
    }
    for (uint32_t s = 0; s < delta->segment_count; s++)
        if ((part = part_of(writer, &delta->segments[s])) != PARTS)
            put_order(writer, delta->segments[s].partition, part, s);
    for (uint32_t e = 0; e < delta->eviction_count; e++)
        put_order(writer, delta->evictions[e].partition, EVICTIONS, e);
}

void ps_state_writer_begin_delta(ps_state_writer *writer, const ps_state_delta *delta) {
    for (uint32_t i = 0; i < writer->listed_count; i++) writer->share[writer->listed[i]].listed = 0;
    writer->delta = *delta;
    writer->listed_count = writer->listed_at = 0;
    writer->chunk = 0;
    memset(writer->at, 0, sizeof writer->at);
    for (uint32_t i = 0; i < delta->position_count; i++) {
        writer->watermark[delta->positions[i].partition] = delta->positions[i].next;
        (void)list(writer, delta->positions[i].partition);
    }
    group(writer);
}

void ps_state_writer_begin(ps_state_writer *writer, const ps_batch *batch) {
    const ps_plan *plan = writer->plan;
    ps_state_delta delta = {.segments = batch->segments,
                            .evictions = batch->evictions,
                            .positions = batch->positions,
                            .segment_count = batch->segment_count,
                            .eviction_count = batch->eviction_count,
                            .position_count = batch->position_count,
                            .sweep_round = batch->sweep_round};
    for (uint32_t i = 0; i < plan->state_count; i++)
        delta.image[i] = ps_batch_values(batch, &plan->schema.column[plan->state[i].image]);
    ps_state_writer_begin_delta(writer, &delta);
}

static size_t header_bytes(const ps_state_writer *writer, uint32_t partition) {
    uint32_t within;
    const uint32_t topic = ps_partitions_topic(writer->partitions, partition, &within);
    return FIXED_BYTES + strlen(writer->partitions->topic[topic].name) +
           (writer->plan->replays ? sizeof(uint32_t) : 0);
}

/* How many of what is left fit one chunk. */
static void fit(const ps_state_writer *writer, size_t room, uint32_t *left) {
    for (uint32_t part = 0; part < PARTS; part++) {
        const size_t most = room / writer->bytes[part];
        if (left[part] > most) left[part] = (uint32_t)most;
        room -= left[part] * writer->bytes[part];
    }
}

static uint32_t count_chunks(const ps_state_writer *writer, const share *of, size_t room) {
    uint32_t chunks = 0, left[PARTS], any;
    memcpy(left, of->count, sizeof left);
    do {
        uint32_t now[PARTS];
        memcpy(now, left, sizeof now);
        fit(writer, room, now);
        any = 0;
        for (uint32_t part = 0; part < PARTS; part++) any |= left[part] -= now[part];
        chunks++;
    } while (any != 0);
    return chunks;
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t count) {
    memcpy(to, bytes, count);
    return to + count;
}

static uint8_t *put_header(const ps_state_writer *writer, uint8_t *to, uint32_t partition,
                           const uint32_t *count) {
    uint32_t within;
    const uint32_t topic = ps_partitions_topic(writer->partitions, partition, &within);
    const char *name = writer->partitions->topic[topic].name;
    const uint16_t format = writer->plan->replays ? PS_STATE_REPLAY : PS_STATE_DELTA;
    const uint16_t none = 0, name_bytes = (uint16_t)strlen(name);
    const uint16_t chunk = (uint16_t)writer->chunk, chunks = (uint16_t)writer->chunks;
    const int32_t number = (int32_t)within;
    to = put(to, magic, 4);
    to = put(to, &format, 2);
    to = put(to, &none, 2);
    to = put(to, &writer->plan->fingerprint, 8);
    to = put(to, &number, 4);
    to = put(to, &chunk, 2);
    to = put(to, &chunks, 2);
    to = put(to, &writer->watermark[partition], 8);
    to = put(to, &writer->delta.sweep_round, 8);
    to = put(to, &writer->planes, 4);
    to = put(to, &count[EVICTIONS], 4);
    to = put(to, &count[ENTRIES], 4);
    to = put(to, &name_bytes, 2);
    to = put(to, name, name_bytes);
    return format == PS_STATE_DELTA ? to : put(to, &count[TOUCHED], 4);
}

enum { FINGERPRINT_AT = 8 };

void ps_state_origin(uint8_t *chunk, uint64_t origin) {
    uint64_t fingerprint;
    memcpy(&fingerprint, chunk + FINGERPRINT_AT, sizeof fingerprint);
    fingerprint ^= origin;
    memcpy(chunk + FINGERPRINT_AT, &fingerprint, sizeof fingerprint);
}

static uint8_t *put_touched(const ps_state_writer *writer, uint8_t *to, uint32_t segment) {
    const ps_segment *of = &writer->delta.segments[segment];
    to = put(to, of->key, 16);
    to = put(to, &of->last, 8);
    return put(to, &of->born, 8);
}

static uint8_t *put_eviction(const ps_state_writer *writer, uint8_t *to, uint32_t which) {
    return put(to, writer->delta.evictions[which].key, EVICTION_BYTES);
}

static uint8_t *put_entry(const ps_state_writer *writer, uint8_t *to, uint32_t segment) {
    const ps_plan *plan = writer->plan;
    const ps_segment *of = &writer->delta.segments[segment];
    to = put(to, of->key, 16);
    to = put(to, &of->last, 8);
    for (uint32_t i = 0; i < plan->state_count; i++) {
        const uint32_t planes = plan->state[i].planes;
        const double *image = writer->delta.image[i] + (size_t)segment * planes;
        to = put(to, image, planes * sizeof(double));
    }
    return to;
}

static uint8_t *(*const put_one[PARTS])(const ps_state_writer *, uint8_t *,
                                        uint32_t) = {put_eviction, put_touched, put_entry};

bool ps_state_writer_next(ps_state_writer *writer, uint8_t *to, size_t *bytes,
                          uint32_t *partition) {
    if (writer->listed_at == writer->listed_count) return false;
    *partition = writer->listed[writer->listed_at];
    const share *of = &writer->share[*partition];
    const size_t room = writer->chunk_bytes - header_bytes(writer, *partition);
    if (writer->chunk == 0) writer->chunks = count_chunks(writer, of, room);
    PS_CHECK_OP(writer->chunks, <=, UINT16_MAX);
    uint32_t count[PARTS];
    for (uint32_t part = 0; part < PARTS; part++) count[part] = of->count[part] - writer->at[part];
    fit(writer, room, count);
    uint8_t *end = put_header(writer, to, *partition, count);
    for (uint32_t part = 0; part < PARTS; part++)
        for (uint32_t i = 0; i < count[part]; i++)
            end = put_one[part](writer, end,
                                writer->order[part][of->first[part] + writer->at[part]++]);
    *bytes = (size_t)(end - to);
    PS_CHECK_OP(*bytes, <=, writer->chunk_bytes);
    if (++writer->chunk < writer->chunks) return true;
    writer->chunk = 0;
    memset(writer->at, 0, sizeof writer->at);
    writer->listed_at++;
    return true;
}

size_t ps_state_writer_total(const ps_state_writer *writer) {
    size_t total = 0;
    for (uint32_t i = 0; i < writer->listed_count; i++) {
        const uint32_t partition = writer->listed[i];
        const share *of = &writer->share[partition];
        const size_t header = header_bytes(writer, partition);
        total += count_chunks(writer, of, writer->chunk_bytes - header) * header;
        for (uint32_t part = 0; part < PARTS; part++)
            total += of->count[part] * writer->bytes[part];
    }
    return total;
}

size_t ps_state_round_bytes(const ps_plan *plan, uint32_t lanes) {
    enum { TOPIC_NAME_MAX = 249 };
    const size_t entry = ps_policy_entry_bytes(plan), header = FIXED_BYTES + TOPIC_NAME_MAX + 4;
    if (plan->replays)
        return plan->series_max * entry + lanes * ps_policy_idle_steps(plan) * entry +
               ps_policy_round_rows(plan, lanes) * (header + TOUCHED_BYTES + EVICTION_BYTES);
    const size_t shared = header / PS_SWEPT_PER_POSITION;
    const size_t cause = entry + EVICTION_BYTES > shared ? entry + EVICTION_BYTES : shared;
    return plan->series_max * (cause + entry) + lanes * ps_policy_idle_steps(plan) * cause;
}

static const uint8_t *get(const uint8_t *from, void *to, size_t count) {
    memcpy(to, from, count);
    return from + count;
}

static ps_status broken(ps_error *error, const char *what) {
    return ps_fail(error, PS_BAD_CONFIG,
                   "a state record is %s: if nothing else writes to the state topic, run `penstock "
                   "reset FILE --state`",
                   what);
}

const char *ps_state_policy(uint16_t format) {
    return format == PS_STATE_REPLAY ? "replay" : "delta";
}

ps_status ps_state_parse(const uint8_t *data, size_t bytes, ps_state_header *header,
                         ps_error *error) {
    uint16_t format, reserved, topic_bytes;
    if (bytes < FIXED_BYTES || memcmp(data, magic, 4) != 0) return broken(error, "not penstock's");
    const uint8_t *at = get(data + 4, &format, 2);
    if (format != PS_STATE_DELTA && format != PS_STATE_REPLAY)
        return ps_fail(error, PS_BAD_CONFIG,
                       "a state record has format %u, and this penstock reads formats %d and %d: "
                       "start a newer penstock, or run `penstock reset FILE --state`",
                       format, PS_STATE_DELTA, PS_STATE_REPLAY);
    header->format = format;
    at = get(at, &reserved, 2);
    at = get(at, &header->fingerprint, 8);
    at = get(at, &header->within, 4);
    at = get(at, &header->chunk, 2);
    at = get(at, &header->chunks, 2);
    at = get(at, &header->watermark, 8);
    at = get(at, &header->sweep_round, 8);
    at = get(at, &header->planes, 4);
    at = get(at, &header->evictions, 4);
    at = get(at, &header->entries, 4);
    at = get(at, &topic_bytes, 2);
    header->place = 0;
    header->touched = 0;
    header->topic = (ps_bytes){at, topic_bytes};
    header->header_bytes = (uint32_t)FIXED_BYTES + topic_bytes;
    if (format == PS_STATE_REPLAY) {
        header->header_bytes += 4;
        if (header->header_bytes > bytes) return broken(error, "of the wrong length");
        (void)get(at + topic_bytes, &header->touched, 4);
    }
    if (header->planes > PS_STATE_PLANES_MAX) return broken(error, "of an impossible width");
    const uint64_t expected = header->header_bytes + header->evictions * (uint64_t)EVICTION_BYTES +
                              header->touched * (uint64_t)TOUCHED_BYTES +
                              header->entries * (24 + 8 * (uint64_t)header->planes);
    if (expected != bytes) return broken(error, "of the wrong length");
    if (header->chunk >= header->chunks) return broken(error, "numbered past its end");
    return PS_OK;
}

typedef struct group_to {
    ps_state_apply *apply;
    void *context;
    uint32_t partition;
} group_to;

/* A group that is full, or the last one. */
static void give(const group_to *to, const ps_state_entry *entries, uint32_t *count, bool last) {
    if (*count < PS_STATE_TOGETHER && !last) return;
    to->apply(to->context, to->partition, entries, *count);
    *count = 0;
}

void ps_state_apply_chunk(const uint8_t *data, const ps_state_header *header, uint32_t partition,
                          ps_state_apply *apply, void *context) {
    const uint8_t *at = data + header->header_bytes;
    const group_to to = {apply, context, partition};
    double planes[PS_STATE_TOGETHER * PS_STATE_PLANES_MAX];
    ps_state_entry entry[PS_STATE_TOGETHER];
    uint32_t count = 0;
    for (uint32_t i = 0; i < header->evictions; i++) {
        entry[count] = (ps_state_entry){.kind = PS_STATE_GONE};
        at = get(at, entry[count++].key, EVICTION_BYTES);
        give(&to, entry, &count, i + 1 == header->evictions);
    }
    for (uint32_t i = 0; i < header->touched; i++) {
        ps_state_entry *one = &entry[count++];
        *one = (ps_state_entry){.place = header->place, .round = header->sweep_round};
        at = get(at, one->key, 16);
        at = get(at, &one->last, 8);
        at = get(at, &one->mark, 8);
        one->kind = one->mark < 0 ? PS_STATE_MOVED : PS_STATE_BORN;
        give(&to, entry, &count, i + 1 == header->touched);
    }
    for (uint32_t i = 0; i < header->entries; i++) {
        entry[count] = (ps_state_entry){.mark = header->watermark,
                                        .planes = planes + (size_t)count * header->planes,
                                        .place = header->place,
                                        .round = header->sweep_round};
        at = get(at, entry[count].key, 16);
        at = get(at, &entry[count].last, 8);
        /* unaligned in the record */
        at = get(at, planes + (size_t)count++ * header->planes, header->planes * sizeof(double));
        give(&to, entry, &count, i + 1 == header->entries);
    }
}
