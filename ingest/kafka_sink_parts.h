/* SPDX-License-Identifier: Apache-2.0
 * The inside of a Kafka sink, shared by kafka_sink.c (what the lane calls), kafka_rows.c (a batch
 * becomes records), kafka_txn.c (the committer thread), kafka_least.c (at least once),
 * kafka_refused.c (records that the broker will not take) and kafka_state.c, kafka_restore.c,
 * kafka_trim.c (the state topic). Nobody else includes this.
 *
 * Threads: the producer and everything that is not marked belong to the lane while `phase` is
 * READY, and to the committer otherwise; the mutex hands them over.
 */
#ifndef PS_INGEST_KAFKA_SINK_PARTS_H
#define PS_INGEST_KAFKA_SINK_PARTS_H

#include <pthread.h>

#include "host/flow/enrich.h"
#include "host/state/record.h"
#include "ingest/dead_file.h"
#include "ingest/kafka_link.h"

typedef enum ps_kafka_phase {
    PS_KAFKA_OPENING,    /* the committer makes a producer */
    PS_KAFKA_READY,      /* the lane may produce */
    PS_KAFKA_COMMITTING, /* the committer commits */
    PS_KAFKA_GIVING_UP,  /* the committer throws the producer away and makes another */
    PS_KAFKA_DEAD        /* failed for good */
} ps_kafka_phase;

enum { PS_KAFKA_REFUSED_MAX = 1024, PS_KAFKA_SLOTS = PS_DEPTH_MAX };

/* A topic that is written to. */
typedef struct ps_kafka_topic {
    const char *name; /* NULL: not used */
    rd_kafka_topic_t *handle;
    uint32_t partitions;
    uint32_t bytes_max; /* its largest record batch, 0: unknown */
} ps_kafka_topic;

/* A batch between its first produced record and its release. */
typedef struct ps_kafka_slot {
    const ps_batch *batch;
    uint64_t ticket;
    uint32_t unacknowledged; /* at least once: records whose delivery is not yet known */
    bool emitted, stated;    /* all rows, all state records were produced */
} ps_kafka_slot;

/* Where `emit` stands within a batch when the queue was full. */
typedef struct ps_kafka_cursor {
    uint64_t ticket;
    uint32_t run, row;
    bool begun;
    uint64_t out, dead;
} ps_kafka_cursor;

typedef struct ps_kafka_state ps_kafka_state;

typedef struct ps_kafka_sink {
    const ps_kafka_sink_config *config;
    const ps_lane_env *env;
    ps_kafka_link link;
    bool exactly_once, keeps_state;
    char *transactional; /* id */
    char *state_name;

    pthread_t thread;
    bool thread_started;
    pthread_mutex_t mutex; /* phase, stop, job, aborted, flushed, status, error, busy_ns */
    pthread_cond_t changed;
    ps_kafka_phase phase;
    bool stop, aborted;
    uint64_t flushed;
    ps_status status;
    ps_error error;
    int64_t busy_ns; /* when the committer began its current call, 0: idle */

    rd_kafka_t *helper;   /* looks things up; the committer's and the state's */
    rd_kafka_t *producer; /* NULL between two */
    ps_kafka_topic out, dead, state_topic;
    bool suspect; /* a connection broke with requests under way: a stray may land later */
    bool broken;  /* a record failed in a way that needs a new producer */
    bool dirty;   /* the transaction holds something */
    bool flush_wanted;
    int64_t begun_ns;     /* when the transaction got its first record */
    int64_t commit_ns;    /* when the commit was asked for */
    int64_t fenced_ns;    /* when the id was last taken from us, 0: never */
    uint64_t last_ticket; /* newest batch of the transaction */
    int64_t *next;        /* [partitions] positions of the transaction, PS_OFFSET_NONE: not moved */
    uint32_t *moved;      /* the partitions that moved */
    uint32_t moved_count;

    ps_kafka_slot slot[PS_KAFKA_SLOTS];
    ps_kafka_cursor cursor;
    bool fresh; /* nothing was emitted since the last going back */
    bool stuck; /* the watchdog has barked */
    bool full;  /* the producer's queue was full a moment ago */
    ps_enricher *enricher;
    char *text; /* of the headers of one row */
    char *json; /* one row in json form */
    ps_dead_file *dead_file;

    ps_position refused[PS_KAFKA_REFUSED_MAX]; /* `next` is the record's own offset */
    uint32_t refused_count;
    uint32_t batch_bytes;        /* of records, as the producer at hand was made */
    uint32_t batch_bytes_wanted; /* of the next one: smaller after a refusal */

    uint64_t acknowledged;  /* at least once: newest ticket that is safely out */
    int64_t offsets_ns;     /* when offsets were last committed */
    bool offsets_under_way; /* a commit was sent and is not yet answered */

    ps_kafka_state *state; /* NULL: none is kept */
} ps_kafka_sink;

/* Opaque of a produced record: whose it is. */
#define PS_KAFKA_ROW_STATE UINT32_C(0xffffffff)
#define PS_KAFKA_ROW_DEAD  UINT32_C(0x80000000)
static inline void *ps_kafka_tag(uint64_t ticket, uint32_t row) {
    return (void *)(uintptr_t)(ticket << 32 | row);
}

static inline ps_kafka_slot *ps_kafka_slot_of(ps_kafka_sink *sink, uint64_t ticket) {
    return &sink->slot[ticket % PS_KAFKA_SLOTS];
}

/* kafka_txn.c. Committer: opens producers, commits, gives up. */
ps_status ps_kafka_committer_open(ps_kafka_sink *sink, ps_error *error) PS_MUST_USE;
void ps_kafka_committer_close(ps_kafka_sink *sink);
/* Hands the producer to the committer. */
void ps_kafka_committer_ask(ps_kafka_sink *sink, ps_kafka_phase phase);
/* Final, told to the lane by whatever it calls next. Threads: any. */
void ps_kafka_sink_fail(ps_kafka_sink *sink, ps_status status, const char *format, ...)
    PS_PRINTF(3, 4);
/* Callbacks of the producer. */
void ps_kafka_trouble(rd_kafka_t *client, int err, const char *reason, void *opaque);

/* kafka_setup.c. Makes a producer with its topics; AGAIN: no broker now. */
ps_status ps_kafka_setup_once(ps_kafka_sink *sink, ps_error *error) PS_MUST_USE;
ps_status ps_kafka_setup_producer(ps_kafka_sink *sink, ps_error *error) PS_MUST_USE;
void ps_kafka_drop_producer(ps_kafka_sink *sink);

/* kafka_rows.c. Produces what is left of the cursor's batch; AGAIN: the queue is full. */
ps_status ps_kafka_rows(ps_kafka_sink *sink, const ps_batch *batch, ps_error *error) PS_MUST_USE;
/* One record; AGAIN: the queue is full. UNSUPPORTED: larger than the topic takes. */
ps_status ps_kafka_send(ps_kafka_sink *sink, const rd_kafka_vu_t *parts, size_t count,
                        uint64_t ticket, rd_kafka_headers_t *headers, ps_error *error) PS_MUST_USE;

/* kafka_refused.c */
void ps_kafka_delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque);
/* Marks rows of the batch that were refused before as rejects: output_refused. */
void ps_kafka_refused_mark(ps_kafka_sink *sink, const ps_batch *batch);
/* Forgets those that are behind the committed positions. */
void ps_kafka_refused_trim(ps_kafka_sink *sink);

/* kafka_least.c */
ps_status ps_kafka_least_flushed(ps_kafka_sink *sink, uint64_t *ticket, int64_t *ask_again_ns,
                                 ps_error *error) PS_MUST_USE;
/* Commits what is done and waits for the answer: a partition is about to leave, or the lane ends.
 * That blocks for one round trip, and is rare. */
void ps_kafka_least_settle(ps_kafka_sink *sink);
ps_kafka_answer ps_kafka_least_answer;

/* kafka_state.c; all but `bytes` only where the sink keeps state. */
ps_status ps_kafka_state_open(ps_kafka_sink *sink, ps_error *error) PS_MUST_USE;
void ps_kafka_state_close(ps_kafka_sink *sink);
size_t ps_kafka_state_bytes(const ps_plan *plan);
/* Produces the state records of a batch; AGAIN: the queue is full, call again with the same. */
ps_status ps_kafka_state_emit(ps_kafka_sink *sink, const ps_batch *batch, uint64_t ticket,
                              ps_error *error) PS_MUST_USE;
/* Half of what was emitted will not be: the next batch begins anew. */
void ps_kafka_state_undo(ps_kafka_sink *sink);
ps_status ps_kafka_state_restore(ps_kafka_sink *sink, uint32_t partition, ps_state_apply *apply,
                                 void *context, int64_t *next, ps_error *error) PS_MUST_USE;
void ps_kafka_state_forget(ps_kafka_sink *sink, uint32_t partition);

/* kafka_txn.c. Merges a batch's positions into those of the transaction. */
void ps_kafka_positions_add(ps_kafka_sink *sink, const ps_batch *batch);
/* What moved, for the group; NULL: nothing. */
rd_kafka_topic_partition_list_t *ps_kafka_positions_list(const ps_kafka_sink *sink);
void ps_kafka_positions_clear(ps_kafka_sink *sink);

/* Nothing of what was emitted counts any more. */
void ps_kafka_sink_undo(ps_kafka_sink *sink);

#endif
