/* SPDX-License-Identifier: Apache-2.0
 * A fetcher that reads tests/wire_world.h, and what it has shown.
 */
#ifndef PS_TESTS_WIRE_READER_H
#define PS_TESTS_WIRE_READER_H

#include "ingest/wire/fetcher.h"
#include "tests/wire_world.h"

enum { SEEN_MAX = 4096 };

typedef struct reader {
    wire_world *world;
    ps_wire_client *client;
    ps_wire_fetcher *fetcher;
    int64_t seen[WIRE_PARTITIONS][SEEN_MAX]; /* offsets, in order */
    uint32_t count[WIRE_PARTITIONS];
    uint32_t told[PS_WIRE_BAD + 1];  /* news, by kind */
    ps_wire_fetched last;            /* that was no record */
    const uint8_t *lowest, *highest; /* bytes of values, where they lay */
    ps_error why;
} reader;

/* Owns: the world, from here on. */
reader *read_world(wire_world *world);
reader *read_world_into(wire_world *world, size_t receive_bytes);
/* Of receive_bytes only so many, unless an answer is larger. */
reader *read_world_keeping(wire_world *world, size_t receive_bytes, size_t usual_bytes);
reader *read_world_gathering(wire_world *world, int32_t bytes); /* for 7 ms at most */
void close_reader(reader *r);
void step(reader *r);
/* Until something comes, 5 ms at most. */
void pause_for(const reader *r);
/* Until so much news of a kind was told. */
void run_until(reader *r, ps_wire_news news, uint32_t told);
/* All of [begin, end) and nothing else. */
void saw(const reader *r, uint32_t partition, int64_t begin, int64_t end);
/* Batches of ten records. */
void append(wire_world *world, int32_t partition, uint32_t batches);

#endif
