/* SPDX-License-Identifier: Apache-2.0
 * seal: every record of the source in a transparency log of its partition.
 */
#ifndef PS_HOST_SEAL_STAGE_SEAL_H
#define PS_HOST_SEAL_STAGE_SEAL_H

#include "host/flow/parts.h"
#include "host/seal/proof.h"

/* A checkpoint that was just signed and put into its folder. Borrowed for the call. */
typedef struct ps_published {
    uint32_t partition; /* of the source */
    const char *origin;
    ps_tree tree;
    ps_bytes note; /* signed */
} ps_published;

typedef struct ps_seal_config {
    const char *origin, *dir, *key;
    const char *rollup, *policy; /* NULL: none */
    int64_t interval_ns, logs_max;
} ps_seal_config;

extern const ps_stage ps_stage_seal;
extern const ps_sealer ps_sealer_logs;

#endif
