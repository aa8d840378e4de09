/* SPDX-License-Identifier: Apache-2.0
 * seal: the columns and outputs that a log of every record takes; what seals is host/seal/sealer.c.
 */
#include "host/seal/stage_seal.h"

#include <stdio.h>
#include <string.h>

#include "host/base/directory.h"
#include "host/seal/key.h"

enum { ORIGIN_BYTES = 128 };

static const ps_option options[] = {
    {.name = "origin",
     .help = "What the logs are called: the log of a partition is ORIGIN/CLUSTER ID/TOPIC/TOPIC "
             "ID/PARTITION, for good.",
     .type = PS_OPTION_STRING,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_seal_config, origin)},
    {.name = "dir",
     .help = "Where the logs are shown as files, for `penstock seal verify` and any web server: "
             "DIR/TOPIC/PARTITION. It is made where it is missing, and made again from the topic "
             "PIPELINE.seal.",
     .type = PS_OPTION_STRING,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_seal_config, dir)},
    {.name = "checkpoint_interval",
     .preset = "1s",
     .help = "How often a log that grows is signed, at most; what is committed is signed no later "
             "than that, and at the end of the run.",
     .type = PS_OPTION_DURATION,
     .at = offsetof(ps_seal_config, interval_ns),
     .min = 1e7,
     .max = 3600e9},
    {.name = "key",
     .help = "File with the secret key, as `penstock seal keygen` writes it: nobody else may read "
             "it. It signs all logs, under a name of each.",
     .type = PS_OPTION_STRING,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_seal_config, key)},
    {.name = "rollup",
     .help = "Directory of a log of all these logs' checkpoints, apart from `dir`: one origin, the "
             "key's name and /rollup, for witnesses. One worker writes there. Not set: there is "
             "none.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_config, rollup)},
    {.name = "policy",
     .help = "File that names the witnesses of the roll-up and how many of them must have "
             "cosigned what is published (c2sp.org/tlog-policy). Not set: nobody is asked.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_seal_config, policy)},
    {.name = "logs_max",
     .preset = "64",
     .help = "Partitions that a lane has memory for, 100 KiB each: no fewer than the source has.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_seal_config, logs_max),
     .min = 1,
     .max = PS_PARTITIONS_MAX},
    {.name = NULL}};

static ps_status check_origin(const char *origin, ps_error *error) {
    const size_t length = strlen(origin);
    bool good = length > 0 && length <= ORIGIN_BYTES && origin[length - 1] != '/' &&
                ps_key_name_is_good(origin, length);
    for (size_t i = 0; i < length; i++)
        good = good && origin[i] > ' ' && origin[i] != '"' && origin[i] != '\\';
    if (good) return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG,
                   "origin: '%.150s' cannot name a log: 1 to %d printable characters of ASCII "
                   "without '+', '\"', '\\' and blanks, such as example.org/audit",
                   origin, ORIGIN_BYTES);
}

/* Each would be taken for a log of the other. */
static ps_status check_rollup(const ps_seal_config *config, ps_error *error) {
    if (config->rollup == NULL && config->policy != NULL)
        return ps_fail(error, PS_BAD_CONFIG,
                       "policy: witnesses cosign a roll-up: say with rollup where it is");
    if (config->rollup == NULL) return PS_OK;
    if (config->rollup[0] == '\0' || (config->policy != NULL && config->policy[0] == '\0'))
        return ps_fail(error, PS_BAD_CONFIG, "%s: must not be empty",
                       config->rollup[0] == '\0' ? "rollup" : "policy");
    if (!ps_directory_is_below(config->rollup, config->dir) &&
        !ps_directory_is_below(config->dir, config->rollup))
        return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG,
                   "rollup: %s and dir, %s, lie one in the other: give the roll-up a directory "
                   "beside dir",
                   config->rollup, config->dir);
}

static ps_status add_output(ps_plan *plan, const char *name, ps_output_kind kind, uint32_t column,
                            ps_error *error) {
    ps_output output = {
        .kind = kind, .bare = true, .column = column, .of = PS_NOWHERE, .gate = PS_NOWHERE};
    (void)snprintf(output.name, sizeof output.name, "%s", name);
    return ps_plan_output(plan, &output, error);
}

static ps_status plan_seal(const void *from, ps_plan *plan, ps_error *error) {
    const ps_seal_config *config = from;
    ps_seal_plan *seal = &plan->seal;
    if (seal->sealer != NULL)
        return ps_fail(error, PS_BAD_CONFIG, "a pipeline seals its source once");
    PS_TRY(check_origin(config->origin, error));
    if (config->dir[0] == '\0' || config->key[0] == '\0')
        return ps_fail(error, PS_BAD_CONFIG, "%s: must not be empty",
                       config->dir[0] == '\0' ? "dir" : "key");
    PS_TRY(check_rollup(config, error));
    PS_TRY(ps_plan_sha256(plan, PS_COLUMN_KEY, "$seal-key", &seal->key, error));
    PS_TRY(ps_plan_sha256(plan, PS_COLUMN_VALUE, "$seal-value", &seal->value, error));
    PS_TRY(ps_plan_add(plan, "$tlog-index", PS_TYPE_U64, PS_PER_ROW, 0, &seal->index, error));
    PS_TRY(ps_plan_add(plan, "$tlog-leaf", PS_TYPE_DIGEST, PS_PER_ROW, 0, &seal->leaf, error));
    PS_TRY(add_output(plan, "tlog-origin", PS_OUTPUT_ORIGIN, seal->index, error));
    PS_TRY(add_output(plan, "tlog-index", PS_OUTPUT_INDEX, seal->index, error));
    PS_TRY(add_output(plan, "tlog-leaf", PS_OUTPUT_HEX, seal->leaf, error));
    seal->sealer = &ps_sealer_logs;
    seal->config = config;
    seal->origin = config->origin;
    return PS_OK;
}

const ps_stage ps_stage_seal = {
    .about = {.name = "seal",
              .summary = "Puts every record of the source into a signed, append-only log of its "
                         "partition.",
              .options = options,
              .config_bytes = sizeof(ps_seal_config)},
    .plan = plan_seal};
