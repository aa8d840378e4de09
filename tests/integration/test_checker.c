/* SPDX-License-Identifier: Apache-2.0
 * The checker on trial: a fake worker that does everything right must pass, and each of its mutants
 * must be caught by the one check that is there for it. A check that nobody saw fail proves
 * nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "tests/integration/chains.h"
#include "tests/integration/ledger.h"
#include "tests/integration/payloads.h"

enum { ROWS = 4000, PARTITIONS = 3, VICTIM = 1234, TEXT_MAX = 128 };

/* What a mutant gets wrong about record VICTIM. */
typedef enum mutation {
    RIGHT,
    LOSES,
    REPEATS,
    SWAPS,
    CHANGES_KEY,
    CHANGES_VALUE,
    CHANGES_TIMESTAMP,
    DROPS_HEADER,
    CHANGES_DIGEST,
    DROPS_DIGEST,
    SCORE_ONE_BIT_OFF,
    SCORE_TOO_LONG,
    DROPS_SCORE,
    FLIPS_ANOMALY,
    OTHER_PARTITION,
    NO_SOURCE,
    KILLS_GOOD,
    KEEPS_BAD,
    WRONG_CODE,
    KEEPS_FILTERED
} mutation;

typedef struct fake {
    ledger *ledger;
    model *model;
    mutation mutation;
    bool json, bad, duplicates;
    payload_make *make;
    double keep_above;
    int64_t next[PARTITIONS];
    char texts[4][TEXT_MAX];
    char *value;
    uint8_t *buffer;
} fake;

static const model_params detector = {0.05, 8, 6.0f};

static void make(fake *f, uint64_t number, record *r) {
    const payload_config config = {
        .series = 20, .partitions = PARTITIONS, .bytes = 256, .big_bytes = 5000, .seed = 3};
    f->make(&config, number, f->buffer, r);
    r->offset = f->next[r->partition]++;
}

static void put(record *r, const char *name, const char *value) {
    r->headers[r->header_count++] = (record_header){name, {(const uint8_t *)value, strlen(value)}};
}

/* The shortest decimal of a float. */
static void shortest(float score, char *out) {
    for (int digits = 1; digits < 10; digits++) {
        (void)snprintf(out, TEXT_MAX, "%.*g", digits, (double)score);
        if (strtof(out, NULL) == score) return;
    }
}

static void hex_of(text value, char *out) {
    uint8_t digest[32];
    assert_int_equal(EVP_Digest(value.data, value.size, digest, NULL, EVP_sha256(), NULL), 1);
    for (int i = 0; i < 32; i++) (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void enrich_json(fake *f, record *r, bool scored) {
    static char empty[] = "";
    if (!r->value.data) {
        put(r, "ps-source", f->texts[0]);
        return;
    }
    size_t end = r->value.size;
    while (r->value.data[end - 1] != '}') end--;
    size_t last = end - 1;
    while (strchr(" \t\r\n", r->value.data[last - 1])) last--;
    const char *comma = r->value.data[last - 1] == '{' ? empty : ",";
    const int size = snprintf(
        f->value, PAYLOAD_BYTES_MAX, "%.*s%s\"penstock\":{\"source\":\"%s\",\"sha256\":\"%s\"",
        (int)(end - 1), (const char *)r->value.data, comma, f->texts[0], f->texts[1]);
    size_t at = (size_t)size;
    if (scored)
        at += (size_t)snprintf(f->value + at, TEXT_MAX, ",\"score\":%s,\"anomaly\":%s", f->texts[2],
                               f->texts[3][0] == '1' ? "true" : "false");
    at += (size_t)snprintf(f->value + at, PAYLOAD_BYTES_MAX - at, "}}%.*s",
                           (int)(r->value.size - end), (const char *)r->value.data + end);
    r->value = (text){(const uint8_t *)f->value, at};
}

static void enrich(fake *f, record *r, model_verdict verdict, mutation how) {
    if (verdict.score >= 0) {
        float score = verdict.score;
        if (how == SCORE_ONE_BIT_OFF) score = nextafterf(score, 400.0f);
        shortest(score, f->texts[2]);
        if (how == SCORE_TOO_LONG) (void)snprintf(f->texts[2], TEXT_MAX, "%.12g", (double)score);
    }
    f->texts[3][0] = verdict.anomaly != (how == FLIPS_ANOMALY) ? '1' : '0';
    if (r->value.data) hex_of(r->value, f->texts[1]);
    if (how == CHANGES_DIGEST) f->texts[1][63] ^= 1;
    const bool scored = !isnan(verdict.score) && how != DROPS_SCORE;
    if (f->json) {
        enrich_json(f, r, scored);
        return;
    }
    if (how != NO_SOURCE) put(r, "ps-source", f->texts[0]);
    if (r->value.data && how != DROPS_DIGEST) put(r, "ps-sha256", f->texts[1]);
    if (scored) put(r, "ps-score", f->texts[2]);
    if (scored) put(r, "ps-anomaly", f->texts[3]);
}

static void write_out(fake *f, record *r, const char *code, model_verdict verdict, mutation how) {
    static uint8_t changed[PAYLOAD_BYTES_MAX];
    (void)snprintf(f->texts[0], TEXT_MAX, "in/%d/%lld", r->partition, (long long)r->offset);
    if (how == CHANGES_KEY) r->key = (text){(const uint8_t *)"other", 5};
    if (how == CHANGES_TIMESTAMP) r->timestamp_ms++;
    if (how == DROPS_HEADER) r->header_count--;
    if (how == OTHER_PARTITION) r->partition = (r->partition + 1) % PARTITIONS;
    if (how == KILLS_GOOD) code = "syntax";
    if (how == KEEPS_BAD) code = NULL;
    if (code) {
        put(r, "ps-source", f->texts[0]);
        put(r, "ps-error", how == WRONG_CODE ? "guess" : code);
        put(r, "ps-reason", "a sentence that says what is wrong");
        ledger_dead(f->ledger, r);
        return;
    }
    const bool filter = f->keep_above > (double)-INFINITY;
    if (filter && !((double)verdict.score > f->keep_above) && how != KEEPS_FILTERED) return;
    enrich(f, r, verdict, how);
    if (how == CHANGES_VALUE) {
        memcpy(changed, r->value.data, r->value.size);
        changed[r->value.size / 2] ^= 1;
        r->value.data = changed;
    }
    ledger_output(f->ledger, r);
}

static void process(fake *f, uint64_t number, record *r, mutation how) {
    text member;
    double cpu = 0;
    const char *code = NULL;
    static char code_text[TEXT_MAX];
    for (uint32_t i = 0; i < r->header_count; i++) {
        if (strcmp(r->headers[i].name, EXPECT_HEADER) != 0) continue;
        (void)snprintf(code_text, sizeof code_text, "%.*s", (int)r->headers[i].value.size,
                       (const char *)r->headers[i].value.data);
        code = code_text;
    }
    model_verdict verdict = {NAN, false, true};
    if (!code) {
        const bool present = r->key.data && r->value.data &&
                             json_member(r->value, "cpu", &member) && json_number(member, &cpu);
        verdict = model_next(f->model, r->partition, r->key, present, cpu);
    }
    record copy = *r;
    /* Every second record of the bad ones is good. */
    if (number != VICTIM + (uint64_t)f->bad || how == RIGHT) {
        write_out(f, r, code, verdict, RIGHT);
        return;
    }
    if (how != LOSES) write_out(f, r, code, verdict, how);
    if (how == REPEATS) write_out(f, &copy, code, verdict, RIGHT);
}

/* All of the source, then all outputs; SWAPS writes VICTIM after the next record of its partition.
 */
static void run(fake *f, mutation how) {
    record r, later;
    memset(f->next, 0, sizeof f->next);
    for (uint64_t i = 0; i < ROWS; i++) {
        make(f, i, &r);
        ledger_source(f->ledger, &r);
    }
    memset(f->next, 0, sizeof f->next);
    bool waiting = false;
    for (uint64_t i = 0; i < ROWS; i++) {
        make(f, i, &r);
        if (how == SWAPS && i == VICTIM) {
            later = r;
            waiting = true;
            continue;
        }
        process(f, i, &r, how);
        if (waiting && r.partition == later.partition) {
            waiting = false;
            const int64_t kept[PARTITIONS] = {f->next[0], f->next[1], f->next[2]};
            f->next[later.partition] = later.offset;
            make(f, VICTIM, &r);
            process(f, VICTIM, &r, RIGHT);
            memcpy(f->next, kept, sizeof kept);
        }
    }
    ledger_finish(f->ledger);
}

static void trial(fake f, mutation how, int expected) {
    const ledger_config config = {.topic = "in",
                                  .field = "cpu",
                                  .expect = f.bad ? EXPECT_HEADER : NULL,
                                  .keep_score_above = f.keep_above < 0 ? (double)NAN : f.keep_above,
                                  .json = f.json,
                                  .sha256 = true,
                                  .duplicates = f.duplicates,
                                  .same_partitions = true,
                                  .detector = detector};
    f.ledger = ledger_open(&config);
    f.model = model_open(detector);
    f.buffer = malloc(PAYLOAD_BYTES_MAX);
    f.value = malloc(PAYLOAD_BYTES_MAX);
    if (f.keep_above < 0) f.keep_above = -INFINITY;
    run(&f, how);
    for (int i = 0; i < FAULT_COUNT; i++) {
        const uint64_t seen = ledger_fault(f.ledger, i);
        if (i == expected && seen == 0) fail_msg("mutant %d: its fault %d was not seen", how, i);
        if (expected < 0 && seen) fail_msg("the right worker has fault %d", i);
    }
    FILE *nowhere = fopen("/dev/null", "w");
    assert_non_null(nowhere);
    assert_int_equal(ledger_report(f.ledger, -1, nowhere), expected < 0);
    (void)fclose(nowhere);
    ledger_close(f.ledger);
    model_close(f.model);
    free(f.buffer);
    free(f.value);
}

static void right_worker_passes(void **state) {
    (void)state;
    trial((fake){.make = payload_telemetry, .keep_above = -1}, RIGHT, -1);
    trial((fake){.make = payload_telemetry, .keep_above = 1.5}, RIGHT, -1);
    trial((fake){.make = payload_telemetry, .keep_above = -1, .json = true}, RIGHT, -1);
    trial((fake){.make = payload_bad, .keep_above = -1, .bad = true}, RIGHT, -1);
    trial((fake){.make = payload_some_bad, .keep_above = -1, .bad = true}, RIGHT, -1);
}

static void mutants_are_caught(void **state) {
    (void)state;
    static const struct {
        mutation how;
        int fault;
    } cases[] = {{LOSES, FAULT_lost},
                 {REPEATS, FAULT_duplicated},
                 {SWAPS, FAULT_reordered},
                 {CHANGES_KEY, FAULT_wrong_key},
                 {CHANGES_VALUE, FAULT_wrong_value},
                 {CHANGES_TIMESTAMP, FAULT_wrong_timestamp},
                 {CHANGES_DIGEST, FAULT_wrong_digest},
                 {DROPS_DIGEST, FAULT_wrong_digest},
                 {SCORE_ONE_BIT_OFF, FAULT_wrong_score},
                 {SCORE_TOO_LONG, FAULT_long_score},
                 {DROPS_SCORE, FAULT_wrong_score},
                 {FLIPS_ANOMALY, FAULT_wrong_anomaly},
                 {OTHER_PARTITION, FAULT_wrong_partition},
                 {NO_SOURCE, FAULT_unknown_source},
                 {KILLS_GOOD, FAULT_wrongly_dead}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        trial((fake){.make = payload_telemetry, .keep_above = -1}, cases[i].how, cases[i].fault);
}

static void json_mutants_are_caught(void **state) {
    (void)state;
    const fake f = {.make = payload_telemetry, .keep_above = -1, .json = true};
    trial(f, CHANGES_VALUE, FAULT_wrong_value);
    trial(f, CHANGES_DIGEST, FAULT_wrong_digest);
    trial(f, SCORE_ONE_BIT_OFF, FAULT_wrong_score);
    trial(f, FLIPS_ANOMALY, FAULT_wrong_anomaly);
}

static void odd_mutants_are_caught(void **state) {
    (void)state;
    const fake bad = {.make = payload_bad, .keep_above = -1, .bad = true};
    trial(bad, LOSES, FAULT_lost);
    trial(bad, REPEATS, FAULT_duplicated);
    trial(bad, KEEPS_BAD, FAULT_wrongly_alive);
    trial(bad, WRONG_CODE, FAULT_wrong_error);
    trial(bad, DROPS_HEADER, FAULT_wrong_headers);
    trial((fake){.make = payload_odd, .keep_above = -1}, RIGHT, -1);
    trial((fake){.make = payload_odd, .keep_above = -1}, CHANGES_KEY, FAULT_wrong_key);
    trial((fake){.make = payload_odd_json, .keep_above = -1, .json = true}, RIGHT, -1);
    trial((fake){.make = payload_telemetry, .keep_above = 1.5}, KEEPS_FILTERED, FAULT_wrongly_kept);
    trial((fake){.make = payload_telemetry, .keep_above = -1, .duplicates = true}, SWAPS,
          FAULT_reordered);
    trial((fake){.make = payload_telemetry, .keep_above = -1, .duplicates = true}, LOSES,
          FAULT_lost);
    trial((fake){.make = payload_telemetry, .keep_above = -1, .duplicates = true}, REPEATS, -1);
}

/* If this fails, an event that takes another's place within its key goes unseen by the chains. */
static void chains_tell_histories_apart(void **state) {
    (void)state;
    static const char *const values[] = {"abc", "bac", "ab", "abc"};
    chains *const of[] = {chains_open(), chains_open(), chains_open(), chains_open()};
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 1000; k++) {
            char name[16];
            /* One key has another order, one record less, or is in another partition. */
            const char *value = values[k == 777 ? i : 0];
            const int size = snprintf(name, sizeof name, "key-%u", k);
            record r = {.partition = i == 3 && k == 777,
                        .key = {(const uint8_t *)name, (size_t)size}};
            for (; *value; value++) {
                r.value = (text){(const uint8_t *)value, 1};
                chains_add(of[i], &r);
            }
        }
    assert_int_equal(chains_keys(of[0]), 1000);
    assert_int_equal(chains_differ(of[0], of[0]), 0);
    assert_int_equal(chains_differ(of[0], of[1]), 1);
    assert_int_equal(chains_differ(of[0], of[2]), 1);
    assert_int_equal(chains_differ(of[0], of[3]), 2);
    for (int i = 0; i < 4; i++) chains_close(of[i]);
}

static void members_are_found(void **state) {
    (void)state;
    text out;
    double number = 0;
    const char *json = " {\"a\" : {\"b\":[1,{\"c\":\"}\\\"\"}], \"d\": -1.5e3 }, \"x\":null}";
    const text object = {(const uint8_t *)json, strlen(json)};
    assert_true(json_member(object, "a.d", &out) && json_number(out, &number));
    assert_true(number == -1500.0);
    assert_true(json_member(object, "x", &out));
    assert_false(json_number(out, &number));
    assert_false(json_member(object, "a.e", &out));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_worker_passes),     cmocka_unit_test(mutants_are_caught),
        cmocka_unit_test(json_mutants_are_caught), cmocka_unit_test(odd_mutants_are_caught),
        cmocka_unit_test(members_are_found),       cmocka_unit_test(chains_tell_histories_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
