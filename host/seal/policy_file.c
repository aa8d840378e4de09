/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/policy_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ps_status read_text(const char *path, uint8_t *to, size_t *length, ps_error *error) {
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return ps_fail(error, PS_BAD_CONFIG, "policy: %s cannot be opened: %s", path,
                       strerror(errno));
    *length = fread(to, 1, PS_SEAL_POLICY_BYTES_MAX + 1, file);
    const bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed) return ps_fail(error, PS_BAD_CONFIG, "policy: %s cannot be read", path);
    if (*length <= PS_SEAL_POLICY_BYTES_MAX) return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG, "policy: %s is larger than a policy can be", path);
}

ps_status ps_seal_policy_load(const char *path, ps_seal_policy **out, ps_error *error) {
    size_t length = 0;
    ps_error why;
    ps_seal_policy *policy = malloc(sizeof *policy + PS_SEAL_POLICY_BYTES_MAX + 1);
    if (policy == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a policy");
    uint8_t *text = (uint8_t *)(policy + 1);
    ps_status status = read_text(path, text, &length, error);
    if (status == PS_OK &&
        ps_seal_policy_parse((ps_bytes){text, (uint32_t)length}, policy, &why) != PS_OK)
        status = ps_fail(error, PS_BAD_CONFIG, "policy: %s: %s", path, why.message);
    if (status == PS_OK)
        *out = policy;
    else
        free(policy);
    return status;
}
