/* SPDX-License-Identifier: Apache-2.0
 * A running pipeline: one thread a lane, from start-up to the last commit.
 */
#ifndef PS_HOST_FLOW_PIPELINE_H
#define PS_HOST_FLOW_PIPELINE_H

#include "host/flow/lane.h"

typedef struct ps_pipeline ps_pipeline;

/* Everything borrowed; lives as long as the pipeline. */
typedef struct ps_pipeline_config {
    const char *name, *instance;
    const ps_plan *plan; /* closed */
    const ps_backend *backend;
    const ps_placement *placement; /* of `auto`, for lanes that move; NULL: they stay */
    bool backend_auto;   /* chosen, not asked for: one that does not open is passed over */
    size_t driver_bytes; /* of the ceiling, for drivers that may be loaded */
    const ps_source *source;
    const void *source_config;
    const ps_codec *codec; /* NULL: raw bytes */
    const void *codec_config;
    const ps_sink *sink;
    const void *sink_config;
    const ps_dead_config *dead; /* NULL: none */
    uint32_t lanes;             /* 0: one per core, fewer where memory_max asks */
    uint32_t depth;
    int64_t linger_ns, memory_max;
    bool numa; /* pin lanes and bind their memory */
    bool until_end, fail_on_reject;
    bool native;      /* Kafka by our own client, see ps_lane_env, */
    bool native_auto; /* unless it has no room for the cluster */
} ps_pipeline_config;

/* One term of the memory ceiling. */
typedef struct ps_memory_term {
    char what[PS_NAME_MAX];
    uint32_t times; /* lanes, or 1 */
    size_t bytes;   /* each */
    bool beside;    /* runtime.memory_max: a device's */
} ps_memory_term;

enum { PS_MEMORY_TERMS_MAX = 12 };

typedef struct ps_ceiling {
    uint32_t lanes; /* as chosen */
    uint32_t count;
    ps_memory_term term[PS_MEMORY_TERMS_MAX];
    size_t total;
    size_t beside;        /* of the total: what a device takes beside runtime.memory_max */
    int64_t part_bytes;   /* what source and sink may queue, each, per lane */
    uint64_t replay_rows; /* read again at most when all lanes restore heavy state */
    size_t restore_bytes; /* read at most when all lanes restore their state, 0: unknown */
} ps_ceiling;

/* The worst case, by arithmetic alone: asks neither source nor sink for anything but their own
 * sums. BAD_CONFIG: it passes memory_max; says by how much and which term to lower. `out` is filled
 * all the same. */
ps_status ps_pipeline_ceiling(const ps_pipeline_config *config, ps_ceiling *out,
                              ps_error *error) PS_MUST_USE;
/* What so many lanes take of memory_max with the longest queues: for who sizes a plan by it. */
size_t ps_pipeline_bytes(const ps_pipeline_config *config, uint32_t lanes);
bool ps_ceiling_fits(const ps_ceiling *ceiling, int64_t memory_max);

/* Whether every partition has a share of the series. */
ps_status ps_pipeline_shares(const ps_plan *plan, const ps_partitions *partitions,
                             ps_error *error) PS_MUST_USE;

/* Checks the ceiling, asks the source for its partitions (may wait for a broker), takes lane slots.
 */
ps_status ps_pipeline_open(const ps_pipeline_config *config, ps_pipeline **out,
                           ps_error *error) PS_MUST_USE;
void ps_pipeline_close(ps_pipeline *pipeline);

/* Runs all lanes until the source ends, `stop`, or a lane fails: then the others drain, and the
 * first failure is told. */
ps_status ps_pipeline_run(ps_pipeline *pipeline, ps_error *error) PS_MUST_USE;

/* Drain, commit, return from run. Threads: any; also from a signal handler. */
void ps_pipeline_stop(ps_pipeline *pipeline);

uint32_t ps_pipeline_lanes(const ps_pipeline *pipeline);
/* Of the roll-up that its sealed logs go into; NULL: there is none. */
const ps_roll_metrics *ps_pipeline_rolled(const ps_pipeline *pipeline);
const ps_lane_metrics *ps_pipeline_metrics(const ps_pipeline *pipeline, uint32_t lane);
/* `partition`: below the count of ps_pipeline_partitions. */
const ps_partition_metrics *ps_pipeline_partition_metrics(const ps_pipeline *pipeline,
                                                          uint32_t partition);
const ps_partitions *ps_pipeline_partitions(const ps_pipeline *pipeline);

typedef enum ps_health {
    PS_HEALTH_STARTING,
    PS_HEALTH_READY,
    PS_HEALTH_FAILED,
    PS_HEALTH_ENDED
} ps_health;
ps_health ps_pipeline_health(const ps_pipeline *pipeline, uint32_t lane);

/* Rows left until the ends seen at start, all lanes; -1: unknown. */
int64_t ps_pipeline_remaining(const ps_pipeline *pipeline);

/* Monotonic: when the first lane was ready for its first row, 0: not yet. */
int64_t ps_pipeline_ready_ns(const ps_pipeline *pipeline);

#endif
