/* SPDX-License-Identifier: Apache-2.0
 * A Fetch answer when it comes: what is wrong with which partition, and how far each of them got,
 * so that the next request can leave before a record of this one is read.
 */
#include <string.h>

#include "ingest/wire/error.h"
#include "ingest/wire/fetcher_parts.h"

enum { PAUSE_MS = 100 };

uint32_t ps_wire_topic_by_name(const ps_wire_client *client, ps_bytes name) {
    for (uint32_t t = 0; t < client->topic_count; t++)
        if (strlen(client->topics[t].name) == name.length &&
            memcmp(client->topics[t].name, name.data, name.length) == 0)
            return t;
    return client->topic_count;
}

uint32_t ps_wire_topic_of(const ps_wire_client *client, int16_t version,
                          const ps_wire_fetch_response_fetchable_topic_response *topic) {
    if (version < 13) return ps_wire_topic_by_name(client, topic->topic);
    for (uint32_t t = 0; t < client->topic_count; t++)
        if (memcmp(client->topics[t].shown.id, topic->topic_id, sizeof topic->topic_id) == 0)
            return t;
    return client->topic_count;
}

static void fail_partition(ps_wire_fetcher *fetcher, ps_wire_part *part,
                           const ps_wire_fetch_response_partition_data *data) {
    if (data->error_code == PS_WIRE_ERROR_OFFSET_OUT_OF_RANGE) {
        ps_wire_part_seek(fetcher, part, PS_WIRE_SEEK_FIRST, PS_WIRE_EARLIEST);
        return;
    }
    const uint32_t before = fetcher->client->metadata_count;
    if (data->current_leader.leader_id >= 0)
        ps_wire_client_lead(
            fetcher->client, part->topic, part->within,
            (ps_wire_leader){data->current_leader.leader_id, data->current_leader.leader_epoch});
    ps_wire_part_failed(fetcher, part, PS_WIRE_FETCH, data->error_code);
    if (before != fetcher->client->metadata_count) part->retry_ns = 0; /* it said who leads */
}

/* Behind the last whole batch; one that is malformed is found when it is read. */
static void advance(ps_wire_part *part, ps_bytes records) {
    uint32_t at = 0;
    ps_wire_batch batch;
    while (ps_wire_batch_next(records, &at, &batch, NULL) == PS_OK) {
        const int64_t end = batch.base_offset + batch.last_offset_delta + 1;
        if (end <= part->next) continue;
        part->next = end;
        part->epoch = batch.leader_epoch;
        part->ranges = 0;
    }
}

/* Whether there is something to read or to tell. */
static bool take_partition(ps_wire_lane *lane, uint32_t topic,
                           const ps_wire_fetch_response_partition_data *data) {
    ps_wire_fetcher *fetcher = lane->fetcher;
    ps_wire_part *part = ps_wire_part_find(fetcher, topic, data->partition_index);
    if (part == NULL || part->lane != (uint32_t)(lane - fetcher->lanes) ||
        part->asked != part->turn || part->state != PS_WIRE_PART_READING)
        return false;
    if (data->error_code != 0) {
        fail_partition(fetcher, part, data);
        return false;
    }
    if (data->diverging_epoch.end_offset >= 0) {
        part->first = data->diverging_epoch.end_offset;
        ps_wire_part_stop_at(fetcher, (uint32_t)(part - fetcher->parts), PS_WIRE_CUT_BACK, 0);
        return false;
    }
    part->failing = 0;
    part->end = fetcher->recipe.read_committed ? data->last_stable_offset : data->high_watermark;
    const bool some = data->records.length != PS_NULL_LENGTH && data->records.length > 0;
    if (some) advance(part, data->records);
    part->came = part->turn;
    part->unread = some || (part->next >= part->end && part->at_end != part->next);
    return part->unread;
}

void ps_wire_lane_answered(void *opaque, ps_status status, int16_t version, const void *response) {
    ps_wire_lane *lane = opaque;
    const ps_wire_fetch_response *answer = response;
    ps_wire_client *client = lane->fetcher->client;
    lane->fetching = false;
    lane->quiet = UINT64_MAX;
    if (status != PS_OK) {
        lane->session_epoch = 0;
        lane->gathers = false;
        return;
    }
    lane->not_before_ns =
        client->now_ns + ps_wire_throttle_ms(PS_WIRE_FETCH, answer) * PS_NS_PER_MS;
    if (answer->error_code != 0) {
        const bool lost = answer->error_code == PS_WIRE_ERROR_FETCH_SESSION_ID_NOT_FOUND ||
                          answer->error_code == PS_WIRE_ERROR_INVALID_FETCH_SESSION_EPOCH ||
                          answer->error_code == PS_WIRE_ERROR_FETCH_SESSION_TOPIC_ID_ERROR;
        lane->session_epoch = 0;
        if (lost) return;
        ps_wire_client_say(client, "Fetch: %s", ps_wire_error_name(answer->error_code));
        ps_wire_client_refresh(client);
        lane->not_before_ns = client->now_ns + PAUSE_MS * PS_NS_PER_MS;
        return;
    }
    lane->session = answer->session_id;
    if (lane->session == 0)
        lane->session_epoch = 0;
    else
        lane->session_epoch = lane->session_epoch == INT32_MAX ? 1 : lane->session_epoch + 1;
    for (int32_t i = 0; i < answer->node_endpoints_count; i++)
        ps_wire_node_learn(client, answer->node_endpoints[i].node_id,
                           answer->node_endpoints[i].host, answer->node_endpoints[i].port);
    bool some = false;
    int64_t bytes = 0;
    for (int32_t t = 0; t < answer->responses_count; t++) {
        const uint32_t topic = ps_wire_topic_of(client, version, &answer->responses[t]);
        if (topic == client->topic_count) ps_wire_client_refresh(client);
        for (int32_t p = 0; p < answer->responses[t].partitions_count; p++) {
            const ps_wire_fetch_response_partition_data *data = &answer->responses[t].partitions[p];
            some |= take_partition(lane, topic, data);
            if (data->records.length != PS_NULL_LENGTH) bytes += data->records.length;
        }
    }
    const ps_wire_fetcher_recipe *recipe = &lane->fetcher->recipe;
    const int64_t took_ns = client->now_ns - lane->asked_ns;
    lane->gathered = lane->gathers && took_ns >= lane->wait_ms * PS_NS_PER_MS * 3 / 4;
    lane->gathers = recipe->gather_ms > 0 && bytes > 0 && bytes < recipe->gather_bytes;
    if (!some) return;
    ps_wire_client_hold(client);
    lane->answer = answer;
    lane->version = version;
    lane->topic = lane->partition = 0;
}
