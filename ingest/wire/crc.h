/* SPDX-License-Identifier: Apache-2.0
 * CRC-32C of bytes that come in parts: kernel crc32c computes each part, and what the sum of two
 * parts is follows from theirs, because a CRC is linear.
 * Threads: any.
 */
#ifndef PS_INGEST_WIRE_CRC_H
#define PS_INGEST_WIRE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Of nothing it is 0. Shapes: length < 2^32 - 1. */
uint32_t ps_wire_crc(const void *bytes, size_t length);

/* Of bytes whose sum is `front`, followed by `back_length` bytes whose sum is `back`: a product for
 * each hexadecimal digit of the length that is not 0, some 20 ns each.
 * Shapes: back_length < 2^32. */
uint32_t ps_wire_crc_join(uint32_t front, uint32_t back, size_t back_length);

#endif
