/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/log_record.h"

#include "host/base/check.h"
#include "host/seal/wide.h"

static const char magic[4] = {'P', 'S', 'l', 'g'};

enum { FORMAT = 1, FIXED_BYTES = 4 + 2 + 4 * 8 + PS_NODE_BYTES + 2 };

size_t ps_log_record_write(const ps_log_record *record, uint8_t to[PS_LOG_RECORD_MAX]) {
    const ps_frontier *frontier = &record->frontier;
    PS_CHECK_OP(record->origin_length, <, (uint32_t)PS_ORIGIN_MAX);
    memcpy(to, magic, sizeof magic);
    uint8_t *at = ps_wide_put(to + sizeof magic, FORMAT, 2);
    at = ps_wide_put(at, (uint64_t)record->watermark, 8);
    at = ps_wide_put(at, (uint64_t)record->last, 8);
    at = ps_wide_put(at, frontier->size, 8);
    at = ps_wide_put(at, record->signed_tree.size, 8);
    memcpy(at, &record->signed_tree.root, PS_NODE_BYTES);
    at = ps_wide_put(at + PS_NODE_BYTES, record->origin_length, 2);
    memcpy(at, record->origin, record->origin_length);
    at += record->origin_length;
    for (uint64_t left = frontier->size; left != 0; left &= left - 1) {
        memcpy(at, frontier->node[__builtin_ctzll(left)], PS_NODE_BYTES);
        at += PS_NODE_BYTES;
    }
    return (size_t)(at - to);
}

ps_status ps_log_record_parse(ps_bytes bytes, ps_log_record *out, ps_error *error) {
    const uint8_t *at = bytes.data;
    if (bytes.length == PS_NULL_LENGTH || bytes.length < FIXED_BYTES ||
        memcmp(at, magic, sizeof magic) != 0)
        return ps_fail(error, PS_TAMPERED, "what says where the log stands is not penstock's");
    const uint64_t format = ps_wide_get(at + 4, 2);
    if (format != FORMAT)
        return ps_fail(error, PS_UNSUPPORTED,
                       "where the log stands is said in format %u: start a newer penstock",
                       (unsigned)format);
    at += 6;
    out->watermark = (int64_t)ps_wide_get(at, 8);
    out->last = (int64_t)ps_wide_get(at + 8, 8);
    out->frontier.size = ps_wide_get(at + 16, 8);
    out->signed_tree.size = ps_wide_get(at + 24, 8);
    memcpy(&out->signed_tree.root, at + 32, PS_NODE_BYTES);
    at += 32 + PS_NODE_BYTES;
    out->origin_length = (uint32_t)ps_wide_get(at, 2);
    out->origin = (const char *)at + 2;
    const uint64_t size = out->frontier.size;
    const uint64_t nodes = (uint64_t)__builtin_popcountll(size) * PS_NODE_BYTES;
    if (size >> 63 != 0 || out->signed_tree.size > size || out->origin_length >= PS_ORIGIN_MAX ||
        FIXED_BYTES + out->origin_length + nodes != bytes.length)
        return ps_fail(error, PS_TAMPERED, "what says where the log stands is broken");
    at += 2 + out->origin_length;
    for (uint64_t left = size; left != 0; left &= left - 1) {
        memcpy(out->frontier.node[__builtin_ctzll(left)], at, PS_NODE_BYTES);
        at += PS_NODE_BYTES;
    }
    return PS_OK;
}
