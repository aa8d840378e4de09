/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "host/base/siphash.h"
#include "ingest/kafka_dead_parts.h"

enum { SLOTS_MIN = 1024, PARTS = 5 };

static const char magic[4] = {'P', 'S', 'r', 'p'};

static ps_letter_name name_of(const void *data, size_t length) {
    static const uint64_t key[2] = {PS_SIPHASH_KEY0, PS_SIPHASH_KEY1};
    ps_letter_name name;
    ps_siphash128(data, (uint32_t)length, key, name.half);
    return name;
}

/* Null is not empty. */
static ps_letter_name name_of_bytes(ps_bytes bytes) {
    if (bytes.length == PS_NULL_LENGTH) return (ps_letter_name){{0, 0}};
    return name_of(bytes.data, bytes.length);
}

ps_letter_name ps_letter_name_of(const ps_letter *letter, const char *target) {
    const struct {
        ps_letter_name part[PARTS];
        int64_t timestamp_ms;
    } what = {{name_of(target, strlen(target)), name_of_bytes(letter->source),
               name_of_bytes(letter->key), name_of_bytes(letter->value),
               name_of_bytes(letter->headers)},
              letter->timestamp_ms};
    return name_of(&what, sizeof what);
}

static bool is_empty(const ps_letter_name *slot) {
    return slot->half[0] == 0 && slot->half[1] == 0;
}

/* Where the name is or belongs. */
static ps_letter_name *find(const ps_replayed *replayed, ps_letter_name name) {
    size_t at = (size_t)name.half[0] & (replayed->slots - 1);
    while (!is_empty(&replayed->slot[at]) && memcmp(&replayed->slot[at], &name, sizeof name) != 0)
        at = (at + 1) & (replayed->slots - 1);
    return &replayed->slot[at];
}

static ps_status grow(ps_replayed *replayed, ps_error *error) {
    ps_replayed larger = {.slots = replayed->slots == 0 ? SLOTS_MIN : 2 * replayed->slots,
                          .count = replayed->count};
    larger.slot = calloc(larger.slots, sizeof *larger.slot);
    if (larger.slot == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for the names of %zu letters",
                       replayed->count);
    for (size_t i = 0; i < replayed->slots; i++)
        if (!is_empty(&replayed->slot[i])) *find(&larger, replayed->slot[i]) = replayed->slot[i];
    free(replayed->slot);
    *replayed = larger;
    return PS_OK;
}

ps_status ps_replayed_add(ps_replayed *replayed, ps_letter_name name, bool *added,
                          ps_error *error) {
    if (2 * replayed->count >= replayed->slots) PS_TRY(grow(replayed, error));
    ps_letter_name *slot = find(replayed, name);
    *added = is_empty(slot);
    replayed->count += *added;
    *slot = name;
    return PS_OK;
}

void ps_replayed_head(uint8_t *to, uint32_t count) {
    const uint16_t format = PS_REPLAYED_FORMAT, none = 0;
    memcpy(to, magic, sizeof magic);
    memcpy(to + 4, &format, 2);
    memcpy(to + 6, &none, 2);
    memcpy(to + 8, &count, 4);
}

ps_status ps_replayed_take(ps_replayed *replayed, ps_bytes record, ps_error *error) {
    uint16_t format = 0;
    uint32_t count = 0;
    if (record.length >= PS_REPLAYED_HEAD && memcmp(record.data, magic, sizeof magic) == 0) {
        memcpy(&format, record.data + 4, 2);
        memcpy(&count, record.data + 8, 4);
    }
    if (format > PS_REPLAYED_FORMAT)
        return ps_fail(error, PS_BAD_CONFIG,
                       "a record has format %u, and this penstock reads format %d: use a newer one",
                       format, PS_REPLAYED_FORMAT);
    if (format == 0 || record.length != PS_REPLAYED_HEAD + count * sizeof(ps_letter_name))
        return ps_fail(error, PS_IO,
                       "it holds a record that no replay wrote: delete the topic, and every letter "
                       "can be replayed once more");
    for (uint32_t i = 0; i < count; i++) {
        ps_letter_name name;
        bool added;
        memcpy(&name, record.data + PS_REPLAYED_HEAD + i * sizeof name, sizeof name);
        PS_TRY(ps_replayed_add(replayed, name, &added, error));
    }
    return PS_OK;
}

static ps_status take_message(void *context, const rd_kafka_message_t *message, ps_error *error) {
    const ps_bytes record = {message->payload, (uint32_t)message->len};
    const ps_status status = ps_replayed_take(context, record, error);
    return status == PS_OK ? PS_OK : ps_fail_in(error, status, rd_kafka_topic_name(message->rkt));
}

ps_status ps_replayed_read(ps_replayed *replayed, rd_kafka_t *client, const char *topic, bool whole,
                           ps_error *error) {
    return ps_dead_scan(client, topic, 0, whole, take_message, replayed, error);
}

void ps_replayed_deinit(ps_replayed *replayed) {
    free(replayed->slot);
    *replayed = (ps_replayed){.slot = NULL};
}
