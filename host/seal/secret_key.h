/* SPDX-License-Identifier: Apache-2.0
 * The secret key that a worker signs with, from the file that `penstock seal keygen` has written.
 */
#ifndef PS_HOST_SEAL_SECRET_KEY_H
#define PS_HOST_SEAL_SECRET_KEY_H

#include "host/seal/key.h"

/* Fails: PS_BAD_CONFIG: there is no such file, others may read it, it holds no secret key. */
ps_status ps_secret_key_read(const char *path, ps_signer *out, ps_error *error) PS_MUST_USE;

#endif
