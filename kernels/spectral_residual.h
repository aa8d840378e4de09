/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel spectral_residual: how much a value stands out of the last ones of its
 * series once their regular frequencies are taken away.
 */
#ifndef PS_KERNELS_SPECTRAL_RESIDUAL_H
#define PS_KERNELS_SPECTRAL_RESIDUAL_H

#include "kernels/dialect.h"

#include "kernels/measure.h"

#define PS_SPECTRAL_POINTS 64u /* of the transform */
#define PS_SPECTRAL_AHEAD  5u  /* of them, points that continue the series */
#define PS_SPECTRAL_KEPT   (PS_SPECTRAL_POINTS - PS_SPECTRAL_AHEAD)

/* The last values, the measure's mean, variance and count. */
#define PS_SPECTRAL_RESIDUAL_PLANES (PS_SPECTRAL_KEPT + 3u)

typedef struct ps_spectral_residual_params {
    double least;    /* weight of the newest measure in their mean, above 0, below 1 */
    ps_u32 warmup;   /* values of a series before its scores count; below 2 means 2 */
    ps_u32 capacity; /* not used: the planes of a series lie together */
    ps_u32 type;     /* PS_VALUE_F64 or PS_VALUE_I64 */
    ps_u32 reserved; /* 0 */
} ps_spectral_residual_params;

#endif
