/* SPDX-License-Identifier: Apache-2.0
 * A pipeline file, read and checked: every part chosen, every option typed. Nothing here touches
 * the network.
 */
#ifndef PS_HOST_CLI_CONFIG_H
#define PS_HOST_CLI_CONFIG_H

#include "host/cli/yaml.h"
#include "host/flow/pipeline.h"
#include "ingest/codec.h"

typedef enum ps_client { PS_CLIENT_AUTO, PS_CLIENT_NATIVE, PS_CLIENT_LIBRDKAFKA } ps_client;

/* `runtime`; the options are in host/cli/tables.c. */
typedef struct ps_runtime {
    int64_t lanes; /* 0: auto */
    uint32_t backend, numa, client, state;
    int64_t batch_rows, batch_bytes, linger_ns, depth, memory_max, series_max; /* auto: resolved */
    const char *instance;
} ps_runtime;

/* What the file left open and memory_max has decided. */
typedef struct ps_sized {
    bool rows, series; /* batch_rows, series_max: fewer than usual */
    size_t usual;      /* memory_max for the usual series_max, 0: unknown */
} ps_sized;

typedef struct ps_top {
    const char *pipeline;
} ps_top;

typedef struct ps_listen {
    const char *listen; /* NULL: no metrics server */
} ps_listen;

/* A part as a pipeline file names it. */
typedef struct ps_chosen {
    const ps_about *about; /* NULL: absent; else the first member of the ps_source, ps_stage, … */
    void *config;
    const ps_node *node; /* its options, for messages */
    ps_spot place;       /* of its name */
    bool faulty;         /* its options are not all right: nothing more is asked of it */
} ps_chosen;

typedef struct ps_config {
    ps_pool *pool;       /* owns everything below */
    bool runtime_faulty; /* what does not fit may be its fault */
    bool has_decode;
    uint32_t unsure_from; /* from this stage on a name may be missing for a fault before it */
    bool planned;         /* stages could be, and there are a source and a sink */
    ps_faults faults;
    ps_node *root;
    ps_top top;
    ps_chosen source, codec, sink;
    ps_chosen stage[PS_STAGES_MAX];
    uint32_t stage_count;
    ps_decode_config *decode; /* the codec's; NULL: raw bytes */
    ps_dead_config dead;
    bool has_dead;
    ps_runtime runtime;
    ps_sized sized;
    ps_listen metrics;
} ps_config;

/* Reads FILE ("-": stdin), or `text` under that name where it is not NULL; applies `--set` texts,
 * then ${ENV}, then checks everything. Faults are in config->faults; false where there is one. A
 * file that cannot be read is a fault too. Owns: deinit in either case. */
bool ps_config_init(ps_config *config, const char *file, const char *text,
                    const ps_string_list *sets);
void ps_config_deinit(ps_config *config);

/* The chosen parts with their types. */
const ps_source *ps_config_source(const ps_config *config);
const ps_codec *ps_config_codec(const ps_config *config); /* NULL: none */
const ps_sink *ps_config_sink(const ps_config *config);
const ps_stage *ps_config_stage(const ps_config *config, uint32_t i);

/* What the sink promises, and why, one sentence. */
const char *ps_config_delivery(const ps_config *config, const char **why);

/* The plan of a faultless configuration; a stage that cannot plan adds a fault at its place. Owns:
 * deinit, always. */
ps_status ps_config_plan(ps_config *config, ps_plan *plan, ps_error *error) PS_MUST_USE;

/* One sentence into `text` where the file left sizes open and memory_max has made them smaller than
 * usual: which, and what gives more. False: it has not. */
enum { PS_SIZED_TEXT_MAX = 512 };
bool ps_config_sized(const ps_config *config, char *text);

/* What runs, but for the back-end. Borrows both. */
void ps_config_pipeline(const ps_config *config, const ps_plan *plan, ps_pipeline_config *out);

/* Adds a fault and answers false where the memory ceiling, which needs no network to be known,
 * passes runtime.memory_max. Not part of ps_config_init: who explains a plan shows it all the
 * same. */
bool ps_config_check_memory(ps_config *config);

/* Reads the warm states that stages begin from as a run would: all of them, whole. */
bool ps_config_check_warm(ps_config *config);

#endif
