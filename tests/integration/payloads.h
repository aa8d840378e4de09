/* SPDX-License-Identifier: Apache-2.0
 * The records that the acceptance tests put into Kafka: plain telemetry, odd payloads that must
 * pass through untouched, and bad records that must die with a certain code.
 */
#ifndef PS_TESTS_INTEGRATION_PAYLOADS_H
#define PS_TESTS_INTEGRATION_PAYLOADS_H

#include "tests/integration/client.h"

/* The header that names the code which a bad record must die of. */
#define EXPECT_HEADER "x-expect"

enum { PAYLOAD_BYTES_MAX = 2 << 20 };

typedef struct payload_config {
    uint32_t series, partitions;
    uint32_t bytes;     /* of a telemetry record */
    uint32_t big_bytes; /* of the big ones among odd payloads */
    uint64_t seed;
} payload_config;

/* Writes record `number` into `out`, whose texts lie in `buffer` of PAYLOAD_BYTES_MAX bytes until
 * the next call. Same number, configuration and seed: same record. */
typedef void payload_make(const payload_config *config, uint64_t number, uint8_t *buffer,
                          record *out);

payload_make payload_telemetry; /* 256-byte JSON objects, one anomaly in a thousand */
payload_make payload_each;      /* the same, every series in turn */
payload_make payload_even;      /* 8 KB of the same byte, which zstd makes 900 times smaller */
payload_make payload_sparse;    /* the same after 96 bytes of noise: some 75 times */
payload_make payload_large;     /* telemetry of `big_bytes` */
payload_make payload_odd;       /* NULs, tombstones, empty and null keys, odd headers, big values */
payload_make payload_odd_json;  /* JSON objects of every odd shape, and tombstones */
payload_make payload_tiny;      /* one byte, no key: what costs a client most per byte */
payload_make payload_headers;   /* a few bytes and 40 headers */
payload_make payload_bad;       /* one good record, then one bad one, of every code in turn */
payload_make payload_some_bad;  /* telemetry, and one in a hundred is bad */

#endif
