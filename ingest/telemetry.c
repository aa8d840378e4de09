/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/telemetry.h"

#include <string.h>

#include "host/base/check.h"

#define START_MS INT64_C(1700000000000)
#define DAY_MS   INT64_C(86400000)

/* Source: S. Vigna, splitmix64.c, public domain. */
static inline uint64_t mix(uint64_t x) {
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* What a host is, and what one of its records is. */
static inline uint64_t host_draw(const ps_telemetry *telemetry, uint32_t series) {
    return mix(telemetry->seed ^ mix(series));
}
static inline uint64_t record_draw(uint64_t host, uint64_t round) {
    return mix(host + round * UINT64_C(0xd1342543de82ef95));
}

void ps_telemetry_init(ps_telemetry *telemetry, uint64_t seed, uint32_t series, uint32_t bytes,
                       double anomalies) {
    PS_CHECK(series > 0 && series <= PS_TELEMETRY_SERIES_MAX);
    PS_CHECK(anomalies >= 0.0 && anomalies <= 1.0);
    const double below = anomalies * 4294967296.0;
    *telemetry = (ps_telemetry){
        .seed = seed, .anomaly_below = (uint64_t)below, .series = series, .bytes = bytes};
}

uint32_t ps_telemetry_room(const ps_telemetry *telemetry) {
    const uint32_t bytes = telemetry->bytes;
    return (bytes > PS_TELEMETRY_FIXED_MAX ? bytes : PS_TELEMETRY_FIXED_MAX) + 32;
}

static inline bool is_spike(const ps_telemetry *telemetry, uint64_t host, uint64_t round) {
    return (mix(host ^ ~round) >> 32) < telemetry->anomaly_below && round >= PS_TELEMETRY_LEARNING;
}

bool ps_telemetry_is_anomaly(const ps_telemetry *telemetry, uint32_t series, uint64_t round) {
    return is_spike(telemetry, host_draw(telemetry, series), round);
}

static inline int64_t time_ms(uint64_t host, uint64_t round) {
    return START_MS + (int64_t)round * PS_TELEMETRY_ROUND_MS +
           (int64_t)((host >> 40) * PS_TELEMETRY_ROUND_MS >> 24);
}

int64_t ps_telemetry_time_ms(const ps_telemetry *telemetry, uint32_t series, uint64_t round) {
    return time_ms(host_draw(telemetry, series), round);
}

/* A wave of one period a day, -1000 to 1000: two parabolas, since a sine is the C library's own. */
static inline int32_t wave(int64_t ms) {
    const int32_t phase = (int32_t)((ms % DAY_MS) * 65536 / DAY_MS);
    const int32_t half = phase & 32767;
    const int32_t height = (int32_t)((int64_t)half * (32768 - half) * 4000 >> 30);
    return phase < 32768 ? height : -height;
}

/* Noise of standard deviation 1000 from 64 random bits, never past 3464: the sum of four uniform
 * numbers. */
static inline int32_t noise(uint64_t draw) {
    const int32_t sum =
        (int32_t)((draw & 0xffff) + (draw >> 16 & 0xffff) + (draw >> 32 & 0xffff) + (draw >> 48)) -
        2 * 65535;
    return (int32_t)((int64_t)sum * 27713 >> 20);
}

/* Thousandths of a percent. */
static int32_t cpu_of(const ps_telemetry *telemetry, uint64_t host, uint64_t round, uint64_t draw) {
    int32_t cpu = 30000 + (int32_t)((host & 0xffff) * 30000 >> 16);
    cpu += wave(time_ms(host, round)) * 8;
    cpu += noise(draw);
    if (__builtin_expect(is_spike(telemetry, host, round), 0)) {
        const int32_t spike = 10000 + noise(draw) + (int32_t)((draw & 0xff) * 8000 >> 8);
        cpu += (draw & 0x100) != 0 ? spike + 3500 : -spike - 3500;
    }
    return cpu < 0 ? 0 : cpu > 100000 ? 100000 : cpu;
}

static const char pairs[201] =
    "00010203040506070809101112131415161718192021222324252627282930313233"
    "34353637383940414243444546474849505152535455565758596061626364656667"
    "68697071727374757677787980818283848586878889909192939495969798"
    "99";

static inline uint8_t *put_2(uint8_t *to, uint32_t value) {
    memcpy(to, pairs + (size_t)value * 2, 2);
    return to + 2;
}
static inline uint8_t *put_6(uint8_t *to, uint32_t value) {
    to = put_2(to, value / 10000);
    to = put_2(to, value / 100 % 100);
    return put_2(to, value % 100);
}
static inline uint8_t *put_number(uint8_t *to, uint64_t value) {
    uint8_t text[40] = {0};
    uint32_t at = 20;
    for (; value >= 100; value /= 100) {
        at -= 2;
        memcpy(text + at, pairs + value % 100 * 2, 2);
    }
    at -= 2;
    memcpy(text + at, pairs + value * 2, 2);
    at += value < 10;
    /* Always as many bytes: two moves instead of a call; what is too much is written over next. */
    memcpy(to, text + at, 20);
    return to + (20 - at);
}
/* Text of a known length; the compiler turns it into moves. */
#define PUT(to, text) (memcpy(to, text, sizeof(text) - 1), (to) + (sizeof(text) - 1))

void ps_telemetry_host(uint32_t series, uint8_t *to) {
    (void)put_6(PUT(to, "host-"), series);
}

/* Bytes for `msg`: words, begun at a place that depends on the record. They are there eight times
 * over, so that records of the usual sizes take one copy. */
static inline uint8_t *put_filler(uint8_t *to, uint64_t bytes, uint64_t draw) {
#define WORDS \
    "disk queue drained, cache warm, request served in time, connection reused, lease renewed, "
    static const char words[] = WORDS WORDS WORDS WORDS WORDS WORDS WORDS WORDS;
    enum { PERIOD = sizeof WORDS - 1, PIECE = 7 * PERIOD };
#undef WORDS
    const char *from = words + (draw >> 20 & 0xffffffff) % PERIOD;
    for (; bytes > PIECE; bytes -= PIECE, to += PIECE) memcpy(to, from, PIECE);
    memcpy(to, from, bytes);
    return to + bytes;
}

uint32_t ps_telemetry_write(const ps_telemetry *telemetry, uint32_t series, uint64_t round,
                            uint8_t *to) {
    static const char regions[3][2] = {{'e', 'u'}, {'u', 's'}, {'a', 'p'}};
    const uint64_t host = host_draw(telemetry, series);
    const uint64_t draw = record_draw(host, round);
    const uint32_t cpu = (uint32_t)cpu_of(telemetry, host, round, draw);
    const uint32_t mem = 4000 + (uint32_t)((host >> 16 & 0xffff) + (draw >> 56)) % 5000;
    const uint64_t ms = (uint64_t)time_ms(host, round);
    const char *region = regions[(host >> 32) % 3];
    uint8_t *p = PUT(to, "{\"host\":\"host-");
    p = put_6(p, series);
    p = PUT(p, "\",\"ts\":");
    p = put_number(p, ms / 1000000);
    p = put_6(p, (uint32_t)(ms % 1000000));
    p = PUT(p, ",\"seq\":");
    p = put_number(p, round);
    p = PUT(p, ",\"cpu\":");
    p = put_number(p, cpu / 1000);
    *p++ = '.';
    *p++ = (uint8_t)('0' + cpu / 100 % 10);
    p = put_2(p, cpu % 100);
    p = PUT(p, ",\"mem\":");
    p = put_2(p, mem / 100);
    *p++ = '.';
    p = put_2(p, mem % 100);
    p = PUT(p, ",\"io\":");
    p = put_number(p, draw >> 30 & 0xfffff);
    p = PUT(p, ",\"region\":\"");
    memcpy(p, region, 2);
    p = PUT(p + 2, "\",\"dc\":\"");
    memcpy(p, region, 2);
    p = PUT(p + 2, "-");
    *p++ = (uint8_t)('1' + (host >> 36 & 3));
    p = PUT(p, "\",\"msg\":\"");
    const uint64_t used = (uint64_t)(p - to) + 2;
    if (telemetry->bytes > used) p = put_filler(p, telemetry->bytes - used, draw);
    p = PUT(p, "\"}");
    return (uint32_t)(p - to);
}

static uint32_t common_factor(uint32_t a, uint32_t b) {
    while (b != 0) {
        const uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

void ps_telemetry_share_init(ps_telemetry_share *share, const ps_telemetry *telemetry,
                             uint32_t partition, uint32_t partitions) {
    PS_CHECK(partition < partitions && partitions <= telemetry->series);
    share->partition = partition;
    share->partitions = partitions;
    share->hosts = (telemetry->series - partition + partitions - 1) / partitions;
    /* The golden section spreads neighbours in time over the hosts. */
    share->stride = (uint32_t)((uint64_t)share->hosts * 618 / 1000) | 1;
    while (common_factor(share->stride, share->hosts) != 1) share->stride++;
}
