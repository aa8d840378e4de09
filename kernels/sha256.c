/* SPDX-License-Identifier: Apache-2.0
 * SHA-256 of every record of a batch.
 * Shapes: bytes[], begin[n], length[n], digest[32 n].
 * Units: bytes. A null record has 32 zero bytes for a digest.
 * State: none.
 * Agrees: to the bit.
 * Source: FIPS 180-4, sections 5.1.1 and 6.2; the prefix byte is RFC 6962's, section 2.1.
 */
#include "kernels/sha256.h"

#include "kernels/sha256_block.h"
#include "kernels/stage_gpu.h"

#if defined(PS_PLAIN_C)
/* Byte `at` of the padded message: prefix, record, the 1 bit, zeros. The length goes in as a word.
 */
PS_FN ps_u32 ps_sha256_byte(PS_GLOBAL const ps_u8 *record, ps_u64 at, ps_u32 length,
                            ps_u32 prefix) {
    if (prefix != PS_SHA256_PLAIN) {
        if (at == 0) return prefix & 255u;
        at--;
    }
    if (at < length) return record[at];
    return at == length ? 0x80u : 0u;
}

PS_FN void ps_sha256_at(ps_u32 row, PS_GLOBAL const ps_u8 *PS_RESTRICT bytes,
                        PS_GLOBAL const ps_u32 *PS_RESTRICT begin,
                        PS_GLOBAL const ps_u32 *PS_RESTRICT length,
                        PS_GLOBAL ps_u8 *PS_RESTRICT digest, ps_sha256_params p) {
    PS_GLOBAL ps_u8 *const out = digest + (ps_u64)row * 32u;
    if (length[row] == PS_NULL) {
        for (ps_u32 i = 0; i < 32; i++) out[i] = 0;
        return;
    }
    PS_GLOBAL const ps_u8 *const record = bytes + begin[row];
    const ps_u64 total = (ps_u64)length[row] + (p.prefix != PS_SHA256_PLAIN);
    const ps_u64 blocks = (total + 72) / 64;
    ps_u32 state[8], w[16];
    ps_sha256_start(state);
    for (ps_u64 block = 0; block < blocks; block++) {
        for (ps_u32 i = 0; i < 16; i++) {
            const ps_u64 at = block * 64 + i * 4;
            w[i] = ps_sha256_byte(record, at, length[row], p.prefix) << 24 |
                   ps_sha256_byte(record, at + 1, length[row], p.prefix) << 16 |
                   ps_sha256_byte(record, at + 2, length[row], p.prefix) << 8 |
                   ps_sha256_byte(record, at + 3, length[row], p.prefix);
        }
        if (block == blocks - 1) w[14] = (ps_u32)(total >> 29), w[15] = (ps_u32)(total << 3);
        ps_sha256_block(state, w);
    }
    ps_sha256_finish(state, out);
}
#else
/* A word of the message of which `left` bytes are still to come, with the 1 bit behind the last. */
PS_FN ps_u32 ps_sha256_padded(ps_u32 word, ps_i64 left) {
    if (left >= 4) return word;
    if (left < 0) return 0;
    const ps_u32 bits = (ps_u32)left * 8u;
    return (word & ~(0xFFFFFFFFu >> bits)) | 0x80000000u >> bits;
}

/* Block `block` of the message, of which `left` bytes are still to come, from the item's window. */
PS_FN_SHARING void ps_sha256_window(const ps_stage *stage, ps_u32 *state, ps_u32 block,
                                    ps_u64 total, ps_u32 prefix) {
    const ps_i64 left = (ps_i64)total - (ps_i64)block * 64;
    ps_u32 w[16];
    PS_UNROLLED
    for (ps_u32 i = 0; i < 16; i++)
        w[i] = ps_sha256_padded(ps_swapped(ps_stage_word(stage, i)), left - (ps_i64)(i * 4u));
    if (prefix != PS_SHA256_PLAIN && block == 0) w[0] = (w[0] & 0xFFFFFFu) | prefix << 24;
    if (left < 56) w[14] = (ps_u32)(total >> 29), w[15] = (ps_u32)(total << 3);
    ps_sha256_block(state, w);
}

PS_FN_SHARING void ps_sha256_staged(PS_LOCAL ps_u32 *memory, ps_u32 row, ps_u32 end,
                                    PS_GLOBAL const ps_u8 *PS_RESTRICT bytes,
                                    PS_GLOBAL const ps_u32 *PS_RESTRICT begin,
                                    PS_GLOBAL const ps_u32 *PS_RESTRICT length,
                                    PS_GLOBAL ps_u8 *PS_RESTRICT digest, ps_sha256_params p) {
    const ps_u32 front = p.prefix != PS_SHA256_PLAIN;
    const ps_stage stage = ps_stage_open(memory, bytes, begin, length, row, end, front);
    const ps_u64 total = (ps_u64)stage.length + front;
    const ps_u32 blocks = stage.there ? (ps_u32)((total + 72) / 64) : 0u;
    const ps_u32 windows = ps_stage_windows(&stage, blocks);
    ps_u32 state[8];
    ps_sha256_start(state);
    for (ps_u32 block = 0; block < windows; block++) {
        ps_stage_load(&stage, block);
        if (block < blocks) ps_sha256_window(&stage, state, block, total, p.prefix);
    }
    PS_UNROLLED
    for (ps_u32 i = 0; i < 8; i++) state[i] = ps_swapped(state[i]);
    ps_stage_digests(&stage, state, digest, row, end);
}
#endif
PS_ENTRY_RECORDS(sha256, ps_u8)
