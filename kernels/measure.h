/* SPDX-License-Identifier: Apache-2.0
 * How a measure of oddness that has no distribution of its own (a distance, a rarity, a ratio)
 * becomes a score: by how far it lies above its own moving mean, in its own moving deviations,
 * under the normal tail.
 * Agrees: to the bit.
 */
#ifndef PS_KERNELS_MEASURE_H
#define PS_KERNELS_MEASURE_H

#include "kernels/moving.h"
#include "kernels/score.h"

/* Learns the measure after it is scored; `least` is its least weight. What is above a measure that
 * never varied gets the cap; what is not above the mean scores 0. */
PS_FN float ps_measure_score(ps_moving *past, double measure, double least) {
    const double d = past->count == 0.0 ? 0.0 : ps_deviation(measure, past->mean);
    const double variance = past->variance;
    ps_moving_add(past, measure, d, least);
    return d > 0.0 ? ps_score_from_deviation(d, variance) : 0.0f;
}

#endif
