/* SPDX-License-Identifier: Apache-2.0
 * The topic of the logs, `<pipeline>.seal`: what the plan's sealer makes goes there in the lane's
 * transaction, and what it needs to go on comes back from there. A log's records lie in the
 * partition that has the number of its source's; the topic is compacted, so the newest of each name
 * stays.
 */
#ifndef PS_INGEST_KAFKA_SEAL_H
#define PS_INGEST_KAFKA_SEAL_H

#include "ingest/kafka_sink_parts.h"

ps_status ps_kafka_seal_open(ps_kafka_sink *sink, ps_error *error) PS_MUST_USE;
void ps_kafka_seal_close(ps_kafka_sink *sink);

/* Seals a batch before its records go out. AGAIN: call again with the same. */
ps_status ps_kafka_seal_batch(ps_kafka_sink *sink, const ps_batch *batch,
                              ps_error *error) PS_MUST_USE;
/* What ends the transaction. AGAIN: the queue is full. */
ps_status ps_kafka_seal_end(ps_kafka_sink *sink, ps_error *error) PS_MUST_USE;
/* The lane hears that all up to this ticket is committed. */
void ps_kafka_seal_committed(ps_kafka_sink *sink, uint64_t ticket);
void ps_kafka_seal_undo(ps_kafka_sink *sink);

/* At least once there is no transaction: every commit_interval no batch is taken until all that was
 * emitted is acknowledged, what ends a transaction follows, and when that is acknowledged, too, the
 * offsets may. So a log never lacks a record that is passed. */
static inline bool ps_kafka_seal_holds(const ps_kafka_sink *sink);
static inline bool ps_kafka_seal_pending(const ps_kafka_sink *sink);
/* Positions of a batch that is out; the seal's until its log is. */
void ps_kafka_seal_hold(ps_kafka_sink *sink, const ps_batch *batch);
ps_status ps_kafka_seal_carry(ps_kafka_sink *sink, bool last, int64_t *ask_again_ns,
                              ps_error *error) PS_MUST_USE;

/* The state, where there is one, and then the log: what both say. */
ps_status ps_kafka_seal_restore(ps_kafka_sink *sink, uint32_t partition, ps_state_apply *apply,
                                void *context, int64_t *next, ps_error *error) PS_MUST_USE;
void ps_kafka_seal_forget(ps_kafka_sink *sink, uint32_t partition);

/* ---- between kafka_seal.c and kafka_sealed.c ---- */

typedef enum ps_kafka_sealed_phase {
    PS_KAFKA_SEALED_IDLE,
    PS_KAFKA_SEALED_STATE, /* the state is read back */
    PS_KAFKA_SEALED_BEGIN, /* the log's files are waited for */
    PS_KAFKA_SEALED_ASKED  /* the log is read back */
} ps_kafka_sealed_phase;

/* Of one source partition; the lane's, but for what the mutex guards. */
typedef struct ps_kafka_sealed_stand {
    ps_kafka_sealed_phase phase;
    int64_t state_next; /* where the restored state stands */
    bool wanted, ready; /* mutex: asked for, read */
} ps_kafka_sealed_stand;

typedef enum ps_kafka_sealing {
    PS_KAFKA_SEAL_TAKES, /* batches */
    PS_KAFKA_SEAL_ENDS,  /* waits for rows to be out, then says where the logs stand */
    PS_KAFKA_SEAL_WAITS  /* for that to be acknowledged */
} ps_kafka_sealing;

struct ps_kafka_seal {
    ps_kafka_sink *sink;
    const ps_sealer *sealer;
    void *self;
    uint64_t committed;           /* the lane's: newest ticket that it has heard of */
    ps_kafka_sealed_stand *stand; /* [partitions] */
    /* At least once: */
    ps_kafka_sealing sealing;
    int64_t since_ns; /* when a batch was sealed first that no log says yet, 0: all are said */
    int64_t *held;    /* [partitions] positions that wait, PS_OFFSET_NONE: none does */
    pthread_t thread;
    bool thread_started;
    pthread_mutex_t
        mutex; /* what follows, what each stand says, and the sealer while it restores */
    pthread_cond_t changed;
    bool stop;
    uint32_t reading; /* partition, PS_NOWHERE: none, or it is not wanted any more */
    ps_status status;
    ps_error error;
};

static inline bool ps_kafka_seal_holds(const ps_kafka_sink *sink) {
    return sink->seal != NULL && sink->seal->sealing != PS_KAFKA_SEAL_TAKES;
}
static inline bool ps_kafka_seal_pending(const ps_kafka_sink *sink) {
    return sink->seal != NULL && sink->seal->since_ns > 0;
}

void *ps_kafka_sealed_main(void *seal);

#endif
