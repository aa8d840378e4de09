/* SPDX-License-Identifier: Apache-2.0
 * The committer: a thread that makes the calls that block (opening a producer, committing), so that
 * the lane goes on computing meanwhile.
 *
 * There is one way out of every trouble: throw the producer away, make another with the same
 * transactional id, and go back to what is committed. Aborting and going on with the same producer
 * would be quicker but is not safe: librdkafka has no KIP-890, and a Produce or EndTxn that timed
 * out can still land in the next transaction of the same epoch; init_transactions starts a new
 * epoch, which fences the stray. For the same reason a producer that lost a connection within a
 * transaction is replaced after the commit: what was under way on it was asked again elsewhere, and
 * may still arrive, the offsets of this transaction within the next. librdkafka's error callback
 * does not tell of every such loss (not when the other side closes, not twice within 30 s for the
 * same reason), so the closing of the socket itself is what counts.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "ingest/kafka_sink_calls.h"

enum { CALL_MS = 5000 };

/* The id was taken away twice within this time: somebody else who lives has it. */
#define FENCED_AGAIN_NS (60 * PS_NS_PER_S)
/* A commit that is retried longer than its transaction lives has no point. */
#define COMMIT_NS_MAX (PS_KAFKA_TRANSACTION_MS * PS_NS_PER_MS)

typedef enum outcome { COMMITTED, RETRY, GIVE_UP } outcome;

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

void ps_kafka_trouble(rd_kafka_t *client, int err, const char *reason, void *opaque) {
    ps_kafka_sink *sink = opaque;
    (void)client;
    ps_log(PS_LOG_DEBUG, "sink kafka", "%s", reason);
    if (err == RD_KAFKA_RESP_ERR__FATAL) sink->broken = true;
}

int ps_kafka_closed(int fd, void *opaque) {
    ps_kafka_sink *sink = opaque;
    atomic_store(&sink->closed, true);
    return close(fd);
}

void ps_kafka_positions_add(ps_kafka_sink *sink, const ps_position *positions, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        const ps_position *position = &positions[i];
        int64_t *next = &sink->next[position->partition];
        if (*next == PS_OFFSET_NONE) sink->moved[sink->moved_count++] = position->partition;
        if (position->next > *next) *next = position->next;
    }
}

rd_kafka_topic_partition_list_t *ps_kafka_positions_list(const ps_kafka_sink *sink) {
    if (sink->link.config == NULL || sink->moved_count == 0) return NULL;
    const ps_partitions *all = sink->env->partitions;
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new((int)sink->moved_count);
    for (uint32_t i = 0; i < sink->moved_count; i++) {
        uint32_t within;
        const uint32_t topic = ps_partitions_topic(all, sink->moved[i], &within);
        rd_kafka_topic_partition_list_add(list, all->topic[topic].name, (int32_t)within)->offset =
            sink->next[sink->moved[i]];
    }
    return list;
}

void ps_kafka_positions_clear(ps_kafka_sink *sink) {
    for (uint32_t i = 0; i < sink->moved_count; i++) sink->next[sink->moved[i]] = PS_OFFSET_NONE;
    sink->moved_count = 0;
}

static bool is_fence(rd_kafka_resp_err_t err) {
    return err == RD_KAFKA_RESP_ERR__FENCED || err == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           err == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/* Notes that the id was taken, unless the transaction had simply outlived its time limit. */
static void note_fence(ps_kafka_sink *sink) {
    const int64_t now_ns = ps_clock_ns();
    if (now_ns - sink->begun_ns > COMMIT_NS_MAX * 3 / 4) return;
    if (sink->fenced_ns > 0 && now_ns - sink->fenced_ns < FENCED_AGAIN_NS)
        ps_kafka_sink_fail(sink, PS_FENCED,
                           "another worker that is alive uses transactional.id '%s': give each "
                           "worker its own runtime.instance",
                           sink->transactional);
    sink->fenced_ns = now_ns;
}

/* Nobody gives us a right by our asking again. */
static bool is_forbidden(rd_kafka_resp_err_t err) {
    return err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           err == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
           err == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED ||
           err == RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

static void fail_forbidden(ps_kafka_sink *sink, const char *what, const rd_kafka_error_t *failure) {
    ps_kafka_sink_fail(sink, PS_IO,
                       "%s: %s; give this user's principal the right to write to %s%s%s%s, and to "
                       "commit for the group",
                       what, rd_kafka_err2str(rd_kafka_error_code(failure)), sink->out.name,
                       sink->dead.name == NULL ? "" : ", ",
                       sink->dead.name == NULL ? "" : sink->dead.name,
                       sink->keeps_state ? " and the state topic" : "");
}

/* A worker joined, left or was given up: what it is told with names every partition. */
static bool is_overtaken(rd_kafka_resp_err_t err) {
    return err == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION ||
           err == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
           err == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS;
}

/* In this order: fatal, retriable, to be aborted, anything else. All but `retriable` end with a
 * new producer. */
static outcome judge(ps_kafka_sink *sink, const char *what, rd_kafka_error_t *failure) {
    if (failure == NULL) return COMMITTED;
    outcome result = GIVE_UP;
    const rd_kafka_resp_err_t err = rd_kafka_error_code(failure);
    const rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(sink->producer, NULL, 0);
    if (rd_kafka_error_is_fatal(failure) || fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (is_fence(err) || is_fence(fatal)) note_fence(sink);
    } else if (rd_kafka_error_is_retriable(failure)) {
        result = RETRY;
        if (err == RD_KAFKA_RESP_ERR__TIMED_OUT || err == RD_KAFKA_RESP_ERR__TRANSPORT)
            sink->suspect = true;
    } else if (is_forbidden(err)) {
        fail_forbidden(sink, what, failure);
    }
    if (is_overtaken(err))
        ps_log(PS_LOG_DEBUG, "sink kafka",
               "%s: the group has shared out its partitions anew; going back to what is committed",
               what);
    else
        ps_log(result == RETRY ? PS_LOG_DEBUG : PS_LOG_INFO, "sink kafka", "%s: %s%s", what,
               rd_kafka_error_string(failure),
               result == RETRY ? "" : "; going back to what is committed");
    rd_kafka_error_destroy(failure);
    return result;
}

static bool is_stopping(ps_kafka_sink *sink) {
    pthread_mutex_lock(&sink->mutex);
    const bool stop = sink->stop || sink->status != PS_OK;
    sink->busy_ns = ps_clock_ns(); /* every call that returns is progress for the watchdog */
    pthread_mutex_unlock(&sink->mutex);
    return stop;
}

static outcome send_offsets(ps_kafka_sink *sink) {
    rd_kafka_topic_partition_list_t *list = ps_kafka_positions_list(sink);
    if (list == NULL) return COMMITTED;
    /* Fresh each time: the generation changes with every rebalance. */
    rd_kafka_consumer_group_metadata_t *group =
        rd_kafka_consumer_group_metadata(ps_kafka_link_consumer(sink->env));
    outcome result = GIVE_UP;
    const bool ours = ps_kafka_link_unbroken(sink->env, sink->moved, sink->moved_count);
    if (!ours)
        ps_log(PS_LOG_INFO, "sink kafka",
               "the group had given this worker up meanwhile; going back to what is committed");
    if (group != NULL && ours) {
        atomic_store(&sink->calling, "send_offsets_to_transaction");
        result = judge(sink, "offsets",
                       rd_kafka_send_offsets_to_transaction(sink->producer, list, group, CALL_MS));
    }
    if (group != NULL) rd_kafka_consumer_group_metadata_destroy(group);
    rd_kafka_topic_partition_list_destroy(list);
    return result;
}

static outcome commit(ps_kafka_sink *sink) {
    const int64_t deadline_ns = ps_clock_ns() + COMMIT_NS_MAX;
    outcome result;
    ps_error error;
    /* Offsets must not be safer than the dead letters that they pass. */
    if (sink->dead_file != NULL && ps_dead_file_sync(sink->dead_file, &error) != PS_OK) {
        ps_kafka_sink_fail(sink, PS_IO, "%s", error.message);
        return GIVE_UP;
    }
    do {
        result = send_offsets(sink);
    } while (result == RETRY && !is_stopping(sink) && ps_clock_ns() < deadline_ns);
    if (result != COMMITTED) return GIVE_UP;
    atomic_store(&sink->calling, "commit_transaction");
    do {
        result = judge(sink, "commit", rd_kafka_commit_transaction(sink->producer, CALL_MS));
    } while (result == RETRY && !is_stopping(sink) && ps_clock_ns() < deadline_ns);
    if (result == RETRY)
        ps_log(PS_LOG_INFO, "sink kafka",
               "a commit was not answered in time; going back to what is committed");
    if (result != COMMITTED) return GIVE_UP;
    return COMMITTED;
}

static void enter(ps_kafka_sink *sink, ps_kafka_phase phase) {
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
    ps_log(PS_LOG_WARNING, "sink kafka", "for %lld s no %s has answered at %s, still trying: %s",
           ps_kafka_patience_s(patience), known ? "coordinator of transactions" : "broker",
           ps_kafka_sink_brokers(sink),
           known ? "is every broker of the cluster up?" : "is it up, and reachable from here?");
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
        if (known) status = ps_kafka_setup_producer(sink, &error);
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
            ps_kafka_drop_producer(sink);
            since_ns = ps_clock_ns();
        }
        if (ps_kafka_patience_tell(&patience)) tell_waiting(sink, &patience, known);
        rest(sink, status == PS_ABORTED ? 500 : 50);
    }
}

static void replace_producer(ps_kafka_sink *sink) {
    ps_kafka_drop_producer(sink);
    open_patiently(sink, false);
}

static void finish_commit(ps_kafka_sink *sink) {
    ps_kafka_refused_trim(sink);
    ps_kafka_positions_clear(sink);
    ps_kafka_state_committed(sink); /* the lane emits nothing until the phase changes */
    sink->dirty = false;
    const bool replace = sink->suspect || atomic_load(&sink->closed);
    bool begun = false;
    if (!replace) {
        rd_kafka_error_t *failure = rd_kafka_begin_transaction(sink->producer);
        begun = failure == NULL;
        if (failure != NULL) rd_kafka_error_destroy(failure);
    }
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
    ps_kafka_drop_producer(sink);
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
        if (phase == PS_KAFKA_COMMITTING && commit(sink) == COMMITTED)
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
