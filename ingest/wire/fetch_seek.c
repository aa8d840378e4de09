/* SPDX-License-Identifier: Apache-2.0
 * ListOffsets: where a partition begins or ends, for those that are read from there, and for an
 * offset that a broker calls out of range.
 */
#include <string.h>

#include "ingest/wire/error.h"
#include "ingest/wire/fetcher_parts.h"

enum { ANSWER_MS = 10000, RANGES_MAX = 3 };

static void read_from(ps_wire_fetcher *fetcher, ps_wire_part *part, int64_t next) {
    part->next = part->due = next;
    part->epoch = -1;
    ps_wire_part_set(fetcher, part, PS_WIRE_PART_READING);
}

static void take_offset(ps_wire_fetcher *fetcher, ps_wire_part *part, int64_t offset) {
    const uint32_t index = (uint32_t)(part - fetcher->parts);
    if (offset < 0) {
        ps_wire_part_failed(fetcher, part, PS_WIRE_LIST_OFFSETS,
                            PS_WIRE_ERROR_OFFSET_NOT_AVAILABLE);
        return;
    }
    switch (part->seek) {
    case PS_WIRE_SEEK_START:
        read_from(fetcher, part, offset);
        return;
    case PS_WIRE_SEEK_FIRST:
        part->first = offset;
        if (part->next < offset || part->ranges >= RANGES_MAX)
            ps_wire_part_stop_at(fetcher, index, PS_WIRE_GONE, PS_WIRE_ERROR_OFFSET_OUT_OF_RANGE);
        else
            ps_wire_part_seek(fetcher, part, PS_WIRE_SEEK_END, PS_WIRE_LATEST);
        return;
    case PS_WIRE_SEEK_END:
        if (part->next > offset) {
            ps_wire_part_stop_at(fetcher, index, PS_WIRE_GONE, PS_WIRE_ERROR_OFFSET_OUT_OF_RANGE);
            return;
        }
        /* It is in range by now; or the epoch was not, which the log start went past. */
        part->ranges++;
        part->epoch = -1;
        ps_wire_part_set(fetcher, part, PS_WIRE_PART_READING);
    }
}

static void take_partition(ps_wire_lane *lane, uint32_t topic,
                           const ps_wire_list_offsets_response_list_offsets_partition_response *p) {
    ps_wire_fetcher *fetcher = lane->fetcher;
    ps_wire_part *part = ps_wire_part_find(fetcher, topic, p->partition_index);
    if (part == NULL || !part->sought || part->sought_turn != part->turn ||
        part->lane != (uint32_t)(lane - fetcher->lanes) || part->state != PS_WIRE_PART_SEEKING)
        return;
    part->sought = false;
    part->failing = 0;
    if (p->error_code == 0)
        take_offset(fetcher, part, p->offset);
    else
        ps_wire_part_failed(fetcher, part, PS_WIRE_LIST_OFFSETS, p->error_code);
}

static void on_offsets(void *opaque, ps_status status, int16_t version, const void *response) {
    ps_wire_lane *lane = opaque;
    const ps_wire_list_offsets_response *answer = response;
    ps_wire_fetcher *fetcher = lane->fetcher;
    (void)version;
    lane->seeking = false;
    for (int32_t t = 0; status == PS_OK && t < answer->topics_count; t++) {
        const uint32_t topic = ps_wire_topic_by_name(fetcher->client, answer->topics[t].name);
        for (int32_t i = 0; i < answer->topics[t].partitions_count; i++)
            take_partition(lane, topic, &answer->topics[t].partitions[i]);
    }
    for (uint32_t i = 0; i < fetcher->parts_end; i++) /* those that it did not answer */
        if (fetcher->parts[i].lane == (uint32_t)(lane - fetcher->lanes))
            fetcher->parts[i].sought = false;
}

/* LATEST is where the reader's isolation ends, and in range is what the log has. */
static int8_t isolation_of(const ps_wire_fetcher *fetcher, const ps_wire_part *part) {
    return part->seek == PS_WIRE_SEEK_START && fetcher->recipe.read_committed ? 1 : 0;
}

static bool wants(ps_wire_fetcher *fetcher, const ps_wire_lane *lane, const ps_wire_part *part) {
    return part->state == PS_WIRE_PART_SEEKING && !part->sought && !part->unread &&
           part->retry_ns <= fetcher->client->now_ns &&
           ps_wire_client_leader(fetcher->client, part->topic, part->within).node == lane->node;
}

/* Marks those of one isolation; returns how many topics they are of. */
static uint32_t put(ps_wire_fetcher *fetcher, const ps_wire_lane *lane, int8_t *isolation) {
    const ps_wire_client *client = fetcher->client;
    uint32_t used = 0, topics = 0;
    *isolation = -1;
    memset(fetcher->marks, 0, fetcher->parts_end);
    for (uint32_t t = 0; t < client->topic_count; t++) {
        const uint32_t begin = used;
        for (uint32_t i = 0; i < fetcher->parts_end; i++) {
            const ps_wire_part *part = &fetcher->parts[i];
            if (part->topic != t || !wants(fetcher, lane, part)) continue;
            if (*isolation < 0) *isolation = isolation_of(fetcher, part);
            if (isolation_of(fetcher, part) != *isolation) continue;
            fetcher->marks[i] = 1;
            fetcher->list_partitions[used++] =
                (ps_wire_list_offsets_request_list_offsets_partition){
                    .partition_index = (int32_t)part->within,
                    .current_leader_epoch =
                        ps_wire_client_leader(fetcher->client, t, part->within).epoch,
                    .timestamp = part->seek_time};
        }
        if (used == begin) continue;
        const char *name = client->topics[t].name;
        fetcher->list_topics[topics++] = (ps_wire_list_offsets_request_list_offsets_topic){
            .name = {(const uint8_t *)name, (uint32_t)strlen(name)},
            .partitions_count = (int32_t)(used - begin),
            .partitions = fetcher->list_partitions + begin};
    }
    return topics;
}

void ps_wire_lane_seek(ps_wire_fetcher *fetcher, ps_wire_lane *lane) {
    ps_wire_list_offsets_request request = {.replica_id = -1, .topics = fetcher->list_topics};
    request.topics_count = (int32_t)put(fetcher, lane, &request.isolation_level);
    if (request.topics_count == 0) return;
    const ps_wire_call call = {.node = lane->node,
                               .line = PS_WIRE_CONTROL,
                               .api = PS_WIRE_LIST_OFFSETS,
                               .version = -1,
                               .request = &request,
                               .timeout_ns = ANSWER_MS * PS_NS_PER_MS,
                               .answered = on_offsets,
                               .opaque = lane};
    ps_error why;
    const ps_status status = ps_wire_client_send(fetcher->client, &call, &why);
    if (status != PS_OK && status != PS_AGAIN)
        ps_wire_client_say(fetcher->client, "ListOffsets: %s", why.message);
    if (status != PS_OK) return;
    lane->seeking = true;
    for (uint32_t i = 0; i < fetcher->parts_end; i++) {
        if (fetcher->marks[i] == 0) continue;
        ps_wire_part *part = &fetcher->parts[i];
        part->sought = true;
        part->sought_turn = part->turn;
        part->lane = (uint32_t)(lane - fetcher->lanes);
    }
}
