/* SPDX-License-Identifier: Apache-2.0
 * Compressed batches. If this fails, a topic that was written by some client cannot be read, or a
 * batch that says little and holds much takes the worker's memory.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "ingest/wire/batch.h"
#include "ingest/wire/bytes.h"
#include "ingest/wire/unpack.h"
#include "simd/dispatch.h"
#include "tests/wire_rows.h"

enum { MOST = 1 << 20, ROOM = 2 * MOST };

static uint8_t *plain_bytes(void) {
    uint8_t *bytes = malloc(MOST);
    test_noise(bytes, MOST, 9);
    for (uint32_t i = 0; i + 40 < MOST; i += 64)
        memcpy(bytes + i, "the same words over and over, and", 33);
    return bytes;
}

static size_t gzip(const uint8_t *from, size_t bytes, uint8_t *to) {
    z_stream zlib = {.next_in = (Bytef *)(uintptr_t)from,
                     .avail_in = (uInt)bytes,
                     .next_out = to,
                     .avail_out = ROOM};
    assert_int_equal(deflateInit2(&zlib, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&zlib, Z_FINISH), Z_STREAM_END);
    (void)deflateEnd(&zlib);
    return ROOM - zlib.avail_out;
}

static size_t snappy_raw(const uint8_t *from, size_t bytes, uint8_t *to) {
    size_t length = ROOM;
    assert_int_equal(snappy_compress((const char *)from, bytes, (char *)to, &length), SNAPPY_OK);
    return length;
}

/* As snappy-java's stream has it. */
static size_t snappy_blocks(const uint8_t *from, size_t bytes, uint8_t *to) {
    size_t at = 16;
    memcpy(to, "\x82SNAPPY\0\0\0\0\1\0\0\0\1", 16);
    for (size_t begin = 0; begin < bytes; begin += 32768) {
        const size_t block = bytes - begin < 32768 ? bytes - begin : 32768;
        const size_t length = snappy_raw(from + begin, block, to + at + 4);
        ps_wire_put32(to + at, (int32_t)length);
        at += 4 + length;
    }
    return at;
}

static size_t lz4(const uint8_t *from, size_t bytes, uint8_t *to, const LZ4F_preferences_t *how) {
    const size_t length = LZ4F_compressFrame(to, ROOM, from, bytes, how);
    assert_false(LZ4F_isError(length));
    return length;
}

static size_t lz4_blocks(const uint8_t *from, size_t bytes, uint8_t *to) {
    const LZ4F_preferences_t how = {.frameInfo = {.blockMode = LZ4F_blockIndependent}};
    return lz4(from, bytes, to, &how);
}

/* Everything that a frame can have, and blocks that need the ones before them. */
static size_t lz4_linked(const uint8_t *from, size_t bytes, uint8_t *to) {
    const LZ4F_preferences_t how = {
        .frameInfo = {.blockMode = LZ4F_blockLinked,
                      .blockSizeID = LZ4F_max64KB,
                      .contentSize = bytes,
                      .contentChecksumFlag = LZ4F_contentChecksumEnabled,
                      .blockChecksumFlag = LZ4F_blockChecksumEnabled},
        .compressionLevel = 3};
    return lz4(from, bytes, to, &how);
}

static size_t zstd(const uint8_t *from, size_t bytes, uint8_t *to) {
    const size_t length = ZSTD_compress(to, ROOM, from, bytes, 3);
    assert_false(ZSTD_isError(length));
    return length;
}

/* As a stream is written: nobody knows how long it becomes. */
static size_t zstd_stream(const uint8_t *from, size_t bytes, uint8_t *to) {
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_inBuffer in = {from, bytes, 0};
    ZSTD_outBuffer out = {to, ROOM, 0};
    while (in.pos < in.size)
        assert_false(ZSTD_isError(ZSTD_compressStream2(context, &out, &in, ZSTD_e_continue)));
    assert_int_equal(ZSTD_compressStream2(context, &out, &in, ZSTD_e_end), 0);
    (void)ZSTD_freeCCtx(context);
    return out.pos;
}

static const struct form {
    const char *name;
    uint8_t codec;
    bool names_size, several;
    size_t (*pack)(const uint8_t *from, size_t bytes, uint8_t *to);
} forms[] = {
    {"gzip", PS_WIRE_GZIP, false, true, gzip},
    {"snappy", PS_WIRE_SNAPPY, true, false, snappy_raw},
    {"snappy in blocks", PS_WIRE_SNAPPY, true, true, snappy_blocks},
    {"lz4", PS_WIRE_LZ4, false, true, lz4_blocks},
    {"lz4, linked", PS_WIRE_LZ4, true, true, lz4_linked},
    {"zstd", PS_WIRE_ZSTD, true, true, zstd},
    {"zstd, as a stream", PS_WIRE_ZSTD, false, true, zstd_stream},
};
enum { FORMS = sizeof forms / sizeof forms[0] };

/* A copy without a byte behind it. */
static ps_bytes exact(const uint8_t *from, size_t bytes) {
    uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
    memcpy(copy, from, bytes);
    return (ps_bytes){copy, (uint32_t)bytes};
}

static ps_wire_unpacker *open_for(size_t bytes) {
    ps_wire_unpacker *unpacker = NULL;
    ps_error error;
    assert_int_equal(ps_wire_unpacker_open(bytes, &unpacker, &error), PS_OK);
    return unpacker;
}

static void comes_back(void **state) {
    static const size_t sizes[] = {0, 1, 7, 300, 4096, 65535, 65536, 65537, 200000, MOST};
    uint8_t *from = plain_bytes(), *to = malloc(2 * ROOM);
    ps_wire_unpacker *unpacker = open_for(MOST);
    (void)state;
    for (uint32_t form = 0; form < FORMS; form++) {
        for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            const ps_bytes packed = exact(to, forms[form].pack(from, sizes[i], to));
            ps_bytes plain;
            ps_error error;
            assert_int_equal(ps_wire_unpack(unpacker, forms[form].codec, packed, &plain, &error),
                             PS_OK);
            assert_int_equal(plain.length, sizes[i]);
            assert_memory_equal(plain.data, from, sizes[i]);
            free((void *)(uintptr_t)packed.data);
        }
        if (!forms[form].several) continue;
        size_t length = forms[form].pack(from, 70000, to);
        length += forms[form].pack(from + 70000, 5000, to + length);
        ps_bytes plain;
        assert_int_equal(ps_wire_unpack(unpacker, forms[form].codec,
                                        (ps_bytes){to, (uint32_t)length}, &plain, NULL),
                         PS_OK);
        assert_int_equal(plain.length, 75000);
        assert_memory_equal(plain.data, from, 75000);
    }
    ps_wire_unpacker_close(unpacker);
    free(to);
    free(from);
}

static void larger_than_its_room(void **state) {
    uint8_t *from = plain_bytes(), *to = malloc(ROOM);
    (void)state;
    for (uint32_t form = 0; form < FORMS; form++) {
        for (size_t bytes = 100; bytes < MOST; bytes = bytes * 9 + 5) {
            const ps_bytes packed = {to, (uint32_t)forms[form].pack(from, bytes, to)};
            ps_wire_unpacker *unpacker = open_for(bytes), *small = open_for(bytes - 1);
            char room[32], size[32];
            ps_bytes plain;
            ps_error error;
            assert_int_equal(ps_wire_unpack(unpacker, forms[form].codec, packed, &plain, &error),
                             PS_OK);
            assert_int_equal(ps_wire_unpack(small, forms[form].codec, packed, &plain, &error),
                             PS_UNSUPPORTED);
            (void)snprintf(room, sizeof room, "%zu", bytes - 1);
            (void)snprintf(size, sizeof size, "%zu bytes", bytes);
            assert_non_null(strstr(error.message, room));
            if (forms[form].names_size) assert_non_null(strstr(error.message, size));
            ps_wire_unpacker_close(unpacker);
            ps_wire_unpacker_close(small);
        }
    }
    free(to);
    free(from);
}

/* What did not shrink is stored, block by block. */
static void stored_blocks_have_no_room(void **state) {
    enum { BYTES = 70000 };
    uint8_t *from = malloc(BYTES), *to = malloc(ROOM);
    ps_wire_unpacker *unpacker = open_for(BYTES), *small = open_for(BYTES - 1);
    (void)state;
    test_noise(from, BYTES, 5);
    for (uint32_t form = 0; form < FORMS; form++) {
        const ps_bytes packed = {to, (uint32_t)forms[form].pack(from, BYTES, to)};
        ps_bytes plain;
        assert_int_equal(ps_wire_unpack(unpacker, forms[form].codec, packed, &plain, NULL), PS_OK);
        assert_memory_equal(plain.data, from, BYTES);
        assert_int_equal(ps_wire_unpack(small, forms[form].codec, packed, &plain, NULL),
                         PS_UNSUPPORTED);
    }
    ps_wire_unpacker_close(unpacker);
    ps_wire_unpacker_close(small);
    free(to);
    free(from);
}

/* Cut off anywhere it is bad, and nothing behind it is read. A header of blocks that is cut off is
 * no header, and alone it is an empty stream. */
static void cut_off(void **state) {
    uint8_t *from = plain_bytes(), *to = malloc(ROOM);
    ps_wire_unpacker *unpacker = open_for(3000);
    (void)state;
    for (uint32_t form = 0; form < FORMS; form++) {
        const size_t length = forms[form].pack(from, 1500, to);
        for (size_t cut = 1; cut < length; cut++) {
            const ps_bytes packed = exact(to, cut);
            ps_bytes plain;
            ps_error error = {""};
            const ps_status status =
                ps_wire_unpack(unpacker, forms[form].codec, packed, &plain, &error);
            if (status != PS_IO && !(forms[form].pack == snappy_blocks && cut <= 16))
                fail_msg("%s, %zu of %zu bytes: %d %s", forms[form].name, cut, length, status,
                         error.message);
            free((void *)(uintptr_t)packed.data);
        }
    }
    ps_wire_unpacker_close(unpacker);
    free(to);
    free(from);
}

static void damaged_anywhere(void **state) {
    uint8_t *from = plain_bytes(), *to = malloc(ROOM);
    ps_wire_unpacker *unpacker = open_for(3000);
    uint64_t random = 1234567;
    (void)state;
    for (uint32_t form = 0; form < FORMS; form++) {
        for (uint32_t round = 0; round < 4000; round++) {
            const size_t length = round == 0 ? forms[form].pack(from, 1500, to) : 0;
            static size_t all;
            if (round == 0) all = length;
            const ps_bytes packed = exact(to, all);
            uint8_t *bytes = (uint8_t *)(uintptr_t)packed.data;
            for (uint32_t flips = 0; flips <= round % 3; flips++)
                bytes[test_next(&random) % all] = (uint8_t)test_next(&random);
            ps_bytes plain = {NULL, 0};
            ps_error error;
            if (ps_wire_unpack(unpacker, forms[form].codec, packed, &plain, &error) == PS_OK)
                assert_in_range(plain.length, 0, 3000);
            free(bytes);
        }
    }
    /* And whole again after all that. */
    for (uint32_t form = 0; form < FORMS; form++) {
        const ps_bytes packed = {to, (uint32_t)forms[form].pack(from, 1500, to)};
        ps_bytes plain;
        assert_int_equal(ps_wire_unpack(unpacker, forms[form].codec, packed, &plain, NULL), PS_OK);
        assert_memory_equal(plain.data, from, 1500);
    }
    ps_wire_unpacker_close(unpacker);
    free(to);
    free(from);
}

static void what_it_does_not_know(void **state) {
    ps_wire_unpacker *unpacker = open_for(100);
    const ps_bytes packed = {(const uint8_t *)"plain", 5};
    ps_bytes plain;
    ps_error error;
    (void)state;
    assert_int_equal(ps_wire_unpack(unpacker, PS_WIRE_NONE, packed, &plain, &error), PS_OK);
    assert_ptr_equal(plain.data, packed.data);
    for (uint8_t codec = PS_WIRE_CODECS; codec < 8; codec++)
        assert_int_equal(ps_wire_unpack(unpacker, codec, packed, &plain, &error), PS_UNSUPPORTED);
    ps_wire_unpacker_close(unpacker);
}

/* The memory ceiling counts what ps_wire_unpacker_bytes says. */
static void takes_its_memory_at_once(void **state) {
    uint8_t *from = plain_bytes(), *to = malloc(ROOM);
    (void)state;
    const size_t most = ps_wire_unpacker_bytes(MOST);
    const struct mallinfo2 before = mallinfo2();
    ps_wire_unpacker *unpacker = open_for(MOST);
    const struct mallinfo2 opened = mallinfo2();
    assert_true(opened.uordblks + opened.hblkhd - before.uordblks - before.hblkhd <= most + 16384);
    for (uint32_t form = 0; form < FORMS; form++) {
        const ps_bytes packed = {to, (uint32_t)forms[form].pack(from, MOST, to)};
        const struct mallinfo2 packs = mallinfo2();
        ps_bytes plain;
        assert_int_equal(ps_wire_unpack(unpacker, forms[form].codec, packed, &plain, NULL), PS_OK);
        const struct mallinfo2 after = mallinfo2();
        assert_true(after.uordblks + after.hblkhd <= packs.uordblks + packs.hblkhd);
    }
    ps_wire_unpacker_close(unpacker);
    free(to);
    free(from);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(larger_than_its_room),
        cmocka_unit_test(stored_blocks_have_no_room),
        cmocka_unit_test(cut_off),
        cmocka_unit_test(damaged_anywhere),
        cmocka_unit_test(what_it_does_not_know),
        cmocka_unit_test(takes_its_memory_at_once),
    };
    ps_error error;
    if (ps_dispatch_init(&error) != PS_OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
