/* SPDX-License-Identifier: Apache-2.0
 * Scores rows by several values together: by their Mahalanobis distance, or by principal
 * components, Hotelling's T2 within those that are kept and Q, the squared distance from them.
 * Shapes: block[], the batch; table[] of the fields and of what is written
 * (kernels/multivariate.h); order, first, series and fresh as kernel ewma has them; state and
 * image, a series' planes together. Units: score is -log10 of a probability (kernels/score.h).
 * State: a segment's series occurs once per call. Means and covariances take in every row that has
 * all values; at fixed numbers of such rows of the series a model is made of them, which scores the
 * rows behind it. A row that lacks a value gets NaN and changes nothing, as does a score before the
 * first model; rows in no segment are not written.
 * Agrees: to the bit; that is why no library is asked, whose bits depend on the processor.
 * Source: means and covariances: T. Finch, Incremental calculation of weighted mean and variance
 * (2009), section 9; shrinkage towards the diagonal: J. Schäfer and K. Strimmer, A shrinkage
 * approach to large-scale covariance matrix estimation (2005), target D; T2 and Q: J. E. Jackson
 * and G. S. Mudholkar, Control procedures for residuals associated with principal component
 * analysis (1979), with G. E. P. Box's approximation of Q (1954); eigenvalues: G. H. Golub and C.
 * F. Van Loan, Matrix computations, 4th edition (2013), 8.5 (Jacobi), Cholesky: 4.2.
 */
#include "kernels/multivariate.h"

#define PS_MULTIVARIATE_SWEEPS 16u
#define PS_MULTIVARIATE_MOST   PS_MULTIVARIATE_FIELDS_MAX

/* Where a model's parts lie. */
typedef struct ps_multivariate_places {
    ps_u32 covariance, centre, scale, factor;
} ps_multivariate_places;

PS_FN ps_multivariate_places ps_multivariate_at_places(ps_u32 fields) {
    ps_multivariate_places at;
    at.covariance = PS_MULTIVARIATE_MEANS + fields;
    at.centre = at.covariance + ps_multivariate_triangle(fields);
    at.scale = at.centre + fields;
    at.factor = at.scale + fields;
    return at;
}

/* Of a lower triangle, i >= j. */
PS_FN ps_u32 ps_multivariate_cell(ps_u32 i, ps_u32 j) {
    return i * (i + 1u) / 2u + j;
}

PS_FN void ps_multivariate_learn(PS_GLOBAL double *m, const double *x, ps_multivariate_params p) {
    PS_GLOBAL double *const mean = m + PS_MULTIVARIATE_MEANS;
    PS_GLOBAL double *const covariance = mean + p.fields;
    const double a = ps_moving_weight(m[PS_MULTIVARIATE_ROWS], p.alpha);
    const ps_u32 begins = m[PS_MULTIVARIATE_ROWS] == 0.0;
    double off[PS_MULTIVARIATE_MOST];
    for (ps_u32 i = 0u; i < p.fields; i++) {
        off[i] = begins ? 0.0 : ps_deviation(x[i], mean[i]);
        mean[i] = begins ? x[i] : ps_fma(a, off[i], mean[i]);
        for (ps_u32 j = 0u; j <= i; j++) {
            PS_GLOBAL double *const cell = covariance + ps_multivariate_cell(i, j);
            *cell = begins ? 0.0 : (1.0 - a) * ps_fma(a * off[i], off[j], *cell);
        }
    }
    m[PS_MULTIVARIATE_ROWS] += 1.0;
}

/* The shrunk correlation of two fields. */
PS_FN double ps_multivariate_alike(PS_GLOBAL const double *m, ps_multivariate_places at, ps_u32 i,
                                   ps_u32 j, double shrinkage) {
    if (i == j) return 1.0;
    const double one = m[at.scale + i], other = m[at.scale + j];
    if (!(one > 0.0) || !(other > 0.0)) return 0.0;
    const ps_u32 cell = i > j ? ps_multivariate_cell(i, j) : ps_multivariate_cell(j, i);
    const double r = m[at.covariance + cell] / one / other;
    return (1.0 - shrinkage) * (r > 1.0 ? 1.0 : (r < -1.0 ? -1.0 : r));
}

PS_FN void ps_multivariate_cholesky(PS_GLOBAL double *m, ps_multivariate_places at,
                                    ps_multivariate_params p) {
    PS_GLOBAL double *const l = m + at.factor;
    for (ps_u32 i = 0u; i < p.fields; i++)
        for (ps_u32 j = 0u; j <= i; j++) {
            double sum = ps_multivariate_alike(m, at, i, j, p.shrinkage);
            for (ps_u32 k = 0u; k < j; k++)
                sum -= l[ps_multivariate_cell(i, k)] * l[ps_multivariate_cell(j, k)];
            const double least = 1e-12;
            l[ps_multivariate_cell(i, j)] =
                i == j ? ps_sqrt(sum > least ? sum : least) : sum / l[ps_multivariate_cell(j, j)];
        }
}

/* One rotation that makes a[p][q] 0. Columns of v are the eigenvectors. */
PS_FN void ps_multivariate_rotate(double *a, PS_GLOBAL double *v, ps_u32 n, ps_u32 p, ps_u32 q) {
    const double apart = a[p * n + q];
    if (apart == 0.0) return;
    const double tau = (a[q * n + q] - a[p * n + p]) / (2.0 * apart);
    const double t = (tau < 0.0 ? -1.0 : 1.0) / (ps_fabs(tau) + ps_sqrt(1.0 + tau * tau));
    const double c = 1.0 / ps_sqrt(1.0 + t * t), s = t * c;
    for (ps_u32 k = 0u; k < n; k++) {
        const double x = a[k * n + p], y = a[k * n + q];
        a[k * n + p] = c * x - s * y;
        a[k * n + q] = s * x + c * y;
    }
    for (ps_u32 k = 0u; k < n; k++) {
        const double x = a[p * n + k], y = a[q * n + k];
        a[p * n + k] = c * x - s * y;
        a[q * n + k] = s * x + c * y;
    }
    a[p * n + q] = a[q * n + p] = 0.0;
    for (ps_u32 k = 0u; k < n; k++) {
        const double x = v[k * n + p], y = v[k * n + q];
        v[k * n + p] = c * x - s * y;
        v[k * n + q] = s * x + c * y;
    }
}

/* Largest eigenvalue first. */
PS_FN void ps_multivariate_sort(PS_GLOBAL double *value, PS_GLOBAL double *v, ps_u32 n) {
    for (ps_u32 i = 0u; i + 1u < n; i++) {
        ps_u32 best = i;
        for (ps_u32 k = i + 1u; k < n; k++)
            if (value[k] > value[best]) best = k;
        if (best == i) continue;
        const double swapped = value[i];
        value[i] = value[best];
        value[best] = swapped;
        for (ps_u32 k = 0u; k < n; k++) {
            const double x = v[k * n + i];
            v[k * n + i] = v[k * n + best];
            v[k * n + best] = x;
        }
    }
}

PS_FN void ps_multivariate_components(PS_GLOBAL double *m, ps_multivariate_places at,
                                      ps_multivariate_params p) {
    double a[PS_MULTIVARIATE_MOST * PS_MULTIVARIATE_MOST];
    const ps_u32 n = p.fields;
    PS_GLOBAL double *const value = m + at.factor + 1u, *const v = value + n;
    for (ps_u32 i = 0u; i < n; i++)
        for (ps_u32 j = 0u; j < n; j++) {
            a[i * n + j] = ps_multivariate_alike(m, at, i, j, p.shrinkage);
            v[i * n + j] = i == j ? 1.0 : 0.0;
        }
    for (ps_u32 sweep = 0u; sweep < PS_MULTIVARIATE_SWEEPS; sweep++)
        for (ps_u32 i = 0u; i + 1u < n; i++)
            for (ps_u32 j = i + 1u; j < n; j++) ps_multivariate_rotate(a, v, n, i, j);
    for (ps_u32 i = 0u; i < n; i++) value[i] = a[i * n + i] > 1e-12 ? a[i * n + i] : 1e-12;
    ps_multivariate_sort(value, v, n);
    double all = 0.0, sum = 0.0;
    ps_u32 kept = 0u;
    for (ps_u32 i = 0u; i < n; i++) all += value[i];
    while (kept < n && sum < p.explained * all) sum += value[kept++];
    m[at.factor] = (double)(kept > 0u ? kept : 1u);
}

/* A model of what was learned so far. */
PS_FN void ps_multivariate_make(PS_GLOBAL double *m, ps_multivariate_params p) {
    const ps_multivariate_places at = ps_multivariate_at_places(p.fields);
    const double memory = 2.0 / p.alpha - 1.0, rows = m[PS_MULTIVARIATE_ROWS];
    m[PS_MULTIVARIATE_MADE] = rows < memory ? rows : memory;
    for (ps_u32 i = 0u; i < p.fields; i++) {
        m[at.centre + i] = m[PS_MULTIVARIATE_MEANS + i];
        m[at.scale + i] = ps_sqrt(m[at.covariance + ps_multivariate_cell(i, i)]);
    }
    if (p.method == PS_MULTIVARIATE_PCA)
        ps_multivariate_components(m, at, p);
    else
        ps_multivariate_cholesky(m, at, p);
}

/* Deviations from the model's means. */
PS_FN void ps_multivariate_deviate(PS_GLOBAL const double *m, ps_multivariate_places at,
                                   const double *x, ps_u32 fields, double *z) {
    for (ps_u32 i = 0u; i < fields; i++) {
        const double off = ps_deviation(x[i], m[at.centre + i]), scale = m[at.scale + i];
        const double far = off == 0.0    ? 0.0
                           : scale > 0.0 ? off / scale
                           : off > 0.0   ? PS_MULTIVARIATE_FAR
                                         : -PS_MULTIVARIATE_FAR;
        z[i] = far > PS_MULTIVARIATE_FAR    ? PS_MULTIVARIATE_FAR
               : far < -PS_MULTIVARIATE_FAR ? -PS_MULTIVARIATE_FAR
                                            : far;
    }
}

/* What a row comes to. */
typedef struct ps_multivariate_view {
    double t2, q, score;
    ps_u32 why;
} ps_multivariate_view;

PS_FN ps_u32 ps_multivariate_most(const double *part, ps_u32 fields) {
    ps_u32 most = 0u;
    for (ps_u32 i = 1u; i < fields; i++)
        if (part[i] > part[most]) most = i;
    return most;
}

/* Of a row that the model does not know yet, k of whose components have the squares' sum t2. */
PS_FN double ps_multivariate_tail(double t2, double k, double n) {
    return ps_score_from_log_tail(
        ps_fisher_log_tail(t2 * (n / (n * n - 1.0)) * ((n - k) / k), k, n - k));
}

PS_FN ps_multivariate_view ps_multivariate_distance(PS_GLOBAL const double *m, const double *z,
                                                    ps_multivariate_places at, ps_u32 fields) {
    PS_GLOBAL const double *const l = m + at.factor;
    double y[PS_MULTIVARIATE_MOST];
    ps_multivariate_view v;
    v.t2 = 0.0;
    v.q = ps_nan64();
    for (ps_u32 i = 0u; i < fields; i++) {
        double sum = z[i];
        for (ps_u32 k = 0u; k < i; k++) sum -= l[ps_multivariate_cell(i, k)] * y[k];
        y[i] = sum / l[ps_multivariate_cell(i, i)];
        v.t2 += y[i] * y[i];
    }
    for (ps_u32 back = fields; back > 0u; back--) {
        const ps_u32 i = back - 1u;
        for (ps_u32 k = i + 1u; k < fields; k++) y[i] -= l[ps_multivariate_cell(k, i)] * y[k];
        y[i] /= l[ps_multivariate_cell(i, i)];
    }
    for (ps_u32 i = 0u; i < fields; i++) y[i] *= z[i];
    v.why = ps_multivariate_most(y, fields);
    v.score = ps_multivariate_tail(v.t2, (double)fields, m[PS_MULTIVARIATE_MADE]);
    return v;
}

PS_FN ps_multivariate_view ps_multivariate_project(PS_GLOBAL const double *m, const double *z,
                                                   ps_multivariate_places at, ps_u32 n) {
    PS_GLOBAL const double *const value = m + at.factor + 1u, *const vector = value + n;
    const ps_u32 kept = (ps_u32)m[at.factor];
    const double rows = m[PS_MULTIVARIATE_MADE];
    double within[PS_MULTIVARIATE_MOST], beyond[PS_MULTIVARIATE_MOST], sum = 0.0, squares = 0.0;
    ps_multivariate_view v;
    v.t2 = v.q = 0.0;
    for (ps_u32 i = 0u; i < n; i++) within[i] = beyond[i] = 0.0;
    for (ps_u32 k = 0u; k < n; k++) {
        double t = 0.0;
        for (ps_u32 i = 0u; i < n; i++) t += vector[i * n + k] * z[i];
        if (k < kept) v.t2 += t * t / value[k];
        if (k >= kept) v.q += t * t, sum += value[k], squares += value[k] * value[k];
        for (ps_u32 i = 0u; i < n; i++) {
            if (k < kept) within[i] += z[i] * vector[i * n + k] * (t / value[k]);
            if (k >= kept) beyond[i] += vector[i * n + k] * t;
        }
    }
    const double inner = ps_multivariate_tail(v.t2, (double)kept, rows);
    double outer = 0.0;
    if (kept < n)
        outer = ps_score_from_log_tail(
            ps_fisher_log_tail(v.q / sum, sum * (sum / squares), rows - 1.0));
    for (ps_u32 i = 0u; i < n; i++) beyond[i] *= beyond[i];
    v.why = ps_multivariate_most(outer > inner ? beyond : within, n);
    v.score = outer > inner ? outer : inner;
    /* The smaller of two probabilities, each of which had its chance. */
    v.score = v.score >= PS_SCORE_MAX ? v.score : v.score - 0.30102999566398119521;
    if (!(v.score > 0.0)) v.score = 0.0;
    return v;
}

PS_FN void ps_multivariate_row(PS_GLOBAL ps_u8 *block, PS_GLOBAL const ps_u32 *table, ps_u32 row,
                               PS_GLOBAL double *m, ps_multivariate_params p) {
    PS_GLOBAL const ps_u32 *const to = table + PS_FOUND_WORDS * p.fields;
    const ps_multivariate_places at = ps_multivariate_at_places(p.fields);
    double x[PS_MULTIVARIATE_MOST], z[PS_MULTIVARIATE_MOST];
    ps_multivariate_view v;
    ps_u32 whole = 1u;
    v.t2 = v.q = ps_nan64();
    v.why = PS_MULTIVARIATE_NONE;
    for (ps_u32 i = 0u; i < p.fields; i++) whole &= ps_found(block, table, i, row, &x[i]);
    const ps_u32 scored = whole && m[PS_MULTIVARIATE_MADE] > 0.0;
    float score = ps_nan();
    if (scored) {
        ps_multivariate_deviate(m, at, x, p.fields, z);
        v = p.method == PS_MULTIVARIATE_PCA ? ps_multivariate_project(m, z, at, p.fields)
                                            : ps_multivariate_distance(m, z, at, p.fields);
        score = (float)v.score;
    }
    const ps_u32 anomaly = scored && (double)score >= p.threshold;
    ps_found_score(block, to[PS_MULTIVARIATE_SCORE], row, score);
    ps_found_number(block, to[PS_MULTIVARIATE_T2], row, v.t2);
    ps_found_number(block, to[PS_MULTIVARIATE_Q], row, v.q);
    block[(ps_u64)to[PS_MULTIVARIATE_ANOMALY] + row] = (ps_u8)anomaly;
    block[(ps_u64)to[PS_MULTIVARIATE_WHY] + row] =
        anomaly ? (ps_u8)v.why : (ps_u8)PS_MULTIVARIATE_NONE;
    if (!whole) return;
    ps_multivariate_learn(m, x, p);
    const double rows = m[PS_MULTIVARIATE_ROWS];
    if (rows >= (double)p.warmup && ((ps_u64)rows - p.warmup) % p.refit == 0u)
        ps_multivariate_make(m, p);
}

PS_FN void ps_multivariate_at(ps_u32 segment, PS_GLOBAL ps_u8 *PS_RESTRICT block,
                              PS_GLOBAL const ps_u32 *PS_RESTRICT table,
                              PS_GLOBAL const ps_u32 *PS_RESTRICT order,
                              PS_GLOBAL const ps_u32 *PS_RESTRICT first,
                              PS_GLOBAL const ps_u32 *PS_RESTRICT series,
                              PS_GLOBAL const ps_u8 *PS_RESTRICT fresh,
                              PS_GLOBAL double *PS_RESTRICT state,
                              PS_GLOBAL double *PS_RESTRICT image, ps_multivariate_params p) {
    const ps_u32 planes = ps_multivariate_planes(p.fields, p.method);
    PS_GLOBAL double *const at = state + (ps_u64)series[segment] * planes;
    PS_GLOBAL double *const m = image + (ps_u64)segment * planes;
    for (ps_u32 i = 0u; i < planes; i++) m[i] = fresh[segment] ? 0.0 : at[i];
    const ps_u32 end = first[segment + 1];
    for (ps_u32 i = first[segment]; i < end; i++) ps_multivariate_row(block, table, order[i], m, p);
    for (ps_u32 i = 0u; i < planes; i++) at[i] = m[i];
}
PS_ENTRY_8(multivariate, ps_u8, const ps_u32, const ps_u32, const ps_u32, const ps_u32, const ps_u8,
           double, double)
