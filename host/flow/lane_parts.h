/* SPDX-License-Identifier: Apache-2.0
 * The inside of a lane, shared by lane.c (the step), lane_open.c (memory and bindings) and
 * lane_restore.c (partitions that come and go), lane_move.c (from one device to another). Nobody
 * else includes this.
 */
#ifndef PS_HOST_FLOW_LANE_PARTS_H
#define PS_HOST_FLOW_LANE_PARTS_H

#include "host/batch/rejects.h"
#include "host/batch/series.h"
#include "host/flow/lane.h"
#include "host/flow/lane_warm.h"
#include "host/mem/arena.h"

typedef enum ps_ownership {
    PS_OWN_NOT,
    PS_OWN_RESTORING, /* the sink is reading its state back */
    PS_OWN_ASKING,    /* the source is looking up what is committed */
    PS_OWN_READY,     /* `next` is known; the source has not been started */
    PS_OWN_RUNNING
} ps_ownership;

typedef struct ps_owned {
    ps_ownership ownership;
    int64_t restored;  /* where the sink's state stands */
    int64_t next;      /* where to start */
    int64_t committed; /* as it was known before the state was read the last time */
    int64_t due_ns;    /* when to read the state again */
    uint32_t readings; /* of the state, since the partition came or everything went back */
    int64_t replay_to; /* rows before it are read again and were out before; 0: none are */
    bool untold;       /* `next` is not what the source has committed, though all before is out */
} ps_owned;

/* How rows ended: every row in exactly one of the three. */
typedef struct ps_tally {
    uint64_t out, filtered, rejected;
} ps_tally;

/* What batches come to that are not counted yet, because they are not safely out. */
typedef struct ps_account {
    ps_tally rows;
    ps_tally *of; /* [partitions] */
    uint64_t rejects[PS_REJECT_COUNT];
    uint64_t anomalies, bytes, batches;
} ps_account;

struct ps_lane {
    ps_lane_config config;
    const ps_plan *plan;
    ps_lane_metrics *metrics;
    void *source, *codec, *sink, *sealer; /* sealer NULL: nothing is sealed */
    ps_device *device;
    ps_queue *queue;
    ps_arena arena;
    uint8_t *memory[PS_DEPTH_MAX + 2]; /* of the slots' blocks, state and constants */
    ps_block state, constants;
    ps_judge *judge;
    void *watch;          /* what statistics per batch are computed in */
    ps_traffic *traffic;  /* the judge's; NULL where the device computes in the host's memory */
    ps_series *series;    /* NULL where no stage works per series */
    const ps_column *key; /* what names the series */
    ps_batch slot[PS_DEPTH_MAX];
    ps_call *call[PS_DEPTH_MAX][PS_CALLS_MAX];
    uint64_t submitted, finished, emitted, freed, released;
    ps_account account; /* of the tickets (released, freed] */
    bool frees;         /* slots are free when the sink has taken what is in them */
    uint64_t computed;  /* newest ticket the device is through with, given up ones included */
    /* The queue's tickets count batches and uploads of state alike. */
    uint64_t marked, mark_done, mark_state;
    uint64_t mark_of[PS_DEPTH_MAX]; /* of each slot's batch */
    uint64_t sink_rows, sink_dead;  /* the sink's counters when the batch at hand began to go out */
    const ps_backend *move_to;      /* as soon as nothing is under way; NULL: stay */
    int64_t launched_ns[PS_DEPTH_MAX], spent_ns[PS_DEPTH_MAX]; /* of each slot's batch */
    int64_t looked_ns;                                         /* when the device was asked last */
    int64_t through_ns, through_early_ns; /* when one was done: latest, earliest */
    uint64_t looked_idle_ns;              /* the lane's idle time by then */
    bool filling;                         /* the slot of ticket submitted + 1 holds rows already */
    bool draining, ended;
    bool going_back; /* nothing is filled until every partition stands where it was committed */
    bool settling;   /* restored state waits until the device is through with what it has */
    uint32_t restoring;
    int64_t restore_ns;     /* when it began, 0: nothing is being restored … */
    uint64_t restore_bytes; /* … and what had been read by then */
    uint32_t replaying;     /* partitions whose rows are read again */
    bool untold;            /* some partition is */
    ps_owned *owned;        /* [partitions] */
    ps_lane_warm warm;      /* of config.warm */
};

static inline ps_batch *ps_lane_slot(ps_lane *lane, uint64_t ticket) {
    return &lane->slot[ticket % lane->config.depth];
}

/* Decodes, groups and launches the batch that was being filled. */
ps_status ps_lane_submit(ps_lane *lane, ps_error *error) PS_MUST_USE;

/* How many series there are, for the metrics. */
void ps_lane_tell_series(ps_lane *lane);

/* Handles one membership event as far as it goes now. */
ps_status ps_lane_event(ps_lane *lane, bool *moved, bool *hold, ps_error *error) PS_MUST_USE;

/* Puts what was safely out before we began into the batch at hand: nothing else may come to say it.
 */
void ps_lane_tell_positions(ps_lane *lane, ps_batch *batch);

/* Heavy state (lane_replay.c). Where reading begins so that the restored partition is as of `next`.
 */
int64_t ps_lane_replay_from(ps_lane *lane, uint32_t partition, int64_t next);
void ps_lane_replay_stop(ps_lane *lane, uint32_t partition);
/* Takes positions out of the batch that its rows do not pass; before series are resolved. */
void ps_lane_replay_positions(ps_lane *lane, ps_batch *batch);
/* Takes rows that were out before out of the batch's runs: from then on they are nobody's. */
void ps_lane_replay_rows(ps_lane *lane, ps_batch *batch);

/* Carries every partition that is being restored one step on. */
ps_status ps_lane_restore(ps_lane *lane, bool *moved, ps_error *error) PS_MUST_USE;

/* The device's part of a step: which tickets it has finished. DEVICE: it is lost. */
ps_status ps_lane_compute(ps_lane *lane, ps_error *error) PS_MUST_USE;

/* Puts a series' planes into the host's copy of a state. */
void ps_lane_put_planes(ps_lane *lane, const ps_state_plan *state, uint32_t id,
                        const double *planes);
/* Queues the upload of the whole state. */
ps_status ps_lane_upload_state(ps_lane *lane, ps_error *error) PS_MUST_USE;

/* What the device answered, with its own words where it failed. */
ps_status ps_lane_device_told(const ps_lane *lane, ps_status status, ps_error *error) PS_MUST_USE;

/* Opens config.backend's device and binds the lane's memory to it. */
ps_status ps_lane_open_device(ps_lane *lane, ps_error *error) PS_MUST_USE;
void ps_lane_close_device(ps_lane *lane);

/* Goes over to `move_to`, if nothing is under way: memory stays where it is, state is carried over.
 * One that does not open is not asked again. DEVICE: the one that is left is lost. */
ps_status ps_lane_move(ps_lane *lane, ps_error *error) PS_MUST_USE;

/* Queues copies and calls of one batch. */
ps_status ps_lane_launch(ps_lane *lane, const ps_batch *batch, ps_error *error) PS_MUST_USE;

/* After an abort: forgets what is in flight and restores every partition the lane owns. */
void ps_lane_go_back(ps_lane *lane);

/* Nothing of what is in the account will be safely out. */
void ps_lane_forget_account(ps_lane *lane);
/* Gives the slots of tickets (begin, end] back to the source. */
void ps_lane_give_back(ps_lane *lane, uint64_t begin, uint64_t end);

#endif
