/* SPDX-License-Identifier: Apache-2.0 */
#include "host/flow/pipeline.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/flow/slots.h"
#include "host/flow/warm.h"

/* An idle lane looks up at least this often, so that a lost wake-up costs latency and never
 * progress. */
#define IDLE_NS_MAX (1 * PS_NS_PER_S)

/* A lane that was asked to stop and cannot move, because the broker is gone, say, stops all the
 * same. */
#define DRAIN_NS_MAX (20 * PS_NS_PER_S)

typedef struct worker {
    ps_pipeline *pipeline;
    uint32_t number;
    pthread_t thread;
    bool started;
    ps_wake wake;
    ps_lane_metrics metrics;
    _Atomic int health;
    _Atomic int64_t remaining;
    int64_t noted_ns;
    ps_status status;
    ps_error error;
} worker;

struct ps_pipeline {
    ps_pipeline_config config;
    ps_ceiling ceiling;
    ps_partitions partitions;
    ps_topology *topology;
    ps_slots slots;
    ps_warm *warm;
    uint32_t lanes;
    atomic_bool stopping;
    _Atomic int64_t ready_ns;
    _Atomic(worker *) first_failed;
    int64_t start_ns;
    worker *worker;                          /* [lanes] */
    ps_partition_metrics *partition_metrics; /* [partitions.count] */
    void *sealer_shared;
};

void ps_pipeline_close(ps_pipeline *pipeline) {
    if (pipeline == NULL) return;
    if (pipeline->sealer_shared != NULL)
        pipeline->config.plan->seal.sealer->unshare(pipeline->sealer_shared);
    for (uint32_t i = 0; pipeline->worker != NULL && i < pipeline->lanes; i++)
        ps_wake_deinit(&pipeline->worker[i].wake);
    free(pipeline->worker);
    free(pipeline->partition_metrics);
    ps_slots_release(&pipeline->slots);
    ps_topology_close(pipeline->topology);
    ps_warm_close(pipeline->warm);
    free(pipeline);
}

ps_status ps_pipeline_shares(const ps_plan *plan, const ps_partitions *partitions,
                             ps_error *error) {
    if (!plan->groups || partitions->count <= plan->series_max) return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG,
                   "the source has %u partitions, and runtime.series_max is %u: each needs at "
                   "least one series",
                   partitions->count, plan->series_max);
}

static ps_status open_warm(ps_pipeline *pipeline, ps_error *error) {
    PS_TRY(ps_warm_open(pipeline->config.plan, &pipeline->warm, error));
    if (pipeline->warm != NULL)
        ps_log(PS_LOG_INFO, "run", "warm state of %llu series: they begin with it when first seen",
               (unsigned long long)ps_warm_series(pipeline->warm));
    return PS_OK;
}

static ps_status prepare(ps_pipeline *pipeline, ps_error *error) {
    const ps_pipeline_config *config = &pipeline->config;
    PS_TRY(ps_pipeline_ceiling(config, &pipeline->ceiling, error));
    PS_TRY(open_warm(pipeline, error));
    PS_TRY(ps_topology_open(NULL, &pipeline->topology, error));
    pipeline->lanes = pipeline->ceiling.lanes;
    pipeline->worker = calloc(pipeline->lanes, sizeof *pipeline->worker);
    if (pipeline->worker == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for %u lanes", pipeline->lanes);
    for (uint32_t i = 0; i < pipeline->lanes; i++) pipeline->worker[i].wake.fd = -1;
    for (uint32_t i = 0; i < pipeline->lanes; i++) {
        worker *lane = &pipeline->worker[i];
        lane->pipeline = pipeline;
        lane->number = i;
        atomic_init(&lane->remaining, -1);
        PS_TRY(ps_wake_init(&lane->wake, error));
    }
    PS_TRY(ps_slots_take(&pipeline->slots, config->name, config->instance, pipeline->lanes, error));
    PS_TRY(config->source->discover(config->source_config, &pipeline->partitions, error));
    if (config->plan->seal.sealer != NULL) {
        PS_CHECK(config->source->identify != NULL); /* the configuration was checked */
        PS_TRY(config->source->identify(config->source_config, &pipeline->partitions, error));
    }
    PS_TRY(ps_pipeline_shares(config->plan, &pipeline->partitions, error));
    pipeline->partition_metrics =
        calloc(pipeline->partitions.count + 1, sizeof *pipeline->partition_metrics);
    if (pipeline->partition_metrics == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for %u partitions",
                       pipeline->partitions.count);
    return PS_OK;
}

static ps_lane_config lane_config(worker *lane) {
    const ps_pipeline *pipeline = lane->pipeline;
    const ps_pipeline_config *config = &pipeline->config;
    const ps_place place = ps_topology_place(pipeline->topology, lane->number, pipeline->lanes,
                                             pipeline->slots.number[lane->number]);
    const char *why;
    const bool exactly_once =
        strcmp(config->sink->delivery(config->sink_config, config->source, &why), "exactly_once") ==
        0;
    return (ps_lane_config){
        .env = {.pipeline = config->name,
                .instance = config->instance,
                .lane = lane->number,
                .lanes = pipeline->lanes,
                .depth = config->depth,
                .slot = pipeline->slots.number[lane->number],
                .linger_ns = config->linger_ns,
                .memory_bytes = pipeline->ceiling.part_bytes,
                .start_ns = pipeline->start_ns,
                .until_end = config->until_end,
                .native = config->native,
                .plan = config->plan,
                .partitions = &pipeline->partitions,
                .wake = &lane->wake,
                .metrics = &lane->metrics,
                .partition_metrics = pipeline->partition_metrics,
                .sealer_shared = pipeline->sealer_shared,
                .dead = config->dead},
        .backend = config->backend,
        .placement = config->placement,
        .warm = pipeline->warm,
        .source = config->source,
        .source_config = config->source_config,
        .codec = config->codec,
        .codec_config = config->codec_config,
        .sink = config->sink,
        .sink_config = config->sink_config,
        .depth = config->depth,
        .os_node = config->numa ? place.os_node : -1,
        .exactly_once = exactly_once,
        .fail_on_reject = config->fail_on_reject,
    };
}

static ps_status suits(const ps_pipeline_config *config, const ps_lane_env *env, ps_error *why) {
    if (config->source->suits != NULL)
        PS_TRY(config->source->suits(config->source_config, env, why));
    return config->sink->suits == NULL ? PS_OK : config->sink->suits(config->sink_config, env, why);
}

/* What the file does not say shows only now: how large the cluster is. */
static ps_status choose_client(ps_pipeline *pipeline, ps_error *error) {
    ps_pipeline_config *config = &pipeline->config;
    ps_error why;
    if (!config->native || !config->native_auto) return PS_OK;
    const ps_lane_env env = lane_config(&pipeline->worker[0]).env;
    const ps_status status = suits(config, &env, &why);
    if (status == PS_OK) return PS_OK;
    if (status != PS_BAD_CONFIG) return ps_fail(error, status, "%s", why.message);
    ps_log(PS_LOG_INFO, "run", "Kafka client librdkafka after all: %s", why.message);
    config->native = false;
    config->lanes = pipeline->lanes;
    return ps_pipeline_ceiling(config, &pipeline->ceiling, error);
}

ps_status ps_pipeline_open(const ps_pipeline_config *config, ps_pipeline **out, ps_error *error) {
    ps_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (pipeline == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a pipeline");
    pipeline->config = *config;
    pipeline->start_ns = ps_clock_ns();
    ps_status status = prepare(pipeline, error);
    if (status == PS_OK) status = choose_client(pipeline, error);
    if (status == PS_OK && config->plan->seal.sealer != NULL)
        status = config->plan->seal.sealer->share(config->plan, &pipeline->sealer_shared, error);
    if (status != PS_OK) {
        ps_pipeline_close(pipeline);
        return status;
    }
    *out = pipeline;
    return PS_OK;
}

/* Five times a second: what a progress bar needs. */
static void note_progress(worker *lane, ps_lane *opened) {
    const int64_t now_ns = ps_clock_ns();
    if (now_ns - lane->noted_ns < 200 * PS_NS_PER_MS) return;
    lane->noted_ns = now_ns;
    atomic_store_explicit(&lane->remaining, ps_lane_remaining(opened), memory_order_relaxed);
}

static ps_status run_lane(worker *lane, ps_lane *opened, const char *name) {
    ps_pipeline *pipeline = lane->pipeline;
    const ps_backend *on = ps_lane_backend(opened);
    bool draining = false;
    int64_t moved_ns = ps_clock_ns();
    for (;;) {
        if (!draining && atomic_load_explicit(&pipeline->stopping, memory_order_relaxed)) {
            draining = true;
            ps_lane_drain(opened);
        }
        bool moved;
        int64_t again_ns;
        const ps_status status = ps_lane_step(opened, &moved, &again_ns, &lane->error);
        if (status != PS_OK) return status;
        if (ps_lane_backend(opened) != on) {
            on = ps_lane_backend(opened);
            ps_log(PS_LOG_INFO, name, "goes on with %s: batches say that it is faster", on->name);
        }
        const int64_t step_ns = ps_clock_ns();
        if (moved || !draining) moved_ns = step_ns;
        if (step_ns - moved_ns > DRAIN_NS_MAX)
            return ps_fail(&lane->error, PS_IO,
                           "stopped without an answer from the sink: what it has not confirmed "
                           "will be read again");
        if (ps_lane_ready(opened)) {
            int64_t never = 0;
            atomic_store_explicit(&lane->health, PS_HEALTH_READY, memory_order_relaxed);
            (void)atomic_compare_exchange_strong(&pipeline->ready_ns, &never, ps_clock_ns());
        } else {
            atomic_store_explicit(&lane->health, PS_HEALTH_STARTING, memory_order_relaxed);
        }
        note_progress(lane, opened);
        if (moved) continue;
        const int64_t now_ns = ps_clock_ns();
        if (again_ns > now_ns + IDLE_NS_MAX) again_ns = now_ns + IDLE_NS_MAX;
        ps_wake_wait(&lane->wake, again_ns);
        ps_count(&lane->metrics.idle_ns, (uint64_t)(ps_clock_ns() - now_ns));
    }
}

/* One life of a lane. True: its device is lost, and `*config` says where the next life begins, at
 * what is committed. */
static bool live(worker *lane, ps_lane_config *config, const char *name) {
    const ps_pipeline *pipeline = lane->pipeline;
    ps_lane *opened = NULL;
    lane->status = ps_lane_open(config, &opened, &lane->error);
    const bool ran = lane->status == PS_OK;
    if (ran) {
        /* After opening: the clients' own threads must not inherit the lane's core. */
        if (pipeline->config.numa)
            (void)ps_topology_bind(pipeline->topology, lane->number, pipeline->lanes,
                                   pipeline->slots.number[lane->number]);
        lane->status = run_lane(lane, opened, name);
    }
    if (ran) config->backend = ps_lane_backend(opened);
    ps_lane_close(opened);
    /* A device that was asked for by name and does not even open is an error to be seen. */
    const bool may = ran ? lane->status == PS_DEVICE
                         : pipeline->config.backend_auto && lane->status != PS_OK &&
                               !config->backend->shares_memory;
    const ps_backend *next = may ? ps_backend_after(config->backend) : NULL;
    if (next == NULL) return false;
    ps_log(PS_LOG_WARNING, name, "%s; going on with %s from the last committed position",
           lane->error.message, next->name);
    config->backend = next;
    config->placement = NULL; /* what was lost once is not gone back to */
    return true;
}

/* What ends all lanes for one reason, a missing topic say, is said once. */
static bool is_news(worker *lane) {
    worker *first = NULL;
    return atomic_compare_exchange_strong(&lane->pipeline->first_failed, &first, lane) ||
           strcmp(first->error.message, lane->error.message) != 0;
}

static void *lane_main(void *argument) {
    worker *lane = argument;
    ps_pipeline *pipeline = lane->pipeline;
    char name[16];
    (void)snprintf(name, sizeof name, "lane-%u", lane->number);
    (void)pthread_setname_np(pthread_self(), name);
    ps_lane_config config = lane_config(lane);
    while (live(lane, &config, name)) {}
    const bool failed = lane->status != PS_END;
    atomic_store_explicit(&lane->health, failed ? PS_HEALTH_FAILED : PS_HEALTH_ENDED,
                          memory_order_relaxed);
    if (failed) {
        if (is_news(lane)) ps_log(PS_LOG_ERROR, name, "%s", lane->error.message);
        ps_pipeline_stop(pipeline);
    }
    return NULL;
}

ps_status ps_pipeline_run(ps_pipeline *pipeline, ps_error *error) {
    ps_status first = PS_OK;
    for (uint32_t i = 0; i < pipeline->lanes; i++) {
        worker *lane = &pipeline->worker[i];
        lane->started = pthread_create(&lane->thread, NULL, lane_main, lane) == 0;
        if (lane->started) continue;
        first = ps_fail(error, PS_NO_MEMORY,
                        "cannot start the thread of lane %u: raise the limit of processes", i);
        ps_pipeline_stop(pipeline);
        break;
    }
    for (uint32_t i = 0; i < pipeline->lanes; i++) {
        worker *lane = &pipeline->worker[i];
        if (!lane->started) continue;
        (void)pthread_join(lane->thread, NULL);
        if (lane->status == PS_END || first != PS_OK) continue;
        first = lane->status;
        if (error != NULL) *error = lane->error;
    }
    return first;
}

void ps_pipeline_stop(ps_pipeline *pipeline) {
    atomic_store(&pipeline->stopping, true);
    for (uint32_t i = 0; i < pipeline->lanes; i++) ps_wake_signal(&pipeline->worker[i].wake);
}

uint32_t ps_pipeline_lanes(const ps_pipeline *pipeline) {
    return pipeline->lanes;
}
const ps_roll_metrics *ps_pipeline_rolled(const ps_pipeline *pipeline) {
    const ps_sealer *sealer = pipeline->config.plan->seal.sealer;
    return sealer == NULL ? NULL : sealer->rolled(pipeline->sealer_shared);
}
const ps_lane_metrics *ps_pipeline_metrics(const ps_pipeline *pipeline, uint32_t lane) {
    return &pipeline->worker[lane].metrics;
}
const ps_partition_metrics *ps_pipeline_partition_metrics(const ps_pipeline *pipeline,
                                                          uint32_t partition) {
    return &pipeline->partition_metrics[partition];
}
const ps_partitions *ps_pipeline_partitions(const ps_pipeline *pipeline) {
    return &pipeline->partitions;
}

ps_health ps_pipeline_health(const ps_pipeline *pipeline, uint32_t lane) {
    return (ps_health)atomic_load_explicit(&pipeline->worker[lane].health, memory_order_relaxed);
}

int64_t ps_pipeline_remaining(const ps_pipeline *pipeline) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < pipeline->lanes; i++) {
        const int64_t left =
            atomic_load_explicit(&pipeline->worker[i].remaining, memory_order_relaxed);
        if (left < 0) return -1;
        sum += left;
    }
    return sum;
}

int64_t ps_pipeline_ready_ns(const ps_pipeline *pipeline) {
    return atomic_load(&pipeline->ready_ns);
}
