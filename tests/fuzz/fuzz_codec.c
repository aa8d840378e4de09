/* SPDX-License-Identifier: Apache-2.0
 * Any lines as records of a batch, some with key and headers, JSON or CSV with any header line:
 * each row decodes into columns that lie inside the batch, or is a reject without fields, and the
 * record stays beside them as it came.
 */
#include "ingest/codec.h"

#include "ingest/columns.h"
#include "ingest/scan.h"
#include "tests/batches.h"
#include "tests/fuzz/fuzz.h"

enum { FIELDS = 7, ROWS = 64, ARENA = 8192 };

static const ps_field fields[FIELDS] = {
    {"host", "host", PS_FIELD_STRING, PS_UNIT_MS, true, false},
    {"cpu", "m.cpu", PS_FIELD_FLOAT, PS_UNIT_MS, false, false},
    {"n", "n", PS_FIELD_INT, PS_UNIT_MS, false, false},
    {"up", "up", PS_FIELD_BOOL, PS_UNIT_MS, false, false},
    {"ts", "ts", PS_FIELD_TIMESTAMP, PS_UNIT_US, false, false},
    {"loose", "loose", PS_FIELD_FLOAT, PS_UNIT_MS, false, true},
    {"dc", "m.dc", PS_FIELD_STRING, PS_UNIT_MS, false, false},
};

static void check_text(const ps_batch *batch, const ps_column *column, uint32_t row) {
    const ps_bytes text = ps_batch_text(batch, column, row);
    if (text.data == NULL) return;
    const uint8_t *arena = ps_batch_arena(batch), *end = text.data + text.length;
    FUZZ_CHECK(text.data >= arena && end <= arena + batch->arena_used);
    for (const uint8_t *p = text.data; p < end;) {
        const int length = ps_scan_utf8(p, end);
        FUZZ_CHECK(length > 0);
        p += length;
    }
}

static void check_kept(const ps_batch *batch, uint32_t row, ps_system_column column,
                       ps_bytes wanted) {
    const ps_bytes got = ps_batch_text(batch, &batch->schema->column[column], row);
    const uint32_t length = wanted.length == PS_NULL_LENGTH ? 0 : wanted.length;
    FUZZ_CHECK((got.data == NULL) == (wanted.length == PS_NULL_LENGTH));
    FUZZ_CHECK(got.data == NULL || got.length == length);
    FUZZ_CHECK(length == 0 || memcmp(got.data, wanted.data, length) == 0);
}

/* What stage and sink pass on of a record, and step through. */
static void check_record(const ps_batch *batch, uint32_t row, ps_bytes line) {
    uint8_t packed[FUZZ_HEADERS_MAX];
    const fuzz_record record = fuzz_record_of(line, packed);
    const ps_bytes headers = ps_batch_text(batch, &batch->schema->column[PS_COLUMN_HEADERS], row);
    ps_header header;
    uint32_t at = 0;
    check_kept(batch, row, PS_COLUMN_KEY, record.key);
    check_kept(batch, row, PS_COLUMN_HEADERS, record.headers);
    check_kept(batch, row, PS_COLUMN_VALUE, record.value);
    while (ps_headers_next(headers, &at, &header)) FUZZ_CHECK(at <= headers.length);
    FUZZ_CHECK(at == headers.length);
}

static void check_row(const ps_batch *batch, uint32_t row) {
    const ps_column *column = &batch->schema->column[batch->schema->field_first];
    const uint8_t reject = ((const uint8_t *)ps_batch_system(batch, PS_COLUMN_REJECT))[row];
    char reason[256];
    FUZZ_CHECK(reject < PS_REJECT_COUNT);
    for (uint32_t i = 0; i < FIELDS; i++) {
        const bool is_text = fields[i].type == PS_FIELD_STRING;
        const bool is_null = is_text ? ps_batch_text(batch, &column[i], row).data == NULL
                                     : !ps_bit_get(ps_batch_validity(batch, &column[i]), row);
        FUZZ_CHECK(reject == PS_REJECT_NONE || is_null);
        if (is_text) check_text(batch, &column[i], row);
        if (is_null || is_text || fields[i].type != PS_FIELD_FLOAT) continue;
        const double value = ((const double *)ps_batch_values(batch, &column[i]))[row];
        FUZZ_CHECK(value - value == 0); /* finite */
    }
    if (reject == PS_REJECT_NONE) return;
    const uint32_t detail = ((const uint32_t *)ps_batch_system(batch, PS_COLUMN_DETAIL))[row];
    FUZZ_CHECK(ps_reject_reason(reject, detail, batch->schema, reason, sizeof reason) <
               sizeof reason);
}

/* Two partitions, each with the columns that its own header line named. */
static void decode_all(const ps_codec *codec, void *self, ps_batch *batch, ps_bytes input) {
    const uint8_t *at = input.data, *end = at + input.length;
    uint8_t packed[FUZZ_HEADERS_MAX];
    ps_bytes line, lines[ROWS];
    ps_error error;
    for (uint32_t p = 0; p < 2 && codec->heading != NULL && fuzz_line(&at, end, &line); p++) {
        const ps_heading heading = {"fuzz.csv", line};
        if (line.length > 0 && codec->heading(self, p, &heading, &error) != PS_OK) return;
    }
    for (int64_t offset = 0; fuzz_line(&at, end, &line); offset++) {
        const fuzz_record of = fuzz_record_of(line, packed);
        const ps_record record = {.partition = (uint32_t)offset / 4 % 2,
                                  .offset = offset,
                                  .timestamp_ms = -1,
                                  .key = of.key,
                                  .value = of.value,
                                  .headers = of.headers};
        if (ps_batch_append(batch, &record) != PS_OK) break;
        lines[offset] = line;
    }
    codec->decode(self, batch);
    for (uint32_t row = 0; row < batch->rows; row++) {
        check_row(batch, row);
        if (row != batch->oversize.row) check_record(batch, row, lines[row]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ps_plan *plan;
    const ps_decode_config config = {.fields = {fields, FIELDS}, .delimiter = ","};
    if (size == 0) return 0;
    if (plan == NULL) {
        plan = calloc(1, sizeof *plan);
        FUZZ_CHECK(ps_plan_init(plan, ROWS, ARENA, 10, &config.fields, NULL) == PS_OK);
        FUZZ_CHECK(ps_plan_close(plan, NULL) == PS_OK);
    }
    const ps_codec *codec = data[0] == '{' ? &ps_codec_json : &ps_codec_csv;
    const ps_bytes input = {data, (uint32_t)size};
    ps_batch batch = {0};
    void *self = NULL;
    ps_error error;
    FUZZ_CHECK(codec->open(&config, &plan->schema, &self, &error) == PS_OK);
    test_batch_memory(&batch, &plan->schema);
    memset(batch.block.host, 0xee, plan->schema.block_bytes);
    ps_batch_reset(&batch);
    decode_all(codec, self, &batch, input);
    test_batch_free(&batch);
    codec->close(self);
    return 0;
}
