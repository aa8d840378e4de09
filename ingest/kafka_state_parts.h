/* SPDX-License-Identifier: Apache-2.0
 * The inside of the state topic's reader and writer, shared by kafka_state.c (the lane's side),
 * kafka_restore.c (the thread that reads it back) and kafka_trim.c (which deletes what newer
 * records say again). Nobody else includes this.
 */
#ifndef PS_INGEST_KAFKA_STATE_PARTS_H
#define PS_INGEST_KAFKA_STATE_PARTS_H

#include "host/state/sets.h"
#include "ingest/kafka_sink_calls.h"

enum {
    PS_KAFKA_CHUNK_BYTES = 900000,  /* under the usual limit of 1 MB a record */
    PS_KAFKA_AHEAD_MAX = 64,        /* chunks read ahead of the lane … */
    PS_KAFKA_AHEAD_BYTES = 8 << 20, /* … and their bytes */
    /* Old state is deleted when so much has been written since the last time, though its rounds
     * turn faster; and at most so many rounds, or so many of these, are there at once
     * (kafka_trim.c). */
    PS_KAFKA_TRIM_BYTES = 16 << 20,
    PS_KAFKA_ROUNDS_MAX = 4
};

/* From the reader to the lane. `message` NULL: the partition is all read. */
typedef struct ps_kafka_chunk {
    rd_kafka_message_t *message;
    uint32_t partition;
    uint32_t asking; /* which request of that partition it answers */
    bool again;      /* what was read does not count: all is to be read anew */
} ps_kafka_chunk;

typedef enum ps_kafka_reading { PS_KAFKA_IDLE, PS_KAFKA_ASKING, PS_KAFKA_READ } ps_kafka_reading;

/* Of one source partition. The lane's, but for what the mutex guards. */
typedef struct ps_kafka_stand {
    ps_kafka_reading reading;
    uint32_t asking;   /* number of the newest request */
    int64_t watermark; /* of the newest whole record */
    ps_state_sets sets;
    int64_t round; /* sweep round of the newest record that was written */
    int64_t first; /* offset of the first chunk that was read, PS_OFFSET_NONE: none */
    /* mutex: */
    uint32_t wanted; /* request that the reader shall serve, 0: none */
    bool begins;     /* a sweep round begins with what is not yet committed */
    bool turned;     /* one began, and that is committed */
    int64_t oldest;  /* offset of the oldest record that the restored table needs, -1: unknown */
    /* the reader's: */
    uint32_t serving; /* request being read, 0: none */
    int64_t end;      /* where reading ends */
    int64_t floor;    /* nobody needs what lies before it, -1: unknown */
    int64_t deleted;  /* what lies before it is gone */
    int64_t point[3]; /* where the last rounds began, newest first, -1: not seen */
} ps_kafka_stand;

struct ps_kafka_state {
    ps_kafka_sink *sink;
    /* the lane's */
    void *memory;
    ps_state_writer *writer; /* NULL until the topic's limit is known */
    uint8_t *chunk;
    size_t chunk_bytes, held_bytes;
    uint32_t held_partition;
    bool begun, held;
    uint64_t emitted_bytes; /* since the last commit */
    /* shared */
    pthread_t thread;
    bool thread_started;
    pthread_mutex_t mutex; /* what follows, and what each stand says */
    pthread_cond_t changed;
    bool stop, work;
    bool begins;            /* of any stand */
    bool trims_now;         /* old records are deleted without a pause */
    uint64_t trimmed_bytes; /* that were committed since some were deleted */
    ps_kafka_chunk ahead[PS_KAFKA_AHEAD_MAX];
    uint32_t ahead_first, ahead_count;
    size_t ahead_bytes;
    ps_status status;
    ps_error error;
    /* the reader's */
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    int64_t missing_ns; /* since when a partition is unknown to the brokers, 0: none is */
    int64_t trim_due_ns;
    bool trim_refused;
    ps_kafka_stand *stand; /* [partitions] */
};

/* kafka_restore.c */
void *ps_kafka_restore_main(void *state);
bool ps_kafka_state_stopping(ps_kafka_state *state);
/* Sleeps until something changes; with the mutex held. */
void ps_kafka_state_rest(ps_kafka_state *state, int64_t ms);

/* kafka_trim.c. The reader calls it when nothing is left to read; without the mutex. False: some
 * of it is left for want of an answer. */
bool ps_kafka_trim(ps_kafka_state *state);

#endif
