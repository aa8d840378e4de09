/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/frames.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/check.h"
#include "ingest/wire/zstd.h"
#include "kernels/crc32c.h"
#include "simd/dispatch.h"

enum {
    ZSTD_LEVEL = 1,
    LZ4_BYTES = 40 << 10,     /* its hash table is 16 KiB; blocks stand alone, so it copies none */
    SNAPPY_BYTES = 256 << 10, /* hash table and scratch of one block, for the time of a call */
    SNAPPY_BLOCK = 65536,     /* of one chunk, by the format */
    SNAPPY_IDENTIFIER = 10,   /* the chunk that begins a stream */
    SNAPPY_HEAD = 8           /* type, length in 3 bytes, check sum of the uncompressed bytes */
};

struct ps_framer {
    ps_frame_codec codec;
    size_t bytes_max;
    ZSTD_CCtx *zstd;
    LZ4F_cctx *lz4;
};

const char *ps_frame_encoding(ps_frame_codec codec) {
    static const char *const names[PS_FRAME_CODECS] = {"identity", "zstd", "lz4", "snappy"};
    return names[codec];
}

const char *ps_frame_suffix(ps_frame_codec codec) {
    static const char *const ends[PS_FRAME_CODECS] = {"", ".zst", ".lz4", ".sz"};
    return ends[codec];
}

/* Blocks that stand alone need no memory of the one before. */
static LZ4F_preferences_t lz4_preferences(size_t bytes) {
    LZ4F_preferences_t preferences = LZ4F_INIT_PREFERENCES;
    preferences.frameInfo.blockMode = LZ4F_blockIndependent;
    preferences.frameInfo.blockSizeID = bytes <= 64 << 10    ? LZ4F_max64KB
                                        : bytes <= 256 << 10 ? LZ4F_max256KB
                                        : bytes <= 1 << 20   ? LZ4F_max1MB
                                                             : LZ4F_max4MB;
    preferences.frameInfo.contentSize = bytes;
    preferences.autoFlush = 1;
    return preferences;
}

ps_status ps_framer_open(ps_frame_codec codec, size_t bytes_max, ps_framer **out, ps_error *error) {
    ps_framer *framer = calloc(1, sizeof *framer);
    if (framer == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory to compress with");
    *framer = (ps_framer){.codec = codec, .bytes_max = bytes_max};
    bool ok = true;
    if (codec == PS_FRAME_ZSTD) ok = (framer->zstd = ps_zstd_open(bytes_max, ZSTD_LEVEL)) != NULL;
    if (codec == PS_FRAME_LZ4)
        ok = !LZ4F_isError(LZ4F_createCompressionContext(&framer->lz4, LZ4F_VERSION));
    if (!ok) {
        ps_framer_close(framer);
        return ps_fail(error, PS_NO_MEMORY, "no memory to compress %zu bytes with %s", bytes_max,
                       ps_frame_encoding(codec));
    }
    *out = framer;
    return PS_OK;
}

void ps_framer_close(ps_framer *framer) {
    if (framer == NULL) return;
    (void)ZSTD_freeCCtx(framer->zstd);
    (void)LZ4F_freeCompressionContext(framer->lz4);
    free(framer);
}

size_t ps_framer_bytes(ps_frame_codec codec, size_t bytes_max) {
    ZSTD_CCtx *zstd = codec == PS_FRAME_ZSTD ? ps_zstd_open(bytes_max, ZSTD_LEVEL) : NULL;
    const size_t bytes = ZSTD_sizeof_CCtx(zstd);
    (void)ZSTD_freeCCtx(zstd);
    return sizeof(ps_framer) + bytes + (codec == PS_FRAME_LZ4 ? (size_t)LZ4_BYTES : 0) +
           (codec == PS_FRAME_SNAPPY ? (size_t)SNAPPY_BYTES : 0);
}

size_t ps_frame_bound(ps_frame_codec codec, size_t bytes) {
    const LZ4F_preferences_t preferences = lz4_preferences(bytes);
    switch (codec) {
    case PS_FRAME_ZSTD:
        return ZSTD_compressBound(bytes);
    case PS_FRAME_LZ4:
        return LZ4F_compressFrameBound(bytes, &preferences);
    case PS_FRAME_SNAPPY:
        /* A block that does not shrink goes out as it is; the last is tried in place first. */
        return SNAPPY_IDENTIFIER + bytes + (bytes / SNAPPY_BLOCK + 1) * SNAPPY_HEAD +
               snappy_max_compressed_length(SNAPPY_BLOCK) - SNAPPY_BLOCK;
    case PS_FRAME_NONE:
    case PS_FRAME_CODECS:
        break;
    }
    return bytes;
}

static size_t write_lz4(LZ4F_cctx *lz4, const void *from, size_t bytes, uint8_t *to) {
    static const LZ4F_compressOptions_t stable = {.stableSrc = 1};
    const LZ4F_preferences_t preferences = lz4_preferences(bytes);
    const size_t room = LZ4F_compressFrameBound(bytes, &preferences);
    size_t at = LZ4F_compressBegin(lz4, to, room, &preferences);
    PS_CHECK(!LZ4F_isError(at));
    const size_t blocks = LZ4F_compressUpdate(lz4, to + at, room - at, from, bytes, &stable);
    PS_CHECK(!LZ4F_isError(blocks));
    at += blocks;
    const size_t end = LZ4F_compressEnd(lz4, to + at, room - at, &stable);
    PS_CHECK(!LZ4F_isError(end));
    return at + end;
}

/* The format asks for a check sum that is not a CRC of bytes that hold a CRC. */
static uint32_t masked_crc(const uint8_t *from, uint32_t bytes) {
    const ps_crc32c_params params = {0};
    uint32_t begin = 0, length = bytes, crc = 0;
    void *const buf[] = {(void *)(uintptr_t)from, &begin, &length, &crc};
    ps_dispatch(PS_KERNEL_CRC32C)(buf, &params, 0, 1);
    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

static void put_little_endian(uint8_t *to, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++) to[i] = (uint8_t)(value >> 8 * i);
}

static size_t write_snappy(const uint8_t *from, size_t bytes, uint8_t *to) {
    static const uint8_t identifier[SNAPPY_IDENTIFIER] = {0xff, 6,   0,   0,   's',
                                                          'N',  'a', 'P', 'p', 'Y'};
    memcpy(to, identifier, sizeof identifier);
    size_t at = sizeof identifier;
    for (size_t begin = 0; begin < bytes; begin += SNAPPY_BLOCK) {
        const size_t block = bytes - begin < SNAPPY_BLOCK ? bytes - begin : SNAPPY_BLOCK;
        uint8_t *body = to + at + SNAPPY_HEAD;
        size_t length = snappy_max_compressed_length(block);
        PS_CHECK(snappy_compress((const char *)from + begin, block, (char *)body, &length) ==
                 SNAPPY_OK);
        const bool shrank = length < block;
        if (!shrank) {
            memcpy(body, from + begin, block);
            length = block;
        }
        to[at] = shrank ? 0 : 1;
        put_little_endian(to + at + 1, (uint32_t)length + 4, 3);
        put_little_endian(to + at + 4, masked_crc(from + begin, (uint32_t)block), 4);
        at += SNAPPY_HEAD + length;
    }
    return at;
}

size_t ps_frame_write(ps_framer *framer, const void *from, size_t bytes, void *to) {
    PS_CHECK_OP(bytes, <=, framer->bytes_max);
    switch (framer->codec) {
    case PS_FRAME_ZSTD: {
        const size_t length =
            ZSTD_compressCCtx(framer->zstd, to, ZSTD_compressBound(bytes), from, bytes, ZSTD_LEVEL);
        PS_CHECK(!ZSTD_isError(length));
        return length;
    }
    case PS_FRAME_LZ4:
        return write_lz4(framer->lz4, from, bytes, to);
    case PS_FRAME_SNAPPY:
        return write_snappy(from, bytes, to);
    case PS_FRAME_NONE:
    case PS_FRAME_CODECS:
        break;
    }
    memcpy(to, from, bytes);
    return bytes;
}
