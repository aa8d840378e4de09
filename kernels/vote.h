/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel vote: one score, verdict and reason out of several detectors. Any of them
 * (vote 1), all (as many as there are), some number of them, or the weighted mean of their scores.
 */
#ifndef PS_KERNELS_VOTE_H
#define PS_KERNELS_VOTE_H

#include "kernels/dialect.h"

#define PS_VOTE_DETECTORS_MAX 16u
#define PS_WHY_NONE           255u /* the row is no anomaly */

/* Twice what is an anomaly to most detectors: more than that says no more. */
#define PS_VOTE_BOUND 12.0f

#define PS_VOTE_WEIGHED 0u /* as params.vote: no number of them, their weighted mean */

typedef struct ps_vote_params {
    ps_u32 detectors;                    /* 1 to PS_VOTE_DETECTORS_MAX */
    ps_u32 stride;                       /* rows per detector plane */
    ps_u32 vote;                         /* detectors that must agree, or PS_VOTE_WEIGHED */
    float threshold;                     /* of the score */
    float scale[PS_VOTE_DETECTORS_MAX];  /* what a detector's scores are multiplied with */
    ps_u8 reason[PS_VOTE_DETECTORS_MAX]; /* `why` of a detector, of its first channel if it has */
    ps_u8 weight[PS_VOTE_DETECTORS_MAX]; /* in a weighted mean; not all 0 */
    ps_u32 channels;                     /* bit i: detector i says which channel it was */
    float bound;                         /* what a score counts for at most in a weighted mean */
} ps_vote_params;

#endif
