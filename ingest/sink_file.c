/* SPDX-License-Identifier: Apache-2.0
 * Enriched rows as lines of files in a folder. Rows, state and the position become durable
 * together, per partition (ingest/partfile.h), so a job that is killed and run again loses and
 * repeats nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/flow/enrich.h"
#include "host/state/record.h"
#include "ingest/dead_file.h"
#include "ingest/folder.h"
#include "ingest/frame_pool.h"
#include "ingest/partfile.h"
#include "ingest/parts.h"

enum {
    STATE_CHUNK_BYTES = 1 << 20,
    SPARE_BYTES = 1 << 18,
    PATH_BYTES = 4096,
    LINE_EXTRA_ABOUT = 1 << 14
};

static const ps_option options[] = {
    {.name = "path",
     .preset = NULL,
     .help = "The folder, made if need be; progress lies in dot-files inside, so deleting "
             "it starts again. One worker's: a partition that moves to another worker begins anew "
             "in that one's folder.",
     .type = PS_OPTION_STRING,
     .flags = PS_OPTION_REQUIRED,
     .at = offsetof(ps_sink_file_config, path)},
    {.name = "form",
     .preset = "json",
     .help = "json: the record's object with a member \"penstock\" appended (needs "
             "decode: json); value: the record's value as it came.",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_sink_file_config, form),
     .choices = "json|value"},
    {.name = "codec",
     .preset = "none",
     .help = "How files are compressed: standard frames, so `zstd -d` and `lz4 -d` read them; "
             "snappy in its framing format (.sz).",
     .type = PS_OPTION_CHOICE,
     .at = offsetof(ps_sink_file_config, codec),
     .choices = PS_FRAME_CHOICES},
    {.name = "roll",
     .preset = "256MiB",
     .help = "A file that has reached this size is closed and the next one begun; counted before "
             "compression, so that where a file ends depends on its rows alone, and on where a "
             "partition went to another lane.",
     .type = PS_OPTION_SIZE,
     .at = offsetof(ps_sink_file_config, roll_bytes),
     .min = 4096,
     .max = 0x1p46},
    {.name = "roll_interval",
     .preset = "0s",
     .help = "A file that has been open for this long is closed, too; 0: no limit.",
     .type = PS_OPTION_DURATION,
     .at = offsetof(ps_sink_file_config, roll_interval_ns),
     .max = 3650 * 86400e9},
    {.name = "commit_interval",
     .preset = "1s",
     .help = "Rows are made durable at least this often.",
     .type = PS_OPTION_DURATION,
     .at = offsetof(ps_sink_file_config, commit_interval_ns),
     .max = 3.6e12},
    {.name = "commit_bytes",
     .preset = "64MiB",
     .help = "And whenever this much has been written.",
     .type = PS_OPTION_SIZE,
     .at = offsetof(ps_sink_file_config, commit_bytes),
     .min = 1,
     .max = 0x1p40},
    {.name = NULL}};

typedef struct file_sink {
    const ps_sink_file_config *config;
    const ps_lane_env *env;
    ps_partfile_dir dir;
    char suffix[16];
    ps_enricher *enricher;
    ps_dead_file *dead;
    ps_state_writer *writer; /* NULL: the plan keeps no state */
    void *writer_memory;
    ps_partfile **files; /* [partitions] NULL: not this lane's */
    char *buf;           /* lines on their way out */
    size_t buf_bytes, line_extra;
    ps_frame_pool *pool; /* NULL: nothing is compressed */
    ps_file_lock *lock;  /* of the folder, shared with the other lanes */
    uint64_t emitted, committed;
    int64_t commit_due_ns; /* while something is uncommitted */
    int64_t uncommitted_bytes;
    bool failed; /* something may be half written: leave it to the next run */
} file_sink;

static ps_status publish_all(file_sink *sink, ps_error *error) {
    for (uint32_t p = 0; p < sink->env->partitions->count; p++)
        if (sink->files[p] != NULL) PS_TRY(ps_partfile_publish(sink->files[p], true, error));
    return fsync(sink->dir.fd) == 0 ? PS_OK : ps_partfile_failed(&sink->dir, "sync", ".", error);
}

/* After a clean end nothing is left uncommitted, and all outputs are plain files. */
static void finish(file_sink *sink) {
    ps_error error;
    if (sink->failed || sink->emitted != sink->committed) return;
    if (publish_all(sink, &error) == PS_OK) return;
    ps_log(PS_LOG_WARNING, "file sink", "%s; the rows are safe, and the next run renames the file",
           error.message);
}

static void file_close(void *self) {
    file_sink *sink = self;
    if (sink == NULL) return;
    if (sink->files != NULL) {
        finish(sink);
        for (uint32_t p = 0; p < sink->env->partitions->count; p++)
            ps_partfile_close(sink->files[p]);
    }
    if (sink->dir.fd >= 0) (void)close(sink->dir.fd);
    ps_file_lock_close(sink->lock);
    ps_frame_pool_close(sink->pool);
    ps_enricher_close(sink->enricher);
    ps_dead_file_close(sink->dead);
    free(sink->writer_memory);
    free(sink->files);
    free(sink->buf);
    free(sink);
}

static ps_status open_writer(file_sink *sink, ps_error *error) {
    const ps_plan *plan = sink->env->plan;
    if (plan->state_count == 0) return PS_OK;
    sink->writer_memory = calloc(1, ps_state_writer_bytes(plan));
    if (sink->writer_memory == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for the state writer");
    sink->writer =
        ps_state_writer_open(sink->writer_memory, plan, sink->env->partitions, STATE_CHUNK_BYTES);
    return PS_OK;
}

static ps_status check_env(const ps_sink_file_config *config, const ps_lane_env *env,
                           ps_error *error) {
    if (config->form == PS_FILE_FORM_JSON && env->plan->schema.field_count == 0)
        return ps_fail(
            error, PS_BAD_CONFIG,
            "sink.file.form json needs JSON objects: add decode: json with its fields, or "
            "set form: value");
    if (env->dead != NULL && env->dead->topic != NULL)
        return ps_fail(error, PS_BAD_CONFIG,
                       "dead_letter.topic needs a Kafka sink; with a file sink write dead_letter: "
                       "{file: dead.ndjson}");
    return PS_OK;
}

static ps_status open_parts(file_sink *sink, ps_error *error) {
    const ps_lane_env *env = sink->env;
    PS_TRY(check_env(sink->config, env, error));
    PS_TRY(ps_folder_open(sink->config->path, &sink->dir.fd, &sink->lock, error));
    PS_TRY(ps_enricher_open(env->plan, env->partitions, &sink->enricher, error));
    sink->line_extra = ps_enricher_json_max(sink->enricher) + 2;
    sink->buf_bytes = env->plan->schema.arena_bytes + sink->line_extra + SPARE_BYTES;
    if (sink->buf_bytes < STATE_CHUNK_BYTES) sink->buf_bytes = STATE_CHUNK_BYTES;
    sink->buf = malloc(sink->buf_bytes);
    sink->files = calloc(env->partitions->count, sizeof(ps_partfile *));
    if (sink->buf == NULL || sink->files == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for the file sink's %zu bytes",
                       sink->buf_bytes);
    if (sink->config->codec != PS_FRAME_NONE)
        PS_TRY(ps_frame_pool_open(sink->config->codec, env->partitions->count, sink->buf_bytes,
                                  &sink->pool, error));
    PS_TRY(open_writer(sink, error));
    if (env->dead == NULL || env->dead->file == NULL) return PS_OK;
    return ps_dead_file_open(env->dead->file, env->partitions, &sink->dead, error);
}

static ps_status file_open(const void *config, const ps_lane_env *env, void **self,
                           ps_error *error) {
    file_sink *sink = calloc(1, sizeof *sink);
    if (sink == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for the file sink");
    sink->config = config;
    sink->env = env;
    const bool json = sink->config->form == PS_FILE_FORM_JSON;
    (void)snprintf(sink->suffix, sizeof sink->suffix, "%s%s", json ? ".ndjson" : ".txt",
                   ps_frame_suffix(sink->config->codec));
    sink->dir = (ps_partfile_dir){sink->config->path, sink->suffix, -1};
    const ps_status status = open_parts(sink, error);
    if (status == PS_OK) *self = sink;
    if (status != PS_OK) file_close(sink);
    return status;
}

/* What a manifest calls the rows' origin: a file list that changed must not go unnoticed. */
static void source_of(const file_sink *sink, uint32_t partition, char *text) {
    uint32_t within;
    const uint32_t topic = ps_partitions_topic(sink->env->partitions, partition, &within);
    if (sink->env->source == &ps_source_file)
        (void)snprintf(text, PATH_BYTES, "%s",
                       ps_source_file_path(sink->env->source_self, partition));
    else
        (void)snprintf(text, PATH_BYTES, "%s/%u", sink->env->partitions->topic[topic].name, within);
}

/* Whoever has the partition next may have nothing to write, and a run may end before it comes: what
 * is committed is shown now, and the next row begins a part of its own. */
static void file_leave(void *self, uint32_t partition) {
    file_sink *sink = self;
    ps_partfile *file = sink->files[partition];
    ps_error error = {"the folder cannot be synced"};
    if (file == NULL || sink->failed || ps_partfile_is_dirty(file)) return;
    if (ps_partfile_publish(file, true, &error) == PS_OK && fsync(sink->dir.fd) == 0) return;
    ps_log(PS_LOG_WARNING, "file sink", "a part is not shown yet: %s", error.message);
}

static void file_forget(void *self, uint32_t partition) {
    file_sink *sink = self;
    if (sink->pool != NULL) ps_frame_pool_drop(sink->pool, partition);
    ps_partfile_close(sink->files[partition]);
    sink->files[partition] = NULL;
    if (sink->writer != NULL) ps_state_writer_watermark(sink->writer, partition, PS_OFFSET_NONE);
}

static ps_status file_restore(void *self, uint32_t partition, ps_state_apply *apply, void *context,
                              int64_t *next, ps_error *error) {
    file_sink *sink = self;
    char source[PATH_BYTES];
    source_of(sink, partition, source);
    const ps_plan *plan = sink->env->plan;
    const ps_partfile_from from = {source, plan->fingerprint, plan->other_policy, apply, context};
    file_forget(sink, partition);
    PS_TRY(ps_partfile_open(&sink->dir, partition, &from, &sink->files[partition], next, error));
    if (sink->writer != NULL && *next != PS_OFFSET_NONE)
        ps_state_writer_watermark(sink->writer, partition, *next);
    return PS_OK;
}

/* One row as a line at `to`; 0: it is no JSON object. */
static size_t put_line(const file_sink *sink, const ps_batch *batch, uint32_t row,
                       uint32_t partition, ps_bytes value, char *to) {
    size_t length = 0;
    if (sink->config->form == PS_FILE_FORM_VALUE) {
        if (value.data != NULL) memcpy(to, value.data, value.length);
        length = value.data == NULL ? 0 : value.length;
    } else if (value.data == NULL) { /* a tombstone has no object to append to */
        static const char head[] = "{\"penstock\":{\"source\":\"", tail[] = "\"}}";
        const int64_t offset = ((const int64_t *)ps_batch_system(batch, PS_COLUMN_OFFSET))[row];
        memcpy(to, head, sizeof head - 1);
        length = sizeof head - 1;
        length += ps_enrich_source(sink->env->partitions, partition, offset, to + length);
        memcpy(to + length, tail, sizeof tail - 1);
        length += sizeof tail - 1;
    } else {
        return ps_enrich_line(sink->enricher, batch, row, partition, to);
    }
    to[length] = '\n';
    return length + 1;
}

static ps_status not_json(const file_sink *sink, const ps_batch *batch, uint32_t row,
                          uint32_t partition, ps_error *error) {
    char source[PS_OUTPUT_TEXT_MAX];
    const int64_t offset = ((const int64_t *)ps_batch_system(batch, PS_COLUMN_OFFSET))[row];
    const uint32_t length = ps_enrich_source(sink->env->partitions, partition, offset, source);
    return ps_fail(
        error, PS_BAD_CONFIG,
        "record %.*s is not a JSON object, so sink.file.form json cannot append to it; use "
        "decode: json or form: value",
        (int)length, source);
}

/* What one batch came to. */
typedef struct taken {
    uint64_t rows, rejected;
} taken;

/* Lines of one run that wait in the buffer. */
typedef struct pending {
    ps_partfile *file;
    uint32_t partition;
    int64_t first; /* offset of the first of them */
    size_t used;
} pending;

/* Bytes of the part being written, those that wait to be compressed among them. */
static int64_t part_bytes(const file_sink *sink, const pending *lines) {
    int64_t begun_ns;
    const int64_t written = ps_partfile_bytes(lines->file, &begun_ns);
    if (sink->pool == NULL) return written;
    return written + (int64_t)ps_frame_pool_waiting(sink->pool, lines->partition);
}

static ps_status put_lines(const file_sink *sink, const pending *lines, ps_error *error) {
    if (sink->pool == NULL)
        return ps_partfile_write(lines->file, lines->first, sink->buf, lines->used, lines->used,
                                 error);
    const ps_frame_lines of = {lines->file, lines->partition, lines->first, sink->buf, lines->used};
    return ps_frame_pool_put(sink->pool, &of, error);
}

static ps_status flush_frame(const file_sink *sink, uint32_t partition, ps_error *error) {
    return sink->pool == NULL ? PS_OK : ps_frame_pool_flush(sink->pool, partition, error);
}

/* Writes what waits; a part that is full ends here, after the same row in every run of the job. */
static ps_status write_pending(const file_sink *sink, pending *lines, ps_error *error) {
    if (lines->used == 0) return PS_OK;
    PS_TRY(put_lines(sink, lines, error));
    lines->used = 0;
    if (part_bytes(sink, lines) < sink->config->roll_bytes) return PS_OK;
    PS_TRY(flush_frame(sink, lines->partition, error));
    return ps_partfile_split(lines->file, error);
}

static bool is_full(const file_sink *sink, const pending *lines) {
    return part_bytes(sink, lines) + (int64_t)lines->used >= sink->config->roll_bytes;
}

static ps_status add_line(file_sink *sink, const ps_batch *batch, const ps_run *run, uint32_t row,
                          pending *lines, ps_error *error) {
    const ps_bytes value = ps_batch_text(batch, &batch->schema->column[PS_COLUMN_VALUE], row);
    const size_t bytes = value.data == NULL ? 0 : value.length;
    if (lines->used >= SPARE_BYTES || lines->used + bytes + sink->line_extra > sink->buf_bytes)
        PS_TRY(write_pending(sink, lines, error));
    if (lines->used == 0)
        lines->first = ((const int64_t *)ps_batch_system(batch, PS_COLUMN_OFFSET))[row];
    const size_t length =
        put_line(sink, batch, row, run->partition, value, sink->buf + lines->used);
    if (length == 0) return not_json(sink, batch, row, run->partition, error);
    lines->used += length;
    sink->uncommitted_bytes += (int64_t)length;
    return is_full(sink, lines) ? write_pending(sink, lines, error) : PS_OK;
}

/* The rows of one run, through the buffer into the partition's file. */
static ps_status write_run(file_sink *sink, const ps_batch *batch, const ps_run *run, taken *count,
                           ps_error *error) {
    const uint8_t *reject = ps_batch_system(batch, PS_COLUMN_REJECT);
    const uint8_t *keep = ps_batch_system(batch, PS_COLUMN_KEEP);
    pending lines = {sink->files[run->partition], run->partition, 0, 0};
    PS_CHECK(lines.file != NULL);
    for (uint32_t row = run->first_row; row < run->first_row + run->rows; row++) {
        if (reject[row] != 0) {
            count->rejected++;
            if (sink->dead != NULL)
                PS_TRY(ps_dead_file_put(sink->dead, batch, row, run->partition, error));
            continue;
        }
        if (sink->env->plan->filters && keep[row] == 0) continue;
        PS_TRY(add_line(sink, batch, run, row, &lines, error));
        count->rows++;
    }
    return write_pending(sink, &lines, error);
}

static ps_status write_state(file_sink *sink, const ps_batch *batch, ps_error *error) {
    if (sink->writer == NULL) return PS_OK;
    size_t bytes;
    uint32_t partition;
    ps_state_writer_begin(sink->writer, batch);
    while (ps_state_writer_next(sink->writer, (uint8_t *)sink->buf, &bytes, &partition)) {
        PS_CHECK(sink->files[partition] != NULL);
        PS_TRY(
            ps_partfile_state(sink->files[partition], batch->sweep_round, sink->buf, bytes, error));
        sink->uncommitted_bytes += (int64_t)bytes;
        ps_count(&sink->env->metrics->state_bytes_written, bytes);
    }
    return PS_OK;
}

static ps_status emit(file_sink *sink, const ps_batch *batch, taken *count, ps_error *error) {
    for (uint32_t i = 0; i < batch->run_count; i++)
        PS_TRY(write_run(sink, batch, &batch->runs[i], count, error));
    PS_TRY(write_state(sink, batch, error));
    for (uint32_t i = 0; i < batch->position_count; i++)
        ps_partfile_position(sink->files[batch->positions[i].partition], batch->positions[i].next);
    return PS_OK;
}

static ps_status file_emit(void *self, const ps_batch *batch, uint64_t ticket, ps_error *error) {
    file_sink *sink = self;
    taken count = {0, 0};
    const ps_status status = emit(sink, batch, &count, error);
    sink->failed = sink->failed || status != PS_OK;
    PS_TRY(status);
    if (sink->emitted == sink->committed)
        sink->commit_due_ns = ps_clock_ns() + sink->config->commit_interval_ns;
    sink->emitted = ticket;
    ps_count(&sink->env->metrics->sink_rows, count.rows);
    ps_count(&sink->env->metrics->sink_dead, count.rejected);
    return PS_OK;
}

static bool is_old(const file_sink *sink, const ps_partfile *file, int64_t now_ns) {
    int64_t begun_ns;
    return sink->config->roll_interval_ns > 0 && ps_partfile_bytes(file, &begun_ns) > 0 &&
           now_ns - begun_ns >= sink->config->roll_interval_ns;
}

static ps_status commit_files(file_sink *sink, ps_error *error) {
    const uint32_t count = sink->env->partitions->count;
    /* Dead letters first: a reject that the position has passed must be in its file. */
    if (sink->dead != NULL) PS_TRY(ps_dead_file_sync(sink->dead, error));
    for (uint32_t p = 0; p < count; p++) {
        if (sink->files[p] == NULL) continue;
        PS_TRY(flush_frame(sink, p, error));
        PS_TRY(ps_partfile_commit(sink->files[p], error));
    }
    if (fsync(sink->dir.fd) != 0) return ps_partfile_failed(&sink->dir, "sync", ".", error);
    const int64_t now_ns = ps_clock_ns();
    for (uint32_t p = 0; p < count; p++) {
        ps_partfile *file = sink->files[p];
        if (file != NULL) PS_TRY(ps_partfile_publish(file, is_old(sink, file, now_ns), error));
    }
    return PS_OK;
}

static ps_status commit(file_sink *sink, ps_error *error) {
    const int64_t begin_ns = ps_clock_ns();
    const ps_status status = commit_files(sink, error);
    sink->failed = sink->failed || status != PS_OK;
    PS_TRY(status);
    sink->committed = sink->emitted;
    sink->uncommitted_bytes = 0;
    ps_count(&sink->env->metrics->commits, 1);
    ps_histogram_add(&sink->env->metrics->commit, ps_clock_ns() - begin_ns);
    return PS_OK;
}

static ps_status file_flush(void *self, ps_error *error) {
    file_sink *sink = self;
    return sink->emitted == sink->committed ? PS_OK : commit(sink, error);
}

static ps_status file_flushed(void *self, uint64_t *ticket, int64_t *ask_again_ns,
                              ps_error *error) {
    file_sink *sink = self;
    if (sink->emitted != sink->committed) {
        const bool due = sink->uncommitted_bytes >= sink->config->commit_bytes ||
                         ps_clock_ns() >= sink->commit_due_ns;
        if (due) PS_TRY(commit(sink, error));
        if (!due && sink->commit_due_ns < *ask_again_ns) *ask_again_ns = sink->commit_due_ns;
    }
    if (sink->committed > *ticket) *ticket = sink->committed;
    return PS_OK;
}

static size_t file_memory(const void *from, const ps_lane_env *env) {
    const ps_sink_file_config *config = from;
    const ps_plan *plan = env->plan;
    const size_t partitions = env->partitions == NULL ? PS_PARTITIONS_MAX : env->partitions->count;
    const size_t lines = plan->schema.arena_bytes + LINE_EXTRA_ABOUT + SPARE_BYTES;
    return sizeof(file_sink) + ps_dead_file_bytes(env) + lines + /* on their way out */
           (config->codec == PS_FRAME_NONE
                ? 0 /* those that wait to be compressed, and a frame */
                : ps_frame_pool_bytes(config->codec, (uint32_t)partitions, lines)) +
           partitions * sizeof(ps_partfile *) + /* open partitions */
           (plan->state_count > 0 ? ps_state_writer_bytes(plan) : 0);
}

static const char *file_delivery(const void *config, const ps_source *source, const char **why) {
    (void)config;
    *why = source->event == NULL
               ? "rows, state and position become durable together in the folder's manifests"
               : "rows, state and position become durable together in the folder's manifests; that "
                 "is one worker's: a partition that moves to another worker is written to that "
                 "one's folder from the start";
    return "exactly_once";
}

static void file_check(const void *from, const ps_source *source, ps_complaints *out) {
    const ps_sink_file_config *config = from;
    (void)source;
    if (config->path != NULL && config->path[0] == '\0')
        out->add(out, "path", PS_NOWHERE, "path: name a folder");
}

const ps_sink ps_sink_file = {
    .about = {.name = "file",
              .summary = "Enriched rows as lines of files in a folder, exactly once.",
              .options = options,
              .config_bytes = sizeof(ps_sink_file_config)},
    .commits = true,
    .keeps_positions = true,
    .check = file_check,
    .open = file_open,
    .restore = file_restore,
    .leave = file_leave,
    .forget = file_forget,
    .emit = file_emit,
    .flush = file_flush,
    .flushed = file_flushed,
    .close = file_close,
    .memory = file_memory,
    .delivery = file_delivery};
