/* SPDX-License-Identifier: Apache-2.0
 * C++ for the one thing that C has not: std::to_chars.
 */
#include "host/flow/shortest.h"

#include <charconv>

extern "C" uint32_t ps_shortest_f32_any(float value, char *text) {
    return static_cast<uint32_t>(std::to_chars(text, text + PS_SHORTEST_MAX, value).ptr - text);
}

extern "C" uint32_t ps_shortest_f64(double value, char *text) {
    return static_cast<uint32_t>(std::to_chars(text, text + PS_SHORTEST_F64_MAX, value).ptr - text);
}
