/* SPDX-License-Identifier: Apache-2.0
 * Ends a process in the middle of what it writes below a directory: after any call that changes
 * something, a write half done; and as after a power failure, with what was not on the disk yet
 * gone, each piece by a coin. The linker puts these in the place of the calls (--wrap).
 */
#ifndef TESTS_SEAL_CUT_H
#define TESTS_SEAL_CUT_H

#include <stdbool.h>
#include <stdint.h>

enum { CUT_CODE = 42 };

/* From now on, in this process: it ends with CUT_CODE in the call of that number. `root` is the
 * directory that relative paths are seen from. */
void cut_begin(const char *root, uint32_t call, bool power, uint32_t seed);

#endif
