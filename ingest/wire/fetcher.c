/* SPDX-License-Identifier: Apache-2.0
 * The fetcher as a whole: its memory, which partitions it reads, and what each of its lanes is to
 * do next.
 */
#include "ingest/wire/fetcher.h"

#include <stdlib.h>
#include <string.h>

#include "host/base/check.h"
#include "ingest/wire/error.h"
#include "ingest/wire/fetcher_parts.h"

enum { PAUSE_MS = 50 };

static uint32_t lanes_of(const ps_wire_client *client) {
    return client->nodes_max - client->seed_count;
}

size_t ps_wire_fetcher_bytes(const ps_wire_fetcher_recipe *recipe) {
    const ps_wire_client *client = recipe->client;
    const size_t each = sizeof(ps_wire_part) + 2 * sizeof(uint32_t) + 1 + lanes_of(client) +
                        sizeof(ps_wire_fetch_request_fetch_partition) + sizeof(int32_t) +
                        sizeof(ps_wire_list_offsets_request_list_offsets_partition);
    const size_t topic = client->partitions_max * sizeof(uint32_t) + sizeof(uint32_t) +
                         sizeof(ps_wire_fetch_request_fetch_topic) +
                         sizeof(ps_wire_fetch_request_forgotten_topic) +
                         sizeof(ps_wire_list_offsets_request_list_offsets_topic);
    return sizeof(ps_wire_fetcher) + recipe->partitions * each + client->topic_count * topic +
           lanes_of(client) * sizeof(ps_wire_lane) + ps_wire_unpacker_bytes(recipe->unpacked_max);
}

void ps_wire_fetcher_close(ps_wire_fetcher *fetcher) {
    if (fetcher == NULL) return;
    for (uint32_t i = 0; fetcher->lanes != NULL && i < fetcher->lanes_max; i++) {
        ps_wire_lane *lane = &fetcher->lanes[i];
        if (lane->fetching) ps_wire_client_cut(fetcher->client, lane->node, PS_WIRE_TO_FETCH);
        if (lane->seeking) ps_wire_client_cut(fetcher->client, lane->node, PS_WIRE_CONTROL);
        if (lane->answer != NULL)
            ps_wire_client_release(fetcher->client, lane->node, PS_WIRE_TO_FETCH);
        free(lane->members);
    }
    ps_wire_unpacker_close(fetcher->unpacker);
    free(fetcher->parts);
    free(fetcher->index);
    free(fetcher->queue);
    free(fetcher->lanes);
    free(fetcher->marks);
    free(fetcher->counts);
    free(fetcher->topics);
    free(fetcher->partitions);
    free(fetcher->forgotten);
    free(fetcher->forgotten_partitions);
    free(fetcher->list_topics);
    free(fetcher->list_partitions);
    free(fetcher);
}

static bool take_memory(ps_wire_fetcher *f) {
    const size_t partitions = f->recipe.partitions + 1, topics = f->client->topic_count + 1;
    f->parts = calloc(partitions, sizeof *f->parts);
    f->index = calloc(topics * (f->client->partitions_max + 1), sizeof *f->index);
    f->queue = malloc(partitions * sizeof *f->queue);
    f->lanes = calloc(f->lanes_max + 1, sizeof *f->lanes);
    f->marks = malloc(partitions);
    f->counts = malloc(2 * topics * sizeof *f->counts);
    f->topics = malloc(topics * sizeof *f->topics);
    f->partitions = malloc(partitions * sizeof *f->partitions);
    f->forgotten = malloc(topics * sizeof *f->forgotten);
    f->forgotten_partitions = malloc(partitions * sizeof *f->forgotten_partitions);
    f->list_topics = malloc(topics * sizeof *f->list_topics);
    f->list_partitions = malloc(partitions * sizeof *f->list_partitions);
    if (f->parts == NULL || f->index == NULL || f->queue == NULL || f->lanes == NULL ||
        f->marks == NULL || f->counts == NULL || f->topics == NULL || f->partitions == NULL ||
        f->forgotten == NULL || f->forgotten_partitions == NULL || f->list_topics == NULL ||
        f->list_partitions == NULL)
        return false;
    for (uint32_t i = 0; i < f->lanes_max; i++) {
        f->lanes[i] = (ps_wire_lane){.fetcher = f,
                                     .node = PS_WIRE_NODE_NONE,
                                     .quiet = UINT64_MAX,
                                     .members = calloc(partitions, 1)};
        if (f->lanes[i].members == NULL) return false;
    }
    return true;
}

ps_status ps_wire_fetcher_open(const ps_wire_fetcher_recipe *recipe, ps_wire_fetcher **out,
                               ps_error *error) {
    ps_wire_fetcher *fetcher = calloc(1, sizeof *fetcher);
    if (fetcher == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory to read from Kafka");
    fetcher->recipe = *recipe;
    fetcher->client = recipe->client;
    fetcher->lanes_max = lanes_of(recipe->client);
    fetcher->resume_ns = INT64_MAX;
    ps_status status = PS_OK;
    if (!take_memory(fetcher))
        status = ps_fail(error, PS_NO_MEMORY, "no memory to read from Kafka");
    if (status == PS_OK)
        status = ps_wire_unpacker_open(recipe->unpacked_max, &fetcher->unpacker, error);
    if (status != PS_OK) {
        ps_wire_fetcher_close(fetcher);
        return status;
    }
    *out = fetcher;
    return PS_OK;
}

/* ---- partitions ---- */

ps_wire_part *ps_wire_part_find(ps_wire_fetcher *fetcher, uint32_t topic, int32_t within) {
    const uint32_t most = fetcher->client->partitions_max;
    if (topic >= fetcher->client->topic_count || within < 0 || (uint32_t)within >= most)
        return NULL;
    const uint32_t found = fetcher->index[(size_t)topic * most + (uint32_t)within];
    return found == 0 ? NULL : &fetcher->parts[found - 1];
}

void ps_wire_part_set(ps_wire_fetcher *fetcher, ps_wire_part *part, ps_wire_part_state state) {
    fetcher->seeking_count -= part->state == PS_WIRE_PART_SEEKING;
    fetcher->seeking_count += state == PS_WIRE_PART_SEEKING;
    part->state = state;
    fetcher->changes++;
}

void ps_wire_part_seek(ps_wire_fetcher *fetcher, ps_wire_part *part, ps_wire_seek why,
                       int64_t time) {
    part->seek = why;
    part->seek_time = time;
    part->sought = false;
    ps_wire_part_set(fetcher, part, PS_WIRE_PART_SEEKING);
}

void ps_wire_part_pause(ps_wire_fetcher *fetcher, ps_wire_part *part, int64_t pause_ns) {
    part->retry_ns = fetcher->client->now_ns + pause_ns;
    if (part->retry_ns < fetcher->resume_ns) fetcher->resume_ns = part->retry_ns;
    fetcher->changes++;
}

void ps_wire_part_stop_at(ps_wire_fetcher *fetcher, uint32_t index, ps_wire_news news,
                          int16_t code) {
    ps_wire_part *part = &fetcher->parts[index];
    ps_wire_part_set(fetcher, part, PS_WIRE_PART_STUCK);
    part->has_news = true;
    part->news = news;
    part->code = code;
    if (part->queued) return;
    part->queued = true;
    const uint32_t at = fetcher->queue_first + fetcher->queue_count++;
    fetcher->queue[at % fetcher->recipe.partitions] = index;
}

void ps_wire_part_failed(ps_wire_fetcher *fetcher, ps_wire_part *part, ps_wire_api api,
                         int16_t code) {
    const ps_wire_action action = ps_wire_error_action(api, code);
    const uint32_t index = (uint32_t)(part - fetcher->parts);
    part->failing = code;
    if (action == PS_WIRE_FATAL) {
        ps_wire_part_stop_at(fetcher, index, PS_WIRE_REFUSED, code);
        return;
    }
    if (action == PS_WIRE_REFRESH || code == PS_WIRE_ERROR_UNKNOWN_LEADER_EPOCH)
        ps_wire_client_refresh(fetcher->client);
    ps_wire_part_pause(fetcher, part, PAUSE_MS * PS_NS_PER_MS);
}

/* What was asked for before is void from here on. */
static ps_wire_part *turn_over(ps_wire_fetcher *fetcher, uint32_t index) {
    PS_CHECK_OP(index, <, fetcher->recipe.partitions);
    ps_wire_part *part = &fetcher->parts[index];
    part->turn++;
    part->unread = part->has_news = part->sought = false;
    if (fetcher->has_current && fetcher->current.partition == index) fetcher->has_current = false;
    if (fetcher->reading.part == part) fetcher->reading.part = NULL;
    return part;
}

static void set_index(ps_wire_fetcher *fetcher, const ps_wire_part *part, uint32_t value) {
    const size_t row = (size_t)part->topic * fetcher->client->partitions_max;
    fetcher->index[row + part->within] = value;
}

void ps_wire_fetcher_stop(ps_wire_fetcher *fetcher, uint32_t partition) {
    ps_wire_part *part = turn_over(fetcher, partition);
    if (part->state != PS_WIRE_PART_IDLE) set_index(fetcher, part, 0);
    ps_wire_part_set(fetcher, part, PS_WIRE_PART_IDLE);
    part->end = -1;
}

void ps_wire_fetcher_start(ps_wire_fetcher *fetcher, uint32_t partition, uint32_t topic,
                           uint32_t within, int64_t next) {
    PS_CHECK_OP(topic, <, fetcher->client->topic_count);
    PS_CHECK_OP(within, <, fetcher->client->partitions_max);
    ps_wire_fetcher_stop(fetcher, partition);
    ps_wire_part *part = &fetcher->parts[partition];
    if (partition >= fetcher->parts_end) fetcher->parts_end = partition + 1;
    part->topic = topic;
    part->within = within;
    set_index(fetcher, part, partition + 1);
    part->made = ps_wire_client_topic(fetcher->client, topic)->made;
    part->next = part->due = next;
    part->epoch = part->told_epoch = -1;
    part->told_next = part->at_end = -1;
    part->retry_ns = part->stalled_ns = 0;
    part->failing = 0;
    part->ranges = 0;
    if (next < 0)
        ps_wire_part_seek(fetcher, part, PS_WIRE_SEEK_START, next);
    else
        ps_wire_part_set(fetcher, part, PS_WIRE_PART_READING);
}

int64_t ps_wire_fetcher_end(const ps_wire_fetcher *fetcher, uint32_t partition) {
    const ps_wire_part *part = &fetcher->parts[partition];
    return part->state == PS_WIRE_PART_IDLE ? -1 : part->end;
}

/* ---- what metadata changes ---- */

static bool has_lane(const ps_wire_fetcher *fetcher, int32_t node) {
    for (uint32_t i = 0; i < fetcher->lane_count; i++)
        if (fetcher->lanes[i].node == node) return true;
    return false;
}

/* Of its leader; NULL: there is none, or there was no room for it. */
static const ps_wire_lane *lane_of(ps_wire_fetcher *fetcher, const ps_wire_part *part) {
    const int32_t node = ps_wire_client_leader(fetcher->client, part->topic, part->within).node;
    for (uint32_t i = 0; i < fetcher->lane_count && node >= 0; i++)
        if (fetcher->lanes[i].node == node) return &fetcher->lanes[i];
    ps_wire_client_refresh(fetcher->client); /* nobody else asks about a broker without a lane */
    return NULL;
}

/* Whether it is asked for or was answered, as far as can be seen between two steps. */
static bool is_served(ps_wire_fetcher *fetcher, const ps_wire_part *part) {
    const ps_wire_lane *lane = lane_of(fetcher, part);
    if (part->unread || part->sought) return true;
    if (lane == NULL || part->failing != 0) return false;
    return lane->answer != NULL || (part->state == PS_WIRE_PART_READING && lane->fetching &&
                                    lane->members[part - fetcher->parts]);
}

bool ps_wire_fetcher_stalled(ps_wire_fetcher *fetcher, ps_wire_stalled *out) {
    out->since_ns = INT64_MAX;
    for (uint32_t i = 0; i < fetcher->parts_end; i++) {
        ps_wire_part *part = &fetcher->parts[i];
        const bool tried =
            part->state == PS_WIRE_PART_SEEKING || part->state == PS_WIRE_PART_READING;
        if (!tried || is_served(fetcher, part)) {
            part->stalled_ns = 0;
            continue;
        }
        if (part->stalled_ns == 0) part->stalled_ns = fetcher->client->now_ns;
        if (part->stalled_ns < out->since_ns)
            *out = (ps_wire_stalled){part->topic, part->within, part->failing, part->stalled_ns};
    }
    return out->since_ns != INT64_MAX;
}

/* A new lane, or that of a broker which the client has forgotten. */
static ps_wire_lane *free_lane(ps_wire_fetcher *fetcher) {
    for (uint32_t i = 0; i < fetcher->lane_count; i++) {
        ps_wire_lane *lane = &fetcher->lanes[i];
        const bool in_use = lane->fetching || lane->seeking || lane->answer != NULL;
        if (!in_use && ps_wire_node_find(fetcher->client, lane->node) == NULL) return lane;
    }
    if (fetcher->lane_count == fetcher->lanes_max) return NULL;
    return &fetcher->lanes[fetcher->lane_count++];
}

static void find_lanes(ps_wire_fetcher *fetcher) {
    const ps_wire_client *client = fetcher->client;
    for (uint32_t n = client->seed_count; n < client->node_count; n++) {
        const int32_t node = client->nodes[n].id;
        if (has_lane(fetcher, node)) continue;
        ps_wire_lane *lane = free_lane(fetcher);
        if (lane == NULL) continue;
        lane->node = node;
        lane->session = lane->session_epoch = 0;
        lane->quiet = UINT64_MAX;
        lane->not_before_ns = 0;
    }
}

static void watch_topics(ps_wire_fetcher *fetcher) {
    for (uint32_t i = 0; i < fetcher->parts_end; i++) {
        ps_wire_part *part = &fetcher->parts[i];
        if (part->state != PS_WIRE_PART_SEEKING && part->state != PS_WIRE_PART_READING) continue;
        const ps_wire_topic *topic = ps_wire_client_topic(fetcher->client, part->topic);
        if (part->made == 0) part->made = topic->made;
        if (part->made != topic->made || ps_wire_client_absent(fetcher->client, part->topic))
            ps_wire_part_stop_at(fetcher, i, PS_WIRE_NO_TOPIC, topic->error_code);
        else if (topic->error_code == PS_WIRE_ERROR_TOPIC_AUTHORIZATION_FAILED)
            ps_wire_part_stop_at(fetcher, i, PS_WIRE_REFUSED, topic->error_code);
    }
}

static void resume(ps_wire_fetcher *fetcher, int64_t now_ns) {
    fetcher->resume_ns = INT64_MAX;
    fetcher->changes++;
    for (uint32_t i = 0; i < fetcher->parts_end; i++) {
        const ps_wire_part *part = &fetcher->parts[i];
        if (part->retry_ns > now_ns && part->retry_ns < fetcher->resume_ns)
            fetcher->resume_ns = part->retry_ns;
    }
}

ps_status ps_wire_fetcher_step(ps_wire_fetcher *fetcher, int64_t now_ns, ps_error *error) {
    ps_wire_client *client = fetcher->client;
    PS_TRY(ps_wire_client_step(client, now_ns, error));
    if (fetcher->metadata_count != client->metadata_count) {
        fetcher->metadata_count = client->metadata_count;
        fetcher->changes++;
        find_lanes(fetcher);
        watch_topics(fetcher);
    }
    if (now_ns >= fetcher->resume_ns) resume(fetcher, now_ns);
    bool sent = false;
    for (uint32_t i = 0; i < fetcher->lane_count; i++) {
        ps_wire_lane *lane = &fetcher->lanes[i];
        const bool fetching = lane->fetching, seeking = lane->seeking;
        if (fetcher->seeking_count > 0 && !seeking) ps_wire_lane_seek(fetcher, lane);
        if (!fetching && lane->quiet != fetcher->changes && now_ns >= lane->not_before_ns)
            ps_wire_lane_fetch(fetcher, lane);
        sent = sent || lane->fetching != fetching || lane->seeking != seeking;
    }
    return sent ? ps_wire_client_push(client, error) : PS_OK;
}

void ps_wire_fetcher_gather_until(ps_wire_fetcher *fetcher, int64_t until_ns) {
    fetcher->gather_until_ns = until_ns;
}

bool ps_wire_fetcher_gathers(const ps_wire_fetcher *fetcher) {
    const ps_wire_lane *only = NULL;
    for (uint32_t i = 0; i < fetcher->lane_count; i++) {
        if (!fetcher->lanes[i].fetching) continue;
        if (only != NULL) return false;
        only = &fetcher->lanes[i];
    }
    return only != NULL && only->gathers && only->gathered;
}

int64_t ps_wire_fetcher_deadline(const ps_wire_fetcher *fetcher) {
    int64_t next = ps_wire_client_deadline(fetcher->client);
    if (fetcher->resume_ns < next) next = fetcher->resume_ns;
    for (uint32_t i = 0; i < fetcher->lane_count; i++) {
        const ps_wire_lane *lane = &fetcher->lanes[i];
        if (lane->fetching || lane->quiet == fetcher->changes) continue;
        if (lane->not_before_ns > fetcher->client->now_ns && lane->not_before_ns < next)
            next = lane->not_before_ns;
    }
    return next;
}
