/* SPDX-License-Identifier: Apache-2.0 */
#include "host/base/directory.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

bool ps_directory_make(int at, char *path) {
    for (char *slash = path; slash != NULL;) {
        slash = strchr(slash + (*slash != '\0'), '/');
        if (slash != NULL) *slash = '\0';
        if (mkdirat(at, path, 0777) != 0 && errno != EEXIST) return false;
        if (slash != NULL) *slash = '/';
    }
    return true;
}
