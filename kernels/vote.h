/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel vote: one score, verdict and reason out of several detectors. Any of them
 * (vote 1), all (as many as there are), some number of them, or the quadratic mean of their scores
 * by weights.
 */
#ifndef PS_KERNELS_VOTE_H
#define PS_KERNELS_VOTE_H

#include "kernels/dialect.h"

#define PS_VOTE_DETECTORS_MAX 16u
#define PS_WHY_NONE           255u /* the row is no anomaly */

/* More than twice the threshold of any detector at low sensitivity but slim's of events: what is
 * told again within a quiet time is twice as large as what was told. */
#define PS_VOTE_BOUND 20.0f

#define PS_VOTE_WEIGHED 0u /* as params.vote: no number of them, their mean by weights */

typedef struct ps_vote_params {
    ps_u32 detectors;                    /* 1 to PS_VOTE_DETECTORS_MAX */
    ps_u32 stride;                       /* rows per detector plane */
    ps_u32 vote;                         /* detectors that must agree, or PS_VOTE_WEIGHED */
    float threshold;                     /* of the score */
    float scale[PS_VOTE_DETECTORS_MAX];  /* what a detector's scores are multiplied with */
    ps_u8 reason[PS_VOTE_DETECTORS_MAX]; /* `why` of a detector, of its first channel if it has */
    ps_u8 weight[PS_VOTE_DETECTORS_MAX]; /* in a mean by weights; not all 0 */
    ps_u32 channels;                     /* bit i: detector i says which channel it was */
    float bound;                         /* what a score counts for at most in a mean by weights */
} ps_vote_params;

#endif
