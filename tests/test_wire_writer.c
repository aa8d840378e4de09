/* SPDX-License-Identifier: Apache-2.0
 * Batches that we write. If this fails, a broker refuses what the sink sends, or keeps other bytes
 * than the pipeline made.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ingest/wire/batch.h"
#include "ingest/wire/bytes.h"
#include "ingest/wire/crc.h"
#include "ingest/wire/pack.h"
#include "ingest/wire/unpack.h"
#include "ingest/wire/writer.h"
#include "simd/dispatch.h"
#include "tests/wire_rows.h"

enum { ROOM = 4 << 20 };

static const ps_wire_seal plain_seal = {-1, -1, -1, false};

static ps_wire_batch only_batch(ps_bytes bytes) {
    ps_wire_batch batch;
    ps_error error;
    uint32_t at = 0;
    assert_int_equal(ps_wire_batch_next(bytes, &at, &batch, &error), PS_OK);
    assert_int_equal(at, bytes.length);
    assert_int_equal(ps_wire_batch_next(bytes, &at, &batch, &error), PS_END);
    assert_true(ps_wire_batch_intact(&batch));
    return batch;
}

/* Reads as many rows back as were made from `seed` on. */
static void check_rows(const ps_wire_batch *batch, ps_bytes plain, uint32_t seed, uint32_t count) {
    ps_wire_records records;
    ps_wire_record record;
    ps_error error;
    ps_wire_records_begin(&records, batch, plain);
    for (uint32_t i = 0; i < count; i++) {
        test_row row;
        test_row_make(&row, seed + i);
        assert_int_equal(ps_wire_records_next(&records, &record, &error), PS_OK);
        assert_int_equal(record.offset, i);
        test_row_check(&row, &record);
    }
    assert_int_equal(ps_wire_records_next(&records, &record, &error), PS_END);
}

/* RFC 3720, B.4, and that a sum of parts is the sum of the whole. */
static void crc_is_crc32c(void **state) {
    (void)state;
    static uint8_t bytes[70000];
    assert_int_equal(ps_wire_crc(bytes, 0), 0);
    assert_int_equal(ps_wire_crc(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(ps_wire_crc(bytes, 32), 0x62a8ab43);
    for (uint32_t i = 0; i < 32; i++) bytes[i] = (uint8_t)i;
    assert_int_equal(ps_wire_crc(bytes, 32), 0x46dd794e);
    for (uint32_t i = 0; i < 32; i++) bytes[i] = (uint8_t)(31 - i);
    assert_int_equal(ps_wire_crc(bytes, 32), 0x113fdb5c);
    assert_int_equal(ps_wire_crc("123456789", 9), 0xe3069283);
    test_noise(bytes, sizeof bytes, 1);
    const uint32_t whole = ps_wire_crc(bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut += cut < 300 ? 1 : 997) {
        const uint32_t front = ps_wire_crc(bytes, cut);
        const uint32_t back = ps_wire_crc(bytes + cut, sizeof bytes - cut);
        assert_int_equal(ps_wire_crc_join(front, back, sizeof bytes - cut), whole);
    }
}

/* Every digit of a length's weight, the high ones too: they are what 16 times the one below is. */
static void crc_of_long_parts(void **state) {
    (void)state;
    for (uint32_t digit = 0; digit < 7; digit++) {
        const size_t unit = (size_t)1 << 4 * digit;
        uint32_t by_units = 0x12345678;
        for (size_t value = 1; value < 16; value++) {
            by_units = ps_wire_crc_join(by_units, 0, unit);
            assert_int_equal(ps_wire_crc_join(0x12345678, 0, value * unit), by_units);
        }
        assert_int_equal(ps_wire_crc_join(by_units, 0, unit),
                         ps_wire_crc_join(0x12345678, 0, 16 * unit));
    }
}

/* Its added headers as a record has them. */
static uint8_t *put_wire(uint8_t *to, ps_bytes half) {
    if (half.length == PS_NULL_LENGTH) return ps_wire_put_unsigned(to, 1);
    to = ps_wire_put_unsigned(to, ps_wire_zigzag(half.length));
    if (half.length > 0) memcpy(to, half.data, half.length);
    return to + half.length;
}

static bool draft(ps_wire_writer *writer, const ps_wire_row *row, uint32_t more) {
    ps_wire_draft one;
    size_t most = more;
    for (uint32_t i = 0; i < row->added_count; i++) {
        const ps_bytes value = row->added[i].value;
        most += 10 + row->added[i].name.length;
        most += value.length == PS_NULL_LENGTH ? 0 : value.length;
    }
    uint8_t *at = ps_wire_writer_open(writer, row, most, &one);
    if (at == NULL) return false;
    for (uint32_t i = 0; i < row->added_count; i++)
        at = put_wire(put_wire(at, row->added[i].name), row->added[i].value);
    ps_wire_writer_close(&one, at, row->added_count);
    return true;
}

/* Headers written where they go make the same bytes as those that are handed over, also where the
 * record's length was thought to be wider; a row that has no room, or too many of them, changes
 * nothing. If this fails, enriched records reach the topic broken. */
static void drafts_are_the_same(void **state) {
    static uint8_t memory[2][64 << 10];
    (void)state;
    for (uint32_t more = 0; more < 9000; more += 4400) {
        ps_wire_writer writer[2];
        uint32_t drafted = 0, refused = 0;
        for (uint32_t w = 0; w < 2; w++)
            ps_wire_writer_begin(&writer[w], memory[w], sizeof memory[w]);
        for (uint32_t i = 0; i < 400; i++) {
            test_row row;
            test_row_make(&row, i);
            const ps_wire_writer before = writer[1];
            const bool added = ps_wire_writer_add(&writer[0], &row.row);
            if (!draft(&writer[1], &row.row, more)) {
                assert_memory_equal(&before, &writer[1], sizeof before);
                refused++;
                if (added) assert_true(ps_wire_writer_add(&writer[1], &row.row));
            } else {
                assert_true(added);
                drafted++;
            }
        }
        assert_true(drafted > 50 && refused > 50);
        const ps_bytes wanted = ps_wire_writer_seal(&writer[0], &plain_seal);
        const ps_bytes got = ps_wire_writer_seal(&writer[1], &plain_seal);
        assert_int_equal(got.length, wanted.length);
        assert_memory_equal(got.data, wanted.data, wanted.length);
        (void)only_batch(got);
    }
}

static void rows_come_back(void **state) {
    uint8_t *memory = malloc(ROOM);
    ps_wire_writer writer;
    (void)state;
    for (uint32_t count = 1; count < 3000; count = count * 3 + 1) {
        ps_wire_writer_begin(&writer, memory, ROOM);
        for (uint32_t i = 0; i < count; i++) {
            test_row row;
            test_row_make(&row, count + i);
            assert_true(ps_wire_writer_add(&writer, &row.row));
        }
        const ps_wire_batch batch = only_batch(ps_wire_writer_seal(&writer, &plain_seal));
        assert_int_equal(batch.count, count);
        assert_int_equal(batch.last_offset_delta, count - 1);
        assert_int_equal(batch.codec, PS_WIRE_NONE);
        assert_false(batch.transactional || batch.control || batch.append_time);
        check_rows(&batch, batch.records, count, count);
    }
    free(memory);
}

/* What the last records of a batch, which need every byte that is left, write behind it. */
static void fills_to_the_last_byte(void **state) {
    (void)state;
    for (uint32_t seed = 0; seed < 400; seed++) {
        test_row row;
        ps_wire_writer writer;
        test_row_make(&row, seed);
        const size_t bytes = ps_wire_row_bytes(&row.row);
        for (int less = 0; less < 2; less++) {
            const size_t room = PS_WIRE_BATCH_HEADER + bytes - (size_t)less;
            uint8_t *memory = malloc(room); /* asan stands behind it */
            ps_wire_writer_begin(&writer, memory, room);
            const ps_wire_writer before = writer;
            assert_int_equal(ps_wire_writer_add(&writer, &row.row), less == 0);
            if (less == 0) {
                assert_int_equal(writer.used, room);
                const ps_wire_batch batch = only_batch(ps_wire_writer_seal(&writer, &plain_seal));
                check_rows(&batch, batch.records, seed, 1);
            } else {
                assert_memory_equal(&before, &writer, sizeof writer);
            }
            assert_false(ps_wire_writer_add(&writer, &row.row));
            free(memory);
        }
    }
}

/* Between what a row takes and what it takes at most, and beyond: short headers are written in
 * pieces that are longer than they. Their source ends with them, too. */
static void room_for_a_little_more(void **state) {
    (void)state;
    for (uint32_t seed = 0; seed < 60; seed++) {
        static test_row row;
        test_row_make(&row, seed);
        test_row_split(&row, row.header_count);
        const uint32_t bytes = row.header_count == 0 ? 0 : row.row.packed.length;
        uint8_t *packed = malloc(bytes + 1), *begin = packed + 1; /* nothing behind it */
        memcpy(begin, row.packed, bytes);
        if (bytes > 0) row.row.packed.data = begin;
        const size_t least = PS_WIRE_BATCH_HEADER + ps_wire_row_bytes(&row.row);
        for (size_t more = 0; more < 120 + 8 * row.header_count; more++) {
            ps_wire_writer writer;
            uint8_t *memory = malloc(least + more);
            ps_wire_writer_begin(&writer, memory, least + more);
            assert_true(ps_wire_writer_add(&writer, &row.row));
            assert_int_equal(writer.used, least);
            const ps_wire_batch batch = only_batch(ps_wire_writer_seal(&writer, &plain_seal));
            check_rows(&batch, batch.records, seed, 1);
            free(memory);
        }
        free(packed);
    }
}

/* A length of 63 bytes takes one byte, of 64 two, of 8191 and 8192 two and three: the guess is
 * wrong on both sides of each. */
static void lengths_around_their_steps(void **state) {
    static uint8_t value[8300], memory[18000];
    (void)state;
    test_noise(value, sizeof value, 2);
    for (uint32_t bytes = 0; bytes < sizeof value; bytes += bytes == 80 ? 8000 : 1) {
        const ps_wire_row row = {.timestamp_ms = 5,
                                 .key = {NULL, PS_NULL_LENGTH},
                                 .value = {value, bytes},
                                 .packed = {NULL, PS_NULL_LENGTH}};
        ps_wire_writer writer;
        ps_wire_writer_begin(&writer, memory, sizeof memory);
        assert_true(ps_wire_writer_add(&writer, &row));
        assert_int_equal(writer.used, PS_WIRE_BATCH_HEADER + ps_wire_row_bytes(&row));
        assert_true(ps_wire_writer_add(&writer, &row));
        const ps_wire_batch batch = only_batch(ps_wire_writer_seal(&writer, &plain_seal));
        ps_wire_records records;
        ps_wire_record record;
        ps_wire_records_begin(&records, &batch, batch.records);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(ps_wire_records_next(&records, &record, NULL), PS_OK);
            assert_int_equal(record.value.length, bytes);
            assert_memory_equal(record.value.data, value, bytes);
            assert_int_equal(record.key.length, PS_NULL_LENGTH);
        }
        assert_int_equal(ps_wire_records_next(&records, &record, NULL), PS_END);
    }
}

/* Epoch and sequence of a retry differ; so may the producer id. */
static void sealed_twice(void **state) {
    uint8_t *memory = malloc(ROOM);
    ps_wire_writer writer;
    (void)state;
    ps_wire_writer_begin(&writer, memory, ROOM);
    for (uint32_t i = 0; i < 700; i++) {
        test_row row;
        test_row_make(&row, i);
        assert_true(ps_wire_writer_add(&writer, &row.row));
        if (i % 100 != 99) continue;
        const ps_wire_seal seal = {INT64_C(0x123456789abcdef) + i, (int16_t)i, (int32_t)(i << 20),
                                   i % 200 == 99};
        const ps_wire_batch batch = only_batch(ps_wire_writer_seal(&writer, &seal));
        assert_int_equal(batch.producer_id, seal.producer_id);
        assert_int_equal(batch.producer_epoch, seal.producer_epoch);
        assert_int_equal(batch.base_sequence, seal.base_sequence);
        assert_int_equal(batch.transactional, seal.transactional);
        assert_int_equal(batch.leader_epoch, -1);
        check_rows(&batch, batch.records, 0, i + 1);
    }
    free(memory);
}

/* A record near the largest a broker takes, and times before the first one's. */
static void large_and_earlier(void **state) {
    enum { LARGE = 900000 };
    uint8_t *memory = malloc(ROOM), *value = malloc(LARGE);
    (void)state;
    test_noise(value, LARGE, 3);
    const int64_t times[] = {1700000000000, 1600000000000, 1800000000000, -1, INT64_MAX, 0};
    ps_wire_writer writer;
    ps_wire_writer_begin(&writer, memory, ROOM);
    for (uint32_t i = 0; i < 6; i++) {
        const ps_wire_row row = {.timestamp_ms = times[i],
                                 .value = {value, i == 2 ? LARGE : i},
                                 .packed = {NULL, PS_NULL_LENGTH}};
        assert_true(ps_wire_writer_add(&writer, &row));
    }
    const ps_wire_batch batch = only_batch(ps_wire_writer_seal(&writer, &plain_seal));
    assert_int_equal(batch.base_timestamp_ms, times[0]);
    assert_int_equal(batch.max_timestamp_ms, INT64_MAX);
    ps_wire_records records;
    ps_wire_record record;
    ps_wire_records_begin(&records, &batch, batch.records);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(ps_wire_records_next(&records, &record, NULL), PS_OK);
        assert_true(record.timestamp_ms == times[i]);
        assert_int_equal(record.value.length, i == 2 ? LARGE : i);
        assert_memory_equal(record.value.data, value, record.value.length);
        assert_int_equal(record.key.length, 0);
    }
    free(value);
    free(memory);
}

static void packed_and_unpacked(void **state) {
    enum { ROWS = 900 };
    uint8_t *memory = malloc(ROOM);
    ps_wire_unpacker *unpacker = NULL;
    ps_error error;
    (void)state;
    assert_int_equal(ps_wire_unpacker_open(ROOM, &unpacker, &error), PS_OK);
    for (uint32_t codec = PS_WIRE_NONE; codec < PS_WIRE_CODECS; codec++) {
        ps_wire_packer *packer = NULL;
        ps_wire_writer writer, to;
        ps_wire_writer_begin(&writer, memory, ROOM);
        assert_int_equal(ps_wire_packer_open(codec, ROOM, &packer, &error), PS_OK);
        for (uint32_t i = 0; i < ROWS; i++) {
            test_row row;
            test_row_make(&row, i);
            assert_true(ps_wire_writer_add(&writer, &row.row));
            if (i > 3 && i != ROWS - 1) continue;
            const size_t bound = ps_wire_packed_bound(codec, writer.used);
            uint8_t *packed = malloc(bound);
            ps_wire_writer_begin(&to, packed, bound);
            assert_true(ps_wire_pack(packer, &writer, &to));
            const ps_wire_batch batch = only_batch(ps_wire_writer_seal(&to, &plain_seal));
            ps_bytes plain;
            assert_int_equal(batch.codec, codec);
            assert_int_equal(ps_wire_unpack(unpacker, batch.codec, batch.records, &plain, &error),
                             PS_OK);
            check_rows(&batch, plain, 0, i + 1);
            /* The next room that is too small, from asan's side of it. */
            uint8_t *small = malloc(to.used - 1);
            ps_wire_writer_begin(&to, small, to.used - 1);
            assert_false(ps_wire_pack(packer, &writer, &to));
            free(small);
            free(packed);
        }
        ps_wire_packer_close(packer);
    }
    ps_wire_unpacker_close(unpacker);
    free(memory);
}

/* What Kafka's own tool says of a log that consists of our batches, one of each codec. */
static void write_log(const char *path) {
    enum { ROWS = 20 };
    uint8_t *memory = malloc(ROOM), *packed = malloc(ROOM);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (uint32_t codec = PS_WIRE_NONE; codec < PS_WIRE_CODECS; codec++) {
        ps_wire_packer *packer = NULL;
        ps_wire_writer writer, to;
        ps_wire_writer_begin(&writer, memory, ROOM);
        ps_wire_writer_begin(&to, packed, ROOM);
        assert_int_equal(ps_wire_packer_open(codec, ROOM, &packer, NULL), PS_OK);
        for (uint32_t i = 0; i < ROWS; i++) {
            test_row row;
            test_row_make_text(&row, i);
            assert_true(ps_wire_writer_add(&writer, &row.row));
        }
        assert_true(ps_wire_pack(packer, &writer, &to));
        const ps_wire_seal seal = {4711, 3, (int32_t)(codec * ROWS), true};
        const ps_bytes batch = ps_wire_writer_seal(&to, &seal);
        ps_wire_put64(packed, (int64_t)codec * ROWS); /* as a broker does; the CRC begins later */
        assert_int_equal(fwrite(batch.data, 1, batch.length, file), batch.length);
        ps_wire_packer_close(packer);
    }
    assert_int_equal(fclose(file), 0);
    free(packed);
    free(memory);
}

static void kafka_reads_them(void **state) {
    char folder[] = "/tmp/penstock-wire-XXXXXX", path[64], command[512], line[4096];
    uint32_t batches = 0, records = 0, wrong = 0;
    (void)state;
    if (access(".deps/kafka-4.1.2/libs", R_OK) != 0) skip();
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/00000000000000000000.log", folder);
    write_log(path);
    (void)snprintf(
        command, sizeof command,
        "java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp '.deps/kafka-4.1.2/libs/*' "
        "kafka.tools.DumpLogSegments --print-data-log --deep-iteration --files %s 2>&1",
        path);
    FILE *said = popen(command, "r");
    while (fgets(line, sizeof line, said) != NULL) {
        char wanted[4096];
        batches += strstr(line, "baseOffset: ") != NULL && strstr(line, "isvalid: true") != NULL &&
                   strstr(line, "producerId: 4711 producerEpoch: 3") != NULL;
        if (strncmp(line, "| offset: ", 10) != 0) continue;
        test_row_text(wanted, sizeof wanted, records % 20);
        wrong += strstr(line, wanted) == NULL;
        if (strstr(line, wanted) == NULL) print_message("%snot: %s\n", line, wanted);
        records++;
    }
    assert_int_equal(pclose(said), 0);
    assert_int_equal(batches, PS_WIRE_CODECS);
    assert_int_equal(records, PS_WIRE_CODECS * 20);
    assert_int_equal(wrong, 0);
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_is_crc32c),
        cmocka_unit_test(crc_of_long_parts),
        cmocka_unit_test(drafts_are_the_same),
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(fills_to_the_last_byte),
        cmocka_unit_test(room_for_a_little_more),
        cmocka_unit_test(lengths_around_their_steps),
        cmocka_unit_test(sealed_twice),
        cmocka_unit_test(large_and_earlier),
        cmocka_unit_test(packed_and_unpacked),
        cmocka_unit_test(kafka_reads_them),
    };
    ps_error error;
    if (ps_dispatch_init(&error) != PS_OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
