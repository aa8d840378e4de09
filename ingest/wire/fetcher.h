/* SPDX-License-Identifier: Apache-2.0
 * Records of the partitions that it was told to read, in place out of the receive buffers: one long
 * Fetch under way to each leader while the last answer is being read. Transactions that were
 * aborted, markers and what lies below the asked offset never show; a batch's check sum is compared
 * before its first record does.
 *
 * Sessions (KIP-227) keep requests short; a leader's epoch and the epoch of what was read last go
 * with each of them, so that a log that lost its end is noticed (KIP-320).
 */
#ifndef PS_INGEST_WIRE_FETCHER_H
#define PS_INGEST_WIRE_FETCHER_H

#include "ingest/wire/batch.h"
#include "ingest/wire/client.h"
#include "ingest/wire/stalled.h"

#define PS_WIRE_EARLIEST INT64_C(-2) /* ListOffsets' own numbers */
#define PS_WIRE_LATEST   INT64_C(-1)

typedef struct ps_wire_fetcher_recipe {
    ps_wire_client *client;
    uint32_t partitions; /* numbers that it is told about are below this */
    bool read_committed;
    int32_t partition_bytes; /* of one partition in an answer; its first batch comes whole */
    int32_t answer_bytes;    /* of an answer, likewise */
    int32_t least_bytes;     /* the broker answers earlier only when wait_ms have passed */
    int32_t wait_ms;
    /* Behind an answer with fewer bytes of records than that the broker gathers so many, or so
     * long: what trickles in comes in one answer, and the first record after a silence at once. */
    int32_t gather_bytes, gather_ms; /* gather_ms 0: never */
    size_t unpacked_max;             /* the largest compressed batch, unpacked */
} ps_wire_fetcher_recipe;

typedef enum ps_wire_news {
    PS_WIRE_RECORD, /* of `partition` */
    PS_WIRE_PASSED, /* nothing more comes below `next`: markers, records that were compacted away */
    PS_WIRE_END,  /* all there was is read: `next` is the end as it was when the broker answered */
    PS_WIRE_GONE, /* `next` is out of range, `first` the first offset there is now */
    PS_WIRE_CUT_BACK, /* the log lost its end behind `first`: what was read from there on is void */
    PS_WIRE_NO_TOPIC, /* deleted, or made anew under the same name */
    PS_WIRE_REFUSED,  /* not allowed to read it: `code` */
    PS_WIRE_BAD       /* the batch at `next` cannot be read: the error says why */
} ps_wire_news;

typedef struct ps_wire_fetched {
    ps_wire_news news;
    uint32_t partition;
    int16_t code;
    int64_t next, first;
    ps_wire_record record; /* its bytes are valid until ps_wire_fetcher_taken */
    bool append_time;
} ps_wire_fetched;

typedef struct ps_wire_fetcher ps_wire_fetcher;

ps_status ps_wire_fetcher_open(const ps_wire_fetcher_recipe *recipe, ps_wire_fetcher **out,
                               ps_error *error) PS_MUST_USE;
void ps_wire_fetcher_close(ps_wire_fetcher *fetcher);
size_t ps_wire_fetcher_bytes(const ps_wire_fetcher_recipe *recipe);

/* Reads `within` of the client's `topic` from `next` on: an offset, EARLIEST or LATEST. Anew where
 * it was being read: what was fetched and not yet taken does not show. */
void ps_wire_fetcher_start(ps_wire_fetcher *fetcher, uint32_t partition, uint32_t topic,
                           uint32_t within, int64_t next);
void ps_wire_fetcher_stop(ps_wire_fetcher *fetcher, uint32_t partition);

/* Steps its client, asks for more where an answer has been read. */
ps_status ps_wire_fetcher_step(ps_wire_fetcher *fetcher, int64_t now_ns,
                               ps_error *error) PS_MUST_USE;

/* When it wants to be stepped though nothing comes: its client's, and pauses of its own. */
int64_t ps_wire_fetcher_deadline(const ps_wire_fetcher *fetcher);

/* Until then, rather than for gather_ms, is what trickles in gathered: within wait_ms, and not to
 * the last moment. */
void ps_wire_fetcher_gather_until(ps_wire_fetcher *fetcher, int64_t until_ns);

/* There is one broker to read from, what came last had been gathered, and it gathers again: nothing
 * comes for a while. */
bool ps_wire_fetcher_gathers(const ps_wire_fetcher *fetcher);

/* The next thing there is; the same until it is taken. AGAIN: nothing now. After GONE and those
 * that follow it the partition is not read on until it is started again. */
ps_status ps_wire_fetcher_next(ps_wire_fetcher *fetcher, ps_wire_fetched *out,
                               ps_error *error) PS_MUST_USE;
void ps_wire_fetcher_taken(ps_wire_fetcher *fetcher);

/* To be asked about once a second, after a step: which partition has been tried in vain for the
 * longest; false: none. */
bool ps_wire_fetcher_stalled(ps_wire_fetcher *fetcher, ps_wire_stalled *out);

/* The last stable offset, or the high watermark, as the newest answer said; -1: none yet. */
int64_t ps_wire_fetcher_end(const ps_wire_fetcher *fetcher, uint32_t partition);

#endif
