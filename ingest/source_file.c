/* SPDX-License-Identifier: Apache-2.0
 * Files as a topic named `files`: a file is a partition, its index in byte order of the paths the
 * number; a line is a record, its number from 0 the offset, with neither key nor timestamp. With
 * `header` the first line of each file is not a record and not counted. A blank line is a record of
 * no bytes, which decodes to nothing and so goes to the dead letters: a file that was cut or
 * overwritten must not pass for one with fewer lines. What follows the last line break is no line
 * if it is empty. A byte order mark belongs to the file and not to its first record, except in
 * format `lines`. One file of a lane is read after the other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/clock.h"
#include "ingest/file_list.h"
#include "ingest/line_reader.h"
#include "ingest/parts.h"

static const ps_option options[] = {
    {.name = "paths",
     .preset = NULL,
     .help = "Files to read; *, ? and [] stand for what the shell takes them for.",
     .type = PS_OPTION_LIST,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_source_file_config, paths)},
    {.name = "format",
     .preset = "ndjson",
     .help = "What a line is: a JSON object, comma-separated values, or text (then a byte order "
             "mark is part of it). A blank line is an empty record.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_source_file_config, format),
     .choices = "ndjson|csv|lines"},
    {.name = "header",
     .preset = "false",
     .help = "The first line of each file is no record: it names the file's columns for "
             "decode.csv, unless decode.csv.columns does.",
     .type = PS_OPTION_BOOL,
     .at = offsetof(ps_source_file_config, header)},
    {.name = "line_max",
     .preset = "4MiB",
     .help = "The longest line; a longer one is an error that names it, not a dead letter.",
     .type = PS_OPTION_SIZE,
     .at = offsetof(ps_source_file_config, line_max),
     .min = 1024,
     .max = 1 << 30},
    {.name = NULL}};

/* One file of this lane. */
typedef struct file {
    uint32_t partition;
    int64_t next;  /* the line to begin with */
    int64_t bytes; /* as large as it was at start */
    bool started, done;
} file;

/* What was read of files: lines are counted, so how many are left can be said of bytes only. */
typedef struct passed {
    int64_t lines, bytes;
} passed;

typedef struct file_source {
    const ps_source_file_config *config;
    const ps_lane_env *env;
    ps_file_list list;
    ps_line_reader reader;
    file *files;
    uint32_t *assigned;
    uint32_t file_count;
    file *current;    /* the file that `reader` reads; NULL: none */
    int64_t behind;   /* lines of it to pass over first */
    passed ended;     /* of files that were read to their end */
    int64_t noted_ns; /* when the lag was last told */
    bool answered, draining;
} file_source;

static ps_status file_discover(const void *from, ps_partitions *out, ps_error *error) {
    const ps_source_file_config *config = from;
    ps_file_list list;
    PS_TRY(ps_file_list_init(&list, &config->paths, error));
    *out = (ps_partitions){.topic_count = 1, .count = list.count};
    memcpy(out->topic[0].name, "files", sizeof "files");
    out->topic[0].count = list.count;
    ps_file_list_deinit(&list);
    return PS_OK;
}

static void file_close(void *self) {
    file_source *source = self;
    if (source == NULL) return;
    ps_line_reader_deinit(&source->reader);
    ps_file_list_deinit(&source->list);
    free(source->files);
    free(source->assigned);
    free(source);
}

static ps_status open_list(file_source *source, ps_error *error) {
    const ps_lane_env *env = source->env;
    PS_TRY(ps_file_list_init(&source->list, &source->config->paths, error));
    if (source->list.count != env->partitions->count)
        return ps_fail(
            error, PS_IO,
            "source.file.paths matched %u files a moment ago and %u now; start again when "
            "no more are being written",
            env->partitions->count, source->list.count);
    const size_t most = source->list.count / env->lanes + 1;
    source->files = calloc(most, sizeof *source->files);
    source->assigned = calloc(most, sizeof *source->assigned);
    if (source->files == NULL || source->assigned == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for %zu files", most);
    for (uint32_t p = env->lane; p < source->list.count; p += env->lanes) {
        struct stat about;
        if (stat(source->list.path[p], &about) != 0)
            return ps_fail(error, PS_IO, "cannot read %.300s: %s", source->list.path[p],
                           strerror(errno));
        source->files[source->file_count].partition = p;
        source->files[source->file_count].bytes = about.st_size;
        source->assigned[source->file_count++] = p;
    }
    source->answered = source->file_count == 0;
    return ps_line_reader_init(&source->reader, (uint32_t)source->config->line_max, error);
}

static ps_status file_open(const void *config, const ps_lane_env *env, void **self,
                           ps_error *error) {
    file_source *source = calloc(1, sizeof *source);
    if (source == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for the file source");
    source->config = config;
    source->env = env;
    source->reader.fd = -1;
    const ps_status status = open_list(source, error);
    if (status == PS_OK) *self = source;
    if (status != PS_OK) file_close(source);
    return status;
}

/* The record or header line at the front of a file, without the mark of its encoding. */
static ps_bytes without_mark(ps_bytes line) {
    const bool marked = line.length >= 3 && memcmp(line.data, "\xef\xbb\xbf", 3) == 0;
    return marked ? (ps_bytes){line.data + 3, line.length - 3} : line;
}

static ps_status file_heading(void *self, uint32_t partition, ps_heading *out, ps_error *error) {
    file_source *source = self;
    const uint32_t lanes = source->env->lanes;
    if (!source->config->header || partition % lanes != source->env->lane) return PS_END;
    PS_TRY(ps_line_reader_open(&source->reader, source->list.path[partition], error));
    const ps_status status = ps_line_reader_peek(&source->reader, &out->line, error);
    ps_line_reader_close(&source->reader); /* the line stays in its buffer */
    out->line = without_mark(out->line);
    out->where = source->list.path[partition];
    return status;
}

static ps_status file_event(void *self, ps_event *out, ps_error *error) {
    const file_source *source = self;
    (void)error;
    if (source->answered) return PS_OK;
    *out = (ps_event){PS_EVENT_ASSIGNED, source->file_count, source->assigned};
    return PS_OK;
}

static ps_status file_answer(void *self, ps_error *error) {
    (void)error;
    ((file_source *)self)->answered = true;
    return PS_OK;
}

static ps_status file_start(void *self, uint32_t partition, int64_t next, ps_error *error) {
    file_source *source = self;
    file *one = &source->files[partition / source->env->lanes];
    (void)error;
    PS_CHECK_OP(one->partition, ==, partition);
    one->next = next == PS_OFFSET_NONE ? 0 : next;
    one->started = true;
    one->done = false;
    if (source->current == one) {
        ps_line_reader_close(&source->reader);
        source->current = NULL;
    }
    return PS_OK;
}

/* Opens the next file that has something left. END: there is none. AGAIN: one has not been started.
 */
static ps_status next_file(file_source *source, ps_error *error) {
    bool waiting = false;
    for (uint32_t i = 0; i < source->file_count; i++) {
        file *one = &source->files[i];
        waiting = waiting || !one->started;
        if (one->done || !one->started) continue;
        PS_TRY(ps_line_reader_open(&source->reader, source->list.path[one->partition], error));
        source->current = one;
        source->behind = one->next + (source->config->header ? 1 : 0);
        return PS_OK;
    }
    return waiting ? PS_AGAIN : PS_END;
}

/* Line number as users count records. */
static int64_t offset_of(const file_source *source) {
    return source->reader.line - (source->config->header ? 1 : 0);
}

static ps_status catch_up(file_source *source, ps_error *error) {
    const ps_status status = ps_line_reader_skip(&source->reader, &source->behind, error);
    if (status != PS_END) return status;
    const file *one = source->current;
    if (one->next == 0) { /* an empty file has no header either */
        source->behind = 0;
        return PS_OK;
    }
    return ps_fail(
        error, PS_IO,
        "%.250s ends after line %lld, but reading is to go on at line %lld: was the file "
        "replaced? delete the sink's progress to start again",
        source->reader.path, (long long)offset_of(source), (long long)one->next);
}

/* The line does not fit any batch: its bytes are kept until the slot is released. */
static ps_status keep_oversize(ps_batch *batch, ps_error *error) {
    const ps_bytes value = batch->oversize.value;
    uint8_t *copy = malloc(value.length);
    if (copy == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for a line of %u bytes", value.length);
    memcpy(copy, value.data, value.length);
    batch->oversize.value.data = copy;
    batch->oversize.owner = copy;
    return PS_OK;
}

static void end_file(file_source *source) {
    const ps_line_reader *reader = &source->reader;
    source->ended.lines += reader->line;
    source->ended.bytes += (int64_t)reader->read_bytes;
    source->current->done = true;
    source->current = NULL;
    ps_line_reader_close(&source->reader);
}

/* Lines of the current file. AGAIN: the batch is full. END: the file is. */
static ps_status take_lines(file_source *source, ps_batch *batch, ps_error *error) {
    const bool marks = source->config->format != PS_FILE_LINES;
    ps_record record = {.partition = source->current->partition,
                        .timestamp_ms = -1,
                        .key = {NULL, PS_NULL_LENGTH},
                        .headers = {NULL, PS_NULL_LENGTH}};
    for (;;) {
        PS_TRY(ps_line_reader_peek(&source->reader, &record.value, error));
        if (marks && source->reader.line == 0) record.value = without_mark(record.value);
        record.offset = offset_of(source);
        const ps_status status = ps_batch_append(batch, &record);
        if (status == PS_AGAIN) return PS_AGAIN;
        ps_line_reader_next(&source->reader);
        if (status == PS_END) {
            const ps_status kept = keep_oversize(batch, error);
            return kept == PS_OK ? PS_AGAIN : kept;
        }
    }
}

/* By bytes: lines of the length that those before had on average. */
static int64_t file_remaining(void *self) {
    const file_source *source = self;
    passed seen = source->ended;
    int64_t left = 0;
    for (uint32_t i = 0; i < source->file_count; i++) {
        const file *one = &source->files[i];
        if (one->done) continue;
        int64_t at = 0;
        if (source->current == one) {
            at = ps_line_reader_position(&source->reader);
            seen.lines += source->reader.line;
            seen.bytes += at;
        }
        if (one->bytes > at) left += one->bytes - at;
    }
    if (left == 0) return 0;
    if (seen.lines == 0 || seen.bytes == 0) return -1;
    return (int64_t)((double)left * (double)seen.lines / (double)seen.bytes + 0.5);
}

static void note_lag(file_source *source, bool ended) {
    const int64_t now_ns = ps_clock_ns();
    if (!ended && now_ns - source->noted_ns < 200 * PS_NS_PER_MS) return;
    const int64_t lag = file_remaining(source);
    if (lag >= 0) source->noted_ns = now_ns;
    atomic_store_explicit(&source->env->metrics->lag, lag, memory_order_relaxed);
}

static ps_status fill(file_source *source, ps_batch *batch, int64_t *ask_again_ns,
                      ps_error *error) {
    if (batch->filled_ns == 0) batch->filled_ns = ps_clock_ns();
    for (;;) {
        if (source->draining) return PS_END;
        if (source->current == NULL) {
            const ps_status status = next_file(source, error);
            if (status != PS_OK) return status;
        }
        if (source->behind > 0) {
            const ps_status status = catch_up(source, error);
            *ask_again_ns = ps_clock_ns();
            if (status != PS_OK) return status;
        }
        const uint32_t partition = source->current->partition;
        const ps_status status = take_lines(source, batch, error);
        if (status != PS_AGAIN && status != PS_END) return status;
        if (offset_of(source) > 0) ps_batch_position(batch, partition, offset_of(source));
        if (status == PS_AGAIN) return PS_OK;
        end_file(source);
    }
}

static ps_status file_fill(void *self, ps_batch *batch, int64_t *ask_again_ns, ps_error *error) {
    file_source *source = self;
    const ps_status status = fill(source, batch, ask_again_ns, error);
    note_lag(source, status == PS_END);
    return status;
}

static void file_release(void *self, ps_batch *batch) {
    (void)self;
    free(batch->oversize.owner);
    batch->oversize.owner = NULL;
}

static void file_drain(void *self) {
    ((file_source *)self)->draining = true;
}

static size_t file_memory(const void *from, const ps_lane_env *env) {
    const ps_source_file_config *config = from;
    (void)env;
    return sizeof(file_source) + (size_t)config->line_max + PS_LINE_BLOCK; /* the line buffer */
}

static void file_check(const void *from, ps_complaints *out) {
    const ps_source_file_config *config = from;
    if (config->paths.count == 0)
        out->add(out, "paths", PS_NOWHERE, "paths: name at least one file");
    for (uint32_t i = 0; i < config->paths.count; i++)
        if (config->paths.at[i][0] == '\0')
            out->add(out, "paths", i, "paths: '' is not the name of a file");
}

const char *ps_source_file_path(const void *self, uint32_t partition) {
    const file_source *source = self;
    return source->list.path[partition];
}

const ps_source ps_source_file = {.about = {.name = "file",
                                            .summary = "Lines of files: NDJSON, CSV or text.",
                                            .options = options,
                                            .config_bytes = sizeof(ps_source_file_config)},
                                  .check = file_check,
                                  .discover = file_discover,
                                  .open = file_open,
                                  .heading = file_heading,
                                  .event = file_event,
                                  .answer = file_answer,
                                  .start = file_start,
                                  .fill = file_fill,
                                  .release = file_release,
                                  .drain = file_drain,
                                  .remaining = file_remaining,
                                  .close = file_close,
                                  .memory = file_memory};
