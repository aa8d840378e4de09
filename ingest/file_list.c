/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/file_list.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/limits.h"

static int by_bytes(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static ps_status add(ps_file_list *list, const char *path, ps_error *error) {
    struct stat about;
    if (stat(path, &about) != 0)
        return ps_fail(error, PS_IO, "cannot read %.300s: %s", path, strerror(errno));
    if (S_ISDIR(about.st_mode))
        return ps_fail(error, PS_BAD_CONFIG,
                       "%.300s is a directory; name the files in it, say \"%.100s/*\"", path, path);
    if (!S_ISREG(about.st_mode))
        return ps_fail(error, PS_BAD_CONFIG,
                       "%.300s is not a regular file, so reading could not go on where it stopped",
                       path);
    char **grown = realloc(list->path, (list->count + 1u) * sizeof *grown);
    if (grown == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for the list of files");
    list->path = grown;
    list->path[list->count] = strdup(path);
    if (list->path[list->count] == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for the list of files");
    list->count++;
    return PS_OK;
}

static ps_status add_pattern(ps_file_list *list, const char *pattern, ps_error *error) {
    glob_t found;
    const int code = glob(pattern, GLOB_NOSORT | GLOB_ERR, NULL, &found);
    /* A folder on the way that is not there is the same mistake in the pipeline file. */
    const bool lost = code == GLOB_ABORTED && (errno == ENOENT || errno == ENOTDIR);
    if (code == GLOB_NOMATCH || lost)
        return ps_fail(error, PS_BAD_CONFIG,
                       "no file matches '%.300s'; paths are relative to the working directory",
                       pattern);
    if (code != 0)
        return ps_fail(error, code == GLOB_NOSPACE ? PS_NO_MEMORY : PS_IO,
                       "cannot list '%.300s': %s", pattern,
                       code == GLOB_NOSPACE ? "out of memory" : strerror(errno));
    ps_status status = PS_OK;
    for (size_t i = 0; i < found.gl_pathc && status == PS_OK; i++)
        status = add(list, found.gl_pathv[i], error);
    globfree(&found);
    return status;
}

static void sort_once(ps_file_list *list) {
    qsort(list->path, list->count, sizeof *list->path, by_bytes);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < list->count; i++) {
        if (strcmp(list->path[i], list->path[kept - 1]) == 0)
            free(list->path[i]);
        else
            list->path[kept++] = list->path[i];
    }
    list->count = kept;
}

ps_status ps_file_list_init(ps_file_list *list, const ps_string_list *patterns, ps_error *error) {
    *list = (ps_file_list){NULL, 0};
    ps_status status = PS_OK;
    for (uint32_t i = 0; i < patterns->count && status == PS_OK; i++)
        status = add_pattern(list, patterns->at[i], error);
    if (status == PS_OK && list->count == 0)
        status =
            ps_fail(error, PS_BAD_CONFIG, "source.file.paths is empty; name at least one file");
    if (status == PS_OK) sort_once(list);
    if (status == PS_OK && list->count > PS_PARTITIONS_MAX)
        status =
            ps_fail(error, PS_BAD_CONFIG,
                    "source.file.paths match %u files; each is a partition, and at most %d can be",
                    list->count, PS_PARTITIONS_MAX);
    if (status != PS_OK) ps_file_list_deinit(list);
    return status;
}

void ps_file_list_deinit(ps_file_list *list) {
    for (uint32_t i = 0; i < list->count; i++) free(list->path[i]);
    free(list->path);
    *list = (ps_file_list){NULL, 0};
}
