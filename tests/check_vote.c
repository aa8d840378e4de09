/* SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vote.h"

#include <math.h>
#include <string.h>

#include "tests/check_kernels.h"

void ps_check_vote(ps_check *c);

typedef struct verdict {
    float score;
    uint8_t anomaly, why;
} verdict;

static float scaled(const float *scores, const ps_vote_params *p, uint32_t i, uint32_t row) {
    const float x = scores[(size_t)i * p->stride + row];
    if (isnan(x) || p->scale[i] == 1.0f) return x;
    return (float)fmin((double)x * (double)p->scale[i], 300.0);
}

/* The quadratic mean by weights, of what is there, from the last detector to the first: the sums of
 * these few numbers are exact, so their order does not matter. */
static verdict weigh(const float *scores, const uint8_t *channel, const ps_vote_params *p,
                     uint32_t row) {
    double sum = 0.0, weights = 0.0, most = -1.0;
    uint32_t why = PS_WHY_NONE;
    for (uint32_t i = p->detectors; i-- > 0;) {
        const float x = scaled(scores, p, i, row);
        if (isnan(x) || p->weight[i] == 0) continue;
        const double share = pow(fmin((double)x, (double)p->bound), 2.0) * p->weight[i];
        sum += share;
        weights += p->weight[i];
        if (share < most) continue;
        most = share;
        why = p->reason[i];
        if (p->channels >> i & 1) why += channel[(size_t)i * p->stride + row];
    }
    const float score = weights > 0.0 ? (float)sqrt(sum / weights) : NAN;
    const bool anomaly = score >= p->threshold;
    return (verdict){score, anomaly, anomaly ? (uint8_t)why : PS_WHY_NONE};
}

/* The definition, with an insertion sort. */
static verdict decide(const float *scores, const uint8_t *channel, const ps_vote_params *p,
                      uint32_t row) {
    float sorted[PS_VOTE_DETECTORS_MAX];
    uint32_t count = 0, reached = 0, largest = PS_WHY_NONE;
    if (p->vote == PS_VOTE_WEIGHED) return weigh(scores, channel, p, row);
    for (uint32_t i = 0; i < p->detectors; i++) {
        const float x = scaled(scores, p, i, row);
        if (isnan(x)) continue;
        if (largest == PS_WHY_NONE || x > scaled(scores, p, largest, row)) largest = i;
        reached += x >= p->threshold;
        uint32_t at = count++;
        for (; at > 0 && sorted[at - 1] < x; at--) sorted[at] = sorted[at - 1];
        sorted[at] = x;
    }
    const bool anomaly = reached >= p->vote;
    uint32_t why = PS_WHY_NONE;
    if (anomaly) why = p->reason[largest];
    if (anomaly && p->channels >> largest & 1) why += channel[(size_t)largest * p->stride + row];
    return (verdict){count >= p->vote ? sorted[p->vote - 1] : NAN, anomaly, (uint8_t)why};
}

static void check_rows(ps_check *c, uint32_t n, uint32_t detectors, uint32_t vote) {
    ps_vote_params params = {
        .detectors = detectors, .stride = n + 3, .vote = vote, .threshold = 3.0f, .bound = 5.0f};
    for (uint32_t i = 0; i < PS_VOTE_DETECTORS_MAX; i++) {
        params.scale[i] = check_random(c) % 2 ? 1.0f : (float)(check_random(c) % 9000) / 100.0f;
        params.reason[i] = (uint8_t)(i * 8);
        params.weight[i] = (uint8_t)(check_random(c) % 4); /* 0 is one of them */
        /* Sums that are exact in any order. */
        if (vote == PS_VOTE_WEIGHED) params.scale[i] = check_random(c) % 2 ? 1.0f : 0.5f;
    }
    params.channels = (uint32_t)check_random(c) & 0xffffu;
    uint8_t *channel = check_take(c, (size_t)detectors * params.stride);
    for (size_t i = 0; i < (size_t)detectors * params.stride; i++)
        channel[i] = (uint8_t)(check_random(c) % 8);
    float *scores = check_take(c, (size_t)detectors * params.stride * sizeof(float));
    float *score = check_take(c, n * sizeof(float)), *expected = check_take(c, n * sizeof(float));
    uint8_t *anomaly = check_take(c, n), *why = check_take(c, n);
    uint8_t *expected_anomaly = check_take(c, n), *expected_why = check_take(c, n);
    for (size_t i = 0; i < (size_t)detectors * params.stride; i++)
        scores[i] = check_random(c) % 5 == 0 ? ps_nan() : (float)(check_random(c) % 64) / 8.0f;
    void *const buf[5] = {scores, channel, score, anomaly, why};
    c->kernel->reference((void *const[]){scores, channel, expected, expected_anomaly, expected_why},
                         &params, 0, n);
    const uint32_t cut = n ? (uint32_t)(check_random(c) % n) : 0;
    c->fn(buf, &params, 0, cut);
    c->fn(buf, &params, cut, n);
    check_that(c,
               !memcmp(score, expected, n * sizeof(float)) &&
                   !memcmp(anomaly, expected_anomaly, n) && !memcmp(why, expected_why, n),
               "%u rows, %u of %u", n, vote, detectors);
    bool right = true;
    for (uint32_t row = 0; row < n; row++) {
        const verdict v = decide(scores, channel, &params, row);
        right &= score[row] == v.score || (isnan(score[row]) && isnan(v.score));
        right &= anomaly[row] == v.anomaly && why[row] == v.why;
    }
    check_that(c, right, "%u rows, %u of %u: not the definition", n, vote, detectors);
    if (c->bench && n == 4096 && detectors <= 3 && vote == 1)
        check_bench(c,
                    detectors == 1   ? "1 detector"
                    : detectors == 2 ? "2 detectors"
                                     : "3 detectors",
                    buf, &params, n, 0);
    check_release(c);
}

void ps_check_vote(ps_check *c) {
    static const uint32_t counts[] = {0, 1, 2, 15, 16, 17, 100, 4096};
    for (uint32_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (uint32_t detectors = 1; detectors <= PS_VOTE_DETECTORS_MAX; detectors++)
            for (uint32_t vote = PS_VOTE_WEIGHED; vote <= detectors; vote += detectors > 4 ? 3 : 1)
                check_rows(c, counts[i], detectors, vote);
}
