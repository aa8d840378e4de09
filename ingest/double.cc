// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cstdint>
#include <limits>
#include <system_error>

#include "ingest/number.h"

// from_chars does not say at which end a number is out of range: its decimal magnitude does.
static bool is_small(const char *begin, const char *end) {
    int64_t magnitude = 0;
    bool point = false, significant = false;
    const char *p = begin + (*begin == '-');
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        significant = significant || *p != '0';
        if (significant && !point) magnitude++;
        if (!significant && point) magnitude--;
    }
    if (p == end) return magnitude <= 0;
    const bool negative = *++p == '-';
    if (*p == '-' || *p == '+') p++;
    int64_t power = 0;
    for (; p < end && power < INT64_C(1) << 40; p++) power = power * 10 + (*p - '0');
    return magnitude + (negative ? -power : power) <= 0;
}

extern "C" double ps_double_parse(const char *begin, const char *end) {
    double value = 0.0;
    const std::from_chars_result result = std::from_chars(begin, end, value);
    if (result.ec != std::errc::result_out_of_range) return value;
    const double limit = is_small(begin, end) ? 0.0 : std::numeric_limits<double>::infinity();
    return *begin == '-' ? -limit : limit;
}
