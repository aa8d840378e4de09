/* SPDX-License-Identifier: Apache-2.0
 * Any bytes as a file of dead letters: a line is a letter within its bounds, or a stranger. And any
 * record as a letter: what is written into the file is read back as it was.
 *
 * The input's first byte chooses: 'r' for a record, anything else begins a file.
 */
#include "ingest/letter.h"

#include "host/batch/headers.h"
#include "host/batch/rejects.h"
#include "ingest/dead_file.h"
#include "tests/batches.h"
#include "tests/fuzz/fuzz.h"

typedef struct found {
    const fuzz_record *wanted; /* NULL: whatever comes */
    uint64_t letters, sum;
} found;

static bool is_same(ps_bytes a, ps_bytes b) {
    if (a.length == PS_NULL_LENGTH || b.length == PS_NULL_LENGTH) return a.length == b.length;
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* Touches every byte, so that one that is not the letter's is seen. */
static void touch(found *f, ps_bytes bytes) {
    if (bytes.length == PS_NULL_LENGTH) return;
    for (uint32_t i = 0; i < bytes.length; i++) f->sum += bytes.data[i];
}

static void check_place(const ps_letter *letter) {
    const size_t length = strnlen(letter->topic, PS_LETTER_TOPIC_MAX);
    FUZZ_CHECK(length > 0 && length < letter->source.length);
    FUZZ_CHECK(memcmp(letter->topic, letter->source.data, length) == 0);
    FUZZ_CHECK(letter->source.data[length] == '/'); /* the whole name, nothing behind a NUL */
    FUZZ_CHECK(letter->partition >= 0 && letter->offset >= 0);
}

static ps_status take(void *context, const ps_letter *letter, ps_error *error) {
    found *f = context;
    ps_header header;
    uint32_t at = 0;
    (void)error;
    f->letters++;
    check_place(letter);
    touch(f, letter->source);
    touch(f, letter->code);
    touch(f, letter->reason);
    touch(f, letter->key);
    touch(f, letter->value);
    while (ps_headers_next(letter->headers, &at, &header)) {
        FUZZ_CHECK(at <= letter->headers.length);
        touch(f, header.name);
        touch(f, header.value);
    }
    if (f->wanted == NULL) return PS_OK;
    FUZZ_CHECK(strcmp(letter->topic, "t0") == 0 && letter->offset == 7);
    FUZZ_CHECK(is_same(letter->key, f->wanted->key) && is_same(letter->value, f->wanted->value));
    FUZZ_CHECK(is_same(letter->headers, f->wanted->headers));
    return PS_OK;
}

static uint64_t read_letters(const char *path, found *f) {
    uint64_t strangers = 0;
    ps_error error;
    FUZZ_CHECK(ps_letter_read_file(path, take, f, &strangers, &error) == PS_OK);
    return strangers;
}

static void write_letter(const char *path, const fuzz_record *record) {
    static ps_partitions partitions = {
        .topic_count = 1, .count = 1, .topic = {{.name = "t0", .count = 1}}};
    static test_batch *tb;
    const ps_record row = {.offset = 7,
                           .timestamp_ms = -1,
                           .key = record->key,
                           .value = record->value,
                           .headers = record->headers};
    ps_dead_file *dead = NULL;
    ps_error error;
    if (tb == NULL) tb = test_batch_open(1, 1024);
    ps_batch_reset(&tb->batch);
    /* More than the batch has room for goes its own way, as an oversize row. */
    FUZZ_CHECK(ps_batch_append(&tb->batch, &row) != PS_AGAIN);
    uint8_t *reject = ps_batch_system(&tb->batch, PS_COLUMN_REJECT);
    if (reject[0] == PS_REJECT_NONE) reject[0] = PS_REJECT_SYNTAX;
    (void)unlink(path);
    FUZZ_CHECK(ps_dead_file_open(path, &partitions, &dead, &error) == PS_OK);
    FUZZ_CHECK(ps_dead_file_put(dead, &tb->batch, 0, 0, &error) == PS_OK);
    ps_dead_file_close(dead);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/letters", fuzz_folder());
    if (size > 0 && data[0] == 'r') {
        uint8_t packed[FUZZ_HEADERS_MAX];
        const fuzz_record record = fuzz_record_of((ps_bytes){data + 1, (uint32_t)size - 1}, packed);
        found f = {.wanted = &record};
        write_letter(path, &record);
        FUZZ_CHECK(read_letters(path, &f) == 0 && f.letters == 1);
    } else {
        found f = {.wanted = NULL};
        fuzz_file("letters", data, size);
        const uint64_t strangers = read_letters(path, &f);
        uint64_t lines = 0;
        for (size_t i = 0; i < size; i++) lines += data[i] == '\n';
        FUZZ_CHECK(f.letters + strangers == lines);
    }
    return 0;
}
