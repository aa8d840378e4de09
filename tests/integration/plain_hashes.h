/* SPDX-License-Identifier: Apache-2.0
 * The hashes of a hash stage once more, written from their specifications in the shortest way and
 * sharing nothing with the kernels: what an output is judged by.
 */
#ifndef PS_TESTS_INTEGRATION_PLAIN_HASHES_H
#define PS_TESTS_INTEGRATION_PLAIN_HASHES_H

#include <stddef.h>
#include <stdint.h>

enum { PLAIN_HASHES = 6, PLAIN_HEX_MAX = 65 };

/* "sha256", …: the names that the stage gives its outputs; NULL behind the last. */
extern const char *const plain_hash_names[PLAIN_HASHES + 1];

/* The hexadecimal text of hash `which` of the bytes; false where this build cannot tell. */
int plain_hash(int which, const uint8_t *bytes, size_t size, char text[PLAIN_HEX_MAX]);

#endif
