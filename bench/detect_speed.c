/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/detect.h"
#include "bench/measure.h"
#include "host/base/clock.h"
#include "ml/solo.h"

/* A batch of 2048 series, 16 points of each, which arrive in turn. */
enum { POINTS = 16, BATCH_SERIES = 2048, SAMPLES = 3 };
#define STEP_NS   INT64_C(60000000000)
#define SAMPLE_NS INT64_C(1000000000) /* of the clock on the wall, filling batches included */

/* What is measured, and where it is. */
typedef struct walk {
    ps_solo *solo;
    ps_kernel_id kernel;
    uint32_t series, next; /* of the batch that comes */
    int64_t time_ns;
    uint64_t random;
} walk;

/* The same values on every machine: a level of the series' own and noise about it. */
static double value_of(walk *w, uint32_t series) {
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(series % 97) + (double)(w->random >> 40) * 0x1p-24;
}

/* One batch of the next series: nanoseconds of the kernel, and its rows. */
static int64_t batch(walk *w, uint32_t *rows) {
    const uint32_t left = w->series - w->next, count = left < BATCH_SERIES ? left : BATCH_SERIES;
    for (uint32_t point = 0; point < POINTS; point++)
        for (uint32_t i = 0; i < count; i++)
            ps_solo_append(w->solo, w->next + i, w->time_ns + point * STEP_NS,
                           value_of(w, w->next + i));
    w->next = w->next + count < w->series ? w->next + count : 0;
    if (w->next == 0) w->time_ns += POINTS * STEP_NS;
    *rows = count * POINTS;
    return ps_solo_compute(w->solo, w->kernel);
}

/* Nanoseconds of a point, over as many batches as fit into the time. */
static double sample(walk *w) {
    const int64_t begin_ns = ps_clock_ns();
    int64_t ns = 0;
    uint64_t all = 0;
    do {
        uint32_t rows;
        ns += batch(w, &rows);
        all += rows;
    } while (ps_clock_ns() - begin_ns < SAMPLE_NS);
    return (double)ns / (double)all;
}

/* The state is read and written and its image written, once for all points of a batch; of a point
 * value, order and score, and a bit. */
static double touched(uint32_t planes) {
    return 3.0 * sizeof(double) * planes / POINTS + 8.0 + 4.0 + 4.0 + 0.125;
}

ps_status ps_detect_measure(const ps_detector *detector, uint32_t series, ps_detect_speed *out,
                            ps_error *error) {
    ps_samples samples = {.count = 0};
    ps_detect_config config = {0};
    ps_options_preset(ps_stage_detect.about.options, &config);
    config.detectors = (ps_string_list){&detector->name, 1};
    config.warmup = 2; /* a value that is not scored costs less */
    walk w = {.kernel = detector->kernel, .series = series, .random = 1};
    PS_TRY(ps_solo_open_many(&config, BATCH_SERIES * POINTS, series, &w.solo, error));
    /* A history: 16 values where series are many, as long as the longest window where few. */
    const uint32_t passes = series > 100000 ? 1 : 5;
    for (uint32_t i = 0; i < passes; i++) do {
            uint32_t rows;
            (void)batch(&w, &rows);
        } while (w.next != 0);
    for (uint32_t i = 0; i < SAMPLES; i++) ps_samples_add(&samples, sample(&w));
    ps_solo_close(w.solo);
    *out = (ps_detect_speed){.ns_per_point = ps_samples_median(&samples),
                             .spread = ps_samples_spread(&samples),
                             .bytes_per_point = touched(ps_detector_planes(detector, &config))};
    return PS_OK;
}
