/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/wire/pack.h"

#include <lz4.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>

#include "host/base/check.h"
#include "ingest/wire/bytes.h"
#include "ingest/wire/zstd.h"

enum {
    BLOCK = 64 << 10, /* of lz4, by its frame; of snappy, by its library */
    ZSTD_LEVEL = 1,   /* level 3 is slower and, at 64 KiB, no smaller */
    GZIP_WRAPPER = 16,
    GZIP_MEMORY = 8,      /* zlib's own choice */
    GZIP_STATE = 8 << 10, /* beside its window and tables */
    SNAPPY_BYTES = 256 << 10,
    BLOCK_HEAD = 4,
    LZ4_HEAD = 7,
    SNAPPY_HEAD = 16
};

/* Version 1, independent blocks of 64 KiB, no sums but the descriptor's own, its last byte. */
static const uint8_t lz4_head[LZ4_HEAD] = {0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82};
/* And the version of the format, and that of the oldest reader. */
static const uint8_t snappy_head[SNAPPY_HEAD] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
                                                 0,    0,   0,   1,   0,   0,   0,   1};

struct ps_wire_packer {
    ps_wire_codec codec;
    size_t bytes_max;
    ZSTD_CCtx *zstd;
    void *lz4;
    z_stream zlib;
};

/* Where packed bytes go. */
typedef struct output {
    uint8_t *at, *end;
} output;

static bool open_gzip(z_stream *zlib) {
    return deflateInit2(zlib, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + GZIP_WRAPPER,
                        GZIP_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
}

ps_status ps_wire_packer_open(ps_wire_codec codec, size_t bytes_max, ps_wire_packer **out,
                              ps_error *error) {
    ps_wire_packer *packer = calloc(1, sizeof *packer);
    if (packer == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory to compress batches with");
    PS_CHECK_OP(bytes_max, <=, INT32_MAX);
    packer->codec = codec;
    packer->bytes_max = bytes_max;
    bool ok = true;
    if (codec == PS_WIRE_ZSTD) ok = (packer->zstd = ps_zstd_open(bytes_max, ZSTD_LEVEL)) != NULL;
    if (codec == PS_WIRE_LZ4) ok = (packer->lz4 = malloc((size_t)LZ4_sizeofState())) != NULL;
    if (codec == PS_WIRE_GZIP) ok = open_gzip(&packer->zlib);
    if (!ok) {
        ps_wire_packer_close(packer);
        return ps_fail(error, PS_NO_MEMORY, "no memory to compress batches of %zu bytes with",
                       bytes_max);
    }
    *out = packer;
    return PS_OK;
}

void ps_wire_packer_close(ps_wire_packer *packer) {
    if (packer == NULL) return;
    (void)ZSTD_freeCCtx(packer->zstd);
    free(packer->lz4);
    if (packer->codec == PS_WIRE_GZIP) (void)deflateEnd(&packer->zlib);
    free(packer);
}

size_t ps_wire_packer_bytes(ps_wire_codec codec, size_t bytes_max) {
    size_t bytes = sizeof(ps_wire_packer);
    if (codec == PS_WIRE_ZSTD) {
        ZSTD_CCtx *const zstd = ps_zstd_open(bytes_max, ZSTD_LEVEL);
        bytes += ZSTD_sizeof_CCtx(zstd);
        (void)ZSTD_freeCCtx(zstd);
    }
    if (codec == PS_WIRE_LZ4) bytes += (size_t)LZ4_sizeofState();
    if (codec == PS_WIRE_GZIP)
        bytes += (1u << (MAX_WBITS + 2)) + (1u << (GZIP_MEMORY + 9)) + GZIP_STATE;
    if (codec == PS_WIRE_SNAPPY) bytes += SNAPPY_BYTES;
    return bytes;
}

size_t ps_wire_packed_bound(ps_wire_codec codec, size_t bytes) {
    const size_t blocks = bytes / BLOCK + 1;
    switch (codec) {
    case PS_WIRE_GZIP: /* stored blocks of at least 16 KiB, the wrapper, the header */
        return bytes + (bytes / (16 << 10) + 1) * 5 + 64 + PS_WIRE_BATCH_HEADER;
    case PS_WIRE_SNAPPY:
        return PS_WIRE_BATCH_HEADER + SNAPPY_HEAD +
               blocks * (BLOCK_HEAD + snappy_max_compressed_length(BLOCK));
    case PS_WIRE_LZ4: /* what does not shrink is stored, but it is tried first */
        return PS_WIRE_BATCH_HEADER + LZ4_HEAD + bytes + (blocks + 1) * BLOCK_HEAD;
    case PS_WIRE_ZSTD:
        return PS_WIRE_BATCH_HEADER + ZSTD_compressBound(bytes);
    case PS_WIRE_NONE:
    case PS_WIRE_CODECS:
        break;
    }
    return bytes + PS_WIRE_BATCH_HEADER;
}

static bool put(output *to, const void *bytes, size_t count) {
    if (count > (size_t)(to->end - to->at)) return false;
    memcpy(to->at, bytes, count);
    to->at += count;
    return true;
}

static bool put_little32(output *to, uint32_t value) {
    const uint8_t bytes[] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                             (uint8_t)(value >> 24)};
    return put(to, bytes, sizeof bytes);
}

static bool lz4_block(void *state, const uint8_t *from, size_t bytes, output *to) {
    if (to->end - to->at < BLOCK_HEAD) return false;
    output body = {to->at + BLOCK_HEAD, to->end};
    const size_t room = (size_t)(body.end - body.at);
    const size_t most = bytes - 1 < room ? bytes - 1 : room; /* else it is stored */
    const int got = LZ4_compress_fast_extState(state, (const char *)from, (char *)body.at,
                                               (int)bytes, (int)most, 1);
    if (got > 0) return put_little32(to, (uint32_t)got) && (to->at += got, true);
    return put_little32(to, (uint32_t)bytes | UINT32_C(1) << 31) && put(to, from, bytes);
}

static bool pack_lz4(void *state, const uint8_t *from, size_t bytes, output *to) {
    bool fits = put(to, lz4_head, sizeof lz4_head);
    for (size_t begin = 0; fits && begin < bytes; begin += BLOCK)
        fits = lz4_block(state, from + begin, bytes - begin < BLOCK ? bytes - begin : BLOCK, to);
    return fits && put_little32(to, 0);
}

/* The library wants room for its worst case. */
static bool pack_snappy(const uint8_t *from, size_t bytes, output *to) {
    bool fits = put(to, snappy_head, sizeof snappy_head);
    for (size_t begin = 0; fits && begin < bytes; begin += BLOCK) {
        const size_t block = bytes - begin < BLOCK ? bytes - begin : BLOCK;
        size_t got = snappy_max_compressed_length(block);
        if (got + BLOCK_HEAD > (size_t)(to->end - to->at)) return false;
        PS_CHECK(snappy_compress((const char *)from + begin, block, (char *)to->at + BLOCK_HEAD,
                                 &got) == SNAPPY_OK);
        ps_wire_put32(to->at, (int32_t)got);
        to->at += BLOCK_HEAD + got;
    }
    return fits;
}

static bool pack_gzip(z_stream *zlib, const uint8_t *from, size_t bytes, output *to) {
    PS_CHECK(deflateReset(zlib) == Z_OK);
    zlib->next_in = (Bytef *)(uintptr_t)from;
    zlib->avail_in = (uInt)bytes;
    zlib->next_out = to->at;
    zlib->avail_out = (uInt)(to->end - to->at);
    if (deflate(zlib, Z_FINISH) != Z_STREAM_END) return false;
    to->at = to->end - zlib->avail_out;
    return true;
}

static bool pack_zstd(ZSTD_CCtx *zstd, const uint8_t *from, size_t bytes, output *to) {
    const size_t got =
        ZSTD_compressCCtx(zstd, to->at, (size_t)(to->end - to->at), from, bytes, ZSTD_LEVEL);
    if (ZSTD_isError(got)) return false;
    to->at += got;
    return true;
}

static bool pack(ps_wire_packer *packer, const uint8_t *from, size_t bytes, output *to) {
    switch (packer->codec) {
    case PS_WIRE_GZIP:
        return pack_gzip(&packer->zlib, from, bytes, to);
    case PS_WIRE_SNAPPY:
        return pack_snappy(from, bytes, to);
    case PS_WIRE_LZ4:
        return pack_lz4(packer->lz4, from, bytes, to);
    case PS_WIRE_ZSTD:
        return pack_zstd(packer->zstd, from, bytes, to);
    case PS_WIRE_NONE:
    case PS_WIRE_CODECS:
        break;
    }
    return put(to, from, bytes);
}

bool ps_wire_pack(ps_wire_packer *packer, const ps_wire_writer *from, ps_wire_writer *to) {
    output out = {to->memory + to->used, to->memory + to->room};
    PS_CHECK_OP(from->used, <=, packer->bytes_max);
    PS_CHECK_OP(to->count, ==, 0);
    if (!pack(packer, from->memory + PS_WIRE_BATCH_HEADER, from->used - PS_WIRE_BATCH_HEADER, &out))
        return false;
    to->used = (size_t)(out.at - to->memory);
    to->count = from->count;
    to->base_timestamp_ms = from->base_timestamp_ms;
    to->max_timestamp_ms = from->max_timestamp_ms;
    to->codec = (uint8_t)packer->codec;
    return true;
}
