/* SPDX-License-Identifier: Apache-2.0
 * The thread of a Kafka source that asks the brokers what takes a round trip. For
 * kafka_source_parts.h, whose part it is.
 */
#ifndef PS_INGEST_KAFKA_WATCH_H
#define PS_INGEST_KAFKA_WATCH_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/base/status.h"

struct ps_kafka_source;

typedef enum ps_kafka_asked {
    PS_KAFKA_ASKED_NOT,
    PS_KAFKA_ASKED,
    PS_KAFKA_ASKED_NOW,
    PS_KAFKA_ANSWERED
} ps_kafka_asked;

/* Questions to the brokers, asked by a thread of their own. All but `thread` under `mutex`. */
typedef struct ps_kafka_watch {
    pthread_t thread;
    bool opened, started, stop, wanted;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    pthread_mutex_t client; /* held while the thread uses the client, and while it is replaced */
    uint8_t *asked;         /* ps_kafka_asked of the committed offset, per partition */
    int64_t *committed;     /* its answer */
    uint64_t *since;        /* the membership in which it was asked */
    char member[256];       /* our id in the group, as last seen */
    uint64_t membership;    /* how many ids were seen */
    int64_t *end;           /* per partition as seen at start, -1: unknown yet */
    ps_kafka_patience patience; /* of the thread, while nobody answers */
    rd_kafka_t *onlooker;       /* the thread's own, for --until-end; no member of the group */
    int64_t *reached;           /* what the whole group has committed, for --until-end */
    int64_t *high;              /* the lane's: ends as last heard of, -1: unknown */
    _Atomic bool ends_known, all_reached;
    int64_t look_ns;         /* when the group is looked at next, INT64_MAX: it is whole */
    uint32_t lacking, calls; /* the thread's: looks that found it lacking, calls since */
    ps_status status;        /* a failure for the lane to tell */
    ps_error error;
} ps_kafka_watch;

/* kafka_orphans.c: looks once whether each partition has an owner, and calls the group together
 * where not. When to look again, INT64_MAX: never. The watch's thread. */
int64_t ps_kafka_orphans_look(struct ps_kafka_source *source);

/* kafka_watch.c */
ps_status ps_kafka_watch_open(struct ps_kafka_source *source, ps_error *error) PS_MUST_USE;
void ps_kafka_watch_close(struct ps_kafka_source *source);
/* The group was joined anew. */
void ps_kafka_watch_joined(struct ps_kafka_source *source);
ps_status ps_kafka_watch_committed(void *self, uint32_t partition, int64_t *next, ps_error *error);
/* What was asked about a partition that is given back is void: somebody else moves it on. */
void ps_kafka_watch_forget(struct ps_kafka_source *source, uint32_t partition);
int64_t ps_kafka_watch_remaining(void *self);
void ps_kafka_watch_lag(struct ps_kafka_source *source, int64_t now_ns);

/* kafka_member.c: a number that changes with our id in the group. */
uint64_t ps_kafka_member_now(struct ps_kafka_source *source);

#endif
