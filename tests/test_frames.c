/* SPDX-License-Identifier: Apache-2.0
 * Compressed frames. If this fails, files and packed records cannot be read by the tools that they
 * are written for, or a file that was cut at a commit cannot be.
 */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <zstd.h>

#include "ingest/frames.h"
#include "ingest/telemetry.h"
#include "simd/dispatch.h"
#include "tests/unframe.h"

enum { MOST = 3 << 20 };

static const char *const names[PS_FRAME_CODECS] = {"identity", "zstd", "lz4", "snappy"};
static const size_t sizes[] = {0,     1,      7,      255,    4096,    65535,         65536,
                               65537, 131072, 262144, 262145, 1048577, 4 * 65536 + 1, MOST};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

/* Telemetry, noise, and noise in the middle of telemetry. */
static uint8_t *fill(int kind) {
    uint8_t *data = malloc(MOST + 512);
    ps_telemetry telemetry;
    ps_telemetry_init(&telemetry, 1, 100, 200, 0.01);
    uint64_t random = 88172645463325252u;
    size_t at = 0;
    for (uint32_t row = 0; at < MOST; row++) {
        if (kind == 1 || (kind == 2 && row % 500 > 300)) {
            for (uint32_t i = 0; i < 200; i++) {
                random ^= random << 13, random ^= random >> 7, random ^= random << 17;
                data[at++] = (uint8_t)random;
            }
        } else {
            at += ps_telemetry_write(&telemetry, row % 100, row / 100, data + at);
            data[at++] = '\n';
        }
    }
    return data;
}

static void comes_back(void **state) {
    (void)state;
    uint8_t *to = malloc(ps_frame_bound(PS_FRAME_SNAPPY, MOST) + MOST);
    for (uint32_t codec = 0; codec < PS_FRAME_CODECS; codec++) {
        ps_framer *framer = NULL;
        assert_string_equal(ps_frame_encoding(codec), names[codec]);
        assert_int_equal(ps_framer_open(codec, MOST, &framer, NULL), PS_OK);
        for (int kind = 0; kind < 3; kind++) {
            uint8_t *from = fill(kind);
            for (size_t i = 0; i < SIZES; i++) {
                const size_t room = ps_frame_bound(codec, sizes[i]);
                memset(to + room, 0x5a, 16);
                const size_t bytes = ps_frame_write(framer, from, sizes[i], to);
                size_t length;
                assert_in_range(bytes, 0, room);
                for (size_t past = 0; past < 16; past++) assert_int_equal(to[room + past], 0x5a);
                uint8_t *back = unframe(names[codec], to, bytes, &length);
                assert_non_null(back);
                assert_int_equal(length, sizes[i]);
                assert_memory_equal(back, from, length);
                free(back);
                /* What does not shrink is stored: 8 bytes a block, where snappy itself adds more.
                 */
                if (kind == 1 && codec == PS_FRAME_SNAPPY)
                    assert_true(bytes <= 10 + sizes[i] + (sizes[i] + 65535) / 65536 * 8);
                if (kind == 0 && codec != 0 && sizes[i] > 4096) assert_true(bytes < sizes[i] / 2);
            }
            free(from);
        }
        ps_framer_close(framer);
    }
    free(to);
}

/* The other way round, so that a reader which reads anything is found out. */
static void reader_reads_what_libraries_write(void **state) {
    (void)state;
    uint8_t *from = fill(2), *to = malloc(2 * MOST);
    size_t length, bytes = ZSTD_compress(to, 2 * MOST, from, MOST, 3);
    uint8_t *back = unframe("zstd", to, bytes, &length);
    assert_true(back != NULL && length == MOST && memcmp(back, from, MOST) == 0);
    free(back);
    assert_null(unframe("zstd", to, bytes - 1, &length));
    bytes = LZ4F_compressFrame(to, 2 * MOST, from, MOST, NULL);
    back = unframe("lz4", to, bytes, &length);
    assert_true(back != NULL && length == MOST && memcmp(back, from, MOST) == 0);
    free(back);
    assert_null(unframe("lz4", to, bytes - 1, &length));
    /* The example of the format: a compressed chunk, its masked check sum from the RFC's vectors:
     * CRC-32C of 32 zero bytes is 0x8a9136aa. */
    memcpy(to, "\xff\x06\x00\x00sNaPpY\x00", 11);
    size_t packed = 100;
    static const uint8_t zeros[32];
    assert_int_equal(snappy_compress((const char *)zeros, 32, (char *)to + 18, &packed), SNAPPY_OK);
    const uint32_t masked = (0x8a9136aau >> 15 | 0x8a9136aau << 17) + 0xa282ead8u;
    to[11] = (uint8_t)(packed + 4), to[12] = to[13] = 0;
    memcpy(to + 14, &masked, 4);
    back = unframe("snappy", to, 18 + packed, &length);
    assert_true(back != NULL && length == 32 && memcmp(back, zeros, 32) == 0);
    free(back);
    to[14] ^= 1;
    assert_null(unframe("snappy", to, 18 + packed, &length));
    free(from);
    free(to);
}

/* The bytes of a snappy stream are fixed by its format, compressed blocks apart. */
static void snappy_stream_is_as_described(void **state) {
    (void)state;
    static const uint8_t zeros[32];
    uint8_t to[256];
    ps_framer *framer = NULL;
    assert_int_equal(ps_framer_open(PS_FRAME_SNAPPY, 64, &framer, NULL), PS_OK);
    assert_int_equal(ps_frame_write(framer, zeros, 0, to), 10);
    assert_memory_equal(to, "\xff\x06\x00\x00sNaPpY", 10);
    const size_t bytes = ps_frame_write(framer, zeros, 32, to);
    const uint32_t masked = (0x8a9136aau >> 15 | 0x8a9136aau << 17) + 0xa282ead8u;
    assert_int_equal(to[10], 0);
    assert_int_equal(to[11], bytes - 14);
    assert_memory_equal(to + 14, &masked, 4);
    ps_framer_close(framer);
}

/* What `zstd -d` and `lz4 -d` make of several frames in one file. */
static void tools_read_files(void **state) {
    (void)state;
    char folder[] = "/tmp/penstock-frames-XXXXXX", command[256], path[64];
    assert_non_null(mkdtemp(folder));
    uint8_t *from = fill(2), *to = malloc(2 * MOST);
    for (uint32_t codec = PS_FRAME_ZSTD; codec <= PS_FRAME_LZ4; codec++) {
        ps_framer *framer = NULL;
        assert_int_equal(ps_framer_open(codec, MOST, &framer, NULL), PS_OK);
        (void)snprintf(path, sizeof path, "%s/x%s", folder, ps_frame_suffix(codec));
        FILE *file = fopen(path, "w"), *plain = NULL;
        for (size_t i = 0; i < SIZES; i++) {
            const size_t bytes = ps_frame_write(framer, from, sizes[i], to);
            assert_int_equal(fwrite(to, 1, bytes, file), bytes);
        }
        assert_int_equal(fclose(file), 0);
        ps_framer_close(framer);
        (void)snprintf(command, sizeof command, "%s -dc -q %s", names[codec], path);
        plain = popen(command, "r");
        for (size_t i = 0; i < SIZES; i++) {
            assert_int_equal(fread(to, 1, sizes[i], plain), sizes[i]);
            assert_memory_equal(to, from, sizes[i]);
        }
        assert_int_equal(fgetc(plain), EOF);
        if (pclose(plain) != 0) fail_msg("%s; scripts/setup installs it", command);
    }
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
    free(from);
    free(to);
}

/* The memory ceiling counts what ps_framer_bytes says. */
static void takes_its_memory_at_once(void **state) {
    (void)state;
    uint8_t *from = fill(2), *to = malloc(2 * MOST);
    for (uint32_t codec = 0; codec < PS_FRAME_CODECS; codec++) {
        ps_framer *framer = NULL;
        const size_t most = ps_framer_bytes(codec, 1 << 20);
        const struct mallinfo2 before = mallinfo2();
        assert_int_equal(ps_framer_open(codec, 1 << 20, &framer, NULL), PS_OK);
        const struct mallinfo2 opened = mallinfo2();
        for (size_t bytes = 1; bytes <= 1 << 20; bytes = bytes * 5 / 4 + 1)
            (void)ps_frame_write(framer, from, bytes, to);
        const struct mallinfo2 after = mallinfo2();
        assert_true(after.uordblks + after.hblkhd <= opened.uordblks + opened.hblkhd + 65536);
        assert_true(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd <= most + 4096);
        ps_framer_close(framer);
    }
    free(from);
    free(to);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(reader_reads_what_libraries_write),
        cmocka_unit_test(snappy_stream_is_as_described),
        cmocka_unit_test(tools_read_files),
        cmocka_unit_test(takes_its_memory_at_once),
    };
    ps_error error;
    if (ps_dispatch_init(&error) != PS_OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
