/* SPDX-License-Identifier: Apache-2.0 */
#include "host/cli/tables.h"

#include "host/base/limits.h"

#define KIB    1024.0
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)
#define TIB    (1024 * GIB)
#define SECOND 1e9

const ps_option ps_top_options[] = {
    {"pipeline", NULL,
     "Name of the pipeline (letters, digits, `.`, `_`, `-`): the consumer group, transactional ids "
     "and state topic derive "
     "from it.", PS_OPTION_STRING, PS_OPTION_REQUIRED, offsetof(ps_top, pipeline), 0, 0, NULL},
    {0}
};

const ps_option ps_decode_options[] = {
    {"series", "$key",
     "What tells series apart: a declared field, which is then required, or `$key`, the record's "
     "key.", PS_OPTION_STRING, 0, offsetof(ps_decode, series), 0, 0, NULL},
    {"on_error",   "reject",
     "What a record that does not decode does: `reject` sends it to `dead_letter`, `fail` stops "
     "the worker.", PS_OPTION_CHOICE, 0, offsetof(ps_decode, on_error), 0, 0, "reject|fail"},
    {0      }
};

const ps_option ps_long_field_options[] = {
    {"type",                         NULL, "Type of the field's values.", PS_OPTION_CHOICE, PS_OPTION_REQUIRED,
     offsetof(ps_long_field, type), 0, 0, "string|float|int|bool|timestamp"},
    {"path", NULL,
     "Where the field lies in the record, members separated by dots; the field's name unless "
     "given.", PS_OPTION_STRING, 0, offsetof(ps_long_field, path), 0, 0, NULL},
    {"required",            "false", "Whether a record without it, or with null, is rejected.", PS_OPTION_BOOL,
     0, offsetof(ps_long_field, required), 0, 0, NULL},
    {"from_string",                         "false", "Whether a number inside a string is accepted too.", PS_OPTION_BOOL, 0,
     offsetof(ps_long_field, from_string), 0, 0, NULL},
    {"unit",                             "ms", "What a numeric timestamp counts since 1970.", PS_OPTION_CHOICE, 0,
     offsetof(ps_long_field, unit), 0, 0, "ms|s|us|ns"},
    {0                             }
};

const ps_option ps_runtime_options[] = {
    {"lanes",                                                                              "auto",
     "Threads that carry batches; `auto` is one per core, fewer where `memory_max` asks.", PS_OPTION_INTEGER, PS_OPTION_AUTO, offsetof(ps_runtime, lanes), 1, PS_LANES_MAX, NULL},
    {"backend", "auto",
     "Where kernels run; `auto` takes the fastest that this build and machine have.", PS_OPTION_CHOICE, 0, offsetof(ps_runtime, backend), 0, 0, "auto|cpu"},
    {"batch_rows",                                                                      "32768", "Rows of a batch at most.", PS_OPTION_INTEGER, 0,
     offsetof(ps_runtime, batch_rows), 64, 1048576, NULL},
    {"batch_bytes",                                                                              "8MiB",
     "Bytes of keys, values and headers in a batch at most; a record that is larger is rejected as "
     "`too_large`.", PS_OPTION_SIZE, 0, offsetof(ps_runtime, batch_bytes), 64 * KIB, GIB, NULL},
    {"linger",                                                                        "5ms", "How long a batch that is not full waits for more rows.", PS_OPTION_DURATION,
     0, offsetof(ps_runtime, linger_ns), 0, 60 * SECOND, NULL},
    {"depth",                                                                                    "4", "Batches that a lane has in flight at most.", PS_OPTION_INTEGER, 0,
     offsetof(ps_runtime, depth), 2, PS_DEPTH_MAX, NULL},
    {"memory_max",                                                                              "512MiB",
     "Ceiling of the worker's memory; a configuration whose worst case is above it does not start.", PS_OPTION_SIZE, 0, offsetof(ps_runtime, memory_max), 32 * MIB, 64 * TIB, NULL},
    {"numa",                                                                    "auto", "Whether lanes take their memory from the NUMA node they run on.",
     PS_OPTION_CHOICE, 0, offsetof(ps_runtime, numa), 0, 0, "auto|off"},
    {"instance",                                                                 NULL,
     "Name of this worker's host in transactional and membership ids; the host name unless given.", PS_OPTION_STRING, 0, offsetof(ps_runtime, instance), 0, 0, NULL},
    {"series_max",                                                                                   "1000000",
     "Series whose state a lane keeps at most; beyond it the one idle for longest is evicted, and "
     "counted.", PS_OPTION_INTEGER, 0, offsetof(ps_runtime, series_max), 1, 1e9, NULL},
    {"client",                                                                          "auto", "Kafka client: `librdkafka`, or `auto`, the best that this build has.",
     PS_OPTION_CHOICE, 0, offsetof(ps_runtime, client), 0, 0, "auto|native|librdkafka"},
    {0                                                                        }
};

const ps_option ps_dead_options[] = {
    {"topic",                                                                          NULL, "Kafka topic that takes rejected records, in the transaction of the good ones.",
     PS_OPTION_STRING, 0, offsetof(ps_dead_config, topic), 0, 0, NULL},
    {"file", NULL, "File that takes rejected records, one JSON object a line.", PS_OPTION_STRING, 0,
     offsetof(ps_dead_config, file), 0, 0, NULL},
    {0                                                                              }
};

const ps_option ps_metrics_options[] = {
    {"listen",                            NULL,
     "Address and port of the HTTP server for /metrics, /health and /ready, such as "
     "`127.0.0.1:9464`; a bare port means "
     "loopback. No server unless given.", PS_OPTION_STRING, 0, offsetof(ps_listen, listen), 0, 0, NULL},
    {0}
};
