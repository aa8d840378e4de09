/* SPDX-License-Identifier: Apache-2.0
 * Where a log stands, as one record in the topic of its tiles: written last in every transaction
 * that moves it, and with that transaction's offsets there or not there.
 *
 *   "PSlg" | u16 format 1 | i64 watermark | i64 highest offset sealed, or -1 | u64 size |
 *   u64 size and hash[32] root of the tree signed last | u16 length, origin |
 *   hash[32] of each subtree that the size is a sum of, the smallest first      all big-endian
 */
#ifndef PS_HOST_SEAL_LOG_RECORD_H
#define PS_HOST_SEAL_LOG_RECORD_H

#include "host/flow/sealer.h"
#include "host/seal/proof.h"

enum {
    PS_LOG_RECORD_MAX =
        4 + 2 + 4 * 8 + PS_NODE_BYTES + 2 + PS_ORIGIN_MAX + PS_MERKLE_LEVELS * PS_NODE_BYTES
};

typedef struct ps_log_record {
    int64_t watermark, last; /* of the source's partition */
    ps_tree signed_tree;     /* size 0: none was */
    const char *origin;      /* from parse: not ended by a NUL */
    uint32_t origin_length;
    ps_frontier frontier;
} ps_log_record;

/* Returns how many bytes. */
size_t ps_log_record_write(const ps_log_record *record, uint8_t to[PS_LOG_RECORD_MAX]);

/* `origin` is part of the bytes. Fails: PS_TAMPERED: it is none; PS_UNSUPPORTED: of a newer
 * penstock. */
ps_status ps_log_record_parse(ps_bytes bytes, ps_log_record *out, ps_error *error) PS_MUST_USE;

#endif
