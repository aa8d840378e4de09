/* SPDX-License-Identifier: Apache-2.0 */
#include "host/base/directory.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Puts what of a path is not there yet, name by name, behind what is. */
static bool add_names(char to[PATH_MAX], const char *names) {
    for (const char *at = names; *at != '\0';) {
        const size_t length = strcspn(at, "/"), used = strlen(to);
        char *const last = strrchr(to, '/');
        if (length == 2 && memcmp(at, "..", 2) == 0) {
            if (last != NULL) *last = '\0';
        } else if (length > 0 && !(length == 1 && *at == '.')) {
            if (used + 1 + length >= PATH_MAX) return false;
            (void)snprintf(to + used, PATH_MAX - used, "/%.*s", (int)length, at);
        }
        at += length + (at[length] == '/');
    }
    return true;
}

/* Absolute and without links, as far as it is there; a root has no slash at its end. */
static bool resolve(const char *path, char to[PATH_MAX]) {
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof part) return false;
    memcpy(part, path, length + 1);
    while (realpath(length == 0 ? "." : part, to) == NULL) {
        if (errno != ENOENT && errno != ENOTDIR) return false;
        while (length > 0 && part[length - 1] == '/') length--;
        while (length > 0 && part[length - 1] != '/') length--;
        part[length] = '\0';
    }
    if (strcmp(to, "/") == 0) to[0] = '\0';
    return add_names(to, path + length);
}

bool ps_directory_is_below(const char *path, const char *root) {
    char inner[PATH_MAX], outer[PATH_MAX];
    if (!resolve(path, inner) || !resolve(root, outer)) return false;
    const size_t length = strlen(outer);
    return strncmp(inner, outer, length) == 0 && (inner[length] == '/' || inner[length] == '\0');
}
