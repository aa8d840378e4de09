/* SPDX-License-Identifier: Apache-2.0
 * Generated telemetry (ingest/telemetry.h) as a topic named `synthetic`, keyed by host. With a rate
 * every row is due at an exact time, which is its timestamp: latency counts from when the event
 * should have left, however late the source was asked. Without one the timestamp is the record's
 * ts.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/flow/parts.h"
#include "ingest/parts.h"
#include "ingest/telemetry.h"

enum { TURN_ROWS = 1024 /* rows of one partition before it is the next one's turn */ };

static const ps_option options[] = {
    {.name = "rows",
     .preset = "0",
     .help = "Rows of all partitions together, after which the source ends; 0: endless.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_source_synthetic_config, rows),
     .max = 1e15},
    {.name = "series",
     .preset = "1000",
     .help = "Hosts that report in turn.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_source_synthetic_config, series),
     .min = 1,
     .max = PS_TELEMETRY_SERIES_MAX},
    {.name = "bytes",
     .preset = "256",
     .help = "Bytes of a record; below 160 or so the record is as short as its members "
             "let it be.",
     .type = PS_OPTION_SIZE,
     .at = offsetof(ps_source_synthetic_config, bytes),
     .min = 1,
     .max = 1 << 20},
    {.name = "rate",
     .preset = "0",
     .help = "Rows per second of all partitions together; 0: as fast as they are taken.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_source_synthetic_config, rate),
     .max = 1e9},
    {.name = "seed",
     .preset = "1",
     .help = "The same seed gives the same bytes on every machine.",
     .type = PS_OPTION_INTEGER,
     .at = offsetof(ps_source_synthetic_config, seed),
     .max = 9e15},
    {.name = "anomalies",
     .preset = "0.0005",
     .help = "The share of records whose cpu is a planted spike.",
     .type = PS_OPTION_NUMBER,
     .at = offsetof(ps_source_synthetic_config, anomalies),
     .max = 1},
    {.name = "partitions",
     .preset = "auto",
     .help = "Partitions of the topic; auto: one per processor of the machine.",
     .type = PS_OPTION_INTEGER,
     .flags = PS_OPTION_AUTO,
     .at = offsetof(ps_source_synthetic_config, partitions),
     .min = 1,
     .max = 4096},
    {.name = NULL}};

/* One partition of this lane. */
typedef struct share {
    ps_telemetry_share telemetry;
    uint32_t partition;
    int64_t next, end; /* rows; end is INT64_MAX where the source is endless */
    int64_t first;     /* the row that was due at first_ns */
    bool started;
} share;

typedef struct synthetic {
    ps_telemetry telemetry;
    const ps_lane_env *env;
    uint32_t share_count, turn;
    share *shares;
    uint32_t *assigned;
    double row_ns;    /* between rows of one partition; 0: no rate */
    int64_t first_ns; /* monotonic */
    int64_t wall_ms;  /* the same instant on the wall clock */
    int64_t noted_ns; /* when the lag was last told */
    bool answered, draining;
    uint8_t host[PS_TELEMETRY_HOST_BYTES];
    uint8_t record[]; /* [ps_telemetry_room] */
} synthetic;

static uint32_t partition_count(const ps_source_synthetic_config *config) {
    int64_t count = config->partitions;
    if (count == 0) count = sysconf(_SC_NPROCESSORS_ONLN);
    if (count < 1) count = 1;
    return (uint32_t)(count < config->series ? count : config->series);
}

static ps_status synthetic_discover(const void *config, ps_partitions *out, ps_error *error) {
    (void)error;
    *out = (ps_partitions){.topic_count = 1, .count = partition_count(config)};
    memcpy(out->topic[0].name, "synthetic", sizeof "synthetic");
    out->topic[0].count = out->count;
    return PS_OK;
}

static void synthetic_close(void *self) {
    synthetic *source = self;
    if (source == NULL) return;
    free(source->shares);
    free(source->assigned);
    free(source);
}

static void open_shares(synthetic *source, const ps_source_synthetic_config *config) {
    const uint32_t lane = source->env->lane, count = source->env->partitions->count;
    for (uint32_t p = lane; p < count; p += source->env->lanes) {
        share *one = &source->shares[source->share_count];
        const int64_t more = p < (uint64_t)config->rows % count ? 1 : 0;
        ps_telemetry_share_init(&one->telemetry, &source->telemetry, p, count);
        one->partition = p;
        one->end = config->rows == 0 ? INT64_MAX : config->rows / count + more;
        source->assigned[source->share_count++] = p;
    }
}

static ps_status synthetic_open(const void *from, const ps_lane_env *env, void **self,
                                ps_error *error) {
    const ps_source_synthetic_config *config = from;
    ps_telemetry telemetry;
    ps_telemetry_init(&telemetry, (uint64_t)config->seed, (uint32_t)config->series,
                      (uint32_t)config->bytes, config->anomalies);
    synthetic *source = calloc(1, sizeof *source + ps_telemetry_room(&telemetry));
    if (source == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for the synthetic source");
    const size_t most = env->partitions->count / env->lanes + 1;
    source->telemetry = telemetry;
    source->env = env;
    source->shares = calloc(most, sizeof *source->shares);
    source->assigned = calloc(most, sizeof *source->assigned);
    if (source->shares == NULL || source->assigned == NULL) {
        synthetic_close(source);
        return ps_fail(error, PS_NO_MEMORY, "no memory for %zu synthetic partitions", most);
    }
    open_shares(source, config);
    if (config->rate > 0.0) source->row_ns = 1e9 * env->partitions->count / config->rate;
    source->answered = source->share_count == 0;
    *self = source;
    return PS_OK;
}

static ps_status synthetic_event(void *self, ps_event *out, ps_error *error) {
    const synthetic *source = self;
    (void)error;
    if (source->answered) return PS_OK;
    *out = (ps_event){PS_EVENT_ASSIGNED, source->share_count, source->assigned};
    return PS_OK;
}

static ps_status synthetic_answer(void *self, ps_error *error) {
    (void)error;
    ((synthetic *)self)->answered = true;
    return PS_OK;
}

static ps_status synthetic_start(void *self, uint32_t partition, int64_t next, ps_error *error) {
    synthetic *source = self;
    share *one = &source->shares[partition / source->env->lanes];
    PS_CHECK_OP(one->partition, ==, partition);
    one->first = one->next = next == PS_OFFSET_NONE ? 0 : next;
    one->started = true;
    if (source->first_ns == 0) {
        source->first_ns = ps_clock_ns();
        source->wall_ms = ps_clock_wall_ms();
    }
    if (one->next <= one->end) return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG,
                   "synthetic/%u is to go on at row %lld of %lld; was the number of rows lowered? "
                   "delete the sink's progress to start again",
                   partition, (long long)one->next, (long long)one->end);
}

static int64_t due_ns(const synthetic *source, const share *one, int64_t row) {
    return source->first_ns + (int64_t)((double)(row - one->first) * source->row_ns);
}

/* AGAIN: the batch is full. */
static ps_status append(synthetic *source, share *one, int64_t due, ps_batch *batch) {
    uint32_t series;
    uint64_t round;
    ps_telemetry_place(&one->telemetry, (uint64_t)one->next, &series, &round);
    const uint32_t length = ps_telemetry_write(&source->telemetry, series, round, source->record);
    ps_telemetry_host(series, source->host);
    const ps_record record = {.partition = one->partition,
                              .offset = one->next,
                              .timestamp_ms =
                                  source->row_ns > 0.0
                                      ? source->wall_ms + (due - source->first_ns) / PS_NS_PER_MS
                                      : ps_telemetry_time_ms(&source->telemetry, series, round),
                              .key = {source->host, PS_TELEMETRY_HOST_BYTES},
                              .value = {source->record, length},
                              .headers = {NULL, PS_NULL_LENGTH}};
    return ps_batch_append(batch, &record);
}

/* Rows of one partition for one turn. OK: another partition may go on. AGAIN: the batch is full. */
static ps_status take_turn(synthetic *source, share *one, int64_t now_ns, ps_batch *batch,
                           int64_t *next_due_ns) {
    const int64_t first = one->next;
    ps_status status = PS_OK;
    for (uint32_t i = 0; i < TURN_ROWS && one->next < one->end && status == PS_OK; i++) {
        const int64_t due = source->row_ns > 0.0 ? due_ns(source, one, one->next) : now_ns;
        if (due > now_ns) {
            if (due < *next_due_ns) *next_due_ns = due;
            break;
        }
        status = append(source, one, due, batch);
        if (status != PS_AGAIN) one->next++;
    }
    if (one->next > first) ps_batch_position(batch, one->partition, one->next);
    return status;
}

static bool at_end(const synthetic *source) {
    if (source->draining) return true;
    for (uint32_t i = 0; i < source->share_count; i++)
        if (!source->shares[i].started || source->shares[i].next < source->shares[i].end)
            return false;
    return true;
}

/* Rows that are due and not yet taken; without a rate all of them are, -1 if that has no end. */
static int64_t rows_due(const synthetic *source, int64_t now_ns) {
    int64_t rows = 0;
    for (uint32_t i = 0; i < source->share_count; i++) {
        const share *one = &source->shares[i];
        int64_t end = one->end;
        if (source->row_ns > 0.0 && one->started) {
            const double due = (double)(now_ns - source->first_ns) / source->row_ns + 1.0;
            if ((double)(end - one->first) > due) end = one->first + (int64_t)due;
        }
        if (end == INT64_MAX) return -1;
        if (end > one->next) rows += end - one->next;
    }
    return rows;
}

static void note_lag(synthetic *source, bool ended) {
    const int64_t now_ns = ps_clock_ns();
    if (!ended && now_ns - source->noted_ns < 200 * PS_NS_PER_MS) return;
    source->noted_ns = now_ns;
    atomic_store_explicit(&source->env->metrics->lag, rows_due(source, now_ns),
                          memory_order_relaxed);
}

static ps_status fill(synthetic *source, ps_batch *batch, int64_t *ask_again_ns) {
    if (at_end(source)) return PS_END;
    const int64_t now_ns = ps_clock_ns();
    if (batch->filled_ns == 0) batch->filled_ns = now_ns;
    int64_t next_due_ns = INT64_MAX;
    for (;;) {
        const uint32_t rows = batch->rows;
        for (uint32_t i = 0; i < source->share_count; i++) {
            share *one = &source->shares[source->turn];
            source->turn = (source->turn + 1) % source->share_count;
            if (one->started && take_turn(source, one, now_ns, batch, &next_due_ns) != PS_OK)
                return PS_OK;
        }
        if (batch->rows == rows) break;
    }
    if (at_end(source)) return PS_END;
    if (batch->rows == 0) batch->filled_ns = 0;
    const int64_t linger_ns = batch->filled_ns + source->env->linger_ns;
    if (batch->rows > 0 && now_ns >= linger_ns) return PS_OK;
    *ask_again_ns = batch->rows > 0 && linger_ns < next_due_ns ? linger_ns : next_due_ns;
    return PS_AGAIN;
}

static ps_status synthetic_fill(void *self, ps_batch *batch, int64_t *ask_again_ns,
                                ps_error *error) {
    synthetic *source = self;
    (void)error;
    const ps_status status = fill(source, batch, ask_again_ns);
    note_lag(source, status == PS_END);
    return status;
}

static void synthetic_drain(void *self) {
    ((synthetic *)self)->draining = true;
}

static int64_t synthetic_remaining(void *self) {
    const synthetic *source = self;
    int64_t rows = 0;
    for (uint32_t i = 0; i < source->share_count; i++) {
        const share *one = &source->shares[i];
        if (one->end == INT64_MAX) return -1;
        rows += one->end - one->next;
    }
    return rows;
}

static size_t synthetic_memory(const void *from, const ps_lane_env *env) {
    const ps_source_synthetic_config *config = from;
    const size_t shares = partition_count(config) / env->lanes + 1;
    return sizeof(synthetic) + (size_t)config->bytes + PS_TELEMETRY_FIXED_MAX + /* one record */
           shares * (sizeof(share) + sizeof(uint32_t));                         /* partitions */
}

const ps_source ps_source_synthetic = {
    .about = {.name = "synthetic",
              .summary = "Generated telemetry with planted anomalies, the same on every machine.",
              .options = options,
              .config_bytes = sizeof(ps_source_synthetic_config)},
    .knows_partitions = true,
    .discover = synthetic_discover,
    .open = synthetic_open,
    .event = synthetic_event,
    .answer = synthetic_answer,
    .start = synthetic_start,
    .fill = synthetic_fill,
    .drain = synthetic_drain,
    .remaining = synthetic_remaining,
    .close = synthetic_close,
    .memory = synthetic_memory};
