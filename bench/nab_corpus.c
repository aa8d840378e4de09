/* SPDX-License-Identifier: Apache-2.0
 * The benchmark's folder as it is published: labels in one JSON file, a CSV file a series.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/nab.h"
#include "host/base/check.h"
#include "ingest/series_csv.h"

enum { LABELS_BYTES_MAX = 1 << 20, PATH_BYTES = 4096 };

static void *grow(void *memory, size_t count, size_t size) {
    void *more = realloc(memory, (count + 1) * size);
    if (more == NULL) free(memory);
    PS_CHECK(more != NULL);
    return more;
}

static ps_status read_text(const char *path, char **out, ps_error *error) {
    FILE *in = fopen(path, "re");
    if (in == NULL) return ps_fail(error, PS_IO, "cannot open %.300s: %s", path, strerror(errno));
    char *text = calloc(1, LABELS_BYTES_MAX + 1);
    PS_CHECK(text != NULL);
    const size_t got = fread(text, 1, LABELS_BYTES_MAX, in);
    const bool whole = got < LABELS_BYTES_MAX && !ferror(in);
    (void)fclose(in);
    *out = text;
    return whole ? PS_OK : ps_fail(error, PS_IO, "cannot read all of %.300s", path);
}

/* Adds one string of the labels: a file's name, or the begin or the end of a window of the last
 * file. */
static bool add_string(ps_nab *nab, uint32_t depth, const char *text, size_t length) {
    if (depth == 1) {
        nab->file = grow(nab->file, nab->files, sizeof *nab->file);
        nab->file[nab->files] = (ps_nab_file){.name = strndup(text, length)};
        PS_CHECK(nab->file[nab->files++].name != NULL);
        return true;
    }
    int64_t ns;
    const ps_bytes time = {(const uint8_t *)text, (uint32_t)length};
    if (depth != 3 || nab->files == 0 || !ps_series_time(time, &ns)) return false;
    ps_nab_file *file = &nab->file[nab->files - 1];
    if (file->windows > 0 && file->window[file->windows - 1].end_ns == INT64_MIN) {
        file->window[file->windows - 1].end_ns = ns;
        return true;
    }
    file->window = grow(file->window, file->windows, sizeof *file->window);
    file->window[file->windows++] = (ps_nab_window){.begin_ns = ns, .end_ns = INT64_MIN};
    return true;
}

/* {"category/file.csv": [["begin", "end"], …], …}: brackets say what a string is. */
static bool read_labels(ps_nab *nab, const char *text) {
    uint32_t depth = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '{' || *at == '[') depth++;
        if ((*at == '}' || *at == ']') && depth-- == 0) return false;
        if (*at != '"') continue;
        const char *end = strchr(at + 1, '"');
        if (end == NULL || !add_string(nab, depth, at + 1, (size_t)(end - at - 1))) return false;
        at = end;
    }
    return depth == 0 && nab->files > 0;
}

static void keep(ps_nab_file *file, const ps_series_row *row) {
    if ((file->rows & (file->rows - 1)) == 0) { /* as many again */
        const size_t room = file->rows == 0 ? 1 : 2 * (size_t)file->rows;
        file->time_ns = grow(file->time_ns, room, sizeof *file->time_ns);
        file->value = grow(file->value, room, sizeof *file->value);
    }
    file->time_ns[file->rows] = row->time_ns;
    file->value[file->rows++] = row->value;
}

static ps_status read_file(ps_nab_file *file, const char *folder, ps_series_csv *csv,
                           ps_error *error) {
    char path[PATH_BYTES];
    ps_series_row row;
    ps_status status;
    (void)snprintf(path, sizeof path, "%s/data/%s", folder, file->name);
    PS_TRY(ps_series_csv_open(csv, path, error));
    while ((status = ps_series_csv_next(csv, &row, error)) == PS_OK) keep(file, &row);
    if (status != PS_END) return status;
    file->inside = calloc(file->rows + 1, sizeof *file->inside);
    file->weight = calloc(file->rows + 1, sizeof *file->weight);
    PS_CHECK(file->inside != NULL && file->weight != NULL);
    return ps_nab_file_weigh(file, error);
}

static int by_name(const void *left, const void *right) {
    return strcmp(((const ps_nab_file *)left)->name, ((const ps_nab_file *)right)->name);
}

static ps_status read_all(ps_nab *nab, const char *folder, ps_series_csv *csv, ps_error *error) {
    char path[PATH_BYTES], *text = NULL;
    (void)snprintf(path, sizeof path, "%s/labels/combined_windows.json", folder);
    const ps_status status = read_text(path, &text, error);
    const bool right = status == PS_OK && read_labels(nab, text);
    free(text);
    PS_TRY(status);
    if (!right)
        return ps_fail(error, PS_BAD_CONFIG,
                       "%.300s is not {\"category/file.csv\": [[\"begin\", \"end\"], …], …}", path);
    qsort(nab->file, nab->files, sizeof *nab->file, by_name);
    for (uint32_t i = 0; i < nab->files; i++) {
        PS_TRY(read_file(&nab->file[i], folder, csv, error));
        nab->rows += nab->file[i].rows;
    }
    return PS_OK;
}

ps_status ps_nab_open(const char *folder, ps_nab **out, ps_error *error) {
    ps_series_csv csv;
    ps_nab *nab = calloc(1, sizeof *nab);
    if (nab == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for the benchmark's files");
    ps_status status = ps_series_csv_init(&csv, error);
    if (status == PS_OK) status = read_all(nab, folder, &csv, error);
    ps_series_csv_deinit(&csv);
    if (status == PS_OK)
        *out = nab;
    else
        ps_nab_close(nab);
    return status;
}

void ps_nab_close(ps_nab *nab) {
    if (nab == NULL) return;
    for (uint32_t i = 0; i < nab->files; i++) {
        ps_nab_file *file = &nab->file[i];
        free(file->name);
        free(file->time_ns);
        free(file->value);
        free(file->window);
        free(file->inside);
        free(file->weight);
    }
    free(nab->file);
    free(nab);
}
