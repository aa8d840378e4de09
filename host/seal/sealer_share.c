/* SPDX-License-Identifier: Apache-2.0
 * What all lanes of a worker seal into together: the roll-up log, where the stage asks for one.
 */
#include <stdio.h>
#include <stdlib.h>

#include "host/base/log.h"
#include "host/seal/policy_file.h"
#include "host/seal/sealer_parts.h"
#include "host/seal/secret_key.h"

enum { TIMEOUT_MS = 5000 /* of one question to a witness; a stop may have to wait for it */ };

typedef struct shared {
    ps_signer signer;
    ps_seal_policy *policy;
    ps_roller *roller;
} shared;

static ps_status make_signer(const char *path, ps_signer *out, ps_error *error) {
    ps_signer secret;
    PS_TRY(ps_secret_key_read(path, &secret, error));
    const ps_status status = ps_rollup_signer(&secret, out, error);
    ps_signer_deinit(&secret);
    return status;
}

static ps_status open_roller(const ps_seal_config *config, shared *all, ps_error *error) {
    PS_TRY(make_signer(config->key, &all->signer, error));
    if (config->policy != NULL) PS_TRY(ps_seal_policy_load(config->policy, &all->policy, error));
    const ps_roller_options options = {
        .rollup = {config->rollup, &all->signer, all->policy, TIMEOUT_MS},
        .interval_ns = config->interval_ns,
        .partitions = (uint32_t)config->logs_max};
    const ps_status status = ps_roller_open(&options, &all->roller, error);
    if (status == PS_FENCED)
        return ps_fail(error, status,
                       "rollup: %s: another worker, or `penstock seal rollup`, writes there. One "
                       "worker rolls up: leave `rollup` out of the others' files, and roll up what "
                       "they all seal with `penstock seal rollup`",
                       config->rollup);
    return status == PS_OK ? status : ps_fail_in(error, status, "rollup");
}

void ps_sealer_unshare(void *self) {
    shared *all = self;
    if (all == NULL) return;
    ps_roller_close(all->roller);
    ps_signer_deinit(&all->signer);
    free(all->policy);
    free(all);
}

ps_status ps_sealer_share(const ps_plan *plan, void **out, ps_error *error) {
    const ps_seal_config *config = plan->seal.config;
    *out = NULL;
    if (config->rollup == NULL) return PS_OK;
    shared *all = calloc(1, sizeof *all);
    if (all == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a roll-up");
    const ps_status status = open_roller(config, all, error);
    if (status != PS_OK) {
        ps_sealer_unshare(all);
        return ps_fail_in(error, status, "seal");
    }
    ps_log(PS_LOG_INFO, "seal", "rolls up into %s: origin %s, %s%s", config->rollup,
           all->signer.verifier.name, config->policy == NULL ? "no witnesses" : "witnesses of ",
           config->policy == NULL ? "" : config->policy);
    *out = all;
    return PS_OK;
}

size_t ps_sealer_shared_memory(const ps_plan *plan) {
    const ps_seal_config *config = plan->seal.config;
    if (config->rollup == NULL) return 0;
    return ps_roller_bytes((uint32_t)config->logs_max, config->policy != NULL);
}

const ps_roll_metrics *ps_sealer_rolled(const void *self) {
    const ps_roller *roller = ps_sealer_roller(self);
    return roller == NULL ? NULL : ps_roller_metrics(roller);
}

ps_roller *ps_sealer_roller(const void *self) {
    const shared *all = self;
    return all == NULL ? NULL : all->roller;
}
