/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/tables.h"

#include "host/base/limits.h"

#define KIB    1024.0
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)
#define TIB    (1024 * GIB)
#define SECOND 1e9

const ps_option ps_top_options[] = {
    {.name = "pipeline",
     .help = "Name of the pipeline (letters, digits, `.`, `_`, `-`): the consumer group, "
             "transactional ids and state topic derive from it.",
     .type = PS_OPTION_STRING,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_top, pipeline)},
    {.name = NULL}};

const ps_option ps_long_field_options[] = {
    {.name = "type",
     .help = "Type of the field's values.",
     .type = PS_OPTION_CHOICE,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_long_field, type),
     .choices = "string|float|int|bool|timestamp"},
    {.name = "path",
     .help = "Where the field lies in the record, members separated by dots; the field's name "
             "unless given.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_long_field, path)},
    {.name = "required",
     .preset = "false",
     .help = "Whether a record without it, or with null, is rejected.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(ps_long_field, required)},
    {.name = "from_string",
     .preset = "false",
     .help = "Whether a number inside a string is accepted too.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(ps_long_field, from_string)},
    {.name = "unit",
     .preset = "ms",
     .help = "What a numeric timestamp counts since 1970.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_long_field, unit),
     .choices = "ms|s|us|ns"},
    {.name = NULL}};

const ps_option ps_runtime_options[] = {
    {.name = "lanes",
     .preset = "auto",
     .help = "Threads that carry batches; `auto` is one per core, fewer where `memory_max` asks.",
     .type = PS_OPTION_INTEGER,
     .flags = PS_OPTION_AUTO,
     .at = offsetof(ps_runtime, lanes),
     .min = 1,
     .max = PS_LANES_MAX},
    {.name = "backend",
     .preset = "auto",
     .help = "Where kernels run; `auto` takes the fastest that this build and machine have.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_runtime, backend),
     .choices = "auto|cpu|opencl|cuda"},
    {.name = "batch_rows",
     .preset = "auto",
     .help = "Rows of a batch at most; `auto` is 32768, fewer where `memory_max` asks.",
     .type = PS_OPTION_INTEGER,
     .flags = PS_OPTION_AUTO,
     .at = offsetof(ps_runtime, batch_rows),
     .min = 64,
     .max = 1048576},
    {.name = "batch_bytes",
     .preset = "4MiB",
     .help = "Bytes of keys, values and headers in a batch at most; a record that is larger is "
             "rejected as `too_large`.",
     .type = PS_OPTION_SIZE,
     .at = offsetof(ps_runtime, batch_bytes),
     .min = 64 * KIB,
     .max = GIB},
    {.name = "linger",
     .preset = "5ms",
     .help =
         "How long a batch that is not full waits for more rows. Exactly once into Kafka, a few "
         "rows of a transaction wait for its commit instead, which nobody sees them before. "
         "Below 5ms, records that are written at least once wait a quarter of it again, else "
         "up to 20 ms.",
     .type = PS_OPTION_DURATION,
     .at = offsetof(ps_runtime, linger_ns),
     .max = 60 * SECOND},
    {.name = "depth",
     .preset = "4",
     .help = "Batches that a lane has in flight at most.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_runtime, depth),
     .min = 2,
     .max = PS_DEPTH_MAX},
    {.name = "memory_max",
     .preset = "512MiB",
     .help = "Ceiling of the worker's memory; a configuration whose worst case is above it does "
             "not start. A device's driver comes on top: `explain` prints the sum.",
     .type = PS_OPTION_SIZE,
     .at = offsetof(ps_runtime, memory_max),
     .min = 32 * MIB,
     .max = 64 * TIB},
    {.name = "numa",
     .preset = "auto",
     .help = "Whether lanes keep to a NUMA node, or to a core each where they are as many as the "
             "cores, and take their memory from there; off: nothing is bound.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_runtime, numa),
     .choices = "auto|off"},
    {.name = "instance",
     .help = "Name of this worker's host in transactional and membership ids; the host name unless "
             "given.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_runtime, instance)},
    {.name = "series_max",
     .preset = "auto",
     .help = "Series whose state a lane keeps at most; beyond it the one idle for longest is "
             "evicted, and counted. `auto` is 1000000, or as many as `memory_max` has room for in "
             "`lanes` lanes, in one where these are auto: `explain` and the start say how many.",
     .type = PS_OPTION_INTEGER,
     .flags = PS_OPTION_AUTO,
     .at = offsetof(ps_runtime, series_max),
     .min = 1,
     .max = 1e9},
    {.name = "state",
     .preset = "auto",
     .help = "How series' state is kept. delta: each commit writes what it touched, and a restart "
             "reads that. replay: a commit writes a slice of the table, and a restart reads the "
             "source's records since then again, so they must still be there (retention) and none "
             "may be missing (cleanup.policy delete). auto: replay from 1 KiB a series on. "
             "`penstock explain` says which, and how much a restart reads at most.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_runtime, state),
     .choices = "auto|delta|replay"},
    {.name = "client",
     .preset = "auto",
     .help =
         "Kafka client that moves the records: `native`, penstock's own, `librdkafka`, or "
         "`auto`, which takes native unless `properties` ask for what only librdkafka can do, or a "
         "cluster has more brokers than memory_max has room for; "
         "`penstock explain` says which it is, and why.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_runtime, client),
     .choices = "auto|native|librdkafka"},
    {.name = NULL}};

const ps_option ps_dead_options[] = {
    {.name = "topic",
     .help = "Kafka topic that takes rejected records, in the transaction of the good ones.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_dead_config, topic)},
    {.name = "file",
     .help = "File that takes rejected records, one JSON object a line.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_dead_config, file)},
    {.name = NULL}};

const ps_option ps_metrics_options[] = {
    {.name = "listen",
     .help = "Address and port of the HTTP server for /metrics, /health and /ready, such as "
             "`127.0.0.1:9464`; a bare port means loopback. No server unless given.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_listen, listen)},
    {.name = NULL}};
