/* SPDX-License-Identifier: Apache-2.0
 * Makes one score, verdict and reason out of the scores of several detectors.
 * Shapes: scores[detectors x stride] and, of those that params.channels names,
 * channel[detectors x stride] (a plane per detector), score[n], anomaly[n] (0 or 1), why[n]. A
 * detector's score is multiplied with its params.scale first, so that thresholds may differ; where
 * that is 1 it is left as it is. The row's score is the vote-th largest of the detectors that have
 * one, so it reaches the threshold exactly where at least `vote` detectors do; with fewer than
 * `vote` scores it is NaN and the row no anomaly. Weighed, it is the quadratic mean of the scores
 * there are, the root of the mean of their squares by params.weight: who is sure is heard although
 * others see nothing, which a plain mean would not let through. Each score is at most params.bound,
 * so that none outvotes all others by being very sure; NaN where no score has a weight. `why` is
 * params.reason of the detector with the largest score, weighed with the largest share of the sum,
 * the lowest index of equals, and its channel further on; PS_WHY_NONE where there is no anomaly.
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

/* What the vote comes to, and who found most. */
typedef struct ps_vote_result {
    float score;
    ps_u32 largest;
} ps_vote_result;

PS_FN ps_vote_result ps_vote_ranked(PS_GLOBAL const float *PS_RESTRICT scores, ps_u32 row,
                                    ps_vote_params p) {
    ps_vote_result result = {ps_nan(), PS_WHY_NONE};
    for (ps_u32 i = 0; i < p.detectors; i++) {
        const float mine = ps_vote_scaled(scores[(ps_u64)i * p.stride + row], p.scale[i]);
        if (mine != mine) continue;
        ps_u32 before = 0; /* detectors that come first when scores are sorted, equals by index */
        for (ps_u32 j = 0; j < p.detectors; j++) {
            const float other = ps_vote_scaled(scores[(ps_u64)j * p.stride + row], p.scale[j]);
            before += (ps_u32)(other > mine || (other == mine && j < i));
        }
        if (before + 1 == p.vote) result.score = mine;
        if (before == 0) result.largest = i;
    }
    return result;
}

PS_FN ps_vote_result ps_vote_weighed(PS_GLOBAL const float *PS_RESTRICT scores, ps_u32 row,
                                     ps_vote_params p) {
    ps_vote_result result = {ps_nan(), PS_WHY_NONE};
    double sum = 0.0, weights = 0.0, most = -1.0;
    for (ps_u32 i = 0; i < p.detectors; i++) {
        const float mine = ps_vote_scaled(scores[(ps_u64)i * p.stride + row], p.scale[i]);
        const double weight = (double)p.weight[i];
        if (mine != mine || weight == 0.0) continue;
        const double bounded = (double)(mine < p.bound ? mine : p.bound);
        const double share = weight * (bounded * bounded);
        sum += share;
        weights += weight;
        if (share > most) result.largest = i;
        most = share > most ? share : most;
    }
    if (weights > 0.0) result.score = (float)ps_sqrt(sum / weights);
    return result;
}

PS_FN void ps_vote_at(ps_u32 row, PS_GLOBAL const float *PS_RESTRICT scores,
                      PS_GLOBAL const ps_u8 *PS_RESTRICT channel,
                      PS_GLOBAL float *PS_RESTRICT score, PS_GLOBAL ps_u8 *PS_RESTRICT anomaly,
                      PS_GLOBAL ps_u8 *PS_RESTRICT why, ps_vote_params p) {
    ps_vote_result result;
    if (p.vote == PS_VOTE_WEIGHED)
        result = ps_vote_weighed(scores, row, p);
    else
        result = ps_vote_ranked(scores, row, p);
    const ps_u32 largest = result.largest;
    const ps_u32 hit = (ps_u32)(result.score >= p.threshold);
    ps_u32 reason = PS_WHY_NONE;
    if (hit) reason = p.reason[largest];
    if (hit && (p.channels >> largest & 1u)) reason += channel[(ps_u64)largest * p.stride + row];
    score[row] = result.score;
    anomaly[row] = (ps_u8)hit;
    why[row] = (ps_u8)reason;
}
PS_ENTRY_5(vote, const float, const ps_u8, float, ps_u8, ps_u8)
