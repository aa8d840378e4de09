/* SPDX-License-Identifier: Apache-2.0
 * What the files of the Kafka sink call of each other; the types are in kafka_sink_parts.h.
 */
#ifndef PS_INGEST_KAFKA_SINK_CALLS_H
#define PS_INGEST_KAFKA_SINK_CALLS_H

#include "ingest/kafka_sink_parts.h"

/* All topics that it may write to. */
enum { PS_KAFKA_SINK_TOPICS_MAX = 4 };
#define PS_KAFKA_SINK_TOPICS(sink) \
    { &(sink)->out, &(sink)->dead, &(sink)->state_topic, &(sink)->seal_topic }

/* kafka_committer.c. Committer: opens producers, commits, gives up. */
ps_status ps_kafka_committer_open(ps_kafka_sink *sink, ps_error *error) PS_MUST_USE;
void ps_kafka_committer_close(ps_kafka_sink *sink);
/* Hands the producer to the committer. */
void ps_kafka_committer_ask(ps_kafka_sink *sink, ps_kafka_phase phase);
/* Final, told to the lane by whatever it calls next. Threads: any. */
void ps_kafka_sink_fail(ps_kafka_sink *sink, ps_status status, const char *format, ...)
    PS_PRINTF(3, 4);

/* The id was taken, unless the transaction had simply outlived its time limit; twice in a row ends
 * the lane. */
void ps_kafka_note_fence(ps_kafka_sink *sink);
/* Ends the lane: nobody gets a right by asking again. */
void ps_kafka_fail_forbidden(ps_kafka_sink *sink, const char *what, const char *why);

/* kafka_transaction.c: librdkafka's part of it. */
void ps_kafka_trouble(rd_kafka_t *client, int err, const char *reason, void *opaque);
int ps_kafka_closed(int fd, void *opaque);
/* What moved, for the group; NULL: nothing. */
rd_kafka_topic_partition_list_t *ps_kafka_positions_list(const ps_kafka_sink *sink);
ps_kafka_outcome ps_kafka_offsets(ps_kafka_sink *sink);
ps_kafka_outcome ps_kafka_commit(ps_kafka_sink *sink);
bool ps_kafka_begin(ps_kafka_sink *sink);

/* kafka_setup.c. Makes a producer with its topics; AGAIN: no broker now. */
ps_status ps_kafka_setup_once(ps_kafka_sink *sink, ps_error *error) PS_MUST_USE;
ps_status ps_kafka_setup_again(ps_kafka_sink *sink, ps_error *error) PS_MUST_USE;
ps_status ps_kafka_setup_producer(ps_kafka_sink *sink, ps_error *error) PS_MUST_USE;
/* What is said where a producer is refused for good. */
ps_status ps_kafka_setup_refusal(const ps_kafka_sink *sink, rd_kafka_resp_err_t err,
                                 ps_error *error);
void ps_kafka_drop_producer(ps_kafka_sink *sink);

/* kafka_native_sink.c. What its client and its batches take. */
size_t ps_kafka_native_sink_bytes(const ps_lane_env *env);
struct ps_wire_producer *ps_kafka_native_producer(const ps_kafka_sink *sink);
/* kafka_native_room.c. Whether it has room for them, as far as is known before it opens. */
ps_status ps_kafka_native_sink_suits(const void *config, const ps_lane_env *env,
                                     ps_error *error) PS_MUST_USE;

/* kafka_native_rows.c: ps_kafka_way's `rows`. */
uint32_t ps_kafka_native_rows(ps_kafka_sink *sink, const ps_batch *batch, const ps_run *run,
                              uint32_t row);

/* kafka_rows.c. Produces what is left of the cursor's batch; AGAIN: the queue is full. */
ps_status ps_kafka_rows(ps_kafka_sink *sink, const ps_batch *batch, ps_error *error) PS_MUST_USE;
/* One row of it: its record, or its dead letter. */
ps_status ps_kafka_row(ps_kafka_sink *sink, const ps_batch *batch, uint32_t row, uint32_t partition,
                       ps_error *error) PS_MUST_USE;

/* kafka_packed.c, for form packed: what ps_kafka_rows is for the others. */
ps_status ps_kafka_pack_open(ps_kafka_sink *sink, ps_error *error) PS_MUST_USE;
void ps_kafka_pack_close(ps_kafka_pack *pack);
size_t ps_kafka_pack_bytes(const ps_kafka_sink_config *config, const ps_plan *plan);
ps_status ps_kafka_packed(ps_kafka_sink *sink, const ps_batch *batch, ps_error *error) PS_MUST_USE;
/* What was collected will not go out: it comes again. */
void ps_kafka_pack_undo(ps_kafka_pack *pack);
/* A record of several rows was refused: half as many from now on, until the next commit. */
void ps_kafka_pack_smaller(ps_kafka_pack *pack);
void ps_kafka_pack_committed(ps_kafka_pack *pack);

/* kafka_refused.c. What became of a record. */
typedef struct ps_kafka_undelivered {
    const char *topic;
    rd_kafka_resp_err_t err;
    uint64_t tag; /* ps_kafka_tag() */
    size_t bytes;
    bool alone;      /* in its batch */
    ps_bytes reason; /* the broker's words, where there are some */
} ps_kafka_undelivered;
/* All goes back and is tried again; whoever does so for long says that. */
void ps_kafka_note_broken(ps_kafka_sink *sink, const char *what, const char *why);
void ps_kafka_acknowledged(ps_kafka_sink *sink, uint64_t tag);
void ps_kafka_not_delivered(ps_kafka_sink *sink, const ps_kafka_undelivered *record);
void ps_kafka_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque);
/* Marks rows of the batch that were refused before as rejects: output_refused. */
void ps_kafka_refused_mark(ps_kafka_sink *sink, const ps_batch *batch);
/* Forgets those that are behind the committed positions. */
void ps_kafka_refused_trim(ps_kafka_sink *sink);

/* kafka_least.c. What it needs to merge, where it does. */
ps_status ps_kafka_least_open(ps_kafka_sink *sink, ps_error *error) PS_MUST_USE;
size_t ps_kafka_least_bytes(const ps_plan *plan);
/* Whether the lane was not here for so long that somebody may have its partitions, with something
 * under way. Asked once a step, before anything is sent. */
bool ps_kafka_least_slept(ps_kafka_sink *sink);
ps_status ps_kafka_least_flushed(ps_kafka_sink *sink, uint64_t *ticket, int64_t *ask_again_ns,
                                 ps_error *error) PS_MUST_USE;
/* Writes the state of what is out, commits it and waits for the answers: a partition is about to
 * leave, or the lane ends. That blocks for two round trips, and is rare. */
void ps_kafka_least_settle(ps_kafka_sink *sink);
void ps_kafka_least_undo(ps_kafka_sink *sink);
ps_kafka_answer ps_kafka_least_answer;

/* kafka_state.c; all but the two sums only where the sink keeps state. */
ps_status ps_kafka_state_open(ps_kafka_sink *sink, ps_error *error) PS_MUST_USE;
void ps_kafka_state_close(ps_kafka_sink *sink);
size_t ps_kafka_state_bytes(const ps_plan *plan);
/* The most that a restore reads, while old records may be deleted. */
size_t ps_kafka_state_restores(const ps_lane_env *env);
/* Produces the state records of a batch, or of what was merged; AGAIN: the queue is full, call
 * again with the same. */
ps_status ps_kafka_state_emit(ps_kafka_sink *sink, const ps_batch *batch,
                              ps_error *error) PS_MUST_USE;
ps_status ps_kafka_state_emit_delta(ps_kafka_sink *sink, const ps_state_delta *delta,
                                    ps_error *error) PS_MUST_USE;
/* All that was emitted so far is committed: called before anything more is emitted. */
void ps_kafka_state_committed(ps_kafka_sink *sink);
/* Half of what was emitted will not be: the next batch begins anew. */
void ps_kafka_state_undo(ps_kafka_sink *sink);
ps_status ps_kafka_state_restore(ps_kafka_sink *sink, uint32_t partition, ps_state_apply *apply,
                                 void *context, int64_t *next, ps_error *error) PS_MUST_USE;
void ps_kafka_state_restored(ps_kafka_sink *sink, uint32_t partition, uint32_t oldest);
void ps_kafka_state_forget(ps_kafka_sink *sink, uint32_t partition);

static inline const char *ps_kafka_sink_brokers(const ps_kafka_sink *sink) {
    return sink->config->brokers != NULL ? sink->config->brokers : sink->link.config->brokers;
}

/* kafka_committer.c. Adds positions to those of the transaction, or of the next commit. */
void ps_kafka_positions_add(ps_kafka_sink *sink, const ps_position *positions, uint32_t count);
void ps_kafka_positions_clear(ps_kafka_sink *sink);

/* Nothing of what was emitted counts any more. */
void ps_kafka_sink_undo(ps_kafka_sink *sink);

#endif
