/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/ledger.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

enum { PARTITIONS_MAX = 1024, EXAMPLES_MAX = 8, EXAMPLE_BYTES = 256, CODE_MAX = 24 };

enum { EXISTS = 1, TOMBSTONE = 2, KEEP = 4, ANOMALY = 8, DETECTED = 16, SEEN = 32 };

/* One source record. */
typedef struct entry {
    uint8_t digest[32]; /* of the value */
    uint8_t key[8];     /* of what else must pass through: heads of SHA-256 digests */
    uint8_t headers[8];
    int64_t timestamp_ms;
    float score;
    uint8_t flags, code; /* code: 0 good, else 1 + index of the dead letter code */
} entry;

typedef struct partition {
    entry *at; /* index: offset - base */
    int64_t base, count, capacity;
    int64_t newest[2]; /* newest offset seen in the output and the dead letters; -1: none */
} partition;

struct ledger {
    ledger_config config;
    model *model;
    EVP_MD_CTX *context;
    EVP_MD *sha256;
    partition partitions[PARTITIONS_MAX];
    uint64_t sources, outputs, dead, filtered, anomalies, faults[FAULT_COUNT];
    char codes[64][CODE_MAX];
    uint32_t code_count, example_count;
    char examples[EXAMPLES_MAX][EXAMPLE_BYTES];
};

static const char *const fault_name[] = {
#define X(name, meaning) #name,
    LEDGER_FAULTS(X)
#undef X
};
static const char *const fault_meaning[] = {
#define X(name, meaning) meaning,
    LEDGER_FAULTS(X)
#undef X
};

ledger *ledger_open(const ledger_config *config) {
    ledger *l = calloc(1, sizeof *l);
    if (!l) client_die("out of memory");
    l->config = *config;
    l->model = model_open(config->detector);
    l->context = EVP_MD_CTX_new();
    l->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!l->context || !l->sha256) client_die("no SHA-256 in libcrypto");
    for (uint32_t i = 0; i < PARTITIONS_MAX; i++)
        l->partitions[i].newest[0] = l->partitions[i].newest[1] = -1;
    return l;
}

void ledger_close(ledger *l) {
    if (!l) return;
    for (uint32_t i = 0; i < PARTITIONS_MAX; i++) free(l->partitions[i].at);
    model_close(l->model);
    EVP_MD_CTX_free(l->context);
    EVP_MD_free(l->sha256);
    free(l);
}

__attribute__((format(printf, 4, 5))) static void fault(ledger *l, int which, const record *r,
                                                        const char *format, ...) {
    l->faults[which]++;
    /* One example of each kind comes first; the rest only counts. */
    if (l->faults[which] > 2 || l->example_count == EXAMPLES_MAX) return;
    char *example = l->examples[l->example_count++];
    int length = snprintf(example, EXAMPLE_BYTES, "%s at %" PRId32 "/%" PRId64 ": ",
                          fault_name[which], r ? r->partition : -1, r ? r->offset : -1);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(example + length, (size_t)(EXAMPLE_BYTES - length), format, arguments);
    va_end(arguments);
    for (char *c = example; *c; c++)
        if (*c == '"' || *c == '\\' || *c < ' ') *c = '\'';
}

static void digest_begin(ledger *l) {
    if (EVP_DigestInit_ex2(l->context, l->sha256, NULL) != 1) client_die("EVP_DigestInit_ex2");
}

static void digest_add(ledger *l, const void *data, size_t size) {
    if (size > 0 && EVP_DigestUpdate(l->context, data, size) != 1) client_die("EVP_DigestUpdate");
}

static void digest_end(ledger *l, uint8_t out[32]) {
    if (EVP_DigestFinal_ex(l->context, out, NULL) != 1) client_die("EVP_DigestFinal_ex");
}

/* Null and empty differ. */
static void digest_text(ledger *l, text t) {
    const int64_t size = t.data ? (int64_t)t.size : -1;
    digest_add(l, &size, sizeof size);
    digest_add(l, t.data, t.data ? t.size : 0);
}

static void digest_key(ledger *l, const record *r, uint8_t out[8]) {
    uint8_t full[32];
    digest_begin(l);
    digest_text(l, r->key);
    digest_end(l, full);
    memcpy(out, full, 8);
}

/* Of the first `count` headers, in order. */
static void digest_headers(ledger *l, const record *r, uint32_t count, uint8_t out[8]) {
    uint8_t full[32];
    digest_begin(l);
    for (uint32_t i = 0; i < count; i++) {
        digest_add(l, r->headers[i].name, strlen(r->headers[i].name) + 1);
        digest_text(l, r->headers[i].value);
    }
    digest_end(l, full);
    memcpy(out, full, 8);
}

static uint8_t code_of(ledger *l, text name) {
    if (name.size == 0 || name.size >= CODE_MAX)
        client_die("header %s: odd code", l->config.expect);
    for (uint32_t i = 0; i < l->code_count; i++)
        if (strlen(l->codes[i]) == name.size && memcmp(l->codes[i], name.data, name.size) == 0)
            return (uint8_t)(i + 1);
    memcpy(l->codes[l->code_count], name.data, name.size);
    return (uint8_t)++l->code_count;
}

static entry *entry_add(ledger *l, const record *r) {
    if (r->partition < 0 || r->partition >= PARTITIONS_MAX) client_die("too many partitions");
    partition *p = &l->partitions[r->partition];
    if (p->capacity == 0) p->base = r->offset;
    const int64_t index = r->offset - p->base;
    if (index >= p->capacity) {
        const int64_t capacity = (index + 1) * 3 / 2 + 1024;
        p->at = realloc(p->at, (size_t)capacity * sizeof *p->at);
        if (!p->at) client_die("out of memory");
        memset(p->at + p->capacity, 0, (size_t)(capacity - p->capacity) * sizeof *p->at);
        p->capacity = capacity;
    }
    p->count = index + 1;
    return &p->at[index];
}

static void detect(ledger *l, const record *r, entry *e) {
    text member, series = r->key;
    double value = 0;
    bool present = r->value.data && json_member(r->value, l->config.field, &member) &&
                   json_number(member, &value);
    if (l->config.series) {
        if (!r->value.data || !json_member(r->value, l->config.series, &series)) present = false;
    } else if (!r->key.data) {
        present = false;
    }
    const model_verdict verdict = model_next(l->model, r->partition, series, present, value);
    e->score = verdict.score;
    if (!isnan(verdict.score)) e->flags |= DETECTED;
    if (verdict.anomaly) e->flags |= ANOMALY;
    if (!verdict.libm_agrees) fault(l, FAULT_wrong_libm, r, "score %.9g", (double)verdict.score);
}

static bool kept(const ledger *l, const record *r, const entry *e) {
    text member;
    if (l->config.keep_value) {
        if (!r->value.data || !json_member(r->value, l->config.keep_field, &member)) return false;
        if (member.size != strlen(l->config.keep_value)) return false;
        if (memcmp(member.data, l->config.keep_value, member.size) != 0) return false;
    }
    /* SQL's null: a comparison with it keeps nothing. */
    if (!isnan(l->config.keep_score_above)) return (double)e->score > l->config.keep_score_above;
    return true;
}

void ledger_source(ledger *l, const record *r) {
    entry *e = entry_add(l, r);
    l->sources++;
    e->flags = EXISTS;
    e->timestamp_ms = r->timestamp_ms;
    digest_key(l, r, e->key);
    digest_headers(l, r, r->header_count, e->headers);
    if (!r->value.data) e->flags |= TOMBSTONE;
    digest_begin(l);
    digest_add(l, r->value.data, r->value.size);
    digest_end(l, e->digest);
    e->score = NAN;
    for (uint32_t i = 0; l->config.expect && i < r->header_count; i++)
        if (strcmp(r->headers[i].name, l->config.expect) == 0)
            e->code = code_of(l, r->headers[i].value);
    if (e->code) return;
    if (l->config.field) detect(l, r, e);
    if (kept(l, r, e)) e->flags |= KEEP;
}

static bool text_is(text t, const char *expected, size_t size) {
    return t.data && t.size == size && memcmp(t.data, expected, size) == 0;
}

/* "topic/partition/offset" to the entry it names, or NULL. */
static entry *entry_of(ledger *l, text source, int32_t *number, int64_t *offset) {
    char copy[512];
    if (!source.data || source.size >= sizeof copy) return NULL;
    memcpy(copy, source.data, source.size);
    copy[source.size] = 0;
    char *last = strrchr(copy, '/');
    if (!last) return NULL;
    *last = 0;
    char *middle = strrchr(copy, '/');
    if (!middle) return NULL;
    *middle = 0;
    if (l->config.topic && strcmp(copy, l->config.topic) != 0) return NULL;
    char *end, *end_of_number;
    *offset = strtoll(last + 1, &end, 10);
    const long long which = strtoll(middle + 1, &end_of_number, 10);
    if (*end || *end_of_number || which < 0 || which >= PARTITIONS_MAX) return NULL;
    *number = (int32_t)which;
    const partition *p = &l->partitions[which];
    if (*offset < p->base || *offset >= p->base + p->count) return NULL;
    entry *e = &p->at[*offset - p->base];
    return e->flags & EXISTS ? e : NULL;
}

/* The last header of that name from `first` on, or NULL. */
static const text *header_of(const record *r, uint32_t first, const char *name) {
    for (uint32_t i = r->header_count; i-- > first;)
        if (strcmp(r->headers[i].name, name) == 0) return &r->headers[i].value;
    return NULL;
}

/* At least once: a new record may come only when every earlier one that is due has come. */
static void check_no_gap(ledger *l, const record *r, partition *p, int64_t offset, int where) {
    for (int64_t o = p->newest[where] < 0 ? p->base : p->newest[where] + 1; o < offset; o++) {
        const entry *e = &p->at[o - p->base];
        const bool due = where == 0 ? (e->flags & KEEP) && !e->code : e->code != 0;
        if ((e->flags & EXISTS) && due && !(e->flags & SEEN)) {
            fault(l, FAULT_reordered, r, "offset %" PRId64 " came before %" PRId64, offset, o);
            return;
        }
    }
}

static void check_order(ledger *l, const record *r, int32_t number, int64_t offset, int where) {
    partition *p = &l->partitions[number];
    if (l->config.duplicates) {
        if (offset > p->newest[where]) check_no_gap(l, r, p, offset, where);
    } else if (offset < p->newest[where]) {
        fault(l, FAULT_reordered, r, "offset %" PRId64 " came after %" PRId64, offset,
              p->newest[where]);
    }
    if (offset > p->newest[where]) p->newest[where] = offset;
}

static void check_passed(ledger *l, const record *r, const entry *e, uint32_t headers) {
    uint8_t head[8];
    digest_key(l, r, head);
    if (memcmp(head, e->key, 8) != 0) fault(l, FAULT_wrong_key, r, "%zu bytes", r->key.size);
    digest_headers(l, r, headers, head);
    if (memcmp(head, e->headers, 8) != 0) fault(l, FAULT_wrong_headers, r, "%u before", headers);
    if (r->timestamp_ms != e->timestamp_ms)
        fault(l, FAULT_wrong_timestamp, r, "%" PRId64 " instead of %" PRId64, r->timestamp_ms,
              e->timestamp_ms);
}

/* `cut` bytes at `at` were added to the value; 0: none. */
static void check_value(ledger *l, const record *r, const entry *e, size_t at, size_t cut) {
    uint8_t digest[32];
    digest_begin(l);
    digest_add(l, r->value.data, cut ? at : r->value.size);
    if (cut) digest_add(l, r->value.data + at + cut, r->value.size - at - cut);
    digest_end(l, digest);
    const bool tombstone = (e->flags & TOMBSTONE) != 0;
    if (memcmp(digest, e->digest, 32) != 0 || tombstone != !r->value.data)
        fault(l, FAULT_wrong_value, r, "%zu bytes, %zu of them added", r->value.size, cut);
}

static void check_digest(ledger *l, const record *r, const entry *e, const text *found) {
    char hex[65];
    for (int i = 0; i < 32; i++) (void)snprintf(hex + 2 * i, 3, "%02x", e->digest[i]);
    const bool due = l->config.sha256 && !(e->flags & TOMBSTONE);
    if (due ? !found || !text_is(*found, hex, 64) : found != NULL)
        fault(l, FAULT_wrong_digest, r, "%.*s instead of %s", found ? (int)found->size : 7,
              found ? (const char *)found->data : "nothing", due ? hex : "nothing");
}

/* Whether no text with fewer significant digits gives the same float. */
static bool is_shortest(const char *digits, float score) {
    int significant = 0, zeros = 0;
    for (const char *c = digits; *c && *c != 'e' && *c != 'E'; c++) {
        if (*c < '0' || *c > '9' || (*c == '0' && significant == 0)) continue;
        significant += 1;
        zeros = *c == '0' ? zeros + 1 : 0;
    }
    char shorter[64];
    if (significant - zeros < 2) return true;
    (void)snprintf(shorter, sizeof shorter, "%.*e", significant - zeros - 2, (double)score);
    return strtof(shorter, NULL) != score;
}

static void check_score(ledger *l, const record *r, const entry *e, const text *found,
                        const text *anomaly) {
    char digits[64];
    if (!(e->flags & DETECTED)) {
        if (found) fault(l, FAULT_wrong_score, r, "a score where the detector has none");
        if (anomaly && !text_is(*anomaly, "0", 1) && !text_is(*anomaly, "false", 5))
            fault(l, FAULT_wrong_anomaly, r, "an anomaly without a score");
        return;
    }
    if (!found || found->size == 0 || found->size >= sizeof digits) {
        fault(l, FAULT_wrong_score, r, "no score, %.9g was due", (double)e->score);
    } else {
        char *end;
        memcpy(digits, found->data, found->size);
        digits[found->size] = 0;
        const float score = strtof(digits, &end);
        if (*end || memcmp(&score, &e->score, sizeof score) != 0)
            fault(l, FAULT_wrong_score, r, "%s instead of %.9g", digits, (double)e->score);
        else if (!is_shortest(digits, score))
            fault(l, FAULT_long_score, r, "%s", digits);
    }
    const bool due = (e->flags & ANOMALY) != 0;
    const char *words = l->config.json ? (due ? "true" : "false") : (due ? "1" : "0");
    if (!anomaly || !text_is(*anomaly, words, strlen(words)))
        fault(l, FAULT_wrong_anomaly, r, "%.*s instead of %s", anomaly ? (int)anomaly->size : 7,
              anomaly ? (const char *)anomaly->data : "nothing", words);
    l->anomalies += due;
}

/* The last member `"penstock":{…}` of an object: where it begins (its comma included) and ends. */
static bool find_appended(text value, size_t *at, size_t *size, text *inside) {
    static const char name[] = "\"penstock\":{";
    const size_t length = sizeof name - 1;
    for (size_t i = value.size; value.data && i-- > 0;) {
        if (i + length > value.size || memcmp(value.data + i, name, length) != 0) continue;
        size_t end = i + length;
        while (end < value.size && value.data[end] != '}') end++;
        if (end == value.size) return false;
        const bool comma = i > 0 && value.data[i - 1] == ',';
        *at = i - comma;
        *size = end + 1 - *at;
        *inside = (text){value.data + i + length - 1, end + 2 - i - length};
        return true;
    }
    return false;
}

/* A member's text without its quotes. */
static const text *member_text(text object, const char *name, text *out) {
    if (!json_member(object, name, out)) return NULL;
    if (out->size >= 2 && out->data[0] == '"') *out = (text){out->data + 1, out->size - 2};
    return out;
}

static bool enter(ledger *l, const record *r, text source, int where, entry **e) {
    int32_t number;
    int64_t offset;
    *e = entry_of(l, source, &number, &offset);
    if (!*e) {
        fault(l, FAULT_unknown_source, r, "%.*s", (int)source.size,
              source.data ? (const char *)source.data : "");
        return false;
    }
    if (((*e)->flags & SEEN) && !l->config.duplicates)
        fault(l, FAULT_duplicated, r, "offset %" PRId64, offset);
    check_order(l, r, number, offset, where);
    (*e)->flags |= SEEN;
    if (where == 0 && l->config.same_partitions && number != r->partition)
        fault(l, FAULT_wrong_partition, r, "source partition %" PRId32, number);
    return true;
}

static void check_fate(ledger *l, const record *r, const entry *e) {
    if (e->code)
        fault(l, FAULT_wrongly_alive, r, "%s", l->codes[e->code - 1]);
    else if (!(e->flags & KEEP))
        fault(l, FAULT_wrongly_kept, r, "score %.9g", (double)e->score);
}

static void output_json(ledger *l, const record *r) {
    entry *e;
    size_t at, size;
    text inside, place[4];
    if (!find_appended(r->value, &at, &size, &inside)) {
        fault(l, FAULT_unknown_source, r, "no member penstock");
        return;
    }
    const text *source = member_text(inside, "source", &place[0]);
    if (!enter(l, r, source ? *source : (text){NULL, 0}, 0, &e)) return;
    check_fate(l, r, e);
    if (!l->config.packed) check_passed(l, r, e, r->header_count);
    check_value(l, r, e, at, size);
    check_digest(l, r, e, member_text(inside, "sha256", &place[1]));
    if (l->config.field)
        check_score(l, r, e, member_text(inside, "score", &place[2]),
                    member_text(inside, "anomaly", &place[3]));
}

/* Where the worker's own headers begin: the last ps-source. */
static uint32_t own_headers(const record *r) {
    for (uint32_t i = r->header_count; i-- > 0;)
        if (strcmp(r->headers[i].name, "ps-source") == 0) return i;
    return r->header_count;
}

void ledger_output(ledger *l, const record *r) {
    entry *e;
    l->outputs++;
    if (l->config.json && r->value.data) {
        output_json(l, r);
        return;
    }
    const uint32_t own = own_headers(r);
    if (!enter(l, r, own < r->header_count ? r->headers[own].value : (text){NULL, 0}, 0, &e))
        return;
    check_fate(l, r, e);
    check_passed(l, r, e, own);
    check_value(l, r, e, 0, 0);
    check_digest(l, r, e, header_of(r, own, "ps-sha256"));
    if (l->config.field)
        check_score(l, r, e, header_of(r, own, "ps-score"), header_of(r, own, "ps-anomaly"));
}

void ledger_dead(ledger *l, const record *r) {
    entry *e;
    l->dead++;
    const uint32_t own = own_headers(r);
    if (!enter(l, r, own < r->header_count ? r->headers[own].value : (text){NULL, 0}, 1, &e))
        return;
    check_passed(l, r, e, own);
    check_value(l, r, e, 0, 0);
    const text *error = header_of(r, own, "ps-error"), *reason = header_of(r, own, "ps-reason");
    if (!e->code) {
        fault(l, FAULT_wrongly_dead, r, "%.*s", error ? (int)error->size : 0,
              error ? (const char *)error->data : "");
        return;
    }
    const char *code = l->codes[e->code - 1];
    if (!error || !text_is(*error, code, strlen(code)) || !reason || reason->size < 8)
        fault(l, FAULT_wrong_error, r, "%.*s instead of %s", error ? (int)error->size : 7,
              error ? (const char *)error->data : "nothing", code);
}

void ledger_finish(ledger *l) {
    for (int32_t i = 0; i < PARTITIONS_MAX; i++) {
        const partition *p = &l->partitions[i];
        for (int64_t k = 0; k < p->count; k++) {
            const entry *e = &p->at[k];
            if (!(e->flags & EXISTS) || (e->flags & SEEN)) continue;
            const record r = {.partition = i, .offset = p->base + k};
            if (e->code || (e->flags & KEEP))
                fault(l, FAULT_lost, &r, "%s", e->code ? l->codes[e->code - 1] : "a good record");
            else
                l->filtered++;
        }
    }
}

uint64_t ledger_fault(const ledger *l, int which) {
    return l->faults[which];
}

bool ledger_report(const ledger *l, int64_t aborted, FILE *out) {
    bool clean = true;
    (void)fprintf(out,
                  "{\"source\":%" PRIu64 ",\"output\":%" PRIu64 ",\"dead\":%" PRIu64
                  ",\"filtered\":%" PRIu64 ",\"anomalies\":%" PRIu64,
                  l->sources, l->outputs, l->dead, l->filtered, l->anomalies);
    for (int i = 0; i < FAULT_COUNT; i++) {
        (void)fprintf(out, ",\"%s\":%" PRIu64, fault_name[i], l->faults[i]);
        if (l->faults[i] == 0) continue;
        clean = false;
        (void)fprintf(stderr, "checker: %" PRIu64 " x %s: %s\n", l->faults[i], fault_name[i],
                      fault_meaning[i]);
    }
    if (aborted >= 0) (void)fprintf(out, ",\"aborted\":%" PRId64, aborted);
    (void)fprintf(out, ",\"examples\":[");
    for (uint32_t i = 0; i < l->example_count; i++)
        (void)fprintf(out, "%s\"%s\"", i ? "," : "", l->examples[i]);
    (void)fprintf(out, "],\"clean\":%s}\n", clean ? "true" : "false");
    return clean;
}
