/* SPDX-License-Identifier: Apache-2.0
 * A small cluster of tests/wire_broker.h: one topic, its logs, Fetch sessions, leaders, a
 * coordinator. A test changes it as it likes, under wire_brokers_lock(), and may answer anything
 * itself first.
 */
#ifndef PS_TESTS_WIRE_WORLD_H
#define PS_TESTS_WIRE_WORLD_H

#include "tests/wire_broker.h"

enum { WIRE_NODES = 3, WIRE_PARTITIONS = 4, WIRE_LOG_BYTES = 1 << 20, WIRE_ABORTED = 16 };

typedef struct wire_log {
    int32_t leader, epoch;
    int64_t start, end, stable;       /* stable -1: end */
    uint8_t *bytes;                   /* batches */
    size_t used, cut;                 /* cut: so many bytes of the last batch are not sent */
    int64_t aborted[WIRE_ABORTED][2]; /* producer, first offset */
    int32_t aborted_count;
    int64_t diverging_end; /* of the next answer; -1 */
    int16_t error;         /* of the next answers */
} wire_log;

typedef struct wire_session {
    int32_t id, epoch;
    uint8_t topic_id[16]; /* as it was asked for */
    bool member[WIRE_PARTITIONS];
    int64_t offset[WIRE_PARTITIONS];
    int32_t leader_epoch[WIRE_PARTITIONS];
} wire_session;

typedef struct wire_world wire_world;
/* True: the test has answered, `does` says how. */
typedef bool wire_hook(wire_world *world, wire_question *question, wire_does *does);

struct wire_world {
    wire_broker *brokers[WIRE_NODES]; /* node ids are 1, 2, 3 */
    char addresses[128];
    const char *topic;
    uint8_t id[16];
    int16_t topic_error;
    int32_t partitions, coordinator;
    wire_log logs[WIRE_PARTITIONS];
    wire_session sessions[WIRE_NODES];
    wire_hook *hook;
    bool tells_leader;       /* Fetch answers name the new leader */
    uint32_t metadata_stale; /* so many Metadata answers still tell the old leaders */
    int32_t stale_leader;
    uint32_t asked[PS_WIRE_APIS];    /* how often */
    int32_t least_bytes, wait_ms;    /* of the newest Fetch */
    uint32_t gathering;              /* Fetches that asked for more than a byte */
    uint32_t full, named, forgotten; /* Fetches without a session; partitions named, forgotten */
    uint32_t leader_fetches[WIRE_NODES];
    int32_t throttle_ms, last_epoch; /* of the newest Fetch of partition 0 */
};

/* How a batch is to be. */
typedef struct wire_make {
    int64_t producer_id;
    uint32_t count;
    uint8_t codec;
    bool transactional, abort, commit;
    uint32_t value_bytes;
} wire_make;

wire_world *wire_world_open(uint32_t nodes, int32_t partitions);
void wire_world_close(wire_world *world);
/* Behind what is there; keys are k<offset>, values v<offset>, padded. */
void wire_append(wire_world *world, int32_t partition, const wire_make *make);
void wire_kill(wire_world *world, int32_t node);

#endif
