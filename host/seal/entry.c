/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/entry.h"

#include <stdlib.h>

#include "host/batch/headers.h"
#include "host/seal/wide.h"

enum { AT_PARTITION = 2, AT_OFFSET = 6, AT_TIME = 14, AT_KEY = 22, AT_HEADERS = 54, AT_VALUE = 86 };
_Static_assert(AT_VALUE + PS_NODE_BYTES == PS_SEAL_ENTRY_BYTES, "the layout above");

void ps_seal_entry_encode(const ps_seal_entry *entry, uint8_t out[PS_SEAL_ENTRY_BYTES]) {
    out[0] = PS_SEAL_VERSION;
    out[1] = entry->flags;
    (void)ps_wide_put(out + AT_PARTITION, entry->partition, 4);
    (void)ps_wide_put(out + AT_OFFSET, entry->offset, 8);
    (void)ps_wide_put(out + AT_TIME, (uint64_t)entry->timestamp_ms, 8);
    memcpy(out + AT_KEY, &entry->key, PS_NODE_BYTES);
    memcpy(out + AT_HEADERS, &entry->headers, PS_NODE_BYTES);
    memcpy(out + AT_VALUE, &entry->value, PS_NODE_BYTES);
}

static bool is_zero(const ps_hash *hash) {
    static const ps_hash zero;
    return ps_hash_is(hash, &zero);
}

bool ps_seal_entry_decode(const uint8_t *bytes, size_t length, ps_seal_entry *out) {
    if (length != PS_SEAL_ENTRY_BYTES || bytes[0] != PS_SEAL_VERSION ||
        (bytes[1] & ~PS_SEAL_FLAGS) != 0)
        return false;
    out->flags = bytes[1];
    out->partition = (uint32_t)ps_wide_get(bytes + AT_PARTITION, 4);
    out->offset = ps_wide_get(bytes + AT_OFFSET, 8);
    out->timestamp_ms = (int64_t)ps_wide_get(bytes + AT_TIME, 8);
    memcpy(&out->key, bytes + AT_KEY, PS_NODE_BYTES);
    memcpy(&out->headers, bytes + AT_HEADERS, PS_NODE_BYTES);
    memcpy(&out->value, bytes + AT_VALUE, PS_NODE_BYTES);
    return ((out->flags & PS_SEAL_KEY_NULL) == 0 || is_zero(&out->key)) &&
           ((out->flags & PS_SEAL_VALUE_NULL) == 0 || is_zero(&out->value));
}

size_t ps_seal_headers_bytes(ps_bytes packed) {
    return 4 + (packed.length == PS_NULL_LENGTH ? 0 : packed.length);
}

void ps_seal_headers_write(ps_bytes packed, uint8_t *out) {
    ps_header header;
    uint32_t at = 0, count = 0;
    uint8_t *to = out + 4;
    for (; ps_headers_next(packed, &at, &header); count++) {
        to = ps_wide_put(to, header.name.length, 4);
        if (header.name.length > 0) memcpy(to, header.name.data, header.name.length);
        to = ps_wide_put(to + header.name.length, header.value.length, 4);
        if (header.value.length == PS_NULL_LENGTH || header.value.length == 0) continue;
        memcpy(to, header.value.data, header.value.length);
        to += header.value.length;
    }
    (void)ps_wide_put(out, count, 4);
}

/* The flag that says null, or none. */
static uint8_t digest(ps_bytes bytes, uint8_t null_flag, ps_hash *out) {
    if (bytes.length == PS_NULL_LENGTH) {
        *out = (ps_hash){{0}};
        return null_flag;
    }
    ps_hash_bytes(bytes.data, bytes.length, out);
    return 0;
}

bool ps_seal_entry_digest(ps_seal_entry *entry, ps_bytes key, ps_bytes headers, ps_bytes value) {
    const size_t length = ps_seal_headers_bytes(headers);
    uint8_t some[512], *const canonical = length <= sizeof some ? some : malloc(length);
    if (canonical == NULL) return false;
    ps_seal_headers_write(headers, canonical);
    ps_hash_bytes(canonical, length, &entry->headers);
    if (canonical != some) free(canonical);
    entry->flags &= PS_SEAL_LOG_APPEND_TIME;
    entry->flags |= digest(key, PS_SEAL_KEY_NULL, &entry->key);
    entry->flags |= digest(value, PS_SEAL_VALUE_NULL, &entry->value);
    return true;
}
