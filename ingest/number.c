/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/number.h"

#include <math.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "eight digits are read as one little-endian word here"
#endif

enum { DIGITS_MAX = 19, EXPONENT_MAX = 100000000 };

static const uint64_t powers[20] = {1u,
                                    10u,
                                    100u,
                                    1000u,
                                    10000u,
                                    100000u,
                                    1000000u,
                                    10000000u,
                                    100000000u,
                                    1000000000u,
                                    10000000000u,
                                    100000000000u,
                                    1000000000000u,
                                    10000000000000u,
                                    100000000000000u,
                                    1000000000000000u,
                                    10000000000000000u,
                                    100000000000000000u,
                                    1000000000000000000u,
                                    10000000000000000000u};

/* How many of the 8 bytes at `p` are leading digits (0 to 8), and their value. Without a branch, so
 * that numbers of varying length cost no mispredictions.
 * Source: D. Lemire, "Quickly parsing eight digits", 2018, with a shift for fewer than eight. */
static inline uint32_t eight(const uint8_t *p, uint64_t *value) {
    uint64_t t;
    memcpy(&t, p, 8);
    t ^= UINT64_C(0x3030303030303030);
    const uint64_t other =
        (((t & UINT64_C(0x7f7f7f7f7f7f7f7f)) + UINT64_C(0x7676767676767676)) | t) &
        UINT64_C(0x8080808080808080);
    const uint32_t count = other == 0 ? 8 : (uint32_t)__builtin_ctzll(other) >> 3;
    if (count == 0) return 0;
    t <<= (8 - count) * 8; /* what comes first counts most: zeros are put before it */
    t = t * 10 + (t >> 8);
    t = ((t & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064) +
         ((t >> 16) & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001)) >>
        32;
    *value = t;
    return count;
}

/* A run of digits onto number->mantissa; returns the byte behind it, at most `end`. */
static inline const uint8_t *digits(const uint8_t *p, const uint8_t *end, ps_number *number,
                                    uint32_t *significant) {
    for (;;) {
        uint64_t value = 0;
        uint32_t count = eight(p, &value);
        if (__builtin_expect(count > (uint64_t)(end - p), 0)) {
            const uint32_t over = count - (uint32_t)(end - p);
            value /= powers[over];
            count -= over;
        }
        if (count == 0) return p;
        if (*significant + count > DIGITS_MAX) {
            number->long_form = true;
        } else {
            number->mantissa = number->mantissa * powers[count] + value;
            *significant += number->mantissa == 0 ? 0 : count;
        }
        p += count;
        if (count < 8) return p;
    }
}

static const uint8_t *exponent(const uint8_t *p, const uint8_t *end, ps_number *number) {
    bool negative = false;
    if (p < end && (*p == '+' || *p == '-')) negative = *p++ == '-';
    int32_t value = 0;
    const uint8_t *first = p;
    while (p < end && (uint8_t)(*p - '0') <= 9) {
        if (value < EXPONENT_MAX) value = value * 10 + (*p - '0');
        p++;
    }
    if (value >= EXPONENT_MAX / 2) number->long_form = true;
    number->exponent += negative ? -value : value;
    number->integer = false;
    return p == first ? NULL : p;
}

static ps_number_scan stop(const uint8_t *p, const uint8_t *end, ps_number *number) {
    number->end = p;
    return p >= end ? PS_NUMBER_CUT : PS_NUMBER_BAD;
}

ps_number_scan ps_number_read(const uint8_t *begin, const uint8_t *end, ps_number *number) {
    *number = (ps_number){.begin = begin, .integer = true};
    const uint8_t *p = begin;
    if (p >= end) return stop(p, end, number);
    number->negative = *p == '-';
    p += number->negative;
    uint32_t significant = 0;
    const uint8_t *first = p;
    if (p < end) p = digits(p, end, number, &significant);
    if (p == first) return stop(p, end, number);
    if (*first == '0' && p > first + 1) return stop(first + 1, end, number);
    if (p < end && *p == '.') {
        first = ++p;
        if (p < end) p = digits(p, end, number, &significant);
        if (p == first) return stop(p, end, number);
        number->exponent = -(int32_t)(p - first);
        number->integer = false;
    }
    if (p < end && (*p | 0x20) == 'e') {
        const uint8_t *from = p + 1;
        p = exponent(from, end, number);
        if (p == NULL) {
            p = from < end && (*from == '+' || *from == '-') ? from + 1 : from;
            return stop(p, end, number);
        }
    }
    number->end = p;
    return PS_NUMBER_OK;
}

bool ps_number_double(const ps_number *number, double *out) {
    static const double exact[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    /* Both factors are exact doubles, so one rounding gives the nearest double (Clinger 1990). */
    if (!number->long_form && number->mantissa <= UINT64_C(1) << 53 && number->exponent >= -22 &&
        number->exponent <= 22) {
        double value = (double)number->mantissa;
        if (number->exponent < 0)
            value /= exact[-number->exponent];
        else
            value *= exact[number->exponent];
        *out = number->negative ? -value : value;
        return true;
    }
    *out = ps_double_parse((const char *)number->begin, (const char *)number->end);
    return isfinite(*out);
}

/* Puts the sign on a magnitude; the most negative value has no positive twin. */
static bool sign(uint64_t magnitude, bool negative, int64_t *out) {
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1u : 0u)) return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool ps_number_int(const ps_number *number, int64_t *out) {
    return !number->long_form && sign(number->mantissa, number->negative, out);
}

/* Reads a long number again, keeping the 19 digits that matter to a time. */
static void shorten(ps_number *number) {
    uint64_t mantissa = 0;
    uint32_t kept = 0;
    int64_t dropped = 0, fraction = 0;
    bool point = false;
    const uint8_t *p = number->begin + number->negative;
    for (; p < number->end && (*p | 0x20) != 'e'; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        fraction += point;
        if (kept == DIGITS_MAX) {
            dropped++;
        } else {
            mantissa = mantissa * 10 + (uint64_t)(*p - '0');
            kept += mantissa != 0;
        }
    }
    ps_number power = {.exponent = 0};
    if (p < number->end) (void)exponent(p + 1, number->end, &power);
    int64_t total = power.exponent - fraction + dropped;
    if (total > EXPONENT_MAX) total = EXPONENT_MAX;
    if (total < -EXPONENT_MAX) total = -EXPONENT_MAX;
    number->mantissa = mantissa;
    number->exponent = (int32_t)total;
}

bool ps_number_time(const ps_number *number, ps_time_unit unit, int64_t *out) {
    static const int32_t unit_power[] = {
        [PS_UNIT_MS] = 6, [PS_UNIT_S] = 9, [PS_UNIT_US] = 3, [PS_UNIT_NS] = 0};
    ps_number exact = *number;
    if (exact.long_form) shorten(&exact);
    const int32_t power = exact.exponent + unit_power[unit];
    uint64_t magnitude = exact.mantissa;
    if (magnitude == 0 || power <= -20) {
        magnitude = 0;
    } else if (power < 0) {
        magnitude /= powers[-power];
    } else if (power >= 20 || __builtin_mul_overflow(magnitude, powers[power], &magnitude)) {
        return false;
    }
    return sign(magnitude, number->negative, out);
}

/* `count` digits at `p` as a number, or -1. */
static int32_t fixed(const uint8_t *p, uint32_t count) {
    int32_t value = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t digit = (uint8_t)(p[i] - '0');
        if (digit > 9) return -1;
        value = value * 10 + digit;
    }
    return value;
}

/* Days since 1970-01-01. Source: H. Hinnant, "chrono-compatible low-level date algorithms". */
static int64_t days(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    const int64_t era = (year >= 0 ? year : year - 399) / 400;
    const int64_t of_era = year - era * 400;
    const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool date_exists(int32_t year, int32_t month, int32_t day) {
    static const uint8_t lengths[13] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 0 || month < 1 || month > 12 || day < 1) return false;
    const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= lengths[month] + (month == 2 && leap ? 1 : 0);
}

/* "Z" or "+hh:mm" as seconds east of UTC. */
static bool offset_read(const uint8_t *p, uint32_t length, int64_t *seconds) {
    *seconds = 0;
    if (length == 1 && (*p | 0x20) == 'z') return true;
    if (length != 6 || (p[0] != '+' && p[0] != '-') || p[3] != ':') return false;
    const int32_t hours = fixed(p + 1, 2), minutes = fixed(p + 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return false;
    *seconds = (p[0] == '-' ? -1 : 1) * (INT64_C(3600) * hours + INT64_C(60) * minutes);
    return true;
}

ps_time_read ps_time_parse(const uint8_t *text, uint32_t length, int64_t *out) {
    if (length < 20 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':' ||
        ((text[10] | 0x20) != 't' && text[10] != ' '))
        return PS_TIME_BAD;
    const int32_t year = fixed(text, 4), month = fixed(text + 5, 2), day = fixed(text + 8, 2);
    const int32_t hour = fixed(text + 11, 2), minute = fixed(text + 14, 2);
    const int32_t second = fixed(text + 17, 2);
    if (!date_exists(year, month, day) || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 60)
        return PS_TIME_BAD;
    uint32_t at = 19;
    int64_t ns = 0;
    if (text[at] == '.') {
        const uint32_t first = ++at;
        for (; at < length && (uint8_t)(text[at] - '0') <= 9; at++)
            if (at - first < 9) ns = ns * 10 + (text[at] - '0');
        if (at == first) return PS_TIME_BAD;
        for (uint32_t have = at - first; have < 9; have++) ns *= 10;
    }
    int64_t east;
    if (at >= length || !offset_read(text + at, length - at, &east)) return PS_TIME_BAD;
    const int64_t seconds =
        days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - east;
    int64_t total;
    if (__builtin_mul_overflow(seconds, INT64_C(1000000000), &total) ||
        __builtin_add_overflow(total, ns, &total))
        return PS_TIME_RANGE;
    *out = total;
    return PS_TIME_OK;
}
