/* SPDX-License-Identifier: Apache-2.0 */
#include "host/state/record.h"

#include <string.h>

#include "host/base/carve.h"
#include "host/batch/series.h"

static const char magic[4] = {'P', 'S', 's', 't'};

enum { FIXED_BYTES = 4 + 2 + 2 + 8 + 4 + 2 + 2 + 8 + 8 + 4 + 4 + 4 + 2, EVICTION_BYTES = 16 };

/* What one partition has in the batch at hand. */
typedef struct share {
    uint32_t entries, evictions;
    uint32_t entry_first, eviction_first; /* in the grouped orders */
    uint32_t listed;
} share;

struct ps_state_writer {
    const ps_plan *plan;
    const ps_partitions *partitions;
    const ps_batch *batch;
    size_t chunk_bytes, entry_bytes;
    uint32_t planes;
    uint32_t listed_count, listed_at; /* partitions with a record */
    uint32_t chunk, chunks;           /* of the partition at hand */
    uint32_t entry_at, eviction_at;   /* within it */
    share *share;                     /* [PS_PARTITIONS_MAX] */
    int64_t *watermark;               /* [PS_PARTITIONS_MAX] */
    uint32_t *listed;                 /* [PS_PARTITIONS_MAX] */
    uint32_t *entry_order;            /* [segments_max] */
    uint32_t *eviction_order;         /* [rows_max] */
};

size_t ps_state_writer_bytes(const ps_plan *plan) {
    return ps_carve_size(sizeof(ps_state_writer)) +
           ps_carve_size(PS_PARTITIONS_MAX * sizeof(share)) +
           ps_carve_size(PS_PARTITIONS_MAX * sizeof(int64_t)) +
           ps_carve_size(PS_PARTITIONS_MAX * sizeof(uint32_t)) +
           ps_carve_size(plan->schema.segments_max * sizeof(uint32_t)) +
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
    writer->entry_bytes = 24 + 8 * (size_t)writer->planes;
    writer->share = ps_carve(&at, PS_PARTITIONS_MAX * sizeof(share));
    writer->watermark = ps_carve(&at, PS_PARTITIONS_MAX * sizeof(int64_t));
    writer->listed = ps_carve(&at, PS_PARTITIONS_MAX * sizeof(uint32_t));
    writer->entry_order = ps_carve(&at, plan->schema.segments_max * sizeof(uint32_t));
    writer->eviction_order = ps_carve(&at, plan->schema.rows_max * sizeof(uint32_t));
    memset(writer->share, 0, PS_PARTITIONS_MAX * sizeof(share));
    for (uint32_t p = 0; p < PS_PARTITIONS_MAX; p++) writer->watermark[p] = PS_OFFSET_NONE;
    PS_CHECK(chunk_bytes >= FIXED_BYTES + 256 + writer->entry_bytes);
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

/* An evicted segment's image is void; a swept one of a partition whose place is unknown cannot be
 * stamped. */
static bool goes_out(const ps_state_writer *writer, const ps_segment *segment) {
    return segment->kind != PS_SEGMENT_EVICTED &&
           writer->watermark[segment->partition] != PS_OFFSET_NONE;
}

/* Counting sort of segments and evictions by partition, in their own order within each. */
static void group(ps_state_writer *writer) {
    const ps_batch *batch = writer->batch;
    for (uint32_t s = 0; s < batch->segment_count; s++)
        if (goes_out(writer, &batch->segments[s]))
            list(writer, batch->segments[s].partition)->entries++;
    for (uint32_t e = 0; e < batch->eviction_count; e++)
        list(writer, batch->evictions[e].partition)->evictions++;
    uint32_t entries = 0, evictions = 0;
    for (uint32_t i = 0; i < writer->listed_count; i++) {
        share *of = &writer->share[writer->listed[i]];
        of->entry_first = entries;
        of->eviction_first = evictions;
        entries += of->entries;
        evictions += of->evictions;
        of->entries = of->evictions = 0;
    }
    for (uint32_t s = 0; s < batch->segment_count; s++) {
        if (!goes_out(writer, &batch->segments[s])) continue;
        share *of = &writer->share[batch->segments[s].partition];
        writer->entry_order[of->entry_first + of->entries++] = s;
    }
    for (uint32_t e = 0; e < batch->eviction_count; e++) {
        share *of = &writer->share[batch->evictions[e].partition];
        writer->eviction_order[of->eviction_first + of->evictions++] = e;
    }
}

void ps_state_writer_begin(ps_state_writer *writer, const ps_batch *batch) {
    for (uint32_t i = 0; i < writer->listed_count; i++) writer->share[writer->listed[i]].listed = 0;
    writer->batch = batch;
    writer->listed_count = writer->listed_at = 0;
    writer->chunk = writer->entry_at = writer->eviction_at = 0;
    for (uint32_t i = 0; i < batch->position_count; i++) {
        writer->watermark[batch->positions[i].partition] = batch->positions[i].next;
        (void)list(writer, batch->positions[i].partition);
    }
    group(writer);
}

static size_t header_bytes(const ps_state_writer *writer, uint32_t partition) {
    uint32_t within;
    const uint32_t topic = ps_partitions_topic(writer->partitions, partition, &within);
    return FIXED_BYTES + strlen(writer->partitions->topic[topic].name);
}

/* How many of the evictions and entries that are left fit one chunk. */
static void fit(const ps_state_writer *writer, size_t room, uint32_t *evictions,
                uint32_t *entries) {
    const size_t evictions_fit = room / EVICTION_BYTES;
    if (*evictions > evictions_fit) *evictions = (uint32_t)evictions_fit;
    const size_t entries_fit = (room - *evictions * (size_t)EVICTION_BYTES) / writer->entry_bytes;
    if (*entries > entries_fit) *entries = (uint32_t)entries_fit;
}

static uint32_t count_chunks(const ps_state_writer *writer, const share *of, size_t room) {
    uint32_t chunks = 0, evictions = of->evictions, entries = of->entries;
    do {
        uint32_t evictions_now = evictions, entries_now = entries;
        fit(writer, room, &evictions_now, &entries_now);
        evictions -= evictions_now;
        entries -= entries_now;
        chunks++;
    } while (evictions > 0 || entries > 0);
    return chunks;
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t count) {
    memcpy(to, bytes, count);
    return to + count;
}

static uint8_t *put_header(const ps_state_writer *writer, uint8_t *to, uint32_t partition,
                           uint32_t evictions, uint32_t entries) {
    uint32_t within;
    const uint32_t topic = ps_partitions_topic(writer->partitions, partition, &within);
    const char *name = writer->partitions->topic[topic].name;
    const uint16_t format = PS_STATE_FORMAT, none = 0, name_bytes = (uint16_t)strlen(name);
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
    to = put(to, &writer->batch->sweep_round, 8);
    to = put(to, &writer->planes, 4);
    to = put(to, &evictions, 4);
    to = put(to, &entries, 4);
    to = put(to, &name_bytes, 2);
    return put(to, name, name_bytes);
}

enum { FINGERPRINT_AT = 8 };

void ps_state_origin(uint8_t *chunk, uint64_t origin) {
    uint64_t fingerprint;
    memcpy(&fingerprint, chunk + FINGERPRINT_AT, sizeof fingerprint);
    fingerprint ^= origin;
    memcpy(chunk + FINGERPRINT_AT, &fingerprint, sizeof fingerprint);
}

static uint8_t *put_entry(const ps_state_writer *writer, uint8_t *to, uint32_t segment) {
    const ps_plan *plan = writer->plan;
    const ps_segment *of = &writer->batch->segments[segment];
    to = put(to, of->key, 16);
    to = put(to, &of->last, 8);
    for (uint32_t i = 0; i < plan->state_count; i++) {
        const ps_state_plan *state = &plan->state[i];
        const double *image = ps_batch_values(writer->batch, &plan->schema.column[state->image]);
        to = put(to, image + (size_t)segment * state->planes, state->planes * sizeof(double));
    }
    return to;
}

bool ps_state_writer_next(ps_state_writer *writer, uint8_t *to, size_t *bytes,
                          uint32_t *partition) {
    if (writer->listed_at == writer->listed_count) return false;
    *partition = writer->listed[writer->listed_at];
    const share *of = &writer->share[*partition];
    const size_t room = writer->chunk_bytes - header_bytes(writer, *partition);
    if (writer->chunk == 0) writer->chunks = count_chunks(writer, of, room);
    PS_CHECK_OP(writer->chunks, <=, UINT16_MAX);
    uint32_t evictions = of->evictions - writer->eviction_at,
             entries = of->entries - writer->entry_at;
    fit(writer, room, &evictions, &entries);
    uint8_t *end = put_header(writer, to, *partition, evictions, entries);
    for (uint32_t i = 0; i < evictions; i++) {
        const uint32_t which = writer->eviction_order[of->eviction_first + writer->eviction_at++];
        end = put(end, writer->batch->evictions[which].key, EVICTION_BYTES);
    }
    for (uint32_t i = 0; i < entries; i++)
        end = put_entry(writer, end, writer->entry_order[of->entry_first + writer->entry_at++]);
    *bytes = (size_t)(end - to);
    PS_CHECK_OP(*bytes, <=, writer->chunk_bytes);
    if (++writer->chunk < writer->chunks) return true;
    writer->chunk = writer->entry_at = writer->eviction_at = 0;
    writer->listed_at++;
    return true;
}

size_t ps_state_writer_total(const ps_state_writer *writer) {
    size_t total = 0;
    for (uint32_t i = 0; i < writer->listed_count; i++) {
        const uint32_t partition = writer->listed[i];
        const share *of = &writer->share[partition];
        const size_t header = header_bytes(writer, partition);
        total += count_chunks(writer, of, writer->chunk_bytes - header) * header +
                 of->evictions * (size_t)EVICTION_BYTES + of->entries * writer->entry_bytes;
    }
    return total;
}

size_t ps_state_round_bytes(const ps_plan *plan, uint32_t lanes) {
    enum { TOPIC_NAME_MAX = 249, LOOKS_PER_STEP = 8 };
    const size_t entry = 24 + 8 * (size_t)plan->plane_count;
    const size_t header = (FIXED_BYTES + TOPIC_NAME_MAX) / PS_SWEPT_PER_POSITION;
    const size_t cause = entry + EVICTION_BYTES > header ? entry + EVICTION_BYTES : header;
    const size_t dead = plan->series_capacity - plan->series_max;
    /* The last batch of a round goes past its end. */
    const size_t own = dead / LOOKS_PER_STEP + plan->schema.segments_max;
    return plan->series_max * (cause + entry) + lanes * own * cause;
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

ps_status ps_state_parse(const uint8_t *data, size_t bytes, ps_state_header *header,
                         ps_error *error) {
    uint16_t format, reserved, topic_bytes;
    if (bytes < FIXED_BYTES || memcmp(data, magic, 4) != 0) return broken(error, "not penstock's");
    const uint8_t *at = get(data + 4, &format, 2);
    if (format != PS_STATE_FORMAT)
        return ps_fail(error, PS_BAD_CONFIG,
                       "a state record has format %u, and this penstock reads format %d: start a "
                       "newer penstock, or run "
                       "`penstock reset FILE --state`",
                       format, PS_STATE_FORMAT);
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
    header->topic = (ps_bytes){at, topic_bytes};
    header->header_bytes = (uint32_t)FIXED_BYTES + topic_bytes;
    if (header->planes > PS_STATE_PLANES_MAX) return broken(error, "of an impossible width");
    const uint64_t expected = header->header_bytes + header->evictions * (uint64_t)EVICTION_BYTES +
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
        entry[count] = (ps_state_entry){.planes = NULL};
        at = get(at, entry[count++].key, EVICTION_BYTES);
        give(&to, entry, &count, i + 1 == header->evictions);
    }
    for (uint32_t i = 0; i < header->entries; i++) {
        entry[count] = (ps_state_entry){.planes = planes + (size_t)count * header->planes,
                                        .place = header->place};
        at = get(at, entry[count].key, 16);
        at = get(at, &entry[count].last, 8);
        /* unaligned in the record */
        at = get(at, planes + (size_t)count++ * header->planes, header->planes * sizeof(double));
        give(&to, entry, &count, i + 1 == header->entries);
    }
}
