/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "bench/detect.h"
#include "bench/measure.h"
#include "host/base/check.h"
#include "ml/solo.h"

/* A batch of 2048 series, 16 points of each, which arrive in turn. The first pass fills the states,
 * the others are measured. */
enum { POINTS = 16, BATCH_SERIES = 2048, PASSES = 3 };
#define STEP_NS INT64_C(60000000000)

/* The same values on every machine: a level of the series' own and noise about it. */
static double value_of(uint32_t series, uint64_t *random) {
    *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(series % 97) + (double)(*random >> 40) * 0x1p-24;
}

/* All series once, in batches; nanoseconds of the kernel. */
static int64_t pass(ps_solo *solo, ps_kernel_id kernel, uint32_t series, uint32_t number) {
    uint64_t random = number;
    int64_t ns = 0;
    for (uint32_t first = 0; first < series; first += BATCH_SERIES) {
        const uint32_t left = series - first, count = left < BATCH_SERIES ? left : BATCH_SERIES;
        for (uint32_t point = 0; point < POINTS; point++)
            for (uint32_t i = 0; i < count; i++)
                ps_solo_append(solo, first + i, (number * POINTS + point) * STEP_NS,
                               value_of(first + i, &random));
        ns += ps_solo_compute(solo, kernel);
    }
    return ns;
}

/* The state is read and written and its image written, once for all points of a batch; of a point
 * value, order and score, and a bit. */
static double touched(uint32_t planes) {
    return 3.0 * sizeof(double) * planes / POINTS + 8.0 + 4.0 + 4.0 + 0.125;
}

ps_status ps_detect_measure(const ps_detector *detector, uint32_t series, ps_detect_speed *out,
                            ps_error *error) {
    ps_solo *solo = NULL;
    ps_samples samples = {.count = 0};
    ps_detect_config config = {0};
    ps_options_preset(ps_stage_detect.about.options, &config);
    config.detectors = (ps_string_list){&detector->name, 1};
    PS_TRY(ps_solo_open_many(&config, BATCH_SERIES * POINTS, series, &solo, error));
    /* Few series pass so often that a pass takes long enough to be timed. */
    const uint32_t again = series < 200000 ? 200000 / series : 1;
    uint32_t number = 0;
    (void)pass(solo, detector->kernel, series, number++);
    for (uint32_t i = 0; i < PASSES; i++) {
        int64_t ns = 0;
        for (uint32_t k = 0; k < again; k++) ns += pass(solo, detector->kernel, series, number++);
        ps_samples_add(&samples, (double)ns / ((double)series * POINTS * again));
    }
    ps_solo_close(solo);
    *out = (ps_detect_speed){.ns_per_point = ps_samples_median(&samples),
                             .spread = ps_samples_spread(&samples),
                             .bytes_per_point = touched(ps_detector_planes(detector, &config))};
    return PS_OK;
}
