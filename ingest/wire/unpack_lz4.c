/* SPDX-License-Identifier: Apache-2.0
 * LZ4 frames (format 1.6.x). The library's own frame reader would take two blocks of memory of up
 * to 4 MiB and copy each block out of them; the frame is little more than lengths.
 */
#include <lz4.h>
#include <stdbool.h>

#include "ingest/wire/bytes.h"
#include "ingest/wire/unpack_parts.h"

#define FRAME     UINT32_C(0x184d2204)
#define SKIPPABLE UINT32_C(0x184d2a50) /* and the 15 numbers behind it */

enum {
    STORED = 31, /* bit of a block's length: it is not compressed */
    WINDOW = 64 << 10,
    /* of the first byte of the descriptor */
    HAS_DICTIONARY = 1,
    HAS_CONTENT_SUM = 4,
    HAS_CONTENT_SIZE = 8,
    HAS_BLOCK_SUMS = 16,
    STANDS_ALONE = 32,
    VERSION_1 = 64,
    VERSION_MASK = 192
};

typedef struct frame {
    uint8_t flags;
    size_t block_max, begin; /* begin: of its output */
} frame;

static uint32_t take_little32(ps_wire_cursor *cursor) {
    return __builtin_bswap32((uint32_t)ps_wire_take32(cursor));
}

static uint64_t take_little64(ps_wire_cursor *cursor) {
    return __builtin_bswap64((uint64_t)ps_wire_take64(cursor));
}

static ps_status damaged(const char *why, ps_error *error) {
    return ps_wire_damaged("lz4", why, error);
}

static ps_status read_descriptor(ps_wire_cursor *in, ps_wire_room *room, frame *out,
                                 ps_error *error) {
    const uint8_t flags = (uint8_t)ps_wire_take8(in), sizes = (uint8_t)ps_wire_take8(in);
    const uint32_t size_class = sizes >> 4 & 7;
    if ((flags & VERSION_MASK) != VERSION_1 || (flags & HAS_DICTIONARY) || size_class < 4)
        return damaged("its frame is of a kind that no Kafka client writes", error);
    *out = (frame){flags, (size_t)1 << (8 + 2 * size_class), room->used};
    if (flags & HAS_CONTENT_SIZE) {
        const uint64_t bytes = take_little64(in);
        if (bytes > room->max - room->used) return ps_wire_too_large(room, bytes, error);
    }
    (void)ps_wire_take8(in); /* the descriptor's check sum */
    return in->bad ? damaged("its frame is cut off", error) : PS_OK;
}

/* One block's bytes; those that need what stands before them find it where it was written. */
static ps_status unpack_block(const frame *f, const uint8_t *from, uint32_t bytes,
                              ps_wire_room *room, ps_error *error) {
    const size_t left = room->max - room->used;
    const size_t most = left < f->block_max ? left : f->block_max;
    uint8_t *const to = room->data + room->used;
    const size_t before = f->flags & STANDS_ALONE ? 0 : room->used - f->begin;
    const size_t window = before < WINDOW ? before : WINDOW;
    const int got =
        LZ4_decompress_safe_usingDict((const char *)from, (char *)to, (int)bytes, (int)most,
                                      (const char *)to - window, (int)window);
    /* Too large or damaged: where the CRC was right, it is the first. */
    if (got < 0 && most < f->block_max) return ps_wire_too_large(room, 0, error);
    if (got < 0) return damaged("a block is damaged", error);
    room->used += (size_t)got;
    return PS_OK;
}

static ps_status store_block(const frame *f, const uint8_t *from, uint32_t bytes,
                             ps_wire_room *room, ps_error *error) {
    if (bytes > f->block_max) return damaged("a block is longer than its frame allows", error);
    if (bytes > room->max - room->used) return ps_wire_too_large(room, 0, error);
    memcpy(room->data + room->used, from, bytes);
    room->used += bytes;
    return PS_OK;
}

static ps_status read_frame(ps_wire_cursor *in, ps_wire_room *room, ps_error *error) {
    frame f = {0};
    PS_TRY(read_descriptor(in, room, &f, error));
    for (;;) {
        const uint32_t head = take_little32(in);
        if (in->bad) return damaged("its frame is cut off", error);
        if (head == 0) break;
        const uint32_t bytes = head & ~(UINT32_C(1) << STORED);
        const uint8_t *const from = ps_wire_take(in, bytes);
        if (f.flags & HAS_BLOCK_SUMS) (void)ps_wire_take(in, 4);
        if (in->bad) return damaged("a block is cut off", error);
        PS_TRY(head >> STORED ? store_block(&f, from, bytes, room, error)
                              : unpack_block(&f, from, bytes, room, error));
    }
    if (f.flags & HAS_CONTENT_SUM) (void)ps_wire_take(in, 4);
    return in->bad ? damaged("its frame is cut off", error) : PS_OK;
}

ps_status ps_wire_unpack_lz4(ps_bytes packed, ps_wire_room *room, ps_error *error) {
    ps_wire_cursor in = ps_wire_cursor_of(packed);
    while (in.at < in.end) {
        const uint32_t magic = take_little32(&in);
        if (magic == FRAME) {
            PS_TRY(read_frame(&in, room, error));
        } else if ((magic & ~UINT32_C(15)) == SKIPPABLE) {
            const uint32_t bytes = take_little32(&in);
            (void)ps_wire_take(&in, bytes);
        } else {
            return damaged("it does not begin with a frame", error);
        }
        if (in.bad) return damaged("its frame is cut off", error);
    }
    return PS_OK;
}
