/* SPDX-License-Identifier: Apache-2.0
 * What a witness signs: the checkpoint, and when it has seen that it extends the one before.
 * Source: c2sp.org/tlog-cosignature, type 0x04.
 */
#ifndef PS_HOST_SEAL_COSIGNATURE_H
#define PS_HOST_SEAL_COSIGNATURE_H

#include "host/seal/key.h"

enum { PS_COSIGNATURE_BYTES = 8 + PS_SIGNATURE_BYTES };

/* u64 time, big-endian, and the signature. `text` is the checkpoint's, with its last newline. */
bool ps_cosignature_verify(const ps_verifier *verifier, ps_bytes text,
                           const uint8_t signature[PS_COSIGNATURE_BYTES], uint64_t *time_s);
ps_status ps_cosignature_sign(const ps_signer *signer, ps_bytes text, uint64_t time_s,
                              uint8_t signature[PS_COSIGNATURE_BYTES], ps_error *error) PS_MUST_USE;

#endif
