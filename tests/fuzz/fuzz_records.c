/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as what a Fetch answer holds: batches, unpacked, their records, their headers. What is
 * read lies within what was given, and a record that was read can be written and read again.
 */
#include "ingest/wire/batch.h"
#include "ingest/wire/unpack.h"
#include "ingest/wire/writer.h"
#include "tests/fuzz/fuzz.h"

enum {
    ROOM = 1 << 16,
    WRITTEN_MAX = 256 /* records of an input: 4 KiB may unpack to half a million */
};

static void check_within(ps_bytes part, ps_bytes all) {
    if (part.length == PS_NULL_LENGTH) return;
    FUZZ_CHECK(part.data >= all.data && part.length <= all.length);
    FUZZ_CHECK((size_t)(part.data - all.data) <= all.length - part.length);
}

static void check_same(ps_bytes a, ps_bytes b) {
    FUZZ_CHECK(a.length == b.length);
    if (a.length == PS_NULL_LENGTH || a.length == 0) return;
    FUZZ_CHECK(memcmp(a.data, b.data, a.length) == 0);
}

/* Into a batch of our own and back. */
static void check_again(const ps_wire_record *record, ps_bytes packed) {
    static uint8_t memory[2 * ROOM];
    const ps_wire_row row = {.timestamp_ms = record->timestamp_ms,
                             .key = record->key,
                             .value = record->value,
                             .packed = packed,
                             .packed_count = record->header_count};
    const ps_wire_seal seal = {-1, -1, -1, false};
    ps_wire_writer writer;
    ps_wire_batch batch;
    ps_wire_records records;
    ps_wire_record again;
    uint32_t at = 0;
    ps_wire_writer_begin(&writer, memory, sizeof memory);
    FUZZ_CHECK(ps_wire_writer_add(&writer, &row));
    FUZZ_CHECK(writer.used == PS_WIRE_BATCH_HEADER + ps_wire_row_bytes(&row));
    FUZZ_CHECK(ps_wire_batch_next(ps_wire_writer_seal(&writer, &seal), &at, &batch, NULL) == PS_OK);
    FUZZ_CHECK(ps_wire_batch_intact(&batch));
    ps_wire_records_begin(&records, &batch, batch.records);
    FUZZ_CHECK(ps_wire_records_next(&records, &again, NULL) == PS_OK);
    check_same(record->key, again.key);
    check_same(record->value, again.value);
    FUZZ_CHECK(record->timestamp_ms == again.timestamp_ms);
    FUZZ_CHECK(record->header_count == again.header_count);
    FUZZ_CHECK(record->packed_bytes == again.packed_bytes);
}

static void check_record(const ps_wire_record *record, ps_bytes plain, bool write) {
    static uint8_t packed[8 * ROOM];
    ps_header header, same;
    uint32_t at = 0, packed_at = 0, count = 0;
    check_within(record->key, plain);
    check_within(record->value, plain);
    check_within(record->headers, plain);
    FUZZ_CHECK(record->packed_bytes <= sizeof packed);
    const uint32_t bytes =
        ps_wire_headers_pack(record->headers, record->header_count, packed, record->packed_bytes);
    FUZZ_CHECK(bytes == record->packed_bytes);
    for (; ps_wire_header_next(record->headers, &at, &header); count++) {
        check_within(header.name, record->headers);
        check_within(header.value, record->headers);
        FUZZ_CHECK(ps_headers_next((ps_bytes){packed, bytes}, &packed_at, &same));
        check_same(header.name, same.name);
        check_same(header.value, same.value);
    }
    FUZZ_CHECK(count == record->header_count && packed_at == bytes);
    FUZZ_CHECK(at == record->headers.length);
    if (write) check_again(record, (ps_bytes){packed, bytes});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ps_wire_unpacker *unpacker;
    const ps_bytes all = {data, (uint32_t)size};
    ps_wire_batch batch;
    uint32_t at = 0, written = 0;
    if (unpacker == NULL) FUZZ_CHECK(ps_wire_unpacker_open(ROOM, &unpacker, NULL) == PS_OK);
    while (ps_wire_batch_next(all, &at, &batch, NULL) == PS_OK) {
        ps_wire_records records;
        ps_wire_record record;
        ps_bytes plain;
        bool abort;
        (void)ps_wire_batch_intact(&batch);
        (void)ps_wire_batch_is_abort(&batch, &abort);
        check_within(batch.whole, all);
        check_within(batch.records, batch.whole);
        if (ps_wire_unpack(unpacker, batch.codec, batch.records, &plain, NULL) != PS_OK) continue;
        ps_wire_records_begin(&records, &batch, plain);
        while (ps_wire_records_next(&records, &record, NULL) == PS_OK)
            check_record(&record, plain, written++ < WRITTEN_MAX);
    }
    return 0;
}
