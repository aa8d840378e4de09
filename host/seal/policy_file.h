/* SPDX-License-Identifier: Apache-2.0
 * A policy from a file.
 */
#ifndef PS_HOST_SEAL_POLICY_FILE_H
#define PS_HOST_SEAL_POLICY_FILE_H

#include "host/seal/policy.h"

/* The caller frees it; it has its text with it. Fails: PS_BAD_CONFIG, naming the file. */
ps_status ps_seal_policy_load(const char *path, ps_seal_policy **out, ps_error *error) PS_MUST_USE;

#endif
