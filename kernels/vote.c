/* SPDX-License-Identifier: Apache-2.0
 * Makes one score, verdict and reason out of the scores of several detectors.
 * Shapes: scores[detectors x stride] and, of those that params.channels names,
 * channel[detectors x stride] (a plane per detector), score[n], anomaly[n] (0 or 1), why[n]. A
 * detector's score is multiplied with its params.scale first, so that thresholds may differ; where
 * that is 1 it is left as it is. The row's score is the vote-th largest of the detectors that have
 * one, so it reaches the threshold exactly where at least `vote` detectors do; with fewer than
 * `vote` scores it is NaN and the row no anomaly. `why` is params.reason of the detector with the
 * largest score, the lowest index of equals, and its channel further on; PS_WHY_NONE where there
 * is no anomaly.
 * State: none.
 * Agrees: to the bit.
 */
#include "kernels/vote.h"

#include "kernels/score.h"

PS_FN float ps_vote_scaled(float score, float scale) {
    if (scale == 1.0f || score != score) return score;
    const double scaled = (double)score * (double)scale;
    return (float)(scaled < PS_SCORE_MAX ? scaled : PS_SCORE_MAX);
}

PS_FN void ps_vote_at(ps_u32 row, PS_GLOBAL const float *PS_RESTRICT scores,
                      PS_GLOBAL const ps_u8 *PS_RESTRICT channel,
                      PS_GLOBAL float *PS_RESTRICT score, PS_GLOBAL ps_u8 *PS_RESTRICT anomaly,
                      PS_GLOBAL ps_u8 *PS_RESTRICT why, ps_vote_params p) {
    float result = ps_nan();
    ps_u32 largest = PS_WHY_NONE;
    for (ps_u32 i = 0; i < p.detectors; i++) {
        const float mine = ps_vote_scaled(scores[(ps_u64)i * p.stride + row], p.scale[i]);
        if (mine != mine) continue;
        ps_u32 before = 0; /* detectors that come first when scores are sorted, equals by index */
        for (ps_u32 j = 0; j < p.detectors; j++) {
            const float other = ps_vote_scaled(scores[(ps_u64)j * p.stride + row], p.scale[j]);
            before += (ps_u32)(other > mine || (other == mine && j < i));
        }
        if (before + 1 == p.vote) result = mine;
        if (before == 0) largest = i;
    }
    const ps_u32 hit = (ps_u32)(result >= p.threshold);
    ps_u32 reason = PS_WHY_NONE;
    if (hit) reason = p.reason[largest];
    if (hit && (p.channels >> largest & 1u)) reason += channel[(ps_u64)largest * p.stride + row];
    score[row] = result;
    anomaly[row] = (ps_u8)hit;
    why[row] = (ps_u8)reason;
}
PS_ENTRY_5(vote, const float, const ps_u8, float, ps_u8, ps_u8)
