/* SPDX-License-Identifier: Apache-2.0
 * Telemetry that can be made again: what `penstock gen`, the synthetic source, the quickstart and
 * the bench feed on. A record depends on (seed, series, round) alone and is made of integer
 * arithmetic, so it is the same bytes on every machine, in every batching, on however many
 * partitions.
 *
 * Every host reports once a round, 10 s of telemetry time apart:
 *
 *   {"host":"host-000123","ts":1700000004711,"seq":17,"cpu":42.513,"mem":61.20,"io":18723,
 *    "region":"eu","dc":"eu-2","msg":"…"}        (one line)
 *
 * ts is epoch milliseconds, seq the round, cpu a daily wave of +-8 around a level of 30 to 60 with
 * noise of standard deviation 1 that never passes 3.5. `msg` pads the record to exactly the bytes
 * asked for; a record asked to be shorter than its other members has an empty msg.
 *
 * Anomalies are spikes of cpu by 10 to 18 standard deviations, up or down, in a share of the
 * records from round 32 on (a detector learns before that). The record does not say so;
 * ps_telemetry_is_anomaly does.
 */
#ifndef PS_INGEST_TELEMETRY_H
#define PS_INGEST_TELEMETRY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PS_TELEMETRY_SERIES_MAX = 1000000,
    PS_TELEMETRY_HOST_BYTES = 11, /* "host-000123" */
    PS_TELEMETRY_FIXED_MAX = 192, /* the most that a record takes without its msg */
    PS_TELEMETRY_BYTES_PRESET = 256,
    PS_TELEMETRY_ROUND_MS = 10000,
    PS_TELEMETRY_LEARNING = 32 /* rounds without anomalies */
};

typedef struct ps_telemetry {
    uint64_t seed;
    uint64_t anomaly_below; /* a record whose draw is below this is one */
    uint32_t series, bytes;
} ps_telemetry;

/* `anomalies`: the share of records that are spikes, 0 to 1. */
void ps_telemetry_init(ps_telemetry *telemetry, uint64_t seed, uint32_t series, uint32_t bytes,
                       double anomalies);

/* Room that ps_telemetry_write needs. */
uint32_t ps_telemetry_room(const ps_telemetry *telemetry);

/* One record, without a line break; returns its length. */
uint32_t ps_telemetry_write(const ps_telemetry *telemetry, uint32_t series, uint64_t round,
                            uint8_t *to);

/* The record's key: PS_TELEMETRY_HOST_BYTES bytes, no NUL. */
void ps_telemetry_host(uint32_t series, uint8_t *to);

/* The record's `ts`. */
int64_t ps_telemetry_time_ms(const ps_telemetry *telemetry, uint32_t series, uint64_t round);

bool ps_telemetry_is_anomaly(const ps_telemetry *telemetry, uint32_t series, uint64_t round);

/* The rows of one of `partitions` partitions, numbered from 0: a host keeps to one partition, and
 * each round visits every host of the partition once. */
typedef struct ps_telemetry_share {
    uint32_t partition, partitions, hosts;
    uint32_t stride; /* between hosts visited in turn; has no factor in common with `hosts` */
} ps_telemetry_share;

/* `partitions` must not be more than `series`. */
void ps_telemetry_share_init(ps_telemetry_share *share, const ps_telemetry *telemetry,
                             uint32_t partition, uint32_t partitions);

static inline void ps_telemetry_place(const ps_telemetry_share *share, uint64_t row,
                                      uint32_t *series, uint64_t *round) {
    const uint64_t turn = row % share->hosts;
    *round = row / share->hosts;
    *series =
        share->partition + share->partitions * (uint32_t)(turn * share->stride % share->hosts);
}

#endif
