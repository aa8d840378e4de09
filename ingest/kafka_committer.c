/* SPDX-License-Identifier: Apache-2.0
 * The committer: a thread that makes the calls that block (opening a producer, committing), so that
 * the lane goes on computing meanwhile.
 *
 * There is one way out of every trouble: throw the producer away, make another with the same
 * transactional id, and go back to what is committed (kafka_transaction.c says why).
 */
#include <stdarg.h>
#include <stdio.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "ingest/kafka_sink_calls.h"

/* The id was taken away twice within this time: somebody else who lives has it. */
#define FENCED_AGAIN_NS (60 * PS_NS_PER_S)
/* A commit that is retried longer than its transaction lives has no point. */
#define COMMIT_NS_MAX (PS_KAFKA_TRANSACTION_MS * PS_NS_PER_MS)

void ps_kafka_sink_fail(ps_kafka_sink *sink, ps_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&sink->mutex);
    if (sink->status == PS_OK) {
        (void)vsnprintf(sink->error.message, sizeof sink->error.message, format, arguments);
        sink->status = status;
    }
    pthread_mutex_unlock(&sink->mutex);
    va_end(arguments);
    ps_wake_signal(sink->env->wake);
}

void ps_kafka_positions_add(ps_kafka_sink *sink, const ps_position *positions, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const ps_position *position = &positions[i];
        int64_t *next = &sink->next[position->partition];
        if (*next == PS_OFFSET_NONE) sink->moved[sink->moved_count++] = position->partition;
        if (position->next > *next) *next = position->next;
    }
}

void ps_kafka_positions_clear(ps_kafka_sink *sink) {
    for (uint32_t i = 0; i < sink->moved_count; i++) sink->next[sink->moved[i]] = PS_OFFSET_NONE;
    sink->moved_count = 0;
}

void ps_kafka_note_fence(ps_kafka_sink *sink) {
    const int64_t now_ns = ps_clock_ns();
    if (now_ns - sink->begun_ns > COMMIT_NS_MAX * 3 / 4) return;
    if (sink->fenced_ns > 0 && now_ns - sink->fenced_ns < FENCED_AGAIN_NS)
        ps_kafka_sink_fail(sink, PS_FENCED,
                           "another worker that is alive uses transactional.id '%s': give each "
                           "worker its own runtime.instance",
                           sink->transactional);
    sink->fenced_ns = now_ns;
}

void ps_kafka_fail_forbidden(ps_kafka_sink *sink, const char *what, const char *why) {
    ps_kafka_sink_fail(
        sink, PS_IO,
        "%s: %s; give this user's principal the right to write to %s%s%s%s, %s%s%sand "
        "to commit for the group",
        what, why, sink->out.name, sink->dead.name == NULL ? "" : ", ",
        sink->dead.name == NULL ? "" : sink->dead.name,
        sink->keeps_state ? " and the state topic" : "",
        sink->exactly_once ? "to use transactional.id '" : "",
        sink->exactly_once ? sink->transactional : "", sink->exactly_once ? "', " : "");
}

static bool is_stopping(ps_kafka_sink *sink) {
    pthread_mutex_lock(&sink->mutex);
    const bool stop = sink->stop || sink->status != PS_OK;
    sink->busy_ns = ps_clock_ns(); /* every call that returns is progress for the watchdog */
    pthread_mutex_unlock(&sink->mutex);
    return stop;
}

static ps_kafka_outcome commit(ps_kafka_sink *sink) {
    const int64_t deadline_ns = ps_clock_ns() + COMMIT_NS_MAX;
    ps_kafka_outcome result;
    ps_error error;
    /* Offsets must not be safer than the dead letters that they pass. */
    if (sink->dead_file != NULL && ps_dead_file_sync(sink->dead_file, &error) != PS_OK) {
        ps_kafka_sink_fail(sink, PS_IO, "%s", error.message);
        return PS_KAFKA_GIVE_UP;
    }
    do {
        result = sink->way->offsets(sink);
    } while (result == PS_KAFKA_RETRY && !is_stopping(sink) && ps_clock_ns() < deadline_ns);
    if (result != PS_KAFKA_DONE) return PS_KAFKA_GIVE_UP;
    do {
        result = sink->way->commit(sink);
    } while (result == PS_KAFKA_RETRY && !is_stopping(sink) && ps_clock_ns() < deadline_ns);
    if (result == PS_KAFKA_RETRY)
        ps_log(PS_LOG_INFO, "sink kafka",
               "a commit was not answered in time; going back to what is committed");
    if (result != PS_KAFKA_DONE) return PS_KAFKA_GIVE_UP;
    return PS_KAFKA_DONE;
}

static void enter(ps_kafka_sink *sink, ps_kafka_phase phase) {
    if (phase == PS_KAFKA_READY && sink->way->hand_over != NULL) sink->way->hand_over(sink, true);
    pthread_mutex_lock(&sink->mutex);
    sink->phase = phase;
    sink->busy_ns = phase == PS_KAFKA_READY ? 0 : ps_clock_ns();
    pthread_mutex_unlock(&sink->mutex);
    ps_wake_signal(sink->env->wake);
}

static void rest(ps_kafka_sink *sink, int64_t ms) {
    pthread_mutex_lock(&sink->mutex);
    if (!sink->stop) ps_clock_wait(&sink->changed, &sink->mutex, ps_clock_ns() + ms * PS_NS_PER_MS);
    pthread_mutex_unlock(&sink->mutex);
}

static void tell_waiting(const ps_kafka_sink *sink, const ps_kafka_patience *patience, bool known) {
    const char *trouble = known && sink->way->trouble != NULL ? sink->way->trouble(sink) : "";
    ps_log(PS_LOG_WARNING, "sink kafka",
           "for %lld s no %s has answered at %s, still trying: %s%s%s%s",
           ps_kafka_patience_s(patience), known ? "coordinator of transactions" : "broker",
           ps_kafka_sink_brokers(sink),
           known ? "is every broker of the cluster up?" : "is it up, and reachable from here?",
           trouble[0] == '\0' ? "" : " (", trouble, trouble[0] == '\0' ? "" : ")");
}

/* Until there is a producer, for ever while no broker answers: with one line every 10 s. */
static void open_patiently(ps_kafka_sink *sink, bool first) {
    ps_kafka_patience patience = {0, 0};
    bool known = false;
    int64_t since_ns = ps_clock_ns();
    while (!is_stopping(sink)) {
        ps_error error = {{0}};
        ps_status status = known   ? PS_OK
                           : first ? ps_kafka_setup_once(sink, &error)
                                   : ps_kafka_setup_again(sink, &error);
        known = status == PS_OK;
        if (known) status = sink->way->open(sink, &error);
        if (status == PS_OK) {
            enter(sink, PS_KAFKA_READY);
            return;
        }
        if (status != PS_AGAIN && status != PS_ABORTED) {
            ps_kafka_sink_fail(sink, status, "%s", error.message);
            return;
        }
        /* One that cannot get through may be stuck with a coordinator that is gone. */
        if (status == PS_ABORTED || ps_clock_ns() - since_ns > 30 * PS_NS_PER_S) {
            sink->way->drop(sink);
            since_ns = ps_clock_ns();
        }
        if (ps_kafka_patience_tell(&patience)) tell_waiting(sink, &patience, known);
        rest(sink, status == PS_ABORTED ? 500 : 50);
    }
}

static void replace_producer(ps_kafka_sink *sink) {
    sink->way->drop(sink);
    open_patiently(sink, false);
}

static void finish_commit(ps_kafka_sink *sink) {
    ps_kafka_refused_trim(sink);
    ps_kafka_positions_clear(sink);
    ps_kafka_state_committed(sink); /* the lane emits nothing until the phase changes */
    sink->dirty = false;
    sink->in_vain = (ps_kafka_patience){0, 0};
    if (sink->careful_commits > 0) sink->careful_commits--;
    const bool begun = sink->way->begin(sink);
    pthread_mutex_lock(&sink->mutex);
    sink->flushed = sink->last_ticket;
    ps_count(&sink->env->metrics->commits, 1);
    ps_histogram_add(&sink->env->metrics->commit, ps_clock_ns() - sink->commit_ns);
    pthread_mutex_unlock(&sink->mutex);
    if (begun)
        enter(sink, PS_KAFKA_READY);
    else
        replace_producer(sink);
}

/* The slots may be reused as soon as the lane hears of it, so the producer that sends out of them
 * goes first. */
static void give_up(ps_kafka_sink *sink) {
    sink->way->drop(sink);
    pthread_mutex_lock(&sink->mutex);
    sink->phase = PS_KAFKA_GIVING_UP;
    sink->aborted = true;
    pthread_mutex_unlock(&sink->mutex);
    ps_wake_signal(sink->env->wake);
    open_patiently(sink, false);
}

static void *committer_main(void *argument) {
    ps_kafka_sink *sink = argument;
    (void)pthread_setname_np(pthread_self(), "kafka-commit");
    open_patiently(sink, true);
    pthread_mutex_lock(&sink->mutex);
    while (!sink->stop) {
        const ps_kafka_phase phase = sink->phase;
        if (phase != PS_KAFKA_COMMITTING && phase != PS_KAFKA_GIVING_UP) {
            (void)pthread_cond_wait(&sink->changed, &sink->mutex);
            continue;
        }
        pthread_mutex_unlock(&sink->mutex);
        if (phase == PS_KAFKA_COMMITTING && commit(sink) == PS_KAFKA_DONE)
            finish_commit(sink);
        else
            give_up(sink);
        pthread_mutex_lock(&sink->mutex);
        if (sink->status != PS_OK && sink->phase != PS_KAFKA_READY) sink->phase = PS_KAFKA_DEAD;
    }
    pthread_mutex_unlock(&sink->mutex);
    return NULL;
}

void ps_kafka_committer_ask(ps_kafka_sink *sink, ps_kafka_phase phase) {
    sink->commit_ns = ps_clock_ns();
    if (sink->way->hand_over != NULL) sink->way->hand_over(sink, false);
    pthread_mutex_lock(&sink->mutex);
    PS_CHECK_OP((int)sink->phase, ==, (int)PS_KAFKA_READY);
    sink->phase = phase;
    sink->busy_ns = sink->commit_ns;
    (void)pthread_cond_signal(&sink->changed);
    pthread_mutex_unlock(&sink->mutex);
}

ps_status ps_kafka_committer_open(ps_kafka_sink *sink, ps_error *error) {
    sink->phase = PS_KAFKA_OPENING;
    sink->thread_started = pthread_create(&sink->thread, NULL, committer_main, sink) == 0;
    if (sink->thread_started) return PS_OK;
    return ps_fail(error, PS_NO_MEMORY, "cannot start a thread: raise the limit of processes");
}

void ps_kafka_committer_close(ps_kafka_sink *sink) {
    if (!sink->thread_started) return;
    pthread_mutex_lock(&sink->mutex);
    sink->stop = true;
    (void)pthread_cond_signal(&sink->changed);
    pthread_mutex_unlock(&sink->mutex);
    (void)pthread_join(sink->thread, NULL);
}
