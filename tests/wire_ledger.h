/* SPDX-License-Identifier: Apache-2.0
 * What the brokers of tests/wire_world.h know of one producer: logs that take batches by their
 * sequences as Kafka's do, a transaction's coordinator, all that came, and what is to go wrong. And
 * a producer that writes there.
 */
#ifndef PS_TESTS_WIRE_LEDGER_H
#define PS_TESTS_WIRE_LEDGER_H

#include "ingest/wire/producer.h"
#include "ingest/wire/unpack.h"
#include "tests/wire_world.h"

enum { CAME_MAX = 4096, LEDGER_ROWS = 8192, FAULTS_MAX = 8, PRODUCER_ID = 4000, FIRST_EPOCH = 5 };

/* A batch of a Produce, or another request. */
typedef struct came {
    ps_wire_api api;
    int16_t version, epoch, code;
    int32_t node, partition, sequence;
    int64_t id;
    uint32_t count, crc, first; /* rows; of the first row */
    uint32_t bytes;
    int64_t at_ns; /* when it came */
    uint8_t codec;
    bool flag; /* transactional; committed */
} came;

/* The requests (batches, of Produce) `from`, `from` + 1, … of this kind: 1 is the first. */
typedef struct ledger_fault {
    ps_wire_api api;
    uint32_t from, times;
    int16_t code;
    wire_does does;
    bool applies; /* it is carried out, only the answer is bad */
    int64_t delay_ms;
    int32_t throttle_ms;
    int32_t refused[4], refused_count;
    int32_t flood;     /* so many are named behind them */
    const char *words; /* with each of those; NULL: none */
    uint32_t seen;
} ledger_fault;

typedef struct ledger_log {
    uint32_t rows[LEDGER_ROWS], count;
    int32_t next; /* sequence */
    int16_t epoch;
    bool added, written;
} ledger_log;

typedef struct ledger {
    wire_world *world;
    bool first_dialect;
    ledger_fault faults[FAULTS_MAX];
    came came[CAME_MAX];
    uint32_t came_count;
    ledger_log logs[WIRE_PARTITIONS];
    int64_t id;
    int16_t epoch, sealed_epoch; /* of the last transaction that ended */
    bool open, group, sealed;
    int64_t committed; /* offset of the group, within the open transaction; -1 */
    ps_wire_unpacker *unpacker;
    bool noise; /* rows that no codec makes smaller */
    ps_wire_client *client;
    ps_wire_producer *producer;
    uint32_t sent[WIRE_PARTITIONS], refused_count; /* rows in order; indices */
    uint32_t told; /* batches that were refused, and of the last one: */
    int16_t refused_code;
    uint64_t refused_tags[64];
    int32_t refused[4];
    ps_error why;
    uint32_t steps; /* of the last drain */
} ledger;

typedef struct ledger_plan {
    uint32_t nodes;
    int32_t partitions;
    bool first_dialect, idempotent;
    uint32_t batches_max, batch_bytes; /* 0: 64 of 1000 bytes */
    uint8_t codec;
    int64_t linger_ms, timeout_ms;
} ledger_plan;

ledger *open_ledger(const ledger_plan *plan);
void close_ledger(ledger *l);
void init(ledger *l);
/* Of what is to come. */
void goes_wrong(ledger *l, ledger_fault fault);
/* Rows `from` … of a partition; a row is its number and `bytes` of value. */
ps_status put(ledger *l, uint32_t partition, uint32_t row, uint32_t bytes);
void put_rows(ledger *l, uint32_t partition, uint32_t from, uint32_t count, uint32_t bytes);
/* Until nothing waits; what step says then. */
ps_status drain(ledger *l);
void run_for(ledger *l, int64_t ms);
ps_status commit(ledger *l, int64_t next, int64_t ms);
/* Rows 0 … count - 1, each once and in order. */
void has_rows(ledger *l, uint32_t partition, uint32_t count);
/* How many came of this kind, and the n-th of them. */
uint32_t came_so_far(const ledger *l);
uint32_t times(const ledger *l, ps_wire_api api);
const came *nth(const ledger *l, ps_wire_api api, uint32_t n);
uint32_t times_answered(const ledger *l, ps_wire_api api, int16_t code);

#endif
