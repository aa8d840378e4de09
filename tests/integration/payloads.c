/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/integration/payloads.h"

#include <stdio.h>
#include <string.h>

#define EPOCH_MS INT64_C(1700000000000)

/* Splitmix64: a record depends on its number alone. */
static uint64_t mix(uint64_t x) {
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static double uniform(uint64_t x) {
    return (double)(mix(x) >> 11) / 9007199254740992.0;
}

static text words(const char *s) {
    return (text){(const uint8_t *)s, strlen(s)};
}

static void header(record *out, const char *name, const char *value, size_t size) {
    out->headers[out->header_count++] = (record_header){name, {(const uint8_t *)value, size}};
}

static void begin_series(const payload_config *c, uint64_t number, uint64_t series, uint8_t *buffer,
                         record *out) {
    *out = (record){.partition = (int32_t)(series % c->partitions),
                    .timestamp_ms = EPOCH_MS + (int64_t)number};
    const int length = snprintf((char *)buffer, 64, "host-%05u", (unsigned)series);
    out->key = (text){buffer, (size_t)length};
}

static void begin(const payload_config *c, uint64_t number, uint8_t *buffer, record *out) {
    begin_series(c, number, mix(c->seed * 7919 + number) % c->series, buffer, out);
}

static void telemetry(const payload_config *c, uint64_t number, uint8_t *buffer, record *out) {
    const uint64_t seed = c->seed * 104729 + number * 8;
    double cpu = 20 + 10 * (uniform(seed) + uniform(seed + 1) + uniform(seed + 2));
    if (mix(seed + 3) % 1000 == 0) cpu += 150;
    char *to = (char *)buffer + 64;
    int at = snprintf(to, 512,
                      "{\"host\":\"%.*s\",\"dc\":\"%s\",\"ts\":%lld,\"cpu\":%.*f,\"mem\":%.3f,"
                      "\"ok\":true,\"note\":\"",
                      (int)out->key.size, (const char *)out->key.data,
                      mix(seed + 4) & 1 ? "eu" : "us", (long long)out->timestamp_ms,
                      (int)(mix(seed + 5) % 12), cpu, uniform(seed + 6) * 64);
    while (at < (int)c->bytes - 2) {
        to[at] = (char)('a' + mix(seed + (uint64_t)at) % 26);
        at++;
    }
    memcpy(to + at, "\"}", 2);
    out->value = (text){(const uint8_t *)to, (size_t)at + 2};
}

void payload_telemetry(const payload_config *c, uint64_t number, uint8_t *buffer, record *out) {
    begin(c, number, buffer, out);
    telemetry(c, number, buffer, out);
}

void payload_each(const payload_config *c, uint64_t number, uint8_t *buffer, record *out) {
    begin_series(c, number, number % c->series, buffer, out);
    telemetry(c, number, buffer, out);
}

void payload_even(const payload_config *c, uint64_t number, uint8_t *buffer, record *out) {
    begin(c, number, buffer, out);
    memset(buffer + 64, 'e', 8192);
    out->value = (text){buffer + 64, 8192};
}

void payload_sparse(const payload_config *c, uint64_t number, uint8_t *buffer, record *out) {
    payload_even(c, number, buffer, out);
    for (uint64_t i = 0; i < 12; i++) {
        const uint64_t noise = mix(c->seed + number * 12 + i);
        memcpy(buffer + 64 + i * 8, &noise, 8);
    }
}

void payload_large(const payload_config *c, uint64_t number, uint8_t *buffer, record *out) {
    payload_telemetry(c, number, buffer, out);
    uint8_t *end = buffer + 64 + out->value.size - 2;
    memset(end, 'x', c->big_bytes);
    memcpy(end + c->big_bytes, "\"}", 2);
    out->value.size += c->big_bytes;
}

void payload_tiny(const payload_config *c, uint64_t number, uint8_t *buffer, record *out) {
    begin(c, number, buffer, out);
    buffer[0] = 'x';
    out->key = (text){NULL, 0};
    out->value = (text){buffer, 1};
}

void payload_headers(const payload_config *c, uint64_t number, uint8_t *buffer, record *out) {
    begin(c, number, buffer, out);
    out->value = out->key;
    for (int i = 0; i < 40; i++) header(out, "a-name", "a value", 7);
}

static void odd_headers(uint64_t number, record *out) {
    switch (number % 7) {
    case 1:
        header(out, "same", "first", 5);
        header(out, "same", "second", 6);
        header(out, "same", "first", 5);
        break;
    case 2:
        header(out, "null", NULL, 0);
        break;
    case 3:
        header(out, "empty", "", 0);
        break;
    case 4:
        header(out, "bytes", "\0\xff\0", 3);
        break;
    case 5: /* one that an earlier pipeline wrote */
        header(out, "ps-source", "other/1/2", 9);
        header(out, "ps-score", "7", 1);
        break;
    case 6:
        for (int i = 0; i < 30; i++) header(out, i & 1 ? "odd" : "even", "0123456789", 10);
        break;
    default:
        break;
    }
}

void payload_odd(const payload_config *c, uint64_t number, uint8_t *buffer, record *out) {
    static const char nul[] = "\0a\0\0b\0";
    begin(c, number, buffer, out);
    odd_headers(number, out);
    out->value = (text){(const uint8_t *)nul, 6};
    switch (number % 11) {
    case 1:
        out->value = (text){NULL, 0};
        break;
    case 2:
        out->key = (text){(const uint8_t *)"", 0};
        break;
    case 3:
        out->key = (text){NULL, 0};
        break;
    case 4:
        out->value = (text){(const uint8_t *)"", 0};
        break;
    case 5:
        out->key = (text){NULL, 0};
        out->value = (text){NULL, 0};
        break;
    case 6:
        out->key = (text){(const uint8_t *)nul, 6};
        break;
    case 7:
        out->value = words("\xff\xfe\x80 not UTF-8");
        break;
    case 8:
        out->timestamp_ms = 1;
        break;
    case 9:
        if (number / 11 % 8 != 0) break;
        for (size_t i = 0; i < c->big_bytes; i++) buffer[64 + i] = (uint8_t)(i * 31 + number);
        out->value = (text){buffer + 64, c->big_bytes};
        break;
    default:
        break;
    }
}

void payload_odd_json(const payload_config *c, uint64_t number, uint8_t *buffer, record *out) {
    static const char *const shapes[] = {
        "{}",
        " { } ",
        "{\"cpu\":1}\n",
        "\t{\"a\":[1,{\"b\":\"}\"}],\"cpu\" : 2.5e1 }",
        "{\"cpu\":null,\"penstock\":{\"source\":\"mine\"}}",
        "{\"note\":\"\\u00e9 \\\" \\\\ \xc3\xa9 \xf0\x9f\x9a\xb0\",\"cpu\":3}",
        "{\"cpu\":-0.0,\"cpu2\":1}",
        "{\"cpu\":1e-320}",
    };
    begin(c, number, buffer, out);
    odd_headers(number, out);
    const uint64_t shape = number % 10;
    if (shape < 8) {
        out->value = words(shapes[shape]);
    } else if (shape == 8) {
        out->value = (text){NULL, 0};
    } else if (number / 10 % 8 == 0) {
        char *to = (char *)buffer + 64;
        const int at = snprintf(to, 64, "{\"cpu\":4,\"note\":\"");
        memset(to + at, 'x', c->big_bytes - (size_t)at - 2);
        memcpy(to + c->big_bytes - 2, "\"}", 2);
        out->value = (text){(const uint8_t *)to, c->big_bytes};
    } else {
        out->value = words("{\"cpu\":4}");
    }
}

typedef struct bad_case {
    const char *code, *value;
} bad_case;

/* The declared fields are host (string, required), cpu (float), n (int), ok (bool), ts (timestamp).
 */
static const bad_case bad_cases[] = {
    {"truncated", "{\"host\":\"a\",\"cpu\":1.5"},
    {"truncated", "{\"host\":\"a\",\"cpu"},
    {"syntax", "{\"host\":\"a\",\"cpu\":1.5 junk}"},
    {"syntax", "{\"host\":\"a\",\"x\":nonsense}"},
    {"syntax", "{\"host\":\"a\",\"x\":[1,2}"},
    {"syntax", "{\"host\":\"a\",}"},
    {"syntax", "{\"host\":\"a\"}}"},
    {"syntax", "{\"host\":\"a\"} {}"},
    {"syntax", "{\"host\":\"a\",\"cpu\":01}"},
    {"not_object", "[1,2]"},
    {"not_object", "\"text\""},
    {"not_object", "42"},
    {"wrong_type", "{\"host\":\"a\",\"cpu\":\"1.5\"}"},
    {"wrong_type", "{\"host\":7,\"cpu\":1.5}"},
    {"wrong_type", "{\"host\":\"a\",\"ok\":1}"},
    {"missing_field", "{\"cpu\":1.5}"},
    {"missing_field", "{\"host\":null,\"cpu\":1.5}"},
    {"invalid_utf8", "{\"host\":\"a\xff\",\"cpu\":1.5}"},
    {"invalid_utf8", "{\"host\":\"a\",\"x\":\"\xc3\"}"},
    {"out_of_range", "{\"host\":\"a\",\"cpu\":1e400}"},
    {"out_of_range", "{\"host\":\"a\",\"n\":9223372036854775808}"},
    {"too_deep", NULL},
    {"empty", ""},
};

/* Telemetry becomes bad. */
static void spoil(uint64_t which, uint8_t *buffer, record *out) {
    const bad_case *bad = &bad_cases[which % (sizeof bad_cases / sizeof *bad_cases)];
    header(out, EXPECT_HEADER, bad->code, strlen(bad->code));
    if (bad->value) {
        out->value = words(bad->value);
        return;
    }
    static const char head[] = "{\"host\":\"a\",\"x\":";
    char *to = (char *)buffer + 64;
    memcpy(to, head, sizeof head - 1);
    memset(to + sizeof head - 1, '[', 100);
    memset(to + sizeof head - 1 + 100, ']', 100);
    to[sizeof head - 1 + 200] = '}';
    out->value = (text){(const uint8_t *)to, sizeof head + 200};
}

void payload_bad(const payload_config *c, uint64_t number, uint8_t *buffer, record *out) {
    payload_telemetry(c, number, buffer, out);
    if (number % 2 == 1) spoil(number / 2, buffer, out);
}

void payload_some_bad(const payload_config *c, uint64_t number, uint8_t *buffer, record *out) {
    payload_telemetry(c, number, buffer, out);
    if (number % 100 == 57) spoil(number / 100, buffer, out);
}
