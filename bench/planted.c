/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/planted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows five minutes or an hour apart; windows begin a little before what they mark, because a
 * label is never exact. */
enum { ROWS = 3000, WINDOWS = 3, COPIES = 2, WINDOW_BEFORE = 10, WINDOW_ROWS = 120, DAY_S = 86400 };

typedef enum base { NOISE, DAILY, WALK, BURSTS, BASES } base;
typedef enum kind { SPIKE, SHIFT, VARIANCE, BREAK, KINDS } kind;

static const char *const base_names[BASES] = {"noise", "daily", "walk", "bursts"};
static const char *const kind_names[KINDS] = {"spike", "shift", "variance", "break"};

typedef struct making {
    ps_nab_file *file;
    base base;
    kind kind;
    uint64_t random;
    int64_t step_s;
    double level, size, walk; /* size: a deviation of the noise */
    uint32_t at[WINDOWS];     /* where anomalies begin */
} making;

/* 0 to 1. */
static double uniform(making *m) {
    m->random = m->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(m->random >> 11) * 0x1p-53;
}

/* Near enough to normal, deviation 1, without a function of libm. */
static double noise(making *m) {
    double sum = -6.0;
    for (uint32_t i = 0; i < 12; i++) sum += uniform(m);
    return sum;
}

/* The sine of row / rows of a turn, by its power series: libm's last bits differ between machines.
 */
static double sine(uint32_t row, uint32_t rows) {
    const uint32_t half = rows / 2, into = row % half;
    const double sign = row % rows < half ? 1.0 : -1.0;
    const uint32_t up =
        into > half / 2 ? half - into : into; /* as far from 0 as from half a turn */
    const double x = 2.0 * 3.14159265358979323846 * (double)up / (double)rows;
    double sum = 0.0;
    for (uint32_t power = 19; power > 1; power -= 2)
        sum = (-1.0 - sum) * x * x / (double)(power * (power - 1));
    return sign * x * (1.0 + sum);
}

static double wave(const making *m, uint32_t row) {
    return 6.0 * m->size * sine(row, (uint32_t)(DAY_S / m->step_s));
}

/* How far into its anomaly a row is, in rows; -1: in none. */
static int32_t depth(const making *m, uint32_t row, uint32_t *which) {
    for (*which = WINDOWS; (*which)-- > 0;)
        if (row >= m->at[*which]) return (int32_t)(row - m->at[*which]);
    return -1;
}

/* What the series would be, its shape as it is or, where it is broken, half a period off. */
static double usual(making *m, uint32_t row, bool broken, double wide) {
    const double own = m->size * wide * noise(m);
    switch (m->base) {
    case DAILY:
        return m->level + wave(m, broken ? row + (uint32_t)(DAY_S / m->step_s) / 2 : row) + own;
    case WALK:
        m->walk += 0.15 * own - 0.01 * m->walk;
        return m->level + (broken ? 0.0 : m->walk) + 0.2 * own;
    case BURSTS:
        return m->level + (uniform(m) < 0.02 ? m->size * 8.0 * uniform(m) : 0.0) + own;
    default:
        return m->level + (broken ? 0.1 * own : own);
    }
}

static double value_at(making *m, uint32_t row) {
    uint32_t which;
    const int32_t into = depth(m, row, &which);
    const double sign = which % 2 == 0 ? 1.0 : -1.0;
    const double wide = m->kind == VARIANCE && into >= 0 && into < 150 ? 4.0 : 1.0;
    const bool broken = m->kind == BREAK && into >= 0 && into < 300;
    double x = usual(m, row, broken, wide);
    if (m->kind == SPIKE && into >= 0 && into < 1 + (int32_t)which) x += sign * 14.0 * m->size;
    /* Levels go up, down and up again, and stay. */
    if (m->kind == SHIFT && into >= 0 && which != 1) x += 7.0 * m->size;
    return x;
}

static bool take(ps_nab_file *file, const char *name) {
    file->rows = ROWS;
    file->windows = WINDOWS;
    file->name = malloc(strlen(name) + 1);
    file->time_ns = calloc(ROWS, sizeof *file->time_ns);
    file->value = calloc(ROWS, sizeof *file->value);
    file->window = calloc(WINDOWS, sizeof *file->window);
    file->inside = calloc(ROWS, sizeof *file->inside);
    file->weight = calloc(ROWS, sizeof *file->weight);
    if (!file->name || !file->time_ns || !file->value || !file->window || !file->inside ||
        !file->weight)
        return false;
    memcpy(file->name, name, strlen(name) + 1);
    return true;
}

static ps_status make(making *m, ps_error *error) {
    ps_nab_file *file = m->file;
    for (uint32_t i = 0; i < WINDOWS; i++)
        m->at[i] = ROWS / 4 * (i + 1) + (uint32_t)(uniform(m) * ROWS / 8);
    for (uint32_t row = 0; row < ROWS; row++) {
        file->time_ns[row] = (INT64_C(1577836800) + row * m->step_s) * 1000000000;
        file->value[row] = value_at(m, row);
    }
    for (uint32_t i = 0; i < WINDOWS; i++) {
        ps_nab_window *window = &file->window[i];
        window->begin_ns = file->time_ns[m->at[i] - WINDOW_BEFORE];
        window->end_ns = file->time_ns[m->at[i] - WINDOW_BEFORE + WINDOW_ROWS - 1];
    }
    return ps_nab_file_weigh(file, error);
}

static ps_status make_all(ps_nab *nab, ps_error *error) {
    for (uint32_t i = 0; i < BASES * KINDS * COPIES; i++) {
        making m = {.file = &nab->file[nab->files],
                    .base = (base)(i / COPIES % BASES),
                    .kind = (kind)(i / COPIES / BASES),
                    .random = i + 1,
                    .step_s = i % COPIES == 1 ? 3600 : 300};
        char name[64];
        (void)snprintf(name, sizeof name, "%s/%s-%u", kind_names[m.kind], base_names[m.base],
                       i % COPIES);
        for (uint32_t k = 0; k < 4; k++) (void)uniform(&m); /* small seeds begin alike */
        m.level = 100.0 * uniform(&m);
        m.size = 0.1 + 5.0 * uniform(&m);
        nab->files++;
        if (!take(m.file, name)) return ps_fail(error, PS_NO_MEMORY, "no memory for %s", name);
        PS_TRY(make(&m, error));
        nab->rows += ROWS;
    }
    return PS_OK;
}

ps_status ps_planted_open(ps_nab **out, ps_error *error) {
    ps_nab *nab = calloc(1, sizeof *nab);
    if (nab != NULL) nab->file = calloc(BASES * KINDS * COPIES, sizeof *nab->file);
    if (nab == NULL || nab->file == NULL) {
        free(nab);
        return ps_fail(error, PS_NO_MEMORY, "no memory for planted series");
    }
    const ps_status status = make_all(nab, error);
    if (status == PS_OK)
        *out = nab;
    else
        ps_nab_close(nab);
    return status;
}
