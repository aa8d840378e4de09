/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel vote: one score, verdict and reason out of several detectors.
 */
#ifndef PS_KERNELS_VOTE_H
#define PS_KERNELS_VOTE_H

#include "kernels/dialect.h"

#define PS_VOTE_DETECTORS_MAX 16u
#define PS_WHY_NONE           255u /* the row is no anomaly */

typedef struct ps_vote_params {
    ps_u32 detectors;                    /* 1 to PS_VOTE_DETECTORS_MAX */
    ps_u32 stride;                       /* rows per detector plane */
    ps_u32 vote;                         /* detectors that must agree, 1 to detectors */
    float threshold;                     /* of the score */
    float scale[PS_VOTE_DETECTORS_MAX];  /* what a detector's scores are multiplied with */
    ps_u8 reason[PS_VOTE_DETECTORS_MAX]; /* `why` of a detector, of its first channel if it has */
    ps_u32 channels;                     /* bit i: detector i says which channel it was */
} ps_vote_params;

#endif
