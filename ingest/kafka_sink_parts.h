/* SPDX-License-Identifier: Apache-2.0
 * The inside of a Kafka sink, shared by kafka_sink.c (what the lane calls), kafka_rows.c (a batch
 * becomes records), kafka_committer.c (the committer thread), kafka_least.c (at least once),
 * kafka_packed.c (many rows a record), kafka_refused.c (records that the broker will not take),
 * kafka_state.c, kafka_restore.c, kafka_trim.c (the state topic) and kafka_seal.c, kafka_sealed.c
 * (that of logs). Nobody else includes this.
 *
 * Which client carries the records is behind `ps_kafka_way` alone: kafka_produce.c and
 * kafka_transaction.c are librdkafka's, kafka_native_sink.c is ingest/wire's.
 *
 * Threads: the producer and everything that is not marked belong to the lane while `phase` is
 * READY, and to the committer otherwise; the mutex hands them over.
 */
#ifndef PS_INGEST_KAFKA_SINK_PARTS_H
#define PS_INGEST_KAFKA_SINK_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "host/flow/enrich.h"
#include "host/state/merge.h"
#include "ingest/dead_file.h"
#include "ingest/kafka_link.h"
#include "ingest/kafka_stall.h"
#include "ingest/kafka_way.h"

typedef enum ps_kafka_phase {
    PS_KAFKA_OPENING,    /* the committer makes a producer */
    PS_KAFKA_READY,      /* the lane may produce */
    PS_KAFKA_COMMITTING, /* the committer commits */
    PS_KAFKA_GIVING_UP,  /* the committer throws the producer away and makes another */
    PS_KAFKA_DEAD        /* failed for good */
} ps_kafka_phase;

enum { PS_KAFKA_REFUSED_MAX = 1024, PS_KAFKA_SLOTS = PS_DEPTH_MAX };

/* A batch between its first produced record and its release. */
typedef struct ps_kafka_slot {
    const ps_batch *batch;
    uint64_t ticket;
    uint32_t unacknowledged; /* at least once: rows' records whose delivery is not yet known */
    bool emitted, stated;    /* all rows, all state records were produced */
} ps_kafka_slot;

/* At least once: what batches that are out did to the state, between two state records. */
typedef enum ps_kafka_merging {
    PS_KAFKA_GATHERS, /* batches are added */
    PS_KAFKA_WRITES,  /* its record is being produced: nothing may be added */
    PS_KAFKA_WAITS    /* for the acknowledgement; what follows is gathered already */
} ps_kafka_merging;

/* Where `emit` stands within a batch when the queue was full. */
typedef struct ps_kafka_cursor {
    uint64_t ticket;
    uint32_t run, row;
    bool begun;
    uint64_t out, dead;
} ps_kafka_cursor;

typedef struct ps_kafka_state ps_kafka_state;
typedef struct ps_kafka_pack ps_kafka_pack;
typedef struct ps_kafka_seal ps_kafka_seal;

struct ps_kafka_sink {
    const ps_kafka_sink_config *config;
    const ps_lane_env *env;
    ps_kafka_link link;
    const ps_kafka_way *way;
    bool exactly_once, keeps_state;
    char *transactional; /* id */
    char *state_name, *seal_name;

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

    rd_kafka_t *helper;                  /* looks things up; the committer's and the state's */
    rd_kafka_t *producer;                /* NULL between two; librdkafka's way */
    struct ps_kafka_native_sink *native; /* likewise; ingest/wire's way */
    uint32_t brokers;                    /* of the cluster, when it was last asked */
    ps_kafka_topic out, dead, state_topic, seal_topic;
    bool suspect;              /* a call was not answered in time: a stray may land later */
    atomic_bool closed;        /* a connection was, since the transaction began: likewise */
    uint32_t careful_commits;  /* for which slots keep batches: a refused record's was not there */
    bool broken;               /* a record failed in a way that needs a new producer */
    ps_kafka_patience in_vain; /* since then, and nothing was written since */
    ps_kafka_stall stall;      /* ingest/wire's way: a partition that is tried in vain */
    bool dirty, flush_wanted;  /* dirty: the transaction holds something */
    int64_t begun_ns;          /* when the transaction got its first record */
    int64_t shown_ns;          /* 0: it got none, or its commit has begun */
    int64_t commit_ns;         /* when the commit was asked for */
    int64_t fenced_ns;         /* when the id was last taken from us, 0: never */
    int64_t missing_ns;        /* since when one of the topics is not there, 0: all are */
    uint64_t last_ticket;      /* newest batch of the transaction */
    int64_t *next; /* [partitions] positions of the transaction, PS_OFFSET_NONE: not moved */
    uint32_t *moved, moved_count; /* the partitions that moved */

    ps_kafka_slot slot[PS_KAFKA_SLOTS];
    ps_kafka_cursor cursor;
    bool fresh;                    /* nothing was emitted since the last going back */
    bool stuck;                    /* the watchdog has barked */
    _Atomic(const char *) calling; /* what the committer waits for */
    bool full;                     /* the producer's queue was full a moment ago */
    uint32_t records_max; /* 0: what the queue takes; fewer while rows with many headers wait */
    ps_enricher *enricher;
    char *text, *json; /* of one row: its headers, and it in json form */
    ps_dead_file *dead_file;

    ps_position refused[PS_KAFKA_REFUSED_MAX]; /* `next` is the record's own offset */
    uint32_t refused_count;
    uint32_t batch_bytes;        /* of records, as the producer at hand was made */
    uint32_t batch_bytes_wanted; /* of the next one: smaller after a refusal */

    uint64_t acknowledged; /* at least once: newest ticket that is safely out */
    int64_t answered_ns;   /* the last acknowledgement, or when the first of what is out went out */
    int64_t called_ns, offsets_ns;  /* when the lane last came by, when offsets were committed */
    bool offsets_under_way;         /* a commit was sent and is not yet answered */
    uint32_t states_unacknowledged; /* state records whose delivery is not yet known */
    void *merge_memory;
    ps_state_merge *merge; /* NULL: every batch has state records of its own, or none */
    ps_kafka_merging merging;
    int64_t merging_ns;   /* since when it holds something, 0: nothing */
    ps_position *covered; /* [partitions] by the record that waits */
    uint32_t covered_count;

    ps_kafka_state *state; /* NULL: none is kept */
    ps_kafka_seal *seal;   /* NULL: nothing is sealed */
    ps_kafka_pack *pack;   /* NULL: another form */
};

/* Tag of a produced record: whose it is. */
#define PS_KAFKA_ROW_STATE UINT32_C(0xffffffff)
#define PS_KAFKA_ROW_DEAD  UINT32_C(0x80000000)
#define PS_KAFKA_ROW_PACK  UINT32_C(0x40000000) /* the first of several rows */
static inline void *ps_kafka_tag(uint64_t ticket, uint32_t row) {
    return (void *)(uintptr_t)(ticket << 32 | row);
}

static inline ps_kafka_slot *ps_kafka_slot_of(ps_kafka_sink *sink, uint64_t ticket) {
    return &sink->slot[ticket % PS_KAFKA_SLOTS];
}

#endif
