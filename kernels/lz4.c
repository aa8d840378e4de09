/* SPDX-License-Identifier: Apache-2.0
 * Every chunk of bytes as a compressed LZ4 block, which any decoder of that format reads.
 * Shapes: bytes[], begin[n], length[n], table[PS_LZ4_TABLE n] (scratch), out[stride n],
 * written[n]: block i is out[stride i .. stride i + written[i]).
 * Units: bytes. A null chunk has no block (0 bytes); an empty one has one of a single byte.
 * State: none; blocks do not refer to each other.
 * Agrees: to the bit: one work-item walks a chunk from its first byte to its last, so the block
 * depends on the chunk alone. Other LZ4 compressors find other matches; what is decoded is the
 * same. Source: LZ4 block format description (lz4 doc/lz4_Block_format.md), with its end of block
 * rules.
 */
#include "kernels/lz4.h"

#define PS_LZ4_MATCH  4u     /* the shortest */
#define PS_LZ4_FAR    65535u /* the furthest */
#define PS_LZ4_TAIL   5u     /* bytes at the end that are always literals */
#define PS_LZ4_LAST   12u    /* before the end, where the last match may begin */
#define PS_LZ4_SEARCH 6u     /* after 2^this misses in a row every second place is tried, … */

/* What a length has beyond the 15 of its half of the token. */
PS_FN ps_u32 ps_lz4_length(PS_GLOBAL ps_u8 *out, ps_u32 at, ps_u32 rest) {
    for (; rest >= 255u; rest -= 255u) out[at++] = 255u;
    out[at++] = (ps_u8)rest;
    return at;
}

/* A token and its literals; `match` is the length behind them less 4, or 0. */
PS_FN ps_u32 ps_lz4_literals(PS_GLOBAL ps_u8 *out, ps_u32 at, PS_GLOBAL const ps_u8 *from,
                             ps_u32 count, ps_u32 match) {
    out[at++] = (ps_u8)((count < 15u ? count : 15u) << 4 | (match < 15u ? match : 15u));
    if (count >= 15u) at = ps_lz4_length(out, at, count - 15u);
    for (ps_u32 i = 0; i < count; i++) out[at + i] = from[i];
    return at + count;
}

/* How many bytes from `right` on are as those from `left` on, before `end`. */
PS_FN ps_u32 ps_lz4_alike(PS_GLOBAL const ps_u8 *chunk, ps_u32 left, ps_u32 right, ps_u32 end) {
    ps_u32 same = 0;
    while (right + same + 4u <= end &&
           ps_read32(chunk + left + same) == ps_read32(chunk + right + same))
        same += 4u;
    while (right + same < end && chunk[left + same] == chunk[right + same]) same++;
    return same;
}

/* Looks each place's four bytes up in the table of where such bytes were last; an entry is a place
 * plus 1, so that 0 is none. */
PS_FN ps_u32 ps_lz4_block(PS_GLOBAL const ps_u8 *chunk, ps_u32 length, PS_GLOBAL ps_u32 *table,
                          PS_GLOBAL ps_u8 *out) {
    ps_u32 at = 0, done = 0, written = 0, misses = 0;
    for (ps_u32 i = 0; i < PS_LZ4_TABLE; i++) table[i] = 0;
    while (length > PS_LZ4_LAST && at <= length - PS_LZ4_LAST) {
        const ps_u32 word = ps_read32(chunk + at);
        const ps_u32 slot = word * 2654435761u >> (32u - PS_LZ4_TABLE_BITS);
        ps_u32 from = table[slot];
        table[slot] = at + 1u;
        if (from == 0 || at + 1u - from > PS_LZ4_FAR || ps_read32(chunk + from - 1u) != word) {
            at += 1u + (misses++ >> PS_LZ4_SEARCH);
            continue;
        }
        from--;
        while (at > done && from > 0 && chunk[at - 1u] == chunk[from - 1u]) at--, from--;
        const ps_u32 match = ps_lz4_alike(chunk, from, at, length - PS_LZ4_TAIL) - PS_LZ4_MATCH;
        written = ps_lz4_literals(out, written, chunk + done, at - done, match);
        out[written++] = (ps_u8)(at - from);
        out[written++] = (ps_u8)((at - from) >> 8);
        if (match >= 15u) written = ps_lz4_length(out, written, match - 15u);
        at += match + PS_LZ4_MATCH;
        done = at;
        misses = 0;
    }
    return ps_lz4_literals(out, written, chunk + done, length - done, 0);
}

PS_FN void ps_lz4_at(ps_u32 item, PS_GLOBAL const ps_u8 *PS_RESTRICT bytes,
                     PS_GLOBAL const ps_u32 *PS_RESTRICT begin,
                     PS_GLOBAL const ps_u32 *PS_RESTRICT length,
                     PS_GLOBAL ps_u32 *PS_RESTRICT table, PS_GLOBAL ps_u8 *PS_RESTRICT out,
                     PS_GLOBAL ps_u32 *PS_RESTRICT written, ps_lz4_params p) {
    written[item] = length[item] == PS_NULL ? 0u
                                            : ps_lz4_block(bytes + begin[item], length[item],
                                                           table + (ps_u64)item * PS_LZ4_TABLE,
                                                           out + (ps_u64)item * p.stride);
}
PS_ENTRY_6(lz4, const ps_u8, const ps_u32, const ps_u32, ps_u32, ps_u8, ps_u32)
