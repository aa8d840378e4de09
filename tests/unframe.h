/* SPDX-License-Identifier: Apache-2.0
 * Reads compressed frames back: zstd and LZ4 by their libraries' own readers, the snappy framing
 * format by a reader written from its description. It shares nothing with what writes them.
 */
#ifndef PS_TESTS_UNFRAME_H
#define PS_TESTS_UNFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The content of all frames of `bytes`, one after the other; `codec` is "zstd", "lz4", "snappy" or
 * "identity". NULL: they are no whole frames. Owns: the caller frees it. */
uint8_t *unframe(const char *codec, const uint8_t *frames, size_t bytes, size_t *length);

#endif
