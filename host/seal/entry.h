/* SPDX-License-Identifier: Apache-2.0
 * What the log says about one record of a topic: 118 bytes that anybody who consumes the record can
 * make again, and nothing that only the broker knows (no CRC, no compression, no producer). With
 * RFC 6962's prefix they are two SHA-256 blocks.
 *
 *   u8 version 1 | u8 flags | u32 partition | u64 offset | i64 timestamp, ms |
 *   key hash[32] | headers hash[32] | value hash[32]                           all big-endian
 *
 * Shapes: key and value hash: SHA-256 of the bytes; of null 32 zero bytes and a flag, since null is
 * not empty. Headers: SHA-256 of u32 count, then for each in wire order, duplicates kept, u32
 * length, name, u32 length (ffffffff: null), value.
 */
#ifndef PS_HOST_SEAL_ENTRY_H
#define PS_HOST_SEAL_ENTRY_H

#include "host/base/bytes.h"
#include "host/seal/hash.h"

enum {
    PS_SEAL_ENTRY_BYTES = 118,
    PS_SEAL_VERSION = 1,
    PS_SEAL_KEY_NULL = 1,
    PS_SEAL_VALUE_NULL = 2,
    PS_SEAL_LOG_APPEND_TIME = 4,
    PS_SEAL_FLAGS = 7 /* all that there are */
};

typedef struct ps_seal_entry {
    uint8_t flags;
    uint32_t partition;
    uint64_t offset;
    int64_t timestamp_ms;
    ps_hash key, headers, value;
} ps_seal_entry;

void ps_seal_entry_encode(const ps_seal_entry *entry, uint8_t out[PS_SEAL_ENTRY_BYTES]);

/* False: no entry of this version: another length, unknown flags, a null with a hash. Whatever
 * decodes encodes to the same bytes. */
bool ps_seal_entry_decode(const uint8_t *bytes, size_t length, ps_seal_entry *out);

/* Fills in the hashes and the flags of nulls; partition, offset, time and PS_SEAL_LOG_APPEND_TIME
 * are the caller's. `headers` as host/batch/headers.h packs them.
 * Fails: false without memory for the headers. */
bool ps_seal_entry_digest(ps_seal_entry *entry, ps_bytes key, ps_bytes headers, ps_bytes value);

/* The headers as they are hashed: how many bytes, and the bytes. */
size_t ps_seal_headers_bytes(ps_bytes packed);
void ps_seal_headers_write(ps_bytes packed, uint8_t *out);

#endif
