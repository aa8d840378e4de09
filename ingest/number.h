/* SPDX-License-Identifier: Apache-2.0
 * Numbers and times as text: JSON's number grammar scanned eight digits at a time, and what a
 * declared field makes of it. Shared by the codecs, so that a type means the same in each.
 */
#ifndef PS_INGEST_NUMBER_H
#define PS_INGEST_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "host/base/options.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { PS_NUMBER_PADDING = 16 /* readable bytes behind the text of a number */ };

/* A scanned number: mantissa * 10^exponent, exact unless `long_form`. */
typedef struct ps_number {
    const uint8_t *begin, *end;
    uint64_t mantissa; /* all its digits; of no use where long_form */
    int32_t exponent;  /* of ten; at most some 10^8 either way */
    bool negative;
    bool integer;   /* neither a point nor an exponent was written */
    bool long_form; /* more digits than 19, or an exponent past any double */
} ps_number;

typedef enum ps_number_scan {
    PS_NUMBER_OK,
    PS_NUMBER_CUT, /* the text ended where a digit was due */
    PS_NUMBER_BAD  /* number->end is the byte that does not belong there */
} ps_number_scan;

/* JSON's grammar: no plus sign, no leading zeros, digits on both sides of a point. Scans what can
 * be a number from `begin` on; what follows it is the caller's to judge. Source: RFC 8259,
 * section 6. */
ps_number_scan ps_number_read(const uint8_t *begin, const uint8_t *end, ps_number *number);

/* The nearest double. False: too large for one (1e400). Too small becomes 0. */
bool ps_number_double(const ps_number *number, double *out);

/* False: outside 64 bits. Only for numbers that are `integer`. */
bool ps_number_int(const ps_number *number, int64_t *out);

/* Nanoseconds since 1970 of a number that counts `unit`; what is below a nanosecond is dropped.
 * False: outside 64 bits. */
bool ps_number_time(const ps_number *number, ps_time_unit unit, int64_t *out);

typedef enum ps_time_read { PS_TIME_OK, PS_TIME_BAD, PS_TIME_RANGE } ps_time_read;

/* RFC 3339 with its offset, a space for the T allowed, nanoseconds since 1970. Digits of a fraction
 * past the ninth are dropped; second 60 is the next minute's second 0.
 * Source: RFC 3339, section 5.6. */
ps_time_read ps_time_parse(const uint8_t *text, uint32_t length, int64_t *out);

/* Any number by the rules of strtod in the C locale; infinity where it is too large.
 * Own C++ file: the C library has no locale-free, allocation-free counterpart. */
double ps_double_parse(const char *begin, const char *end);

#ifdef __cplusplus
}
#endif
#endif
