/* SPDX-License-Identifier: Apache-2.0
 * The inside of a producer, shared by producer.c (rows into batches), produce.c (batches to their
 * leaders) and transaction.c (what begins and ends them). Nobody else includes this.
 */
#ifndef PS_INGEST_WIRE_PRODUCER_PARTS_H
#define PS_INGEST_WIRE_PRODUCER_PARTS_H

#include "ingest/wire/pack.h"
#include "ingest/wire/producer.h"

enum {
    PS_WIRE_LARGE_LOADS = 2,
    PS_WIRE_TOPICS_MAX = 8, /* of a producer */
    PS_WIRE_ADDS_MAX = 256  /* partitions of one AddPartitionsToTxn */
};

/* Versions in which the protocol changes its meaning. */
enum {
    PS_WIRE_ANY_VERSION = -1,
    PS_WIRE_PRODUCE_BY_ID = 13, /* topics have their ids, not their names */
    PS_WIRE_END_BY_EPOCH = 5,   /* EndTxn answers with the next epoch */
    /* The newest of the first dialect. */
    PS_WIRE_PRODUCE_FIRST = 11,
    PS_WIRE_ADD_FIRST = 3,
    PS_WIRE_OFFSETS_FIRST = 4,
    PS_WIRE_END_FIRST = 4
};

/* A batch on its way: open, then closed, then sent, until it is answered. */
typedef struct ps_wire_load {
    ps_wire_writer writer;
    uint8_t *memory;
    size_t room;
    uint64_t *tags;
    uint32_t tags_max;
    uint32_t topic, partition;
    int32_t sequence; /* -1: not yet given one */
    bool sent, large;
    bool done; /* it is in the log, and one before it is not yet known to be */
    int64_t opened_ns;
    ps_bytes sealed;
    struct ps_wire_load *next; /* of the outlet, or of the free ones */
} ps_wire_load;

/* A partition that is written to. */
typedef struct ps_wire_outlet {
    ps_wire_load *open;
    ps_wire_load *first,
        *last; /* closed ones, oldest first: those sent before those that are not */
    uint32_t under_way;
    int32_t node;     /* to whom */
    int32_t sequence; /* of the next batch */
    bool active;      /* is in the list of those that hold something */
    bool rewinds;     /* one was put back: nothing more is sent until the others are answered */
    bool answered;    /* in this transaction, and none was put back since */
    bool added;       /* to this transaction, in its first dialect */
    int64_t again_ns; /* not before */
    int16_t failing;  /* error of the newest answer, 0: none */
} ps_wire_outlet;

/* A Produce under way. */
typedef struct ps_wire_produce {
    struct ps_wire_producer *producer;
    bool busy, building;
    int32_t node;
    uint32_t count;
    ps_wire_load *load[PS_WIRE_SHARES_MAX]; /* by topic */
} ps_wire_produce;

typedef enum ps_wire_ending {
    PS_WIRE_FILLING,
    PS_WIRE_FLUSHING,
    PS_WIRE_ADDING_GROUP,
    PS_WIRE_COMMITTING_OFFSETS,
    PS_WIRE_ENDING
} ps_wire_ending;

struct ps_wire_producer {
    ps_wire_producer_recipe recipe;
    ps_wire_client *client;
    int64_t id;
    int16_t epoch;
    bool second; /* dialect: every transaction has an epoch of its own */
    bool holds;  /* the broker knows of a transaction, or may */
    bool doubts, dropping;
    bool hurries;     /* a row found no buffer: those that are open are sent */
    int16_t code;     /* the broker's in the answer that was judged last, or that voided all */
    ps_status status; /* OK, or why all is void */
    ps_error error;
    ps_wire_ending ending;
    uint64_t waiting;       /* records */
    ps_wire_outlet *outlet; /* [topic_count * partitions_max] */
    uint32_t *active;       /* [likewise] outlets that hold something */
    uint32_t active_count, turn;
    int64_t due_ns; /* when something is to be sent though nothing happens */
    size_t limit[PS_WIRE_TOPICS_MAX], fill;
    ps_wire_load *loads; /* [batches_max + LARGE] */
    ps_wire_load *free, *free_large;
    void *memory, *large_memory;
    uint64_t *tags;
    ps_wire_packer *packer; /* NULL: codec NONE */
    uint8_t *packed;        /* [packed_bytes] where a batch is compressed to */
    size_t packed_bytes;
    ps_wire_produce *produces; /* [produces_max] */
    uint32_t produces_max;
    bool adding;                                   /* an AddPartitionsToTxn is under way */
    uint32_t added[PS_WIRE_ADDS_MAX], added_count; /* its outlets */
    int64_t add_again_ns;
};

static inline ps_wire_outlet *ps_wire_outlet_of(ps_wire_producer *producer, uint32_t topic,
                                                uint32_t partition) {
    return &producer->outlet[topic * producer->recipe.partitions_max + partition];
}

static inline bool ps_wire_first_dialect(const ps_wire_producer *producer) {
    return producer->recipe.transactional != NULL && !producer->second;
}

/* What is put after a commit has had all its answers belongs to the next transaction. */
static inline bool ps_wire_is_ending(const ps_wire_producer *producer) {
    return producer->ending > PS_WIRE_FLUSHING;
}

/* producer.c */
void ps_wire_load_close(ps_wire_producer *producer, ps_wire_outlet *outlet);
void ps_wire_load_free(ps_wire_producer *producer, ps_wire_load *load);
/* `code`: the broker's error, 0: it is none of a broker's. */
void ps_wire_producer_void(ps_wire_producer *producer, ps_status status, int16_t code,
                           const char *format, ...) PS_PRINTF(4, 5);

/* produce.c. Sends what is due. */
ps_status ps_wire_produce_due(ps_wire_producer *producer, int64_t now_ns,
                              ps_error *error) PS_MUST_USE;

/* transaction.c. Asks for partitions to be added to a transaction, where that must be asked. */
ps_status ps_wire_add_partitions(ps_wire_producer *producer, int64_t now_ns,
                                 ps_error *error) PS_MUST_USE;

#endif
