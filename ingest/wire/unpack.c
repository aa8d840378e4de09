/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/wire/unpack.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "host/base/check.h"
#include "ingest/wire/batch.h"
#include "ingest/wire/bytes.h"
#include "ingest/wire/unpack_parts.h"

enum {
    ZLIB_BYTES =
        64 << 10, /* its state and a window of 32 KiB, which it asks for when it wants it */
    GZIP_WRAPPER = 16,
    ZSTD_FRAME_HEAD = 4
};

#define ZSTD_SKIPPABLE UINT32_C(0x184d2a50) /* and the 15 numbers behind it */

struct ps_wire_unpacker {
    ps_wire_room room;
    ZSTD_DCtx *zstd;
    z_stream zlib;
    size_t zlib_used;
    _Alignas(max_align_t) uint8_t zlib_memory[ZLIB_BYTES];
};

ps_status ps_wire_too_large(const ps_wire_room *room, uint64_t bytes, ps_error *error) {
    if (bytes == 0)
        return ps_fail(error, PS_UNSUPPORTED,
                       "a compressed batch has more than the %zu bytes that there is room for",
                       room->max);
    return ps_fail(error, PS_UNSUPPORTED,
                   "a compressed batch has %llu bytes, and there is room for %zu",
                   (unsigned long long)bytes, room->max);
}

ps_status ps_wire_damaged(const char *codec, const char *why, ps_error *error) {
    return ps_fail(error, PS_IO, "a batch that was compressed with %s cannot be unpacked: %s",
                   codec, why);
}

/* zlib's allocator: what it took stays its own. */
static void *zlib_take(void *opaque, unsigned items, unsigned size) {
    ps_wire_unpacker *const unpacker = opaque;
    const size_t unit = _Alignof(max_align_t);
    const size_t bytes = ((size_t)items * size + unit - 1) / unit * unit;
    if (bytes > sizeof unpacker->zlib_memory - unpacker->zlib_used) return NULL;
    unpacker->zlib_used += bytes;
    return unpacker->zlib_memory + unpacker->zlib_used - bytes;
}

static void zlib_give(void *opaque, void *address) {
    (void)opaque;
    (void)address;
}

ps_status ps_wire_unpacker_open(size_t bytes_max, ps_wire_unpacker **out, ps_error *error) {
    PS_CHECK_OP(bytes_max, <=, INT32_MAX);
    ps_wire_unpacker *unpacker = calloc(1, sizeof *unpacker);
    if (unpacker == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory to unpack batches with");
    unpacker->room = (ps_wire_room){.data = malloc(bytes_max + 1), .max = bytes_max};
    unpacker->zstd = ZSTD_createDCtx();
    unpacker->zlib.zalloc = zlib_take;
    unpacker->zlib.zfree = zlib_give;
    unpacker->zlib.opaque = unpacker;
    if (unpacker->room.data == NULL || unpacker->zstd == NULL ||
        inflateInit2(&unpacker->zlib, MAX_WBITS + GZIP_WRAPPER) != Z_OK) {
        ps_wire_unpacker_close(unpacker);
        return ps_fail(error, PS_NO_MEMORY, "no memory to unpack batches of %zu bytes with",
                       bytes_max);
    }
    *out = unpacker;
    return PS_OK;
}

void ps_wire_unpacker_close(ps_wire_unpacker *unpacker) {
    if (unpacker == NULL) return;
    (void)inflateEnd(&unpacker->zlib);
    (void)ZSTD_freeDCtx(unpacker->zstd);
    free(unpacker->room.data);
    free(unpacker);
}

size_t ps_wire_unpacker_bytes(size_t bytes_max) {
    ZSTD_DCtx *const zstd = ZSTD_createDCtx();
    const size_t bytes = ZSTD_sizeof_DCtx(zstd);
    (void)ZSTD_freeDCtx(zstd);
    return sizeof(ps_wire_unpacker) + bytes_max + 1 + bytes;
}

/* One or more gzip members. */
static ps_status unpack_gzip(ps_wire_unpacker *unpacker, ps_bytes packed, ps_error *error) {
    z_stream *const zlib = &unpacker->zlib;
    ps_wire_room *const room = &unpacker->room;
    zlib->next_in = (Bytef *)(uintptr_t)packed.data;
    zlib->avail_in = packed.length;
    zlib->next_out = room->data;
    zlib->avail_out = (uInt)room->max;
    do {
        if (inflateReset(zlib) != Z_OK) return ps_wire_damaged("gzip", "no state", error);
        const int done = inflate(zlib, Z_FINISH);
        if (done == Z_STREAM_END) continue;
        if (done == Z_BUF_ERROR && zlib->avail_out == 0) return ps_wire_too_large(room, 0, error);
        return ps_wire_damaged("gzip", zlib->msg == NULL ? "it is cut off" : zlib->msg, error);
    } while (zlib->avail_in > 0);
    room->used = room->max - zlib->avail_out;
    return PS_OK;
}

/* Only what zstd writes today: for the formats of its first years the library takes memory. */
static bool is_zstd_frame(const uint8_t *from, size_t left) {
    if (left < ZSTD_FRAME_HEAD) return false;
    const uint32_t magic = __builtin_bswap32((uint32_t)ps_wire_get32(from));
    return magic == ZSTD_MAGICNUMBER || (magic & ~UINT32_C(15)) == ZSTD_SKIPPABLE;
}

static ps_status unpack_zstd(ps_wire_unpacker *unpacker, ps_bytes packed, ps_error *error) {
    ps_wire_room *const room = &unpacker->room;
    for (size_t at = 0; at < packed.length;) {
        const uint8_t *const from = packed.data + at;
        const size_t left = room->max - room->used;
        if (!is_zstd_frame(from, packed.length - at))
            return ps_wire_damaged("zstd", "it does not begin with a frame", error);
        const size_t bytes = ZSTD_findFrameCompressedSize(from, packed.length - at);
        if (ZSTD_isError(bytes)) return ps_wire_damaged("zstd", ZSTD_getErrorName(bytes), error);
        const unsigned long long plain = ZSTD_getFrameContentSize(from, bytes);
        if (plain < ZSTD_CONTENTSIZE_ERROR && plain > left)
            return ps_wire_too_large(room, room->used + plain, error);
        const size_t got =
            ZSTD_decompressDCtx(unpacker->zstd, room->data + room->used, left, from, bytes);
        if (ZSTD_getErrorCode(got) == ZSTD_error_dstSize_tooSmall)
            return ps_wire_too_large(room, 0, error);
        if (ZSTD_isError(got)) return ps_wire_damaged("zstd", ZSTD_getErrorName(got), error);
        room->used += got;
        at += bytes;
    }
    return PS_OK;
}

static ps_status unpack(ps_wire_unpacker *unpacker, uint8_t codec, ps_bytes packed,
                        ps_error *error) {
    switch (codec) {
    case PS_WIRE_GZIP:
        return unpack_gzip(unpacker, packed, error);
    case PS_WIRE_SNAPPY:
        return ps_wire_unpack_snappy(packed, &unpacker->room, error);
    case PS_WIRE_LZ4:
        return ps_wire_unpack_lz4(packed, &unpacker->room, error);
    case PS_WIRE_ZSTD:
        return unpack_zstd(unpacker, packed, error);
    default:
        return ps_fail(error, PS_UNSUPPORTED,
                       "a batch is compressed with codec %u, which Kafka does not have", codec);
    }
}

ps_status ps_wire_unpack(ps_wire_unpacker *unpacker, uint8_t codec, ps_bytes packed,
                         ps_bytes *plain, ps_error *error) {
    *plain = packed;
    if (codec == PS_WIRE_NONE) return PS_OK;
    unpacker->room.used = 0;
    PS_TRY(unpack(unpacker, codec, packed, error));
    *plain = (ps_bytes){unpacker->room.data, (uint32_t)unpacker->room.used};
    return PS_OK;
}
