/* SPDX-License-Identifier: Apache-2.0
 * What a topic holds against what its log says of it. If this fails, an auditor overlooks a record
 * that was changed, put in or taken out, or accuses retention and compaction of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "host/batch/headers.h"
#include "host/seal/audit.h"
#include "simd/dispatch.h"

enum { MAX = 30000, FOUND_MAX = 64, PARTITION = 7, KEYS_MAX = 20000 };

/* A log of `entries` and a topic of `records`, which a test changes before it compares them. */
typedef struct world {
    uint32_t entries, records, at;
    uint8_t entry[MAX][PS_SEAL_ENTRY_BYTES];
    ps_audit_record record[MAX];
    char text[MAX][40];
    ps_audit_span span;
    int64_t first_after; /* what `first` is once everything was read, -1: as before */
    uint32_t fails_at;   /* reading that record fails */
    ps_audit_report report;
    ps_audit_finding found[FOUND_MAX];
    uint32_t findings;
    bool compacted;
    int64_t from;
    uint32_t null_entry, lost_bundle; /* 0: none */
} world;

static ps_bytes text_of(const char *text) {
    return text == NULL ? (ps_bytes){NULL, PS_NULL_LENGTH}
                        : (ps_bytes){(const uint8_t *)text, (uint32_t)strlen(text)};
}

static void seal(world *w, const ps_audit_record *record) {
    ps_seal_entry entry = {.flags = record->append_time ? PS_SEAL_LOG_APPEND_TIME : 0,
                           .partition = PARTITION,
                           .offset = (uint64_t)record->offset,
                           .timestamp_ms = record->timestamp_ms};
    assert_true(ps_seal_entry_digest(&entry, record->key, record->headers, record->value));
    ps_seal_entry_encode(&entry, w->entry[w->entries++]);
}

/* `count` records from offset `first` on, every tenth offset left out, each of `keys` keys in turn;
 * all of them sealed. */
static world *make(uint32_t count, int64_t first, uint32_t keys) {
    static char key[KEYS_MAX][16];
    world *const w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->first_after = -1;
    w->fails_at = UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        (void)snprintf(w->text[i], sizeof w->text[i], "%0*u", (int)(i % 39), i);
        (void)snprintf(key[i % keys], sizeof key[0], "key %u", i % keys);
        w->record[i] = (ps_audit_record){.offset = first + i + i / 9,
                                         .timestamp_ms = 1700000000000 + i,
                                         .append_time = i % 5 == 0,
                                         .key = text_of(keys > 1 ? key[i % keys] : NULL),
                                         .headers = {NULL, PS_NULL_LENGTH},
                                         .value = text_of(w->text[i])};
        seal(w, &w->record[i]);
    }
    w->records = count;
    w->span = (ps_audit_span){first, first + count + count / 9};
    return w;
}

static void drop(world *w, uint32_t begin, uint32_t end) {
    memmove(&w->record[begin], &w->record[end], (w->records - end) * sizeof w->record[0]);
    w->records -= end - begin;
}

static void forget(world *w, uint32_t begin, uint32_t end) {
    memmove(w->entry[begin], w->entry[end], (w->entries - end) * sizeof w->entry[0]);
    w->entries -= end - begin;
}

static ps_status next(void *context, ps_audit_record *out, ps_error *error) {
    world *const w = context;
    if (w->at == w->fails_at) return ps_fail(error, PS_TAMPERED, "cannot be read");
    if (w->at == w->records && w->first_after >= 0) w->span.first = w->first_after;
    if (w->at == w->records) return PS_END;
    *out = w->record[w->at++];
    return PS_OK;
}

static void take(void *context, const ps_audit_finding *finding) {
    world *const w = context;
    assert_int_not_equal(w->findings, FOUND_MAX);
    w->found[w->findings++] = *finding;
}

/* Everything, by bundles of 256. */
static ps_status run(world *w, ps_error *error) {
    const ps_audit_topic topic = {.next = next,
                                  .context = w,
                                  .span = &w->span,
                                  .partition = PARTITION,
                                  .from = w->from,
                                  .compacted = w->compacted};
    const ps_audit_watch watch = {take, w};
    ps_audit *audit = NULL;
    ps_bytes entries[256];
    assert_int_equal(ps_audit_open(&topic, &watch, &w->report, &audit, error), PS_OK);
    ps_status status = PS_OK;
    for (uint32_t at = 0; status == PS_OK && at < w->entries; at += 256) {
        uint32_t count = 0;
        for (; count < 256 && at + count < w->entries; count++)
            entries[count] = (ps_bytes){w->entry[at + count], PS_SEAL_ENTRY_BYTES};
        if (w->null_entry > 0 && w->null_entry / 256 == at / 256)
            entries[w->null_entry % 256] = (ps_bytes){NULL, PS_NULL_LENGTH};
        if (w->lost_bundle > 0 && w->lost_bundle == at / 256) continue;
        status = ps_audit_entries(audit, at, entries, count, error);
    }
    if (status == PS_OK) status = ps_audit_finish(audit, error);
    ps_audit_close(audit);
    return status;
}

static void compare(world *w) {
    ps_error error;
    if (run(w, &error) != PS_OK) fail_msg("%s", error.message);
    uint64_t faults = 0;
    for (int c = PS_AUDIT_MODIFIED; c < PS_AUDIT_CLASSES; c++) faults += w->report.count[c];
    assert_int_equal(w->report.faults, faults);
}

static void found(const world *w, uint32_t i, ps_audit_class class, int64_t first, int64_t last,
                  uint64_t count) {
    assert_in_range(i, 0, w->findings - 1);
    assert_int_equal(w->found[i].class, class);
    assert_int_equal(w->found[i].first_offset, first);
    assert_int_equal(w->found[i].last_offset, last);
    assert_int_equal(w->found[i].count, count);
}

static uint64_t of(const world *w, ps_audit_class class) {
    return w->report.count[class];
}

static void all_match(void **state) {
    (void)state;
    static const uint32_t sizes[] = {0, 1, 255, 256, 257, 1024, 1025, 5000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        world *const w = make(sizes[i], 100, 3);
        compare(w);
        assert_int_equal(of(w, PS_AUDIT_MATCH), sizes[i]);
        assert_int_equal(w->report.faults, 0);
        assert_int_equal(w->report.void_from, -1);
        free(w);
    }
}

/* Each part of a record, alone; and what is null is not empty. */
static void each_part(void **state) {
    (void)state;
    uint8_t packed[32];
    const uint8_t *const end = ps_headers_put(packed, text_of("h"), text_of("v"));
    world *const w = make(100, 0, 4);
    w->record[10].key = text_of("another");
    w->record[20].headers = (ps_bytes){packed, (uint32_t)(end - packed)};
    w->record[30].value = text_of("another");
    w->record[40].timestamp_ms++;
    w->record[50].append_time = !w->record[50].append_time;
    w->record[60].key = (ps_bytes){NULL, PS_NULL_LENGTH};
    w->record[70].value = (ps_bytes){NULL, PS_NULL_LENGTH};
    w->record[80].key = w->record[80].value = text_of("");
    compare(w);
    static const uint32_t parts[] = {
        PS_AUDIT_KEY,   PS_AUDIT_HEADERS, PS_AUDIT_VALUE, PS_AUDIT_TIMESTAMP,
        PS_AUDIT_CLOCK, PS_AUDIT_KEY,     PS_AUDIT_VALUE, PS_AUDIT_KEY | PS_AUDIT_VALUE};
    assert_int_equal(w->findings, 8);
    for (uint32_t i = 0; i < 8; i++) {
        const int64_t offset = w->record[10 * (i + 1)].offset;
        found(w, i, PS_AUDIT_MODIFIED, offset, offset, 1);
        assert_int_equal(w->found[i].parts, parts[i]);
        assert_int_equal(w->found[i].index, 10 * (i + 1));
    }
    assert_int_equal(of(w, PS_AUDIT_MATCH), 92);
    char text[64];
    assert_string_equal(ps_audit_parts_text(31, text),
                        "key, headers, value, timestamp, timestamp's type");
    free(w);
}

/* Headers are part of it, in their order. */
static void headers_in_order(void **state) {
    (void)state;
    uint8_t one[64], other[64], *at = ps_headers_put(one, text_of("a"), text_of("1"));
    at = ps_headers_put(at, text_of("b"), (ps_bytes){NULL, PS_NULL_LENGTH});
    const uint32_t length = (uint32_t)(at - one);
    at = ps_headers_put(other, text_of("b"), (ps_bytes){NULL, PS_NULL_LENGTH});
    (void)ps_headers_put(at, text_of("a"), text_of("1"));
    world *const w = make(10, 0, 2);
    w->entries = 0;
    for (uint32_t i = 0; i < 10; i++) {
        w->record[i].headers = (ps_bytes){one, length};
        seal(w, &w->record[i]);
    }
    w->record[4].headers.data = other;
    compare(w);
    assert_int_equal(w->findings, 1);
    assert_int_equal(w->found[0].parts, PS_AUDIT_HEADERS);
    assert_int_equal(of(w, PS_AUDIT_MATCH), 9);
    free(w);
}

static void missing_and_unlogged(void **state) {
    (void)state;
    world *w = make(3000, 0, 3);
    const int64_t first = w->record[500].offset, last = w->record[502].offset;
    drop(w, 500, 503);
    compare(w);
    assert_int_equal(w->findings, 1);
    found(w, 0, PS_AUDIT_MISSING, first, last, 3);
    assert_int_equal(w->found[0].index, 500);
    assert_int_equal(of(w, PS_AUDIT_MATCH), 2997);
    free(w);
    w = make(3000, 0, 3);
    forget(w, 1000, 1300);
    compare(w);
    assert_int_equal(w->findings, 1);
    found(w, 0, PS_AUDIT_UNLOGGED, w->record[1000].offset, w->record[1299].offset, 300);
    assert_int_equal(of(w, PS_AUDIT_MATCH), 2700);
    free(w);
    /* Before the first entry, too, unless the auditor says that it began there. */
    w = make(100, 0, 3);
    forget(w, 0, 5);
    compare(w);
    assert_int_equal(of(w, PS_AUDIT_UNLOGGED), 5);
    w->at = w->findings = 0;
    w->from = 5;
    compare(w);
    assert_int_equal(w->report.faults, 0);
    assert_int_equal(of(w, PS_AUDIT_MATCH), 95);
    free(w);
}

static void expired_and_unsealed(void **state) {
    (void)state;
    world *w = make(3000, 10, 3);
    w->span.first = w->record[700].offset;
    drop(w, 0, 700);
    forget(w, 2900, 3000);
    compare(w);
    assert_int_equal(w->report.faults, 0);
    assert_int_equal(of(w, PS_AUDIT_EXPIRED), 700);
    assert_int_equal(of(w, PS_AUDIT_UNSEALED), 100);
    assert_int_equal(of(w, PS_AUDIT_MATCH), 2200);
    free(w);
    /* All of it, while it was read. */
    w = make(300, 0, 3);
    w->first_after = w->span.end;
    w->records = 0;
    compare(w);
    assert_int_equal(of(w, PS_AUDIT_EXPIRED), 300);
    assert_int_equal(w->report.faults, 0);
    free(w);
}

static void cut_and_rewritten(void **state) {
    (void)state;
    world *w = make(1000, 0, 3);
    w->span.end = w->record[900].offset;
    w->records = 900;
    compare(w);
    assert_int_equal(w->findings, 1);
    found(w, 0, PS_AUDIT_TRUNCATED, w->record[900].offset, w->record[999].offset, 100);
    assert_int_equal(w->report.void_from, w->record[900].offset);
    free(w);
    w = make(1000, 0, 3);
    for (uint32_t i = 900; i < 1000; i++) w->record[i].timestamp_ms += 5;
    compare(w);
    assert_int_equal(of(w, PS_AUDIT_MODIFIED), 100);
    assert_int_equal(w->report.void_from, w->record[900].offset);
    free(w);
    w = make(1000, 0, 3); /* one is not a history */
    w->span.first = w->record[990].offset;
    drop(w, 0, 990);
    w->record[9].timestamp_ms += 5;
    compare(w);
    assert_int_equal(of(w, PS_AUDIT_MODIFIED), 1);
    assert_int_equal(w->report.void_from, -1);
    free(w);
}

/* Of so many keys the newest record each, and everything that the last segment had. */
static void compacted(void **state) {
    (void)state;
    enum { ROWS = 27000, KEYS = 9001 };
    world *w = make(ROWS, 0, KEYS);
    w->compacted = true;
    drop(w, 0, ROWS - KEYS);
    compare(w);
    assert_int_equal(w->report.faults, 0);
    assert_int_equal(of(w, PS_AUDIT_SUPERSEDED), ROWS - KEYS);
    assert_int_equal(of(w, PS_AUDIT_MATCH), KEYS);
    free(w);
    w = make(ROWS, 0, KEYS); /* the newest of a key must be there */
    w->compacted = true;
    const int64_t newest = w->record[ROWS - 100].offset;
    drop(w, ROWS - 100, ROWS - 99);
    drop(w, 0, ROWS - KEYS);
    compare(w);
    assert_int_equal(w->findings, 1);
    found(w, 0, PS_AUDIT_MISSING, newest, newest, 1);
    assert_int_equal(of(w, PS_AUDIT_SUPERSEDED), ROWS - KEYS);
    free(w);
    w = make(ROWS, 0, KEYS); /* on a topic that is not compacted nothing may go */
    drop(w, 50, 60);
    compare(w);
    assert_int_equal(of(w, PS_AUDIT_MISSING), 10);
    free(w);
}

static void compacted_at_its_edges(void **state) {
    (void)state;
    world *w = make(100, 0, 1); /* no keys: nothing supersedes anything */
    w->compacted = true;
    drop(w, 5, 6);
    compare(w);
    assert_int_equal(of(w, PS_AUDIT_MISSING), 1);
    free(w);
    w = make(100, 0, 50); /* a tombstone goes by itself */
    w->compacted = true;
    w->entries = 0;
    w->record[95].value = (ps_bytes){NULL, PS_NULL_LENGTH};
    for (uint32_t i = 0; i < 100; i++) seal(w, &w->record[i]);
    drop(w, 95, 96);
    compare(w);
    assert_int_equal(of(w, PS_AUDIT_SUPERSEDED), 1);
    assert_int_equal(w->report.faults, 0);
    free(w);
    w = make(100, 0, 50); /* a record that is not sealed yet supersedes, too */
    w->compacted = true;
    forget(w, 80, 100);
    drop(w, 40, 41); /* key 40, again at 90 */
    compare(w);
    assert_int_equal(of(w, PS_AUDIT_SUPERSEDED), 1);
    assert_int_equal(of(w, PS_AUDIT_UNSEALED), 20);
    assert_int_equal(w->report.faults, 0);
    free(w);
}

/* Where the log itself was damaged nobody is accused of more. */
static void not_to_be_had(void **state) {
    (void)state;
    world *w = make(1000, 0, 3);
    w->null_entry = 300;
    w->lost_bundle = 2;
    compare(w);
    assert_int_equal(w->report.faults, 0);
    assert_int_equal(of(w, PS_AUDIT_MATCH), 1000 - 256 - 1);
    free(w);
}

/* A log that is not of this partition's records says nothing about it. */
static void cannot_tell(void **state) {
    (void)state;
    ps_error error;
    world *w = make(300, 0, 3);
    w->entry[280][5] ^= 1; /* the partition */
    assert_int_equal(run(w, &error), PS_UNKNOWN_NAME);
    free(w);
    w = make(300, 0, 3);
    w->entry[280][0] = 2; /* the version */
    assert_int_equal(run(w, &error), PS_UNKNOWN_NAME);
    free(w);
    w = make(300, 0, 3);
    memcpy(w->entry[280], w->entry[279], PS_SEAL_ENTRY_BYTES); /* the order */
    assert_int_equal(run(w, &error), PS_UNKNOWN_NAME);
    free(w);
    w = make(300, 0, 3); /* what was read before a failure counts */
    w->fails_at = 280;
    assert_int_equal(run(w, &error), PS_TAMPERED);
    assert_string_equal(error.message, "cannot be read");
    assert_int_equal(of(w, PS_AUDIT_MATCH), 280);
    free(w);
}

int main(void) {
    ps_error error;
    if (ps_dispatch_init(&error) != PS_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_match),
        cmocka_unit_test(each_part),
        cmocka_unit_test(headers_in_order),
        cmocka_unit_test(missing_and_unlogged),
        cmocka_unit_test(expired_and_unsealed),
        cmocka_unit_test(cut_and_rewritten),
        cmocka_unit_test(compacted),
        cmocka_unit_test(compacted_at_its_edges),
        cmocka_unit_test(not_to_be_had),
        cmocka_unit_test(cannot_tell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
