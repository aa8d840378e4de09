/* SPDX-License-Identifier: Apache-2.0
 * Directories that are made where they are missing.
 */
#ifndef PS_HOST_BASE_DIRECTORY_H
#define PS_HOST_BASE_DIRECTORY_H

#include <stdbool.h>

/* Makes `path`, seen from directory `at`, and all above it. The path is written to meanwhile, and
 * is afterwards as it was, or on failure ends behind the directory that could not be made; errno
 * says why. */
bool ps_directory_make(int at, char *path);

#endif
