/* SPDX-License-Identifier: Apache-2.0
 * Anomalies that come one after the other, in one call and cut into batches, against the reference
 * to the bit; and the reference against the rule, written down once more over whole series.
 */
#include "kernels/suppress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernels/vote.h"
#include "tests/check_kernels.h"

enum { ROWS = 3000, SERIES = 50, CAPACITY = 64, PLANES = PS_SUPPRESS_PLANES, BUFFERS = 11 };

void ps_check_suppress(ps_check *c);

typedef struct rows {
    uint32_t segments;
    float *score;
    int64_t *time;
    uint8_t *timed, *fresh, *hit;
    uint32_t *order, *first, *series;
} rows;

typedef struct result {
    uint8_t *anomaly, *why;
    double *state, *image;
} result;

static rows rows_take(ps_check *c, uint32_t segments, uint32_t how) {
    static const int64_t wild[] = {-1, INT64_MIN, INT64_MAX, 0};
    static uint32_t segment_of[ROWS], at[SERIES];
    rows r = {.segments = segments,
              .score = check_take(c, ROWS * sizeof(float)),
              .time = check_take(c, ROWS * sizeof(int64_t)),
              .timed = check_take(c, (ROWS + 7) / 8),
              .fresh = check_take(c, segments),
              .hit = check_take(c, ROWS),
              .order = check_take(c, ROWS * sizeof(uint32_t)),
              .first = check_take(c, (segments + 1) * sizeof(uint32_t)),
              .series = check_take(c, segments * sizeof(uint32_t))};
    memset(r.first, 0, (segments + 1) * sizeof(uint32_t));
    memset(r.timed, how == PS_TIME_FIELD_NS ? 0xf7 : 0, (ROWS + 7) / 8);
    for (uint32_t row = 0; row < ROWS; row++) {
        r.score[row] = check_random(c) % 20 == 0 ? ps_nan() : (float)(check_random(c) % 40) / 4.0f;
        if (check_random(c) % 40 == 0) r.score[row] *= 4.0f;
        r.hit[row] = r.score[row] >= 5.0f;
        r.time[row] = (int64_t)row * 60000 - (check_random(c) % 30 == 0 ? 900000 : 0);
        if (how == PS_TIME_FIELD_NS) r.time[row] *= 1000000;
        if (check_random(c) % 50 == 0) r.time[row] = wild[check_random(c) % 4];
        segment_of[row] = (uint32_t)(check_random(c) % (segments + 1));
        if (segments && check_random(c) % 2) segment_of[row] = 0;
        if (segment_of[row] < segments) r.first[segment_of[row] + 1]++;
    }
    for (uint32_t s = 0; s < segments; s++) {
        r.first[s + 1] += r.first[s];
        r.series[s] = (s * 7 + 3) % CAPACITY;
        r.fresh[s] = 1;
    }
    memcpy(at, r.first, segments * sizeof at[0]);
    for (uint32_t row = 0; row < ROWS; row++)
        if (segment_of[row] < segments) r.order[at[segment_of[row]]++] = row;
    return r;
}

static result result_take(ps_check *c, const rows *r) {
    const result to = {check_take(c, ROWS), check_take(c, ROWS),
                       check_take(c, PLANES * CAPACITY * sizeof(double)),
                       check_take(c, r->segments * PLANES * sizeof(double))};
    memcpy(to.anomaly, r->hit, ROWS);
    for (uint32_t row = 0; row < ROWS; row++)
        to.why[row] = r->hit[row] ? (uint8_t)(row % 7) : (uint8_t)PS_WHY_NONE;
    memset(to.state, 0xff, PLANES * CAPACITY * sizeof(double));
    memset(to.image, 0x66, r->segments * PLANES * sizeof(double));
    return to;
}

static void run(ps_kernel_fn *fn, const rows *r, const result *to, const ps_suppress_params *p,
                uint32_t begin, uint32_t end) {
    void *const buf[BUFFERS] = {r->score, to->anomaly, to->why,   r->order, r->first, r->series,
                                r->fresh, to->state,   to->image, r->time,  r->timed};
    fn(buf, p, begin, end);
}

/* The rule, for one segment: the time and the score of the last alert, and its place. */
static bool is_rule(const rows *r, const result *to, const ps_suppress_params *p, uint32_t s) {
    int64_t alert_ms = 0, now = 0;
    uint32_t since = 0;
    float peak = 0.0f;
    bool before = false, right = true;
    for (uint32_t i = r->first[s]; i < r->first[s + 1]; i++) {
        const uint32_t row = r->order[i];
        const bool there =
            p->time == PS_TIME_RECORD_MS ? r->time[row] != -1 : r->timed[row / 8] >> row % 8 & 1;
        if (isnan(r->score[row])) continue;
        if (there) {
            now = r->time[row] / (p->time == PS_TIME_FIELD_NS ? 1000000 : 1);
            if (p->time == PS_TIME_FIELD_NS && r->time[row] % 1000000 < 0) now--;
            if (now > PS_MOMENT_MAX) now = PS_MOMENT_MAX;
            if (now < -PS_MOMENT_MAX) now = -PS_MOMENT_MAX;
        }
        since++;
        const bool quiet =
            before && (since < p->rows_least ||
                       (since < p->rows_most && (double)now - (double)alert_ms < p->quiet_ms));
        const bool alert = r->hit[row] && (!quiet || r->score[row] > 2.0f * peak);
        right &= to->anomaly[row] == alert;
        right &= to->why[row] == (alert ? row % 7 : PS_WHY_NONE);
        if (!alert) continue;
        before = true, since = 0, alert_ms = now, peak = r->score[row];
    }
    return right;
}

static void check_rows(ps_check *c, uint32_t segments, const ps_suppress_params *p) {
    const rows r = rows_take(c, segments, p->time);
    const result expected = result_take(c, &r), actual = result_take(c, &r);
    const uint32_t cut = (uint32_t)(check_random(c) % (segments + 1));
    run(c->kernel->reference, &r, &expected, p, 0, segments);
    run(c->fn, &r, &actual, p, cut, segments);
    run(c->fn, &r, &actual, p, 0, cut);
    check_that(c,
               !memcmp(expected.anomaly, actual.anomaly, ROWS) &&
                   !memcmp(expected.why, actual.why, ROWS),
               "%u segments: alerts differ", segments);
    check_that(c, !memcmp(expected.state, actual.state, PLANES * CAPACITY * sizeof(double)),
               "%u segments: state differs", segments);
    check_that(c, !memcmp(expected.image, actual.image, segments * PLANES * sizeof(double)),
               "%u segments: image differs", segments);
    for (uint32_t s = 0; s < segments; s++) {
        check_that(c, is_rule(&r, &actual, p, s), "segment %u of %u: not the rule", s, segments);
        for (uint32_t i = 0; i < PLANES; i++)
            check_that(c, isfinite(actual.image[s * PLANES + i]), "segment %u: not finite", s);
    }
    check_release(c);
}

/* One series in one call and in calls of a few rows. */
static void check_cut(ps_check *c, const ps_suppress_params *p) {
    rows r = rows_take(c, 1, p->time);
    const result whole = result_take(c, &r), parts = result_take(c, &r);
    const uint32_t all = r.first[1];
    run(c->fn, &r, &whole, p, 0, 1);
    for (r.first[1] = 0; r.first[1] < all; r.fresh[0] = 0) {
        r.first[0] = r.first[1];
        r.first[1] += 1 + (uint32_t)(check_random(c) % 30);
        if (r.first[1] > all) r.first[1] = all;
        run(c->fn, &r, &parts, p, 0, 1);
    }
    check_that(c,
               !memcmp(whole.anomaly, parts.anomaly, ROWS) && !memcmp(whole.why, parts.why, ROWS) &&
                   !memcmp(whole.image, parts.image, PLANES * sizeof(double)),
               "alerts depend on where batches end");
    check_release(c);
}

void ps_check_suppress(ps_check *c) {
    static const uint32_t segments[] = {0, 1, 2, 7, 16, 17, SERIES};
    static const ps_suppress_params rules[] = {{43200000.0, 12, 160, CAPACITY, PS_TIME_RECORD_MS},
                                               {600000.0, 0, 1000, CAPACITY, PS_TIME_FIELD_NS},
                                               {0.0, 5, 5, CAPACITY, PS_TIME_RECORD_MS},
                                               {1e18, 0, 40, CAPACITY, PS_TIME_FIELD_NS}};
    for (uint32_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        for (uint32_t s = 0; s < sizeof segments / sizeof *segments; s++)
            check_rows(c, segments[s], &rules[i]);
        check_cut(c, &rules[i]);
    }
    if (!c->bench || c->failed) return;
    const rows r = rows_take(c, SERIES, PS_TIME_RECORD_MS);
    const result to = result_take(c, &r);
    void *const buf[BUFFERS] = {r.score, to.anomaly, to.why,   r.order, r.first, r.series,
                                r.fresh, to.state,   to.image, r.time,  r.timed};
    printf("  %u rows in ", r.first[SERIES]);
    check_bench(c, "50 segments", buf, &rules[0], SERIES, 0);
    check_release(c);
}
