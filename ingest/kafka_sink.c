/* SPDX-License-Identifier: Apache-2.0
 * Enriched records into a Kafka topic. Exactly once: rows, dead letters, state and the source's
 * offsets in one transaction, whose blocking calls are made by the committer (kafka_committer.c),
 * while `emit` answers AGAIN and the lane's ring absorbs the time that takes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "ingest/frames.h"
#include "ingest/kafka_seal.h"
#include "ingest/kafka_sink_calls.h"

/* A call that does not return for this long never will (librdkafka #5511, #5456, #4420). */
#define STUCK_NS (PS_KAFKA_TRANSACTION_MS * PS_NS_PER_MS + 30 * PS_NS_PER_S)

/* How much before its time a commit may begin, of the interval and at most: the rows that waited
 * for it are computed and emitted meanwhile. */
enum { EARLY_SHARE = 24 };
#define EARLY_NS_MAX (5 * PS_NS_PER_MS)

static void sooner(int64_t *ask_again_ns, int64_t at_ns) {
    if (at_ns < *ask_again_ns) *ask_again_ns = at_ns;
}

static const char *client_name(const ps_kafka_sink *sink) {
    return sink->env->native ? "the native Kafka client" : "librdkafka";
}

/* What the committer says, read once per call. */
typedef struct view {
    ps_kafka_phase phase;
    bool aborted;
    uint64_t flushed;
    int64_t busy_ns;
    ps_status status;
} view;

static view look(ps_kafka_sink *sink, ps_error *error) {
    pthread_mutex_lock(&sink->mutex);
    const view seen = {sink->phase, sink->aborted, sink->flushed, sink->busy_ns, sink->status};
    if (seen.status != PS_OK && error != NULL) *error = sink->error;
    pthread_mutex_unlock(&sink->mutex);
    return seen;
}

void ps_kafka_sink_undo(ps_kafka_sink *sink) {
    memset(sink->slot, 0, sizeof sink->slot);
    memset(&sink->cursor, 0, sizeof sink->cursor);
    ps_kafka_positions_clear(sink);
    ps_kafka_state_undo(sink);
    ps_kafka_seal_undo(sink);
    ps_kafka_least_undo(sink);
    if (sink->pack != NULL) ps_kafka_pack_undo(sink->pack);
    sink->dirty = sink->full = sink->flush_wanted = false;
    sink->shown_ns = sink->called_ns = 0; /* nothing of before can be late */
    sink->fresh = true;
}

static void begin_batch(ps_kafka_sink *sink, const ps_batch *batch, uint64_t ticket) {
    if (!sink->dirty) {
        sink->begun_ns = ps_clock_ns();
        atomic_store(&sink->closed, false); /* while nothing was under way */
    }
    sink->dirty = true;
    if (sink->fresh) sink->acknowledged = ticket - 1; /* tickets went on while we went back */
    sink->fresh = false;
    if (!sink->exactly_once) sink->flush_wanted = false; /* of what came before */
    if (sink->acknowledged >= sink->last_ticket) sink->answered_ns = ps_clock_ns();
    *ps_kafka_slot_of(sink, ticket) = (ps_kafka_slot){.batch = batch, .ticket = ticket};
    sink->cursor = (ps_kafka_cursor){.ticket = ticket, .begun = true};
    if (sink->refused_count > 0) ps_kafka_refused_mark(sink, batch);
}

static int64_t early_ns(const ps_kafka_sink *sink) {
    const int64_t share_ns = sink->config->commit_interval_ns / EARLY_SHARE;
    return share_ns < EARLY_NS_MAX ? share_ns : EARLY_NS_MAX;
}

static int64_t shown(const void *self) {
    return ((const ps_kafka_sink *)self)->shown_ns;
}

static void end_batch(ps_kafka_sink *sink, const ps_batch *batch, uint64_t ticket) {
    ps_lane_metrics *metrics = sink->env->metrics;
    ps_count(&metrics->sink_rows, sink->cursor.out);
    ps_count(&metrics->sink_dead, sink->cursor.dead);
    ps_kafka_slot_of(sink, ticket)->emitted = true;
    sink->cursor.begun = false;
    sink->last_ticket = ticket;
    if (sink->exactly_once) ps_kafka_positions_add(sink, batch->positions, batch->position_count);
    /* The source waited for this moment: what comes now would wait for the next commit. */
    if (sink->shown_ns > 0 && ps_clock_ns() >= sink->shown_ns) sink->flush_wanted = true;
    sink->way->serve(sink, 0);
}

static int64_t commit_due_ns(const ps_kafka_sink *sink) {
    return sink->begun_ns + sink->config->commit_interval_ns;
}

/* Of a transaction that holds something. */
static bool is_due(const ps_kafka_sink *sink) {
    return sink->flush_wanted || ps_clock_ns() >= commit_due_ns(sink);
}

static ps_status put_batch(ps_kafka_sink *sink, const ps_batch *batch, uint64_t ticket,
                           ps_error *error) {
    const view seen = look(sink, error);
    if (seen.status != PS_OK) return seen.status;
    if (seen.phase != PS_KAFKA_READY || seen.aborted || sink->broken) return PS_AGAIN;
    if (sink->exactly_once) ps_kafka_seal_committed(sink, seen.flushed);
    if (!sink->cursor.begun) {
        /* Where slots are free before a commit, a backlog has a next batch at once, for ever: the
         * commit goes first, or the transaction would outlive its timeout. */
        if (sink->exactly_once && sink->dirty && is_due(sink)) return PS_AGAIN;
        if (ps_kafka_seal_holds(sink)) return PS_AGAIN;
        begin_batch(sink, batch, ticket);
    }
    PS_CHECK_OP(sink->cursor.ticket, ==, ticket);
    if (sink->seal != NULL) PS_TRY(ps_kafka_seal_batch(sink, batch, error));
    PS_TRY(sink->pack == NULL ? ps_kafka_rows(sink, batch, error)
                              : ps_kafka_packed(sink, batch, error));
    if (sink->exactly_once && sink->keeps_state) PS_TRY(ps_kafka_state_emit(sink, batch, error));
    end_batch(sink, batch, ticket);
    return PS_OK;
}

static ps_status emit(void *self, const ps_batch *batch, uint64_t ticket, ps_error *error) {
    ps_kafka_sink *sink = self;
    const ps_status status = put_batch(sink, batch, ticket, error);
    /* What fills the buffers leaves before the lane sleeps: their answers are what ends that. */
    if (status == PS_AGAIN && sink->full) sink->way->serve(sink, 0);
    return status;
}

/* Our own client does, and a transaction is all or nothing. */
static bool copies(const void *config, const ps_lane_env *env) {
    return env->native && ((const ps_kafka_sink_config *)config)->delivery == PS_KAFKA_EXACTLY_ONCE;
}

/* A refused record is looked up in its batch as long as that is there. */
static uint64_t taken(void *self, uint64_t released) {
    ps_kafka_sink *sink = self;
    const view seen = look(sink, NULL);
    /* What was flushed meanwhile is told first, and what must go back is not taken. */
    if (seen.phase != PS_KAFKA_READY || seen.aborted || sink->broken) return released;
    if (!sink->dirty || sink->careful_commits > 0) return released;
    if (seen.flushed > released || sink->last_ticket <= released) return released;
    for (uint32_t i = 0; i < PS_KAFKA_SLOTS; i++)
        if (sink->slot[i].ticket <= sink->last_ticket && sink->slot[i].emitted)
            sink->slot[i].batch = NULL;
    return sink->last_ticket;
}

static ps_status flush(void *self, ps_error *error) {
    (void)error;
    /* At least once records leave by themselves; their state is what there is to hurry. */
    ((ps_kafka_sink *)self)->flush_wanted = true;
    return PS_OK;
}

static ps_status commit_when_due(ps_kafka_sink *sink, int64_t *ask_again_ns, ps_error *error) {
    if (!sink->dirty || sink->cursor.begun) return PS_OK;
    if (!is_due(sink)) {
        sink->shown_ns = commit_due_ns(sink) - early_ns(sink);
        sooner(ask_again_ns, commit_due_ns(sink));
        return PS_OK;
    }
    const ps_status ended = ps_kafka_seal_end(sink, error);
    if (ended == PS_AGAIN) sooner(ask_again_ns, ps_clock_ns() + PS_NS_PER_MS);
    if (ended != PS_OK) return ended == PS_AGAIN ? PS_OK : ended;
    sink->flush_wanted = false;
    sink->shown_ns = 0;
    ps_kafka_committer_ask(sink, PS_KAFKA_COMMITTING);
    return PS_OK;
}

static ps_status ready(ps_kafka_sink *sink, uint64_t *ticket, int64_t *ask_again_ns,
                       ps_error *error) {
    /* What lingers here must not go out beside what an heir has written meanwhile. */
    if (!sink->exactly_once && ps_kafka_least_slept(sink))
        sink->broken = true;
    else
        sink->way->serve(sink, 0);
    if (sink->way->deadline != NULL) sooner(ask_again_ns, sink->way->deadline(sink));
    if (sink->full) sooner(ask_again_ns, ps_clock_ns() + PS_NS_PER_MS);
    sink->full = false;
    if (sink->broken) {
        sink->shown_ns = 0;
        ps_kafka_committer_ask(sink, PS_KAFKA_GIVING_UP);
        return PS_OK;
    }
    if (!sink->exactly_once) return ps_kafka_least_flushed(sink, ticket, ask_again_ns, error);
    return commit_when_due(sink, ask_again_ns, error);
}

static ps_status flushed(void *self, uint64_t *ticket, int64_t *ask_again_ns, ps_error *error) {
    ps_kafka_sink *sink = self;
    const view seen = look(sink, error);
    if (sink->exactly_once) ps_kafka_seal_committed(sink, seen.flushed);
    /* What was committed before all went back, or failed, is told first: it is out. */
    if (sink->exactly_once && seen.flushed > *ticket) {
        *ticket = seen.flushed;
        if (seen.aborted || seen.status != PS_OK) return PS_OK;
    }
    if (seen.aborted) {
        pthread_mutex_lock(&sink->mutex);
        sink->aborted = false;
        pthread_mutex_unlock(&sink->mutex);
        ps_kafka_sink_undo(sink);
        return PS_ABORTED;
    }
    if (seen.status != PS_OK) return seen.status;
    if (seen.phase == PS_KAFKA_READY) return ready(sink, ticket, ask_again_ns, error);
    const int64_t now_ns = ps_clock_ns();
    if (seen.busy_ns > 0 && now_ns - seen.busy_ns > STUCK_NS) {
        sink->stuck = true;
        return ps_fail(
            error, PS_IO, "%s has not come back from %s for %lld s: start this worker again",
            client_name(sink), atomic_load(&sink->calling), (long long)(STUCK_NS / PS_NS_PER_S));
    }
    return PS_OK;
}

static ps_status restore(void *self, uint32_t partition, ps_state_apply *apply, void *context,
                         int64_t *next, ps_error *error) {
    ps_kafka_sink *sink = self;
    const view seen = look(sink, error);
    if (seen.status != PS_OK) return seen.status;
    /* Until there is a producer, a transaction that we left behind may still be open, and what is
     * committed is not yet known. */
    if (seen.phase == PS_KAFKA_OPENING || seen.phase == PS_KAFKA_GIVING_UP || seen.aborted)
        return PS_AGAIN;
    *next = PS_OFFSET_NONE;
    if (sink->seal != NULL)
        return ps_kafka_seal_restore(sink, partition, apply, context, next, error);
    if (!sink->keeps_state) return PS_OK;
    return ps_kafka_state_restore(sink, partition, apply, context, next, error);
}

static void restored(void *self, uint32_t partition, uint32_t oldest) {
    ps_kafka_sink *sink = self;
    if (sink->keeps_state) ps_kafka_state_restored(sink, partition, oldest);
}

static void forget(void *self, uint32_t partition) {
    ps_kafka_sink *sink = self;
    if (!sink->exactly_once) {
        ps_kafka_least_settle(sink);
        /* Committed later it would move the next owner's offset back. */
        for (uint32_t m = 0; m < sink->moved_count; m++) {
            if (sink->moved[m] != partition) continue;
            sink->moved[m] = sink->moved[--sink->moved_count];
            sink->next[partition] = PS_OFFSET_NONE;
            break;
        }
    }
    ps_kafka_state_forget(sink, partition);
    ps_kafka_seal_forget(sink, partition);
}

static void close_sink(void *self) {
    ps_kafka_sink *sink = self;
    if (sink == NULL) return;
    if (sink->stuck) {
        /* Threads may still send out of slots that are about to be unmapped, and cannot be
         * stopped: nothing is lost by leaving at once, since nothing more is committed. */
        ps_log(PS_LOG_ERROR, "sink kafka", "%s is stuck; leaving at once", client_name(sink));
        _exit(1);
    }
    if (!sink->exactly_once && sink->next != NULL) ps_kafka_least_settle(sink);
    if (sink->link.config != NULL) ps_kafka_link_answers(sink->env, NULL, NULL);
    ps_kafka_committer_close(sink);
    sink->way->drop(sink);
    ps_kafka_state_close(sink);
    ps_kafka_seal_close(sink);
    ps_kafka_pack_close(sink->pack);
    ps_kafka_client_close(sink->helper);
    ps_dead_file_close(sink->dead_file);
    ps_enricher_close(sink->enricher);
    (void)pthread_mutex_destroy(&sink->mutex);
    (void)pthread_cond_destroy(&sink->changed);
    free(sink->transactional);
    free(sink->state_name);
    free(sink->seal_name);
    free(sink->next);
    free(sink->moved);
    free(sink->covered);
    free(sink->merge_memory);
    free(sink->text);
    free(sink->json);
    free(sink);
}

/* One row in json form: its value, and what is appended to it at most. */
static size_t json_bytes(const ps_kafka_sink_config *config, const ps_plan *plan) {
    if (config->form != PS_KAFKA_JSON) return 1;
    return (size_t)plan->schema.arena_bytes + PS_OUTPUT_TEXT_MAX + 256 +
           plan->output_count * (size_t)(PS_NAME_MAX + 192);
}

/* librdkafka's copies of rows in json form: the values of all batches in flight, and what is added
 * to as many rows as its queue takes. */
static size_t json_copies(const ps_kafka_sink_config *config, const ps_lane_env *env) {
    enum { SOURCE_BYTES = 96, MEMBER_BYTES = 96 };
    const size_t added = SOURCE_BYTES + env->plan->output_count * (size_t)MEMBER_BYTES;
    const size_t records =
        ps_kafka_producer_bytes(&config->properties, env->memory_bytes) / PS_KAFKA_RECORD_BYTES;
    return env->depth * (size_t)env->plan->schema.arena_bytes + records * added;
}

static ps_status take_memory(ps_kafka_sink *sink, ps_error *error) {
    const ps_lane_env *env = sink->env;
    const size_t count = env->partitions->count + 1;
    sink->next = malloc(count * sizeof *sink->next);
    sink->moved = malloc(count * sizeof *sink->moved);
    sink->text = malloc(ps_enricher_text_max(sink->enricher) + 1);
    sink->json = malloc(json_bytes(sink->config, env->plan));
    if (sink->next == NULL || sink->moved == NULL || sink->text == NULL || sink->json == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for a Kafka sink");
    for (size_t i = 0; i < count; i++) sink->next[i] = PS_OFFSET_NONE;
    return PS_OK;
}

static ps_status take_names(ps_kafka_sink *sink, ps_error *error) {
    const ps_lane_env *env = sink->env;
    const char *group = sink->link.group != NULL ? sink->link.group : env->pipeline;
    if (asprintf(&sink->transactional, "%s-%s-%s-%u", env->pipeline, group, env->instance,
                 env->slot) < 0)
        sink->transactional = NULL;
    if (asprintf(&sink->state_name, "%s.state", env->pipeline) < 0) sink->state_name = NULL;
    if (asprintf(&sink->seal_name, "%s.seal", env->pipeline) < 0) sink->seal_name = NULL;
    if (sink->transactional == NULL || sink->state_name == NULL || sink->seal_name == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for a Kafka sink");
    sink->out.name = sink->config->topic;
    if (env->dead != NULL) sink->dead.name = env->dead->topic;
    if (sink->keeps_state) sink->state_topic.name = sink->state_name;
    if (env->plan->seal.sealer != NULL) sink->seal_topic.name = sink->seal_name;
    return PS_OK;
}

static ps_status open_helper(ps_kafka_sink *sink, ps_error *error) {
    const bool own = sink->config->brokers != NULL;
    PS_CHECK(own || sink->link.config != NULL); /* check() has seen to it */
    const ps_kafka_recipe recipe = {.role = PS_KAFKA_READER,
                                    .brokers =
                                        own ? sink->config->brokers : sink->link.config->brokers,
                                    .inherited = own ? NULL : &sink->link.config->properties,
                                    .properties = &sink->config->properties,
                                    .memory_bytes = sink->env->memory_bytes / 4};
    return ps_kafka_client_open(&recipe, &sink->helper, error);
}

static ps_status open_parts(ps_kafka_sink *sink, ps_error *error) {
    const ps_lane_env *env = sink->env;
    PS_TRY(take_names(sink, error));
    PS_TRY(ps_enricher_open(env->plan, env->partitions, &sink->enricher, error));
    PS_TRY(take_memory(sink, error));
    if (sink->config->form == PS_KAFKA_PACKED) PS_TRY(ps_kafka_pack_open(sink, error));
    PS_TRY(open_helper(sink, error));
    if (env->dead != NULL && env->dead->file != NULL)
        PS_TRY(ps_dead_file_open(env->dead->file, env->partitions, &sink->dead_file, error));
    if (!sink->exactly_once && sink->link.config != NULL)
        ps_kafka_link_answers(env, ps_kafka_least_answer, sink);
    if (sink->keeps_state) PS_TRY(ps_kafka_state_open(sink, error));
    if (env->plan->seal.sealer != NULL) PS_TRY(ps_kafka_seal_open(sink, error));
    if (sink->keeps_state && !sink->exactly_once) PS_TRY(ps_kafka_least_open(sink, error));
    return ps_kafka_committer_open(sink, error);
}

/* A source without a group has its position nowhere else. */
static bool keeps_state(const ps_lane_env *env) {
    return env->plan->state_count > 0 || env->source != &ps_source_kafka;
}

static ps_status open_sink(const void *config, const ps_lane_env *env, void **self,
                           ps_error *error) {
    ps_kafka_sink *sink = calloc(1, sizeof *sink);
    if (sink == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a Kafka sink");
    sink->config = config;
    sink->env = env;
    sink->link = ps_kafka_link_of(env);
    sink->way = env->native ? &ps_kafka_way_native : &ps_kafka_way_librdkafka;
    sink->fresh = true;
    sink->exactly_once = sink->config->delivery == PS_KAFKA_EXACTLY_ONCE;
    sink->keeps_state = keeps_state(env);
    (void)pthread_mutex_init(&sink->mutex, NULL);
    (void)pthread_cond_init(&sink->changed, NULL);
    const ps_status status = open_parts(sink, error);
    if (status != PS_OK) {
        close_sink(sink);
        return status;
    }
    *self = sink;
    return PS_OK;
}

static void check(const void *from, const ps_source *source, ps_complaints *out) {
    const ps_kafka_sink_config *config = from;
    if (config->topic != NULL) ps_kafka_topic_check(config->topic, "topic", PS_NOWHERE, out);
    if (config->brokers == NULL && source != NULL && source != &ps_source_kafka)
        out->add(out, "brokers", PS_NOWHERE,
                 "sink kafka needs 'brokers': the source is not Kafka, so say which");
    ps_kafka_brokers_check(config->brokers, out);
    const bool once = config->delivery == PS_KAFKA_AT_LEAST_ONCE;
    const ps_kafka_recipe recipe = {
        .role = once ? PS_KAFKA_IDEMPOTENT : PS_KAFKA_TRANSACTIONAL,
        .brokers = config->brokers == NULL ? "the source's" : config->brokers,
        .properties = &config->properties,
        .transactional = "id",
        .transaction_ms_min = ps_kafka_transaction_ms_min(config),
    };
    ps_kafka_client_check(&recipe, out);
}

static size_t memory(const void *configuration, const ps_lane_env *env) {
    const ps_kafka_sink_config *config = configuration;
    /* Records not yet acknowledged; the json form's copies of what is in flight; one row's text;
     * the state's buffers and what a restore reads ahead; what is merged. */
    size_t bytes = env->native ? ps_kafka_native_sink_bytes(env)
                               : ps_kafka_producer_bytes(&config->properties, env->memory_bytes);
    bytes += json_bytes(config, env->plan);
    if (config->form == PS_KAFKA_JSON && !env->native) bytes += json_copies(config, env);
    if (config->form == PS_KAFKA_PACKED) bytes += ps_kafka_pack_bytes(config, env->plan);
    if (keeps_state(env)) bytes += ps_kafka_state_bytes(env->plan);
    if (keeps_state(env) && config->delivery == PS_KAFKA_AT_LEAST_ONCE)
        bytes += ps_kafka_least_bytes(env->plan);
    return bytes + (size_t)env->memory_bytes / 4 + ps_dead_file_bytes(env);
}

static size_t restores(const ps_lane_env *env) {
    return env->plan->state_count > 0 ? ps_kafka_state_restores(env) : 0;
}

static const char *delivery(const void *configuration, const ps_source *source, const char **why) {
    const ps_kafka_sink_config *config = configuration;
    if (config->delivery == PS_KAFKA_AT_LEAST_ONCE) {
        *why = "sink.kafka.delivery asks for it: records, then state, then offsets";
        return "at_least_once";
    }
    *why = source == &ps_source_kafka
               ? "rows, dead letters, state and the source's offsets are one Kafka transaction"
               : "rows, dead letters and a state record that holds the source's position are one "
                 "Kafka transaction";
    return "exactly_once";
}

static const ps_option options[] = {
    {"brokers", NULL, "Brokers to ask first; the source's, and its security, unless given.",
     PS_OPTION_STRING, 0, offsetof(ps_kafka_sink_config, brokers), 0, 0, NULL},
    {"topic", NULL, "Topic to write to; it must exist.", PS_OPTION_STRING, PS_OPTION_REQUIRED,
     offsetof(ps_kafka_sink_config, topic), 0, 0, NULL},
    {"delivery", "exactly_once",
     "`exactly_once` writes in transactions; `at_least_once` is for latency.", PS_OPTION_CHOICE, 0,
     offsetof(ps_kafka_sink_config, delivery), 0, 0, "exactly_once|at_least_once"},
    {"commit_interval", "100ms", "How long a transaction lasts; also how often offsets are kept.",
     PS_OPTION_DURATION, 0, offsetof(ps_kafka_sink_config, commit_interval_ns), 1e6, 1e10, NULL},
    {"form", "headers",
     "`headers` passes the value through and adds headers; `json` adds a member to the object; "
     "`packed` makes one record of many rows in json form, one a line, compressed.",
     PS_OPTION_CHOICE, 0, offsetof(ps_kafka_sink_config, form), 0, 0, "headers|json|packed"},
    {"pack.rows", "512",
     "Of form packed: rows of one partition in a record, fewer where a batch ends or the topic's "
     "limit is near.",
     PS_OPTION_INTEGER, 0, offsetof(ps_kafka_sink_config, pack_rows), 1, 1e6, NULL},
    {"pack.codec", "zstd", "Of form packed: how a record's lines are compressed, a standard frame.",
     PS_OPTION_CHOICE, 0, offsetof(ps_kafka_sink_config, pack_codec), 0, 0, PS_FRAME_CHOICES},
    {"properties", NULL, "Any librdkafka property, e.g. compression.type; values may be secrets.",
     PS_OPTION_MAP, PS_OPTION_SECRET, offsetof(ps_kafka_sink_config, properties), 0, 0, NULL},
    {NULL, NULL, NULL, PS_OPTION_STRING, 0, 0, 0, 0, NULL},
};

const ps_sink ps_sink_kafka = {
    .about = {.name = "kafka",
              .summary = "Enriched records into a Kafka topic, exactly once.",
              .options = options,
              .config_bytes = sizeof(ps_kafka_sink_config)},
    .commits = true,
    .seals = true,
    .check = check,
    .foreign = ps_kafka_sink_foreign,
    .suits = ps_kafka_native_sink_suits,
    .open = open_sink,
    .restore = restore,
    .restored = restored,
    .forget = forget,
    .copies = copies,
    .taken = taken,
    .emit = emit,
    .shown = shown,
    .flush = flush,
    .flushed = flushed,
    .close = close_sink,
    .memory = memory,
    .restores = restores,
    .delivery = delivery,
};
