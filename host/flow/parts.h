/* SPDX-License-Identifier: Apache-2.0
 * What a pipeline is made of: source, codec, stage, sink. Everything here is called by one lane's
 * thread only, and no call on the data path blocks or allocates: whoever cannot go on answers
 * PS_AGAIN and signals the lane's wake when asking again may succeed.
 */
#ifndef PS_HOST_FLOW_PARTS_H
#define PS_HOST_FLOW_PARTS_H

#include "host/base/wake.h"
#include "host/batch/partitions.h"
#include "host/flow/codec.h"
#include "host/flow/complaints.h"
#include "host/flow/event.h"
#include "host/flow/metrics.h"
#include "host/flow/plan.h"
#include "host/flow/restored.h"
#include "host/flow/sealer.h"

typedef struct ps_source ps_source;
typedef struct ps_sink ps_sink;

/* What a part may know of the lane that opens it. Borrowed; lives as long as the lane. */
typedef struct ps_lane_env {
    const char *pipeline; /* its name */
    const char *instance; /* this worker's: part of transactional and static-membership ids */
    uint32_t lane, lanes; /* which of how many in this worker */
    uint32_t slot;        /* lane slot number that no other worker on this host holds (lock file) */
    uint32_t depth;       /* batches in flight at most */
    int64_t linger_ns;    /* a batch that is not full is handed over after this long */
    int64_t memory_bytes; /* what queues of this part may take, of the ceiling */
    int64_t start_ns;     /* monotonic, of the run */
    bool until_end;       /* stop at the ends that were seen at start */
    bool native;          /* Kafka by penstock's own client, not by librdkafka */
    const ps_plan *plan;
    const ps_partitions *partitions; /* filled by the source's `discover` before any lane opens */
    ps_wake *wake;
    ps_lane_metrics *metrics;
    ps_partition_metrics *partition_metrics; /* [partitions->count]; NULL: nobody asks */
    const ps_source *source;                 /* for the sink: its source, which is opened first */
    void *source_self;
    void *sealer_self;                 /* of the plan's sealer, where it has one */
    void *sealer_shared;               /* of all lanes */
    const struct ps_dead_config *dead; /* where rejects go; NULL: a reject stops the lane */
} ps_lane_env;

struct ps_source {
    ps_about about;
    /* What no single option's range says, without a network. NULL: nothing. */
    void (*check)(const void *config, ps_complaints *);
    /* What of its configuration only librdkafka can do; NULL: nothing, penstock's own client will
     * do. A part without this function has neither. */
    const char *(*foreign)(const void *config);
    /* BAD_CONFIG: that has no room for the brokers and partitions of `env`. NULL: it always has. */
    ps_status (*suits)(const void *config, const ps_lane_env *env, ps_error *);
    /* `discover` asks nobody: it follows from the options. */
    bool knows_partitions;
    /* Before any lane: which topics and partitions there are. May block; fails with what to try. */
    ps_status (*discover)(const void *config, ps_partitions *out, ps_error *);
    /* After it, for a plan that seals: which cluster and topics these are for good. NULL: they have
     * no such names, and cannot be sealed. */
    ps_status (*identify)(const void *config, ps_partitions *all, ps_error *);
    ps_status (*open)(const void *config, const ps_lane_env *env, void **self, ps_error *);
    /* Borrowed until the next call; asked before anything is read. END: there is none, or the
     * partition is another lane's. NULL: never. */
    ps_status (*heading)(void *self, uint32_t partition, ps_heading *out, ps_error *);
    ps_status (*event)(void *self, ps_event *out, ps_error *);
    ps_status (*answer)(void *self, ps_error *);
    /* The committed position of an assigned partition, as the source keeps it (a consumer group);
     * AGAIN until known, PS_OFFSET_NONE where there is none. NULL: this source keeps none. */
    ps_status (*committed)(void *self, uint32_t partition, int64_t *next, ps_error *);
    /* All goes back: nothing of the partition is wanted until it starts. NULL: nothing to do. */
    void (*stop)(void *self, uint32_t partition);
    /* Begin reading an assigned partition at `next`. Also used to go back after an abort. */
    ps_status (*start)(void *self, uint32_t partition, int64_t next, ps_error *);
    /* Appends rows and positions. OK: the batch is ready (full, or linger has passed) · AGAIN: keep
     * the batch, ask again, not later than `*ask_again_ns` · END: no more will come; the batch may
     * hold the last rows. */
    ps_status (*fill)(void *self, ps_batch *batch, int64_t *ask_again_ns, ps_error *);
    /* Rows up to these positions are safely out; not where the sink commits them. NULL: nothing. */
    ps_status (*commit)(void *self, const ps_position *positions, uint32_t count, ps_error *);
    /* The slot of this batch is free again: give back what it held (oversize). NULL: nothing. */
    void (*release)(void *self, ps_batch *batch);
    /* Asked to stop: `fill` answers END from now on; no new assignment is taken. */
    void (*drain)(void *self);
    /* Rows left to the ends seen at start, for the progress bar; -1: unknown. NULL: always. */
    int64_t (*remaining)(void *self);
    void (*close)(void *self);
    /* Worst-case bytes this part takes per lane beyond its slots, one term a line in `explain`. */
    size_t (*memory)(const void *config, const ps_lane_env *env);
    const char *memory_options; /* which options make it less, for a message; NULL: none */
};

/* `config` is the struct that `about.options` fills. */
typedef struct ps_stage {
    ps_about about;
    ps_status (*plan)(const void *config, ps_plan *plan, ps_error *);
} ps_stage;

struct ps_sink {
    ps_about about;
    bool commits; /* writes the source's positions itself, atomically with the rows */
    bool seals;   /* carries what the plan's sealer makes */
    /* Keeps them where only it looks: there it goes on. Who watches the source is told there. */
    bool keeps_positions;
    void (*check)(const void *config, const ps_source *source, ps_complaints *); /* NULL: unknown */
    const char *(*foreign)(const void *config); /* as the source's, as is */
    ps_status (*suits)(const void *config, const ps_lane_env *env, ps_error *);
    ps_status (*open)(const void *config, const ps_lane_env *env, void **self, ps_error *);
    /* Loads what this sink keeps of a partition: its state goes to `apply`, `*next` is where its
     * rows end (PS_OFFSET_NONE: it keeps nothing). AGAIN until it is all read. ABORTED:
     * what was applied does not count, call anew for an empty table. NULL: nothing. */
    ps_status (*restore)(void *self, uint32_t partition, ps_state_apply *apply, void *context,
                         int64_t *next, ps_error *);
    /* The lane goes on from what was restored, and needs no record before this place; UINT32_MAX:
     * it holds no series. NULL: nothing to do. */
    void (*restored)(void *self, uint32_t partition, uint32_t oldest);
    /* The partition is given back, and all of it is committed; forget follows. NULL: nothing. */
    void (*leave)(void *self, uint32_t partition);
    /* The partition left this lane: its revoke is committed, or it was lost. NULL: nothing. */
    void (*forget)(void *self, uint32_t partition);
    /* Whether it copies what it is given; then the newest ticket whose batch it reads no more
     * though that is not safely out: all of them are flushed at once, or undone. NULL: it does not.
     */
    bool (*copies)(const void *config, const ps_lane_env *env);
    uint64_t (*taken)(void *self, uint64_t released);
    /* Takes rows, rejects, state and positions of one batch, in ticket order. AGAIN: no room now.
     * The batch stays until `taken` or `flushed` is there; with positions only its rows are 0. */
    ps_status (*emit)(void *self, const ps_batch *batch, uint64_t ticket, ps_error *);
    /* Whatever is emitted until then is seen together, and no sooner: rows may wait for it. 0: they
     * are seen at once. NULL: always. */
    int64_t (*shown)(const void *self);
    /* Commit what was emitted now: the lane is about to idle, to hand partitions over, or stop. */
    ps_status (*flush)(void *self, ps_error *);
    /* The newest ticket that is safely out. PS_ABORTED: everything since the last one is undone;
     * the lane goes back. `*ask_again_ns`: when a commit is due though nothing else happens. */
    ps_status (*flushed)(void *self, uint64_t *ticket, int64_t *ask_again_ns, ps_error *);
    void (*close)(void *self);
    size_t (*memory)(const void *config, const ps_lane_env *env);
    /* The most that this worker's lanes read together when they restore. NULL: nothing. */
    size_t (*restores)(const ps_lane_env *env);
    /* What it promises: "exactly_once", "at_least_once" or "none"; and why, one sentence. */
    const char *(*delivery)(const void *config, const ps_source *source, const char **why);
};

/* `dead_letter` of a pipeline file: one of the two is set. */
typedef struct ps_dead_config {
    const char *topic, *file;
} ps_dead_config;

#endif
