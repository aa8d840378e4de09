/* SPDX-License-Identifier: Apache-2.0
 * The score as a function of a deviation is the one definition in kernels/score.h; everything that
 * leads to the deviation is written anew here, and the score itself is held against libm.
 */
#include "tests/integration/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/score.h"

typedef struct series_state {
    uint64_t hash;
    uint8_t *name; /* NULL: a free place */
    size_t size;
    int32_t partition;
    double mean, variance, count;
} series_state;

struct model {
    model_params params;
    series_state *table;
    size_t capacity, used;
};

model *model_open(model_params params) {
    model *m = calloc(1, sizeof *m);
    if (!m) client_die("out of memory");
    m->params = params;
    m->capacity = 1 << 12;
    m->table = calloc(m->capacity, sizeof *m->table);
    if (!m->table) client_die("out of memory");
    return m;
}

void model_close(model *m) {
    if (!m) return;
    for (size_t i = 0; i < m->capacity; i++) free(m->table[i].name);
    free(m->table);
    free(m);
}

static uint64_t hash_of(int32_t partition, text name) {
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)(uint32_t)partition;
    for (size_t i = 0; i < name.size; i++) h = (h ^ name.data[i]) * UINT64_C(0x100000001b3);
    return h ^ h >> 29;
}

static series_state *place(const model *m, uint64_t hash, int32_t partition, text name) {
    size_t i = hash & (m->capacity - 1);
    for (;; i = (i + 1) & (m->capacity - 1)) {
        series_state *s = &m->table[i];
        if (!s->name) return s;
        if (s->hash == hash && s->partition == partition && s->size == name.size &&
            (name.size == 0 || memcmp(s->name, name.data, name.size) == 0))
            return s;
    }
}

static void grow(model *m) {
    series_state *const old = m->table;
    const size_t count = m->capacity;
    m->capacity *= 2;
    m->table = calloc(m->capacity, sizeof *m->table);
    if (!m->table) client_die("out of memory");
    for (size_t i = 0; i < count; i++)
        if (old[i].name)
            *place(m, old[i].hash, old[i].partition, (text){old[i].name, old[i].size}) = old[i];
    free(old);
}

static series_state *find(model *m, int32_t partition, text name) {
    const uint64_t hash = hash_of(partition, name);
    series_state *s = place(m, hash, partition, name);
    if (s->name) return s;
    if (m->used * 4 > m->capacity * 3) {
        grow(m);
        s = place(m, hash, partition, name);
    }
    m->used++;
    s->name = malloc(name.size + 1);
    if (!s->name) client_die("out of memory");
    if (name.size > 0) memcpy(s->name, name.data, name.size);
    s->size = name.size;
    s->hash = hash;
    s->partition = partition;
    return s;
}

/* -log10 of the two-sided normal tail with the C library's functions, to hold the dialect's
 * against. */
static bool libm_agrees(double deviation, double variance, float score) {
    if (variance <= 0) return score == (deviation == 0 ? 0.0f : 300.0f);
    const long double z = fabsl((long double)(deviation / sqrt(variance)));
    if (z >= 37.5L) return score == 300.0f;
    const long double exact = fminl(-log10l(erfcl(z / sqrtl(2.0L))), 300.0L);
    return fabsl((long double)score - exact) <= 1e-6L * exact;
}

model_verdict model_next(model *m, int32_t partition, text series, bool present, double value) {
    model_verdict verdict = {NAN, false, true};
    if (!present || !isfinite(value)) return verdict;
    series_state *const s = find(m, partition, series);
    const double alpha = m->params.alpha;
    const double warmup = m->params.warmup < 2 ? 2 : m->params.warmup;
    double d = value - s->mean;
    if (!(d < 1e140)) d = 1e140;
    if (!(d > -1e140)) d = -1e140;
    verdict.score = 0.0f;
    if (s->count >= warmup) {
        verdict.score = ps_score_from_deviation(d, s->variance);
        verdict.libm_agrees = libm_agrees(d, s->variance, verdict.score);
    }
    if (s->count == 0) {
        s->mean = value;
        s->variance = 0;
    } else {
        /* Equal weights until they fall to alpha. */
        const double equal = 1.0 / ((double)s->count + 1.0);
        const double weight = equal > alpha ? equal : alpha;
        const double variance = fma(weight * d, d, s->variance);
        s->mean = fma(weight, d, s->mean);
        s->variance = (1.0 - weight) * variance;
    }
    s->count += 1;
    verdict.anomaly = verdict.score >= m->params.threshold;
    return verdict;
}

static size_t skip_space(text t, size_t at) {
    while (at < t.size && strchr(" \t\r\n", t.data[at]) && t.data[at]) at++;
    return at;
}

/* Behind the value that begins at `at`. */
static size_t skip_value(text t, size_t at) {
    int depth = 0;
    bool inside = false;
    for (; at < t.size; at++) {
        const uint8_t c = t.data[at];
        if (inside) {
            if (c == '\\') at++;
            if (c == '"') {
                inside = false;
                if (depth == 0) return at + 1;
            }
        } else if (c == '"') {
            inside = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (c == '}' || c == ']') {
            if (depth == 0) return at;
            if (--depth == 0) return at + 1;
        } else if (depth == 0 && (c == ',' || strchr(" \t\r\n", c))) {
            return at;
        }
    }
    return at;
}

static bool member(text object, const char *name, size_t length, text *out) {
    size_t at = skip_space(object, 0);
    if (at >= object.size || object.data[at] != '{') return false;
    at = skip_space(object, at + 1);
    while (at < object.size && object.data[at] == '"') {
        const size_t end = skip_value(object, at);
        const bool found =
            end - at == length + 2 && memcmp(object.data + at + 1, name, length) == 0;
        at = skip_space(object, end);
        at = skip_space(object, at + 1);
        const size_t value_end = skip_value(object, at);
        if (found) {
            *out = (text){object.data + at, value_end - at};
            return true;
        }
        at = skip_space(object, value_end);
        at = skip_space(object, at + 1);
    }
    return false;
}

bool json_member(text object, const char *path, text *out) {
    text at = object;
    for (;;) {
        const size_t length = strcspn(path, ".");
        if (!member(at, path, length, &at)) return false;
        if (path[length] == 0) break;
        path += length + 1;
    }
    *out = at;
    return true;
}

bool json_number(text value, double *out) {
    char copy[512];
    char *end;
    if (value.size == 0 || value.size >= sizeof copy) return false;
    if (value.data[0] != '-' && (value.data[0] < '0' || value.data[0] > '9')) return false;
    memcpy(copy, value.data, value.size);
    copy[value.size] = 0;
    *out = strtod(copy, &end);
    return *end == 0;
}
