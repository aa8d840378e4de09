/* SPDX-License-Identifier: Apache-2.0 */
#include "host/base/text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct unit {
    const char *name;
    double factor;
} unit;

/* The first row of each factor is the one that is written. */
static const unit duration_units[] = {{"d", 86400e9}, {"h", 3600e9}, {"min", 60e9}, {"m", 60e9},
                                      {"s", 1e9},     {"ms", 1e6},   {"us", 1e3},   {"µs", 1e3},
                                      {"ns", 1},      {NULL, 0}};
static const unit size_units[] = {{"TiB", 1099511627776.0},
                                  {"GiB", 1073741824.0},
                                  {"MiB", 1048576.0},
                                  {"KiB", 1024.0},
                                  {"kiB", 1024.0},
                                  {"TB", 1e12},
                                  {"GB", 1e9},
                                  {"MB", 1e6},
                                  {"kB", 1e3},
                                  {"KB", 1e3},
                                  {"B", 1},
                                  {NULL, 0}};

bool ps_text_integer(const char *text, int64_t *value) {
    const char *digits = text + (*text == '-' || *text == '+');
    if (*digits < '0' || *digits > '9') return false;
    char *end = NULL;
    errno = 0;
    const long long parsed = strtoll(text, &end, 10);
    if (*end != '\0' || errno == ERANGE) return false;
    *value = parsed;
    return true;
}

/* A decimal and where it ends: strtod alone would also take hexadecimal, inf, nan and leading
 * blanks. */
static bool parse_decimal(const char *text, double *value, const char **rest) {
    const char *p = text + (*text == '-' || *text == '+');
    if (!((*p >= '0' && *p <= '9') || (*p == '.' && p[1] >= '0' && p[1] <= '9'))) return false;
    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) return false;
    char *end = NULL;
    *value = strtod(text, &end);
    *rest = end;
    return isfinite(*value);
}

bool ps_text_number(const char *text, double *value) {
    const char *rest = NULL;
    return parse_decimal(text, value, &rest) && *rest == '\0';
}

static bool parse_units(const char *text, const unit *units, int64_t *value) {
    double number = 0;
    const char *rest = NULL;
    if (!parse_decimal(text, &number, &rest)) return false;
    while (units->name != NULL && strcmp(units->name, rest) != 0) units++;
    if (units->name == NULL) return false;
    const double scaled = number * units->factor;
    if (!(fabs(scaled) < 9.2e18)) return false;
    *value = llround(scaled);
    return true;
}

bool ps_text_duration(const char *text, int64_t *ns) {
    if (strcmp(text, "0") == 0) {
        *ns = 0;
        return true;
    }
    return parse_units(text, duration_units, ns);
}

bool ps_text_size(const char *text, int64_t *bytes) {
    return ps_text_integer(text, bytes) || parse_units(text, size_units, bytes);
}

static const char *format_units(int64_t value, const unit *units, char *text) {
    while (units[1].name != NULL && (value == 0 || fmod((double)value, units->factor) != 0))
        units++;
    (void)snprintf(text, PS_TEXT_NUMBER_MAX, "%lld%s", (long long)((double)value / units->factor),
                   units->name);
    return text;
}

static const char *put(char *text, const char *from) {
    (void)snprintf(text, PS_TEXT_NUMBER_MAX, "%s", from);
    return text;
}

const char *ps_text_from_duration(int64_t ns, char *text) {
    if (ns == 0) return put(text, "0s");
    return format_units(ns, duration_units, text);
}

const char *ps_text_from_size(int64_t bytes, char *text) {
    if (bytes == 0) return put(text, "0B");
    return format_units(bytes, size_units, text);
}

const char *ps_text_from_count(uint64_t count, char *text) {
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    char *to = text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}

bool ps_text_is_name(const char *text, size_t length_max) {
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const size_t length = strlen(text);
    return length > 0 && length <= length_max && text[strspn(text, allowed)] == '\0' &&
           strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static const char *format_about(double value, double step, const char *const *units, char *text) {
    uint32_t i = 0;
    while (value >= step * 0.9995 && units[i + 1] != NULL) {
        value /= step;
        i++;
    }
    const int decimals = i == 0 || value >= 999.5 ? 0 : value >= 99.95 ? 1 : 2;
    (void)snprintf(text, PS_TEXT_NUMBER_MAX, "%.*f%s", decimals, value, units[i]);
    return text;
}

const char *ps_text_about_size(double bytes, char *text) {
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", NULL};
    return format_about(bytes, 1024, units, text);
}

const char *ps_text_about_count(double count, char *text) {
    static const char *const units[] = {"", " k", " M", " G", NULL};
    return format_about(count, 1000, units, text);
}

enum { WORD_MAX = 64 };

static uint32_t smaller(uint32_t left, uint32_t right) {
    return left < right ? left : right;
}

uint32_t ps_text_distance(const char *left, const char *right) {
    const size_t columns = strlen(right);
    if (strlen(left) > WORD_MAX || columns > WORD_MAX) return UINT32_MAX;
    uint32_t rows[3][WORD_MAX + 1]; /* the current row and the two before it: swaps look two back */
    for (uint32_t j = 0; j <= columns; j++) rows[0][j] = j;
    uint32_t now = 0;
    for (uint32_t i = 1; left[i - 1] != '\0'; i++) {
        now = i % 3;
        const uint32_t *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];
        rows[now][0] = i;
        for (uint32_t j = 1; j <= columns; j++) {
            const bool same = left[i - 1] == right[j - 1];
            uint32_t least = smaller(up[j - 1] + !same, smaller(up[j], rows[now][j - 1]) + 1);
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                least = smaller(least, up2[j - 2] + 1);
            rows[now][j] = least;
        }
    }
    return rows[now][columns];
}

ps_nearest ps_nearest_to(const char *word) {
    return (ps_nearest){word, NULL, UINT32_MAX};
}

void ps_nearest_offer(ps_nearest *nearest, const char *candidate) {
    uint32_t distance = ps_text_distance(nearest->word, candidate);
    if (strcasecmp(nearest->word, candidate) == 0) distance = 0;
    if (distance >= nearest->distance) return;
    nearest->distance = distance;
    nearest->best = candidate;
}

const char *ps_nearest_take(const ps_nearest *nearest) {
    if (nearest->best == NULL) return NULL;
    const size_t length = strlen(nearest->word);
    const uint32_t allowed = length <= 2 ? 1 : length <= 7 ? 2 : 3;
    /* A distance as long as the word itself would offer anything for anything. */
    return nearest->distance <= allowed && nearest->distance < length ? nearest->best : NULL;
}

const char *ps_words_at(const char *words, uint32_t index, size_t *length) {
    for (; index > 0; index--) {
        words = strchr(words, '|');
        if (words == NULL) return NULL;
        words++;
    }
    *length = strcspn(words, "|");
    return words;
}

bool ps_words_find(const char *words, const char *word, uint32_t *index) {
    size_t length = 0;
    const char *at = NULL;
    for (uint32_t i = 0; (at = ps_words_at(words, i, &length)) != NULL; i++) {
        if (strlen(word) != length || memcmp(at, word, length) != 0) continue;
        *index = i;
        return true;
    }
    return false;
}
