/* SPDX-License-Identifier: Apache-2.0
 * hash: a digest or checksum of the value, the key or a text field, as one more output.
 */
#include <stdio.h>
#include <string.h>

#include "host/stages/stages.h"
#include "kernels/blake3.h"
#include "kernels/crc32c.h"
#include "kernels/fnv1a.h"
#include "kernels/murmur2.h"
#include "kernels/sha256.h"
#include "kernels/xxh3.h"

/* The order of `choices` below. */
typedef enum ps_hash_algorithm {
    PS_HASH_SHA256,
    PS_HASH_BLAKE3,
    PS_HASH_XXH3,
    PS_HASH_CRC32C,
    PS_HASH_MURMUR2,
    PS_HASH_FNV1A,
    PS_HASH_COUNT
} ps_hash_algorithm;

static const ps_option options[] = {
    {.name = "algorithm",
     .preset = "sha256",
     .help =
         "What is computed: a SHA-256 or BLAKE3 digest (64 digits), the 64-bit XXH3 (seed 0) or "
         "FNV-1a (16), the CRC-32C or the murmur2 of Kafka's partitioner (8); written in hex, "
         "most significant digit first.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_hash_config, algorithm),
     .choices = "sha256|blake3|xxh3|crc32c|murmur2|fnv1a"},
    {.name = "of",
     .preset = "value",
     .help = "Which bytes: value, key, or a declared field that is a string; null has no hash.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_hash_config, of)},
    {.name = "as",
     .help = "What the output is called; the algorithm's name unless given.",
     .type = PS_OPTION_STRING,
     .at = offsetof(ps_hash_config, as)},
    {.name = NULL}};

static const struct {
    const char *name;
    ps_kernel_id kernel;
    ps_type type;
    union {
        ps_sha256_params sha256;
        ps_blake3_params blake3;
        ps_xxh3_params xxh3;
        ps_crc32c_params crc32c;
        ps_murmur2_params murmur2;
        ps_fnv1a_params fnv1a;
    } params;
    size_t params_bytes;
} algorithms[PS_HASH_COUNT] = {
    [PS_HASH_SHA256] = {.name = "sha256",
                        .kernel = PS_KERNEL_SHA256,
                        .type = PS_TYPE_DIGEST,
                        .params.sha256.prefix = PS_SHA256_PLAIN,
                        .params_bytes = sizeof(ps_sha256_params)},
    [PS_HASH_BLAKE3] = {.name = "blake3",
                        .kernel = PS_KERNEL_BLAKE3,
                        .type = PS_TYPE_DIGEST,
                        .params_bytes = sizeof(ps_blake3_params)},
    [PS_HASH_XXH3] = {.name = "xxh3",
                      .kernel = PS_KERNEL_XXH3,
                      .type = PS_TYPE_U64,
                      .params_bytes = sizeof(ps_xxh3_params)},
    [PS_HASH_CRC32C] = {.name = "crc32c",
                        .kernel = PS_KERNEL_CRC32C,
                        .type = PS_TYPE_U32,
                        .params_bytes = sizeof(ps_crc32c_params)},
    [PS_HASH_MURMUR2] = {.name = "murmur2",
                         .kernel = PS_KERNEL_MURMUR2,
                         .type = PS_TYPE_U32,
                         .params_bytes = sizeof(ps_murmur2_params)},
    [PS_HASH_FNV1A] = {.name = "fnv1a",
                       .kernel = PS_KERNEL_FNV1A,
                       .type = PS_TYPE_U64,
                       .params_bytes = sizeof(ps_fnv1a_params)},
};

static ps_status plan_hash(const void *config, ps_plan *plan, ps_error *error) {
    const ps_hash_config *hash = config;
    PS_CHECK_OP(hash->algorithm, <, (uint32_t)PS_HASH_COUNT);
    const char *of = hash->of;
    uint32_t source, column;
    /* The record's own, even where a declared field has that name. */
    if (strcmp(of, "value") == 0)
        source = PS_COLUMN_VALUE;
    else if (strcmp(of, "key") == 0)
        source = PS_COLUMN_KEY;
    else
        PS_TRY(ps_plan_read(plan, of, &source, error));
    if (plan->schema.column[source].type != PS_TYPE_TEXT || source == PS_COLUMN_HEADERS)
        return ps_fail(error, PS_BAD_CONFIG,
                       "of: '%s' is not a string: hash takes value, key or a string field", of);
    ps_output output = {
        .kind = PS_OUTPUT_HEX, .of = source, .gate = PS_NOWHERE, .labels = NULL, .label_count = 0};
    const char *name = hash->as != NULL ? hash->as : algorithms[hash->algorithm].name;
    PS_TRY(
        ps_plan_add(plan, name, algorithms[hash->algorithm].type, PS_PER_ROW, 0, &column, error));
    (void)snprintf(output.name, sizeof output.name, "%s", name);
    output.column = column;
    const ps_operand operands[] = {ps_operand_arena(), ps_operand_values(source),
                                   ps_operand_lengths(source), ps_operand_values(column)};
    PS_TRY(ps_plan_call(plan, algorithms[hash->algorithm].kernel, PS_PER_ROW, operands,
                        &algorithms[hash->algorithm].params,
                        algorithms[hash->algorithm].params_bytes, error));
    return ps_plan_output(plan, &output, error);
}

const ps_stage ps_stage_hash = {
    .about = {.name = "hash",
              .summary = "Adds a hash of the value, the key or a field to every event.",
              .options = options,
              .config_bytes = sizeof(ps_hash_config)},
    .plan = plan_hash};
