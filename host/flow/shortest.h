/* SPDX-License-Identifier: Apache-2.0
 * Numbers as text, fast: what the enricher writes for every row.
 */
#ifndef PS_HOST_FLOW_SHORTEST_H
#define PS_HOST_FLOW_SHORTEST_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    PS_SHORTEST_MAX = 16,     /* "-1.2345678e-38" is the longest */
    PS_SHORTEST_F64_MAX = 24, /* "-2.2250738585072014e-308" */
    PS_DECIMAL_MAX = 20       /* of an int64 */
};

/* The shortest decimal that reads back as the same float, of several the nearest; `value` is
 * finite. Returns its length; no NUL is written. Agrees: with std::to_chars of C++17, to the byte.
 */
uint32_t ps_shortest_f32(float value, char *text);

/* The same by std::to_chars itself: what the fast one falls back to and is tested against. */
uint32_t ps_shortest_f32_any(float value, char *text);

/* The same for a double. */
uint32_t ps_shortest_f64(double value, char *text);

/* An integer in decimal. Returns its length. */
uint32_t ps_decimal_i64(int64_t value, char *text);

/* Two lower-case digits per byte. */
void ps_hex_bytes(const uint8_t *bytes, uint32_t count, char *text);

/* 16 and 8 digits, the most significant first. */
void ps_hex_u64(uint64_t value, char *text);
void ps_hex_u32(uint32_t value, char *text);

#ifdef __cplusplus
}
#endif
#endif
