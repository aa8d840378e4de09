/* SPDX-License-Identifier: Apache-2.0
 * The state of a series as kernel slim works with it, out of its planes and into them.
 */
#ifndef PS_KERNELS_SLIM_PACK_H
#define PS_KERNELS_SLIM_PACK_H

#include "kernels/slim_state.h"

/* Moves the border of the upper twentieth to where it belongs. */
PS_FN void ps_slim_settle(ps_slim_state *s, ps_u32 channel) {
    const ps_u32 *const h = s->packed + channel * PS_SLIM_BINS;
    const ps_u32 total = s->total[channel];
    ps_u32 tail = s->tail[channel], above = s->above[channel];
    while (tail > 0u && (above + h[tail]) * 20u < total) above += h[tail--];
    while (tail + 1u < PS_SLIM_BINS && above * 20u >= total && total > 0u) above -= h[++tail];
    s->tail[channel] = tail;
    s->above[channel] = above;
}

/* Who has instructions for it brings its own of what follows, up to ps_slim_pack(). */
#if !defined(PS_SLIM_PACKS)
/* Eight bins. */
PS_FN ps_u32 ps_slim_octave(const ps_u32 *h, ps_u32 from) {
    ps_u32 sum = 0;
    for (ps_u32 k = 0; k < 8u; k++) sum += h[from + k];
    return sum;
}

/* The border comes down from the top by as many bins at a time as lie above it for sure. */
PS_FN void ps_slim_count(ps_slim_state *s) {
    for (ps_u32 channel = 0; channel < 4u; channel++) {
        const ps_u32 *const h = s->packed + channel * PS_SLIM_BINS;
        ps_u32 *const higher = s->higher[channel];
        ps_u32 total = 0, above = 0, tail = PS_SLIM_BINS, top = 7u;
        for (ps_u32 i = PS_SLIM_OCTAVES; i-- > 0u;) {
            higher[i] = total;
            const ps_u32 sum = i < PS_SLIM_BINS / 8u ? ps_slim_octave(h, 8u * i) : 0u;
            top = sum > 0u && total == 0u ? 8u * i + 7u : top;
            total += sum;
        }
        while (tail > 8u) {
            const ps_u32 next = higher[tail / 8u - 2u];
            if (next * 20u >= total) break;
            tail -= 8u;
            above = next;
        }
        s->total[channel] = total;
        s->top[channel] = top;
        s->tail[channel] = tail - 1u;
        s->above[channel] = above;
        ps_slim_settle(s, channel);
    }
}
/* Six words, two groups of four numbers, are three planes. */
PS_FN void ps_slim_unpack(ps_u32 *to, PS_GLOBAL const ps_u64 *from) {
    for (ps_u32 i = 0; i < PS_SLIM_PACKED / 8u; i++) {
        const ps_u64 a = from[3u * i], b = from[3u * i + 1u], c = from[3u * i + 2u];
        to[8u * i] = (ps_u32)a & 0xffffffu;
        to[8u * i + 1u] = (ps_u32)(a >> 24) & 0xffffffu;
        to[8u * i + 2u] = (ps_u32)(a >> 48 | b << 16) & 0xffffffu;
        to[8u * i + 3u] = (ps_u32)(b >> 8) & 0xffffffu;
        to[8u * i + 4u] = (ps_u32)(b >> 32) & 0xffffffu;
        to[8u * i + 5u] = (ps_u32)(b >> 56 | c << 8) & 0xffffffu;
        to[8u * i + 6u] = (ps_u32)(c >> 16) & 0xffffffu;
        to[8u * i + 7u] = (ps_u32)(c >> 40);
    }
}

PS_FN void ps_slim_pack(PS_GLOBAL ps_u64 *to, const ps_u32 *from) {
    for (ps_u32 i = 0; i < PS_SLIM_PACKED / 8u; i++) {
        const ps_u32 *const x = from + 8u * i;
        to[3u * i] = (ps_u64)x[0] | (ps_u64)x[1] << 24 | (ps_u64)x[2] << 48;
        to[3u * i + 1u] =
            (ps_u64)x[2] >> 16 | (ps_u64)x[3] << 8 | (ps_u64)x[4] << 32 | (ps_u64)x[5] << 56;
        to[3u * i + 2u] = (ps_u64)x[5] >> 8 | (ps_u64)x[6] << 16 | (ps_u64)x[7] << 40;
    }
}
#endif

PS_FN void ps_slim_begin(ps_slim_state *s) {
    for (ps_u32 i = 0; i < PS_SLIM_PACKED; i++) s->packed[i] = 0u;
    for (ps_u32 i = 0; i < PS_SLIM_WORDS; i++) s->word[i] = 0u;
    ps_slim_put64(s, PS_SLIM_UNIT, ps_f64_to_bits(1.0));
    ps_slim_put64(s, PS_SLIM_USE, ps_f64_to_bits(1.0));
    ps_slim_count(s);
}

/* The words behind the numbers: as they lie where the lower half of a plane does come first. */
PS_FN void ps_slim_words(ps_u32 *to, PS_GLOBAL const ps_u64 *from) {
#if defined(PS_PLAIN_C) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(to, from, PS_SLIM_WORDS * sizeof *to);
#else
    for (ps_u32 i = 0; i < PS_SLIM_WORDS / 2u; i++) {
        to[2u * i] = (ps_u32)from[i];
        to[2u * i + 1u] = (ps_u32)(from[i] >> 32);
    }
#endif
}

PS_FN void ps_slim_load(ps_slim_state *s, PS_GLOBAL const ps_u64 *from) {
    ps_slim_unpack(s->packed, from);
    ps_slim_words(s->word, from + PS_SLIM_PACKED / 8u * 3u);
    ps_slim_count(s);
}

PS_FN void ps_slim_store(const ps_slim_state *s, PS_GLOBAL ps_u64 *to) {
    ps_slim_pack(to, s->packed);
    PS_GLOBAL ps_u64 *const words = to + PS_SLIM_PACKED / 8u * 3u;
#if defined(PS_PLAIN_C) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(words, s->word, sizeof s->word);
#else
    for (ps_u32 i = 0; i < PS_SLIM_WORDS / 2u; i++)
        words[i] = (ps_u64)s->word[2u * i + 1u] << 32 | s->word[2u * i];
#endif
}

#endif
