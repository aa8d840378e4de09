/* SPDX-License-Identifier: Apache-2.0
 * Rows become record batches in send buffers, and these go out: in order and once per partition
 * (KIP-98's producer id, epoch and sequence), within transactions or without.
 *
 * A row is copied once, into the open batch of its partition. Batches are encoded before it is
 * known when they leave, so id, epoch and sequence are written when they do (writer.h). A batch
 * stays as it is until it is answered: a retry sends the same bytes. One batch of a partition is
 * under way until its first answer in a transaction, then up to PS_WIRE_PRODUCES_MAX requests.
 *
 * Transactions come in two dialects. Where the cluster has KIP-890 (feature transaction.version of
 * 2) a Produce adds its partition by itself, and every transaction has an epoch of its own: a
 * stray of the last one is fenced. Otherwise partitions and group are added first, and whoever lost
 * a connection must begin a new epoch (ps_wire_producer_doubts).
 *
 * Threads: one at a time; init and commit block, until they are done or `until_ns`.
 */
#ifndef PS_INGEST_WIRE_PRODUCER_H
#define PS_INGEST_WIRE_PRODUCER_H

#include "ingest/wire/client.h"
#include "ingest/wire/stalled.h"
#include "ingest/wire/writer.h"

/* What became of a batch. The rows' tags are in their order. A `code` other than 0 says why no
 * broker will ever take it, and is the meaning of errors.def: 10 and 18 of the whole batch, 87 and
 * 32 of the rows that are named or, if none is, of any; 3: the topic or partition is not there, and
 * metadata says so too (one that is made anew meanwhile is written to); -1 and codes without a row:
 * nobody knows. All is void then, within the same step, until an init: ABORTED, or IO for all other
 * codes, such as 29 (this user may not) and 17: somebody must change something. Batches under way
 * may still be told, others are not; nor are any where a step is ABORTED without a code: an epoch
 * or a transaction was lost, and none of its batches is to blame. */
typedef struct ps_wire_sent {
    uint32_t topic, partition; /* of the client; within the topic */
    int16_t code;              /* 0: it is in the log */
    uint32_t count;
    const uint64_t *tags;
    size_t bytes;
    const int32_t *refused; /* [refused_count] indices of rows that the broker names; else all */
    uint32_t refused_count;
    ps_bytes reason; /* the broker's words */
} ps_wire_sent;

typedef struct ps_wire_producer_recipe {
    ps_wire_client *client;
    const char *const *topics; /* [topic_count] as the client has them */
    uint32_t topic_count, partitions_max;
    const char *transactional; /* id; NULL: idempotent only */
    const char *group;         /* NULL: no offsets */
    int32_t transaction_ms;
    size_t batch_bytes;   /* of most batches */
    size_t record_bytes;  /* the largest record's batch; two may be under way */
    uint32_t batches_max; /* open, waiting and under way */
    uint8_t codec;        /* a ps_wire_codec: of batches, but those that it would make larger */
    int64_t linger_ns;    /* an open batch is sent after this time, or when it is full */
    int64_t timeout_ns;   /* for an answer */
    /* Called for each batch that was answered for good, in order within a partition. It may call
     * nothing of the producer. */
    void (*sent)(void *opaque, const ps_wire_sent *sent);
    void *opaque;
} ps_wire_producer_recipe;

typedef struct ps_wire_producer ps_wire_producer;

ps_status ps_wire_producer_open(const ps_wire_producer_recipe *recipe, ps_wire_producer **out,
                                ps_error *error) PS_MUST_USE;
/* Before its client. Breaks off what is under way. */
void ps_wire_producer_close(ps_wire_producer *producer);
size_t ps_wire_producer_bytes(const ps_wire_producer_recipe *recipe);

/* Throws away what is unsent and under way, ends what may be open, gets an id and epoch that fence
 * whoever had it before. AGAIN: nobody answers. FENCED: a successor has our id; another init takes
 * it away again. IO: not allowed. Once it has failed, put, step and commit answer ABORTED until one
 * succeeds. */
ps_status ps_wire_producer_init(ps_wire_producer *producer, int64_t until_ns,
                                ps_error *error) PS_MUST_USE;

/* Appends to the partition's open batch. AGAIN: no buffer is free now. UNSUPPORTED: its
 * batch would be larger than the topic's limit. What step answers when all is void: void. */
ps_status ps_wire_producer_put(ps_wire_producer *producer, uint32_t topic, uint32_t partition,
                               const ps_wire_row *row, uint64_t tag) PS_MUST_USE;
/* The same in two steps, for headers that are written where they go (ps_wire_writer_open), `most`
 * bytes of them, while the open batch has room for all that the row may take. NULL: it has not, or
 * there is none; `put` does it, or says why not. */
uint8_t *ps_wire_producer_draft(ps_wire_producer *producer, uint32_t topic, uint32_t partition,
                                const ps_wire_row *row, size_t most, ps_wire_draft *draft);
void ps_wire_producer_drafted(ps_wire_producer *producer, const ps_wire_draft *draft,
                              const uint8_t *end, uint32_t count, uint64_t tag);
/* The largest batch of this topic from now on, before it is compressed. */
void ps_wire_producer_limit(ps_wire_producer *producer, uint32_t topic, size_t bytes);
/* From now on a batch of several records ends where it would grow beyond so many bytes: less than
 * batch_bytes where a broker found a batch too large. A record that is larger goes alone. */
void ps_wire_producer_fill(ps_wire_producer *producer, size_t bytes);

/* Steps the client; sends what is due; never blocks. ABORTED: what was put since the last commit
 * cannot be committed any more. Other failures are final, as IO: not allowed, or UNSUPPORTED: an
 * answer for which the client has no room. */
ps_status ps_wire_producer_step(ps_wire_producer *producer, int64_t now_ns,
                                ps_error *error) PS_MUST_USE;
/* The broker's error behind what init, step or commit answered last; 0: it is none of a broker's.
 */
int16_t ps_wire_producer_code(const ps_wire_producer *producer);
int64_t ps_wire_producer_deadline(const ps_wire_producer *producer);
/* The partition whose oldest batch has been due for the longest, since before `before_ns`; false:
 * none has. */
bool ps_wire_producer_stalled(ps_wire_producer *producer, int64_t before_ns, ps_wire_stalled *out);
/* Records not yet answered. */
uint64_t ps_wire_producer_waiting(const ps_wire_producer *producer);

typedef struct ps_wire_offset {
    uint32_t partition;
    int64_t next;
} ps_wire_offset;

/* Of one topic that the group reads. */
typedef struct ps_wire_offsets {
    const char *topic;
    const ps_wire_offset *at;
    uint32_t count;
} ps_wire_offsets;

/* As whom the group knows us. */
typedef struct ps_wire_member {
    int32_t generation;
    const char *id, *instance; /* instance NULL: not static */
} ps_wire_member;

/* Sends all that was put and waits for its answers, then commits offsets into the transaction, then
 * ends it; may be called again after AGAIN, with the same offsets, which says that no answer came
 * in time. ABORTED: it cannot be committed, start anew with init. FENCED: a successor has our id.
 * IO: not allowed. Without a transactional id all it does is to wait for answers. */
ps_status ps_wire_producer_commit(ps_wire_producer *producer, const ps_wire_offsets *offsets,
                                  uint32_t count, const ps_wire_member *member, int64_t until_ns,
                                  ps_error *error) PS_MUST_USE;

/* Whether a stray request may still arrive: the next transaction needs a new epoch (init). */
bool ps_wire_producer_doubts(const ps_wire_producer *producer);

#endif
