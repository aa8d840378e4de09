/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/nab.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/check.h"

/* What a hit in time, a false positive and a window that is missed weigh. */
static const struct {
    double hit, false_positive, miss;
} profiles[PS_NAB_PROFILES] = {[PS_NAB_STANDARD] = {1.0, 0.11, 1.0},
                               [PS_NAB_LOW_FP] = {1.0, 0.22, 1.0},
                               [PS_NAB_LOW_FN] = {1.0, 0.11, 2.0}};

enum { PROBATION_PERCENT = 15, PROBATION_MAX = 750 };

/* Below 0 inside a window, -1 at its left edge; above 0 behind it, in its widths. */
static double sigmoid(double at) {
    return at > 3.0 ? -1.0 : 2.0 / (1.0 + exp(5.0 * at)) - 1.0;
}

static bool find_row(const ps_nab_file *file, int64_t time_ns, uint32_t *row) {
    for (*row = 0; *row < file->rows; (*row)++)
        if (file->time_ns[*row] == time_ns) return true;
    return false;
}

static void weigh_window(ps_nab_file *file, uint32_t index) {
    const ps_nab_window *w = &file->window[index];
    const uint32_t width = w->last - w->first + 1;
    const uint32_t end = index + 1 < file->windows ? file->window[index + 1].first : file->rows;
    for (uint32_t row = w->first; row <= w->last; row++) {
        file->inside[row] = index;
        file->weight[row] = sigmoid(-(double)(w->last - row + 1) / width);
    }
    for (uint32_t row = w->last + 1; row < end; row++)
        file->weight[row] = sigmoid((double)(row - w->last) / ((double)width - 1.0));
}

ps_status ps_nab_file_weigh(ps_nab_file *file, ps_error *error) {
    const uint64_t share = (uint64_t)file->rows * PROBATION_PERCENT / 100;
    file->probation = share < PROBATION_MAX ? (uint32_t)share : PROBATION_MAX;
    for (uint32_t row = 0; row < file->rows; row++) {
        file->inside[row] = PS_NAB_OUTSIDE;
        file->weight[row] = -1.0; /* before the first window */
    }
    for (uint32_t i = 0; i < file->windows; i++) {
        ps_nab_window *w = &file->window[i];
        if (!find_row(file, w->begin_ns, &w->first) || !find_row(file, w->end_ns, &w->last) ||
            w->last < w->first || (i > 0 && w->first <= w[-1].last))
            return ps_fail(error, PS_BAD_CONFIG,
                           "%.200s: label %u does not begin and end at rows of the file, behind "
                           "the one before it",
                           file->name, i);
    }
    for (uint32_t i = 0; i < file->windows; i++) weigh_window(file, i);
    return PS_OK;
}

/* What a detection at this row is worth by itself. */
static double worth(const ps_nab_file *file, uint32_t row, ps_nab_profile profile) {
    if (file->inside[row] == PS_NAB_OUTSIDE)
        return file->weight[row] * profiles[profile].false_positive;
    return file->weight[row] * profiles[profile].hit / sigmoid(-1.0);
}

/* Windows that can be hit: they have a row past the probation. */
static uint32_t reachable(const ps_nab_file *file) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < file->windows; i++) count += file->window[i].last >= file->probation;
    return count;
}

double ps_nab_points(const ps_nab_file *file, const float *score, double threshold,
                     ps_nab_profile profile) {
    const double miss = profiles[profile].miss;
    double points = 0.0, best = -miss;
    uint32_t window = PS_NAB_OUTSIDE; /* that `best` is of */
    for (uint32_t row = file->probation; row < file->rows; row++) {
        if (file->inside[row] != window) {
            if (window != PS_NAB_OUTSIDE) points += best;
            window = file->inside[row];
            best = -miss;
        }
        if (!((double)score[row] >= threshold)) continue;
        const double mine = worth(file, row, profile);
        if (window == PS_NAB_OUTSIDE)
            points += mine;
        else if (mine > best)
            best = mine;
    }
    return window == PS_NAB_OUTSIDE ? points : points + best;
}

double ps_nab_score(const ps_nab *nab, double points, ps_nab_profile profile) {
    uint32_t windows = 0, reached = 0;
    for (uint32_t i = 0; i < nab->files; i++) {
        windows += nab->file[i].windows;
        reached += reachable(&nab->file[i]);
    }
    const double null = -profiles[profile].miss * reached;
    return 100.0 * (points - null) / (profiles[profile].hit * windows - null);
}

/* One row that counts, and what it is worth. */
typedef struct vote {
    float score;
    uint32_t order; /* rows of all files behind each other */
    uint32_t window;
    double worth;
} vote;

static int by_score(const void *left, const void *right) {
    const vote *a = left, *b = right;
    if (a->score != b->score) return a->score < b->score ? 1 : -1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static uint32_t list_votes(const ps_nab *nab, const float *const *score, ps_nab_profile profile,
                           vote *votes) {
    uint32_t count = 0, windows = 0;
    for (uint32_t i = 0; i < nab->files; i++) {
        const ps_nab_file *file = &nab->file[i];
        for (uint32_t row = file->probation; row < file->rows; row++) {
            const uint32_t inside = file->inside[row];
            if (score[i][row] != score[i][row]) continue;
            votes[count] = (vote){.score = score[i][row],
                                  .order = count,
                                  .window = inside == PS_NAB_OUTSIDE ? inside : windows + inside,
                                  .worth = worth(file, row, profile)};
            count++;
        }
        windows += file->windows;
    }
    return count;
}

/* Walks the thresholds from the highest down. `best[window]`: what it counts so far. */
static void walk(const vote *votes, uint32_t count, double points, double *best, ps_nab_best *out) {
    double most = points;
    for (uint32_t i = 0; i < count; i++) {
        const vote *v = &votes[i];
        if (v->window == PS_NAB_OUTSIDE) {
            points += v->worth;
        } else if (v->worth > best[v->window]) {
            points += v->worth - best[v->window];
            best[v->window] = v->worth;
        }
        if (i + 1 < count && votes[i + 1].score == v->score) continue;
        if (points <= most) continue;
        most = points;
        out->threshold = (double)v->score;
    }
    out->score = most;
}

ps_status ps_nab_optimum(const ps_nab *nab, const float *const *score, ps_nab_profile profile,
                         ps_nab_best *out, ps_error *error) {
    uint32_t windows = 0, reached = 0;
    for (uint32_t i = 0; i < nab->files; i++) {
        windows += nab->file[i].windows;
        reached += reachable(&nab->file[i]);
    }
    vote *votes = malloc((nab->rows + 1) * sizeof *votes);
    double *best = malloc((windows + 1) * sizeof *best);
    if (votes == NULL || best == NULL) {
        free(votes);
        free(best);
        return ps_fail(error, PS_NO_MEMORY, "no memory for the scores of all files");
    }
    const double miss = profiles[profile].miss;
    for (uint32_t i = 0; i < windows; i++) best[i] = -miss;
    const uint32_t count = list_votes(nab, score, profile, votes);
    qsort(votes, count, sizeof *votes, by_score);
    *out = (ps_nab_best){.threshold = HUGE_VAL};
    walk(votes, count, -miss * reached, best, out);
    out->score = ps_nab_score(nab, out->score, profile);
    free(votes);
    free(best);
    return PS_OK;
}

/* Half of the files, drawn without order: a bit of `chosen` each. */
static void deal(uint32_t files, uint64_t *random, uint8_t *chosen) {
    memset(chosen, 0, files);
    for (uint32_t left = files / 2; left > 0;) {
        *random = *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const uint32_t at = (uint32_t)((*random >> 33) % files);
        left -= chosen[at] == 0;
        chosen[at] = 1;
    }
}

/* The best threshold's index over the files of one half; of equals the lowest. */
static uint32_t best_index(const ps_nab *nab, const double *points, uint32_t count,
                           const uint8_t *chosen, uint8_t half) {
    uint32_t best = 0;
    double most = -HUGE_VAL;
    for (uint32_t i = 0; i < count; i++) {
        double sum = 0.0;
        for (uint32_t file = 0; file < nab->files; file++)
            if (chosen[file] == half) sum += points[(size_t)file * count + i];
        if (sum <= most) continue;
        most = sum;
        best = i;
    }
    return best;
}

double ps_nab_held_out(const ps_nab *nab, const double *points, uint32_t count,
                       ps_nab_profile profile) {
    uint64_t random = 20261122;
    double total = 0.0;
    uint8_t *chosen = malloc(nab->files + 1);
    PS_CHECK(chosen != NULL);
    for (uint32_t split = 0; split < PS_NAB_SPLITS; split++) {
        double pooled = 0.0;
        deal(nab->files, &random, chosen);
        for (uint8_t half = 0; half < 2; half++) {
            const uint32_t i = best_index(nab, points, count, chosen, (uint8_t)!half);
            for (uint32_t file = 0; file < nab->files; file++)
                if (chosen[file] == half) pooled += points[(size_t)file * count + i];
        }
        total += ps_nab_score(nab, pooled, profile);
    }
    free(chosen);
    return total / PS_NAB_SPLITS;
}
