/* SPDX-License-Identifier: Apache-2.0
 * Directories: made where they are missing, and told whether one lies in another.
 */
#ifndef PS_HOST_BASE_DIRECTORY_H
#define PS_HOST_BASE_DIRECTORY_H

#include <stdbool.h>

/* Makes `path`, seen from directory `at`, and all above it. The path is written to meanwhile, and
 * is afterwards as it was, or on failure ends behind the directory that could not be made; errno
 * says why. */
bool ps_directory_make(int at, char *path);

/* Is `path` the directory `root`, or below it? Links are followed; neither needs to be there. */
bool ps_directory_is_below(const char *path, const char *root);

#endif
