/* SPDX-License-Identifier: Apache-2.0
 * Parameters of kernel multivariate: how unlike the others several values of a row are together.
 */
#ifndef PS_KERNELS_MULTIVARIATE_H
#define PS_KERNELS_MULTIVARIATE_H

#include "kernels/beta.h"
#include "kernels/found.h"
#include "kernels/moving.h"

#define PS_MULTIVARIATE_FIELDS_MAX  8u
#define PS_MULTIVARIATE_MAHALANOBIS 0u
#define PS_MULTIVARIATE_PCA         1u

/* State of a series: rows; what the model was made of, in rows (0: there is none); the moving means
 * and covariances (a lower triangle, row by row); then the model: means, deviations, and the
 * triangle of Cholesky or, of pca, how many components are kept, eigenvalues and eigenvectors. */
#define PS_MULTIVARIATE_ROWS  0u
#define PS_MULTIVARIATE_MADE  1u
#define PS_MULTIVARIATE_MEANS 2u

/* What is written, in the order of its words behind the fields'. */
#define PS_MULTIVARIATE_SCORE   0u /* a float */
#define PS_MULTIVARIATE_T2      1u
#define PS_MULTIVARIATE_Q       2u
#define PS_MULTIVARIATE_ANOMALY 3u /* bytes */
#define PS_MULTIVARIATE_WHY     4u /* the field that gives most, PS_MULTIVARIATE_NONE */
#define PS_MULTIVARIATE_NONE    255u

#define PS_MULTIVARIATE_FAR 1e70 /* deviations end here */

typedef struct ps_multivariate_params {
    double alpha;     /* weight of the newest row, above 0, below 1 */
    double shrinkage; /* of correlations towards 0, above 0, below 1 */
    double explained; /* part of the variance that pca's components keep */
    double threshold; /* score from which a row is an anomaly */
    ps_u32 fields;    /* 2 to PS_MULTIVARIATE_FIELDS_MAX */
    ps_u32 method;
    ps_u32 warmup; /* rows before the first model, more than fields + 2 */
    ps_u32 refit;  /* rows from one model to the next, at least 1 */
} ps_multivariate_params;

PS_FN ps_u32 ps_multivariate_triangle(ps_u32 fields) {
    return fields * (fields + 1u) / 2u;
}

PS_FN ps_u32 ps_multivariate_planes(ps_u32 fields, ps_u32 method) {
    const ps_u32 triangle = ps_multivariate_triangle(fields);
    const ps_u32 model = method == PS_MULTIVARIATE_PCA ? 1u + fields + fields * fields : triangle;
    return PS_MULTIVARIATE_MEANS + fields + triangle + 2u * fields + model;
}

#endif
