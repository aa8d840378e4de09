/* SPDX-License-Identifier: Apache-2.0
 * The inside of a Kafka source, shared by kafka_source.c (records), kafka_group.c and
 * kafka_member.c (membership), kafka_batches.c (their size), kafka_watch.c and kafka_orphans.c (the
 * helper thread that asks what would block). Nobody else includes this. Threads: everything is the
 * lane's but `watch`, whose members say who may touch them.
 */
#ifndef PS_INGEST_KAFKA_SOURCE_PARTS_H
#define PS_INGEST_KAFKA_SOURCE_PARTS_H

#include <stdatomic.h>

#include "ingest/kafka_link.h"
#include "ingest/kafka_watch.h"

enum { PS_KAFKA_TAKE_MAX = 2048, PS_KAFKA_EVENTS_MAX = 16, PS_KAFKA_SCRATCH_BYTES = 64 << 10 };

typedef enum ps_kafka_holding {
    PS_KAFKA_NOT_OURS,
    PS_KAFKA_PROMISED, /* assigned by the group, not yet answered */
    PS_KAFKA_STOPPED,  /* ours, but what comes of it is void until it is started */
    PS_KAFKA_READING
} ps_kafka_holding;

typedef struct ps_kafka_place {
    ps_kafka_holding holding;
    int64_t next;  /* the first offset not yet given to a batch, or PS_OFFSET_NONE */
    int64_t first; /* where reading really began, where `next` began as NONE: going back before
                      anything is committed must not move a start at `latest` */
    bool untold;   /* nothing is committed: where an empty partition ends is still to be told */
} ps_kafka_place;

/* A membership event as librdkafka told it, kept until the lane answers. */
typedef struct ps_kafka_event {
    ps_event_kind kind;
    rd_kafka_topic_partition_list_t *list;
    uint32_t count;
    uint32_t *partitions;
} ps_kafka_event;

typedef struct ps_kafka_source {
    const ps_kafka_source_config *config;
    const ps_lane_env *env;
    const char *group;
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    rd_kafka_message_t *taken[PS_KAFKA_TAKE_MAX]; /* returned by librdkafka, not yet in a batch */
    uint32_t taken_at, taken_count;
    struct ps_kafka_native_source *native; /* where ingest/wire fetches; NULL: librdkafka does */
    const rd_kafka_topic_t *topic; /* of the last record, and its number: one look-up a run */
    int32_t within;
    uint32_t partition;
    ps_kafka_place *place; /* [partitions] */
    ps_kafka_event event[PS_KAFKA_EVENTS_MAX];
    uint32_t event_first, event_count;
    bool draining, closing;
    bool eager;       /* the rebalance protocol, as far as it is known */
    bool stopped;     /* some partition is, or was a moment ago */
    bool fatal;       /* the client is of no use any more: all it had is lost */
    int64_t fatal_ns; /* when that happened last */
    ps_kafka_patience patience;
    ps_kafka_answer *answer; /* who wants to hear of commits */
    void *answer_opaque;
    int64_t polled_ns, lag_ns;
    int64_t *safe; /* [partitions] PS_OFFSET_NONE, or to commit for a sink that does not */
    uint32_t safe_count;
    int64_t safe_ns;  /* when they were last committed */
    uint8_t *scratch; /* packed headers of the record at hand */
    size_t scratch_bytes;
    ps_status status; /* a failure that ends the lane */
    ps_error error;
    int64_t answer_bytes;          /* the longest answer that the ceiling counts */
    _Atomic int64_t answer_untold; /* from which on one is worth a line; any thread */
    ps_kafka_watch watch;
} ps_kafka_source;

/* The first failure is kept and told by the next `fill` or `event`. */
void ps_kafka_source_fail(ps_kafka_source *source, ps_status status, const char *format, ...)
    PS_PRINTF(3, 4);

/* Destroys what was taken of a partition that is no longer read; of all that are stopped. */
void ps_kafka_source_drop(ps_kafka_source *source, uint32_t partition);
void ps_kafka_source_discard(ps_kafka_source *source);
void ps_kafka_source_forget_taken(ps_kafka_source *source); /* all of it */

/* Makes the consumer and joins the group; also anew, after a fatal failure. */
ps_status ps_kafka_source_connect(ps_kafka_source *source, ps_error *error) PS_MUST_USE;

/* Asks librdkafka for records and events without waiting. */
void ps_kafka_source_take(ps_kafka_source *source);

/* The end of a partition, or of a stretch of it that has no records for us. */
void ps_kafka_source_end(ps_kafka_source *source, ps_batch *batch, uint32_t partition,
                         int64_t offset);
const char *ps_kafka_range_advice(const ps_kafka_source *source, int64_t next, int64_t first);
bool ps_kafka_source_room(ps_kafka_source *source, size_t bytes); /* of scratch */
/* A record is in the batch. */
static inline void ps_kafka_source_took(ps_kafka_place *place, ps_batch *batch, int64_t offset) {
    if (place->first == PS_OFFSET_NONE) place->first = offset;
    place->next = offset + 1;
    place->untold = false;
    if (batch->filled_ns == 0) batch->filled_ns = ps_clock_ns();
}

/* kafka_group.c */
/* The topics to subscribe to; the caller's. */
rd_kafka_topic_partition_list_t *ps_kafka_source_topics(const ps_kafka_source *source);
void ps_kafka_rebalanced(rd_kafka_t *client, rd_kafka_resp_err_t err,
                         rd_kafka_topic_partition_list_t *list, void *opaque);
ps_status ps_kafka_group_event(void *self, ps_event *out, ps_error *error);
ps_status ps_kafka_group_answer(void *self, ps_error *error);
ps_status ps_kafka_group_start(void *self, uint32_t partition, int64_t next, ps_error *error);
/* Everything that was held is lost: one event tells it, and its answer makes a new client. */
void ps_kafka_group_lose_all(ps_kafka_source *source);
void ps_kafka_group_stop(void *self, uint32_t partition);

/* For good; waits a few seconds at most. False: the client is left to itself, and what it uses must
 * stay. */
bool ps_kafka_group_leave(ps_kafka_source *source);

/* kafka_commit.c: for sinks that leave the group's offsets to the source. */
ps_status ps_kafka_source_commit(void *self, const ps_position *positions, uint32_t count,
                                 ps_error *error);
typedef enum ps_kafka_commit_how {
    PS_KAFKA_COMMIT_GATHERED, /* when it is time */
    PS_KAFKA_COMMIT_SENT,     /* now, without waiting for the answer */
    PS_KAFKA_COMMIT_ANSWERED  /* now, and the answer is waited for */
} ps_kafka_commit_how;
void ps_kafka_source_commit_due(ps_kafka_source *source, ps_kafka_commit_how how);
void ps_kafka_source_on_commit(rd_kafka_t *, rd_kafka_resp_err_t, rd_kafka_topic_partition_list_t *,
                               void *source);
/* The partition is not ours any more: committed later, its position would move another's back. */
void ps_kafka_source_commit_forget(ps_kafka_source *source, uint32_t partition);

/* kafka_batches.c */
size_t ps_kafka_source_memory(const void *config, const ps_lane_env *env);
/* Notes how large batches the topics take, and says where that is more than the ceiling counts. */
void ps_kafka_batches_check(rd_kafka_t *client, const ps_kafka_source_config *config,
                            ps_partitions *all);
/* What the ceiling counts of an answer; and how large one was, for a line where it is larger. */
void ps_kafka_batches_count(ps_kafka_source *source, int64_t answer_bytes);
void ps_kafka_batches_tell(ps_kafka_source *source, const char *broker, size_t bytes);
/* For a consumer's recipe: says when a larger one has come. */
rd_kafka_resp_err_t ps_kafka_batches_born(rd_kafka_t *client, const rd_kafka_conf_t *conf,
                                          void *source, char *reason, size_t bytes);

/* kafka_discover.c */
ps_status ps_kafka_discover(const void *config, ps_partitions *out, ps_error *error);
void ps_kafka_source_check(const void *config, ps_complaints *out);

#endif
