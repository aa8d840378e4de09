/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unframe.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

enum { STEP = 1 << 16 };

/* What was read so far; grows. */
typedef struct output {
    uint8_t *data;
    size_t length, room;
} output;

static uint8_t *more(output *out, size_t bytes) {
    if (out->room - out->length < bytes) {
        out->room = out->length * 2 + bytes;
        out->data = realloc(out->data, out->room);
        if (out->data == NULL) abort();
    }
    return out->data + out->length;
}

static bool read_zstd(const uint8_t *frames, size_t bytes, output *out) {
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer in = {frames, bytes, 0};
    size_t left = 0;
    while (in.pos < in.size || left != 0) {
        ZSTD_outBuffer to = {more(out, STEP), STEP, 0};
        const size_t before = in.pos;
        left = ZSTD_decompressStream(context, &to, &in);
        out->length += to.pos;
        if (ZSTD_isError(left) || (in.pos == before && to.pos == 0)) break;
    }
    (void)ZSTD_freeDCtx(context);
    return in.pos == in.size && left == 0;
}

static bool read_lz4(const uint8_t *frames, size_t bytes, output *out) {
    LZ4F_dctx *context = NULL;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION))) return false;
    size_t at = 0, left = 0;
    while (at < bytes || left != 0) {
        size_t taken = bytes - at, given = STEP;
        left = LZ4F_decompress(context, more(out, STEP), &given, frames + at, &taken, NULL);
        out->length += given;
        at += taken;
        if (LZ4F_isError(left) || (taken == 0 && given == 0)) break;
    }
    (void)LZ4F_freeDecompressionContext(context);
    return at == bytes && left == 0;
}

/* Bit by bit, as the polynomial says. */
static uint32_t crc32c(const uint8_t *data, size_t bytes) {
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < bytes; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static uint32_t little_endian(const uint8_t *from, int bytes) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint32_t)from[i] << 8 * i;
    return value;
}

/* One chunk of data: compressed or as it is, behind its check sum. */
static bool read_block(uint8_t type, const uint8_t *body, size_t bytes, output *out) {
    const uint32_t masked = little_endian(body, 4) - 0xa282ead8;
    size_t length = bytes - 4;
    if (type == 0 &&
        snappy_uncompressed_length((const char *)body + 4, bytes - 4, &length) != SNAPPY_OK)
        return false;
    if (length > 65536) return false;
    uint8_t *to = more(out, length);
    if (type == 1) memcpy(to, body + 4, length);
    if (type == 0 &&
        snappy_uncompress((const char *)body + 4, bytes - 4, (char *)to, &length) != SNAPPY_OK)
        return false;
    out->length += length;
    return crc32c(to, length) == (masked >> 17 | masked << 15);
}

static bool read_snappy(const uint8_t *frames, size_t bytes, output *out) {
    bool identified = false;
    for (size_t at = 0; at < bytes;) {
        if (bytes - at < 4) return false;
        const uint8_t type = frames[at];
        const size_t length = little_endian(frames + at + 1, 3);
        const uint8_t *body = frames + at + 4;
        if (bytes - at - 4 < length) return false;
        at += 4 + length;
        if (type == 0xff) {
            if (length != 6 || memcmp(body, "sNaPpY", 6) != 0) return false;
            identified = true;
        } else if (!identified || type > 1 || length < 4 || !read_block(type, body, length, out)) {
            return false;
        }
    }
    return identified || bytes == 0;
}

uint8_t *unframe(const char *codec, const uint8_t *frames, size_t bytes, size_t *length) {
    output out = {NULL, 0, 0};
    bool whole = false;
    (void)more(&out, 1);
    if (strcmp(codec, "zstd") == 0) whole = read_zstd(frames, bytes, &out);
    if (strcmp(codec, "lz4") == 0) whole = read_lz4(frames, bytes, &out);
    if (strcmp(codec, "snappy") == 0) whole = read_snappy(frames, bytes, &out);
    if (strcmp(codec, "identity") == 0) {
        if (bytes > 0) memcpy(more(&out, bytes), frames, bytes);
        out.length = bytes;
        whole = true;
    }
    *length = out.length;
    if (whole) return out.data;
    free(out.data);
    return NULL;
}
