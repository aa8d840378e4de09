/* SPDX-License-Identifier: Apache-2.0
 * Snappy as Kafka's clients write it: librdkafka one block and nothing around it, Java's client
 * blocks behind a header of 16 bytes (snappy-java's stream), each behind its length.
 */
#include <snappy-c.h>

#include "ingest/wire/bytes.h"
#include "ingest/wire/unpack_parts.h"

enum { HEADER = 16, MAGIC = 8 /* of them; two versions follow, int32 each */ };

static const uint8_t magic[MAGIC] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};

static ps_status unpack_block(const uint8_t *from, size_t bytes, ps_wire_room *room,
                              ps_error *error) {
    size_t plain;
    if (snappy_uncompressed_length((const char *)from, bytes, &plain) != SNAPPY_OK)
        return ps_wire_damaged("snappy", "a block has no length", error);
    if (plain > room->max - room->used) return ps_wire_too_large(room, room->used + plain, error);
    if (snappy_uncompress((const char *)from, bytes, (char *)room->data + room->used, &plain) !=
        SNAPPY_OK)
        return ps_wire_damaged("snappy", "a block is damaged", error);
    room->used += plain;
    return PS_OK;
}

static int is_header(const ps_wire_cursor *in) {
    return in->end - in->at >= HEADER && memcmp(in->at, magic, MAGIC) == 0;
}

ps_status ps_wire_unpack_snappy(ps_bytes packed, ps_wire_room *room, ps_error *error) {
    ps_wire_cursor in = ps_wire_cursor_of(packed);
    if (!is_header(&in)) return unpack_block(packed.data, packed.length, room, error);
    while (in.at < in.end) {
        if (is_header(&in)) { /* streams that were put behind each other */
            (void)ps_wire_take(&in, HEADER);
            continue;
        }
        const int32_t bytes = ps_wire_take32(&in);
        const uint8_t *const from = ps_wire_take(&in, bytes < 0 ? SIZE_MAX : (size_t)bytes);
        if (in.bad) return ps_wire_damaged("snappy", "a block is cut off", error);
        PS_TRY(unpack_block(from, (size_t)bytes, room, error));
    }
    return PS_OK;
}
