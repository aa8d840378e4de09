/* SPDX-License-Identifier: Apache-2.0
 * Counts and drops: what is left of a pipeline's cost is penstock itself. Rejects still go to the
 * dead letters where a file is named for them.
 */
#include <stdlib.h>

#include "ingest/dead_file.h"
#include "ingest/parts.h"

static const ps_option options[] = {{.name = NULL}};

typedef struct discard {
    const ps_lane_env *env;
    ps_dead_file *dead; /* NULL: none */
    uint64_t emitted;
    bool dead_pending; /* letters since the last sync */
} discard;

static void discard_close(void *self) {
    discard *sink = self;
    if (sink == NULL) return;
    ps_dead_file_close(sink->dead);
    free(sink);
}

static ps_status discard_open(const void *config, const ps_lane_env *env, void **self,
                              ps_error *error) {
    (void)config;
    if (env->dead != NULL && env->dead->topic != NULL)
        return ps_fail(error, PS_BAD_CONFIG,
                       "dead_letter.topic needs a Kafka sink; with `discard` write dead_letter: "
                       "{file: dead.ndjson}");
    discard *sink = calloc(1, sizeof *sink);
    if (sink == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for the discard sink");
    sink->env = env;
    if (env->dead != NULL && env->dead->file != NULL) {
        const ps_status status =
            ps_dead_file_open(env->dead->file, env->partitions, &sink->dead, error);
        if (status != PS_OK) {
            discard_close(sink);
            return status;
        }
    }
    *self = sink;
    return PS_OK;
}

static ps_status discard_emit(void *self, const ps_batch *batch, uint64_t ticket, ps_error *error) {
    discard *sink = self;
    const uint8_t *reject = ps_batch_system(batch, PS_COLUMN_REJECT);
    const uint8_t *keep = ps_batch_system(batch, PS_COLUMN_KEEP);
    const bool filters = sink->env->plan->filters;
    uint32_t out = 0, rejected = 0;
    for (uint32_t i = 0; i < batch->run_count; i++) {
        const ps_run *run = &batch->runs[i];
        for (uint32_t row = run->first_row; row < run->first_row + run->rows; row++) {
            out += reject[row] == 0 && (!filters || keep[row] != 0);
            if (__builtin_expect(reject[row] == 0, 1)) continue;
            rejected++;
            if (sink->dead == NULL) continue;
            PS_TRY(ps_dead_file_put(sink->dead, batch, row, run->partition, error));
            sink->dead_pending = true;
        }
    }
    ps_count(&sink->env->metrics->sink_rows, out);
    ps_count(&sink->env->metrics->sink_dead, rejected);
    sink->emitted = ticket;
    return PS_OK;
}

static ps_status discard_flush(void *self, ps_error *error) {
    (void)self;
    (void)error;
    return PS_OK;
}

static ps_status discard_flushed(void *self, uint64_t *ticket, int64_t *ask_again_ns,
                                 ps_error *error) {
    discard *sink = self;
    (void)ask_again_ns;
    if (sink->dead_pending) PS_TRY(ps_dead_file_sync(sink->dead, error));
    sink->dead_pending = false;
    if (sink->emitted > *ticket) *ticket = sink->emitted;
    return PS_OK;
}

static size_t discard_memory(const void *config, const ps_lane_env *env) {
    (void)config;
    return sizeof(discard) + ps_dead_file_bytes(env);
}

static const char *discard_delivery(const void *config, const ps_source *source, const char **why) {
    (void)config;
    (void)source;
    *why = "rows are counted and dropped";
    return "none";
}

const ps_sink ps_sink_discard = {
    .about = {.name = "discard",
              .summary = "Counts rows and drops them: measures penstock itself.",
              .options = options,
              .config_bytes = sizeof(ps_sink_discard_config)},
    .commits = false,
    .open = discard_open,
    .emit = discard_emit,
    .flush = discard_flush,
    .flushed = discard_flushed,
    .close = discard_close,
    .memory = discard_memory,
    .delivery = discard_delivery};
