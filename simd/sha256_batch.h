/* SPDX-License-Identifier: Apache-2.0
 * What the SIMD versions of sha256 share: a record as a sequence of 64-byte blocks that lie in
 * place but for the ends, and the order in which a batch is hashed so that the lanes of a register
 * stay busy.
 */
#ifndef PS_SIMD_SHA256_BATCH_H
#define PS_SIMD_SHA256_BATCH_H

#if defined(__AVX512BW__)
#include <immintrin.h>
#endif
#include <stdint.h>
#include <string.h>

#include "kernels/sha256.h"

/* A padded message. Its blocks are: head (a staged first block, only with a prefix byte), middle
 * (in place), one before the last, last. Two messages of as many blocks have as many in each part,
 * so lanes run through the parts in step. */
enum { PS_MESSAGE_PARTS = 4 };
typedef struct ps_message {
    const uint8_t *part[PS_MESSAGE_PARTS];
    uint32_t blocks[PS_MESSAGE_PARTS];
    uint8_t *digest;
    uint8_t head[64];
    /* The last copy writes 128 bytes from wherever the record ends. */
    uint8_t tail[192] __attribute__((aligned(64)));
} ps_message;

typedef struct ps_batch_sha256 {
    const uint8_t *bytes;
    const uint32_t *begin, *length;
    uint8_t *digest;
    uint32_t prefix;
} ps_batch_sha256;

static inline uint32_t ps_message_blocks(const ps_batch_sha256 *batch, uint32_t row) {
    return (uint32_t)(((uint64_t)batch->length[row] + (batch->prefix != PS_SHA256_PLAIN) + 72) /
                      64);
}

/* Block `at` of the message: in the head, in place, or in the tail. */
static inline const uint8_t *ps_message_block(const ps_message *m, const uint8_t *record,
                                              uint64_t full, uint32_t shift, uint64_t at) {
    if (at >= full) return m->tail + 64 * (at - full);
    return at == 0 && shift ? m->head : record + 64 * at - shift;
}

#if defined(__AVX512BW__)
/* A message of one block, made in a register: prefix, record, the 1 bit, zeros, length. Nothing
 * outside the record is read. */
static inline __m512i ps_message_short(const uint8_t *record, uint32_t length, uint32_t prefix) {
    const uint32_t shift = prefix != PS_SHA256_PLAIN;
    const __mmask64 inside = ((UINT64_C(1) << length) - 1) << shift;
    const __mmask64 behind = UINT64_C(1) << (length + shift);
    const uint64_t bits = __builtin_bswap64((uint64_t)(length + shift) * 8);
    __m512i block = _mm512_maskz_loadu_epi8(inside, (const void *)((uintptr_t)record - shift));
    block = _mm512_mask_mov_epi8(block, shift, _mm512_set1_epi8((char)prefix));
    block = _mm512_mask_mov_epi8(block, behind, _mm512_set1_epi8((char)0x80));
    return _mm512_mask_mov_epi64(block, 0x80, _mm512_set1_epi64((long long)bits));
}

static inline void ps_message_stage_short(ps_message *m, const uint8_t *record, uint32_t length,
                                          uint32_t prefix) {
    _mm512_store_si512(m->tail, ps_message_short(record, length, prefix));
    m->blocks[0] = m->blocks[1] = m->blocks[2] = 0;
    m->blocks[3] = 1;
    m->part[1] = m->part[3] = m->tail;
}
#endif

/* Copies whole blocks and overwrites what is too much: reads up to 64 bytes behind the record,
 * which the arena has. */
static inline void ps_message_stage(ps_message *m, const ps_batch_sha256 *batch, uint32_t row) {
    const uint8_t *record = batch->bytes + batch->begin[row];
    const uint32_t shift = batch->prefix != PS_SHA256_PLAIN;
    const uint64_t total = (uint64_t)batch->length[row] + shift;
    const uint64_t full = total / 64, blocks = (total + 72) / 64;
    const uint32_t rest = (uint32_t)(total % 64);
    m->digest = batch->digest + 32 * (uint64_t)row;
#if defined(__AVX512BW__)
    if (blocks == 1) {
        ps_message_stage_short(m, record, batch->length[row], batch->prefix);
        return;
    }
#endif
    if (shift) {
        uint8_t *first = full > 0 ? m->head : m->tail;
        first[0] = (uint8_t)batch->prefix;
        memcpy(first + 1, record, 63);
    }
    if (full > 0 || !shift) memcpy(m->tail, record + 64 * full - shift, 64);
    memset(m->tail + rest, 0, 128);
    m->tail[rest] = 0x80;
    const uint64_t bits = __builtin_bswap64(total * 8);
    memcpy(m->tail + 64 * (blocks - full) - 8, &bits, 8);

    m->blocks[0] = blocks > 2 ? shift : 0;
    m->blocks[1] = blocks > 2 ? (uint32_t)(blocks - 2 - shift) : 0;
    m->blocks[2] = blocks > 1;
    m->blocks[3] = 1;
    m->part[0] = m->head;
    m->part[1] = record + (shift ? 63 : 0);
    m->part[2] = blocks > 1 ? ps_message_block(m, record, full, shift, blocks - 2) : m->tail;
    m->part[3] = m->tail + 64 * (blocks - 1 - full);
}

#endif
