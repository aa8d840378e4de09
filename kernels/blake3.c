/* SPDX-License-Identifier: Apache-2.0
 * BLAKE3 of every record of a batch.
 * Shapes: bytes[], begin[n], length[n], digest[32 n].
 * Units: bytes. A null record has 32 zero bytes for a digest.
 * State: none.
 * Agrees: to the bit.
 * Source: J. O'Connor et al., BLAKE3: one function, fast everywhere, sections 2 and 5.1.2.
 */
#include "kernels/blake3.h"

#include "kernels/blake3_node.h"
#include "kernels/stage_gpu.h"

/* Below 2^32 bytes a tree is at most 22 parents high. */
#define PS_BLAKE3_DEPTH 22

#if defined(PS_PLAIN_C)
/* A finished chunk closes as many subtrees as its number has trailing ones; their left halves wait
 * on the stack. What follows the last chunk closes all of them. */
PS_FN void ps_blake3_record(ps_u32 *cv, PS_GLOBAL const ps_u8 *record, ps_u32 length) {
    ps_u32 stack[PS_BLAKE3_DEPTH][8];
    ps_u32 depth = 0;
    const ps_u32 last = length == 0 ? 0 : (length - 1) / PS_BLAKE3_CHUNK;
    for (ps_u32 chunk = 0; chunk < last; chunk++) {
        ps_blake3_chunk(cv, record + (ps_u64)chunk * PS_BLAKE3_CHUNK, PS_BLAKE3_CHUNK, chunk, 0);
        for (ps_u32 closed = chunk; (closed & 1u) != 0; closed >>= 1)
            ps_blake3_parent(stack[--depth], cv, 0);
        for (ps_u32 i = 0; i < 8; i++) stack[depth][i] = cv[i];
        depth++;
    }
    ps_blake3_chunk(cv, record + (ps_u64)last * PS_BLAKE3_CHUNK, length - last * PS_BLAKE3_CHUNK,
                    last, last == 0 ? PS_BLAKE3_ROOT : 0u);
    while (depth > 0) {
        depth--;
        ps_blake3_parent(stack[depth], cv, depth == 0 ? PS_BLAKE3_ROOT : 0u);
    }
}

PS_FN void ps_blake3_at(ps_u32 row, PS_GLOBAL const ps_u8 *PS_RESTRICT bytes,
                        PS_GLOBAL const ps_u32 *PS_RESTRICT begin,
                        PS_GLOBAL const ps_u32 *PS_RESTRICT length,
                        PS_GLOBAL ps_u8 *PS_RESTRICT digest, ps_blake3_params p) {
    (void)p;
    ps_u32 cv[8] = {0};
    PS_GLOBAL ps_u8 *const out = digest + (ps_u64)row * 32u;
    if (length[row] != PS_NULL) ps_blake3_record(cv, bytes + begin[row], length[row]);
    for (ps_u32 i = 0; i < 32; i++) out[i] = (ps_u8)(cv[i >> 2] >> (8 * (i & 3u)));
}
#else
/* One window is one block of a chunk. */
PS_FN_SHARING void ps_blake3_window(const ps_stage *stage, ps_u32 *cv, ps_u32 window, ps_u32 last) {
    const ps_u32 start[8] = {PS_BLAKE3_START};
    const ps_u32 left = stage->length - window * 64u, bytes = window < last ? 64u : left;
    const ps_u32 chunk = window >> 4, first = (window & 15u) == 0;
    const ps_u32 final = window == last || (window & 15u) == 15u;
    ps_u32 w[16];
    PS_UNROLLED
    for (ps_u32 i = 0; i < 8; i++) cv[i] = first ? start[i] : cv[i];
    PS_UNROLLED
    for (ps_u32 i = 0; i < 16; i++)
        w[i] = ps_stage_first(ps_stage_word(stage, i), bytes > i * 4u ? bytes - i * 4u : 0u);
    ps_blake3_block(cv, w, chunk, bytes,
                    (first ? PS_BLAKE3_CHUNK_START : 0u) | (final ? PS_BLAKE3_CHUNK_END : 0u) |
                        (window == last && chunk == 0 ? PS_BLAKE3_ROOT : 0u));
}

PS_FN_SHARING void ps_blake3_staged(PS_LOCAL ps_u32 *memory, ps_u32 row, ps_u32 end,
                                    PS_GLOBAL const ps_u8 *PS_RESTRICT bytes,
                                    PS_GLOBAL const ps_u32 *PS_RESTRICT begin,
                                    PS_GLOBAL const ps_u32 *PS_RESTRICT length,
                                    PS_GLOBAL ps_u8 *PS_RESTRICT digest, ps_blake3_params p) {
    const ps_stage stage = ps_stage_open(memory, bytes, begin, length, row, end, 0);
    const ps_u32 last = stage.length == 0 ? 0u : (stage.length - 1u) / 64u;
    const ps_u32 windows = ps_stage_windows(&stage, last + 1u);
    ps_u32 cv[8] = {0}, stack[PS_BLAKE3_DEPTH][8], depth = 0;
    (void)p;
    for (ps_u32 window = 0; window < windows; window++) {
        ps_stage_load(&stage, window);
        if (window > last) continue;
        ps_blake3_window(&stage, cv, window, last);
        if ((window & 15u) != 15u || window == last) continue;
        for (ps_u32 closed = window >> 4; (closed & 1u) != 0; closed >>= 1)
            ps_blake3_parent(stack[--depth], cv, 0);
        for (ps_u32 i = 0; i < 8; i++) stack[depth][i] = cv[i];
        depth++;
    }
    while (depth > 0) {
        depth--;
        ps_blake3_parent(stack[depth], cv, depth == 0 ? PS_BLAKE3_ROOT : 0u);
    }
    ps_stage_digests(&stage, cv, digest, row, end);
}
#endif
PS_ENTRY_RECORDS(blake3, ps_u8)
