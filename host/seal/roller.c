/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/roller.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/check.h"
#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/flow/sealer.h"
#include "host/seal/leaves.h"
#include "host/seal/lines.h"
#include "host/seal/origins.h"

/* Said again while it lasts. */
#define REMIND_NS     (60 * PS_NS_PER_S)
#define REOPEN_NS_MIN (1 * PS_NS_PER_S)
#define REOPEN_NS_MAX (60 * PS_NS_PER_S)

/* The newest checkpoint of a partition. */
typedef struct slot {
    uint64_t offered, taken, rolled; /* how often; which of them was taken; is in what is signed */
    uint64_t size;                   /* of its tree */
    bool refused;                    /* said: the roll-up does not take it */
    uint32_t length;
    char origin[PS_ORIGIN_MAX];
    uint8_t note[PS_CHECKPOINT_MAX];
} slot;

struct ps_roller {
    ps_roller_options options;
    pthread_t thread;
    pthread_mutex_t mutex; /* for what follows */
    pthread_cond_t changed;
    bool news, stop, hurries, ended;
    ps_rollup *rollup; /* the thread's; NULL: it is to be opened anew */
    /* The thread's. */
    int64_t next_ns, due_ns; /* when something new may be signed; when a witness may be asked */
    int64_t reopen_ns, wait_ns;
    ps_tree signed_tree; /* last */
    bool told;           /* that it goes wrong, and not yet that it is well again */
    bool alarmed;        /* what was told last was an alarm */
    int64_t said_ns;     /* when, 0: never */
    uint64_t unsaid;     /* bad rounds since */
    int64_t witness_said_ns[PS_WITNESSES_MAX];
    ps_witness_verdict witness_said[PS_WITNESSES_MAX];
    ps_roll_metrics metrics;
    uint32_t cosigned; /* witnesses, the tree that was signed last */
    slot at_hand;
    slot slot[]; /* under the mutex, but for `taken`, `rolled` and `refused` */
};

size_t ps_roller_bytes(uint32_t partitions, bool asks) {
    enum { HTTP_BYTES = 8 << 20 /* libcurl, with certificates of all authorities */ };
    const size_t bundle = PS_TILE_WIDTH * (size_t)(2 + PS_CHECKPOINT_MAX);
    /* Its list of logs, while that grows, and as text. */
    const size_t logs = PS_ORIGINS_MAX * (2 * sizeof(ps_origin) + 2 * PS_HASH_TEXT_MAX + 24);
    const size_t leaves = PS_LEAVES_MAX * (8 + 2 * (size_t)PS_NODE_BYTES) + 4096;
    const size_t witnesses = sizeof(ps_seal_policy) + PS_SEAL_POLICY_BYTES_MAX +
                             PS_WITNESSES_MAX * sizeof(ps_witness) + 2 * (size_t)PS_COSIGNED_MAX +
                             PS_WITNESS_ANSWER_MAX + HTTP_BYTES;
    return sizeof(ps_roller) + partitions * sizeof(slot) + 2 * bundle + leaves + logs +
           PS_TILE_LEVELS * (size_t)PS_TILE_BYTES + 2 * sizeof(ps_tiles) + (asks ? witnesses : 0);
}

void ps_roller_offer(ps_roller *roller, const ps_published *published) {
    PS_CHECK_OP(published->partition, <, roller->options.partitions);
    PS_CHECK_OP(published->note.length, <=, (uint32_t)PS_CHECKPOINT_MAX);
    pthread_mutex_lock(&roller->mutex);
    slot *to = &roller->slot[published->partition];
    /* A lane that has lost the partition may come late. */
    if (to->offered == 0 || published->tree.size >= to->size) {
        to->size = published->tree.size;
        to->length = published->note.length;
        memcpy(to->note, published->note.data, published->note.length);
        (void)snprintf(to->origin, sizeof to->origin, "%s", published->origin);
        to->offered++;
        roller->news = true;
        (void)pthread_cond_signal(&roller->changed);
    }
    pthread_mutex_unlock(&roller->mutex);
}

/* ---- the thread ---- */

static const char *path_of(const ps_roller *roller) {
    return roller->options.rollup.dir;
}

/* A bad round: one line, and one a while with how many there were since; however often they come
 * and go. An alarm is told at once. */
static bool is_to_be_said(ps_roller *roller, ps_status status, int64_t now_ns) {
    const bool alarm = status == PS_TAMPERED;
    if (roller->said_ns != 0 && now_ns - roller->said_ns <= REMIND_NS &&
        (!alarm || roller->alarmed)) {
        roller->unsaid++;
        return false;
    }
    roller->said_ns = now_ns;
    roller->alarmed = alarm;
    roller->told = true;
    return true;
}

static void say(ps_roller *roller, ps_status status, const ps_error *why) {
    char more[64] = "";
    if (status == PS_OK) {
        if (roller->told)
            ps_log(PS_LOG_INFO, "seal", "roll-up %s: signed and published again", path_of(roller));
        roller->told = false;
        return;
    }
    if (!is_to_be_said(roller, status, ps_clock_ns())) return;
    if (roller->unsaid > 0)
        (void)snprintf(more, sizeof more, " (and %" PRIu64 " times since this was said last)",
                       roller->unsaid);
    roller->unsaid = 0;
    if (status == PS_TAMPERED)
        ps_log(PS_LOG_WARNING, "seal",
               "ALARM: roll-up %s: %s%s; records are sealed as before, and nothing else of the "
               "roll-up is published until this is found out",
               path_of(roller), why->message, more);
    else
        ps_log(PS_LOG_WARNING, "seal",
               "roll-up %s: %s%s; records are sealed as before, and this is tried again by itself",
               path_of(roller), why->message, more);
}

/* Those that the quorum does without. */
static void say_witnesses(ps_roller *roller) {
    const ps_witnesses *all = ps_rollup_witnesses(roller->rollup);
    for (uint32_t i = 0; all != NULL && i < ps_witnesses_count(all); i++) {
        const ps_witness *one = ps_witnesses_at(all, i);
        const ps_witness_verdict before = roller->witness_said[i];
        const int64_t now_ns = ps_clock_ns();
        if (one->verdict == PS_WITNESS_WAITING || one->verdict == before) continue;
        /* One that comes and goes is told of once a while. */
        if (one->verdict != PS_WITNESS_COSIGNED) {
            if (roller->witness_said_ns[i] != 0 && now_ns - roller->witness_said_ns[i] <= REMIND_NS)
                continue;
            roller->witness_said_ns[i] = now_ns;
        }
        roller->witness_said[i] = one->verdict;
        if (one->verdict != PS_WITNESS_COSIGNED)
            ps_log(PS_LOG_WARNING, "seal", "roll-up %s: witness %.*s %s; the quorum is there",
                   path_of(roller), (int)one->name.length, (const char *)one->name.data, one->why);
        else if (before != PS_WITNESS_WAITING)
            ps_log(PS_LOG_INFO, "seal", "roll-up %s: witness %.*s cosigns again", path_of(roller),
                   (int)one->name.length, (const char *)one->name.data);
    }
}

static void set_rollup(ps_roller *roller, ps_rollup *rollup) {
    pthread_mutex_lock(&roller->mutex);
    roller->rollup = rollup;
    if (rollup != NULL && roller->hurries) ps_rollup_stop(rollup);
    pthread_mutex_unlock(&roller->mutex);
}

/* What it had taken and not signed is taken again. */
static void give_up(ps_roller *roller) {
    ps_rollup *rollup = roller->rollup;
    set_rollup(roller, NULL);
    ps_rollup_close(rollup);
    roller->wait_ns = roller->wait_ns * 2 < REOPEN_NS_MAX ? roller->wait_ns * 2 : REOPEN_NS_MAX;
    if (roller->wait_ns < REOPEN_NS_MIN) roller->wait_ns = REOPEN_NS_MIN;
    roller->reopen_ns = ps_clock_ns() + roller->wait_ns;
}

/* An empty place, where a disk is no longer mounted, say, would begin a second history. */
static ps_status check_reopened(const ps_roller *roller, ps_rollup *rollup, ps_error *error) {
    const ps_tree *before = &roller->signed_tree, now = ps_rollup_tree(rollup);
    if (now.size > before->size) {
        const ps_status status = ps_rollup_extends(rollup, before, error);
        if (status != PS_TAMPERED) return status;
        return ps_fail(error, status,
                       "this run has signed %" PRIu64
                       " entries of it, and what is there has %" PRIu64
                       " of another history: put back what was there",
                       before->size, now.size);
    }
    if (now.size == before->size && (now.size == 0 || ps_hash_is(&now.root, &before->root)))
        return PS_OK;
    return ps_fail(error, PS_TAMPERED,
                   "this run has signed %" PRIu64 " entries of it, and what is there has %" PRIu64
                   ": put back what was there",
                   before->size, now.size);
}

static ps_status reopen(ps_roller *roller, ps_error *error) {
    ps_rollup *rollup = NULL;
    if (roller->rollup != NULL) return PS_OK;
    PS_TRY(ps_rollup_open(&roller->options.rollup, &rollup, error));
    const ps_status status = check_reopened(roller, rollup, error);
    if (status == PS_OK)
        set_rollup(roller, rollup);
    else
        ps_rollup_close(rollup);
    return status;
}

/* The newest of that partition, if it is not in what was signed. */
static bool take(ps_roller *roller, uint32_t partition) {
    slot *from = &roller->slot[partition];
    pthread_mutex_lock(&roller->mutex);
    from->taken = from->offered;
    const bool is_new = from->offered != from->rolled;
    if (is_new) roller->at_hand = *from;
    pthread_mutex_unlock(&roller->mutex);
    return is_new;
}

/* One that the roll-up refuses does not keep the others out. */
static ps_status add(ps_roller *roller, uint32_t partition, ps_error *error) {
    const slot *taken = &roller->at_hand;
    const ps_bytes origin = {(const uint8_t *)taken->origin, (uint32_t)strlen(taken->origin)};
    ps_verifier log;
    ps_status status =
        ps_verifier_rename(&roller->options.rollup.signer->verifier, origin, &log, error);
    if (status == PS_OK)
        status = ps_rollup_add(roller->rollup, (ps_bytes){taken->note, taken->length}, &log, NULL,
                               error);
    const bool refused = status == PS_TAMPERED || status == PS_BAD_CONFIG;
    if (refused) ps_count(&roller->metrics.refused, 1);
    if (refused && !roller->slot[partition].refused)
        ps_log(PS_LOG_WARNING, "seal",
               "%sroll-up %s does not take a checkpoint: %s; `penstock seal verify` says which of "
               "the two was changed",
               status == PS_TAMPERED ? "ALARM: " : "", path_of(roller), error->message);
    roller->slot[partition].refused = refused;
    return refused ? PS_OK : status;
}

static ps_status roll(ps_roller *roller, ps_rollup_report *report, ps_error *error) {
    PS_TRY(reopen(roller, error));
    for (uint32_t p = 0; p < roller->options.partitions; p++)
        if (take(roller, p)) PS_TRY(add(roller, p, error));
    return ps_rollup_publish(roller->rollup, report, error);
}

static void count(ps_roller *roller, ps_status status, const ps_rollup_report *report) {
    ps_roll_metrics *to = &roller->metrics;
    if (status != PS_OK) ps_count(status == PS_AGAIN ? &to->rounds_without_quorum : &to->errors, 1);
    if (report->tree.size == 0) return; /* it did not come so far */
    if (report->tree.size != ps_read(&to->size)) roller->cosigned = 0;
    if (report->cosigned > roller->cosigned)
        ps_count(&to->cosignatures, report->cosigned - roller->cosigned);
    roller->cosigned = report->cosigned;
    ps_set(&to->size, report->tree.size);
    ps_set(&to->published, report->published);
}

static void work(ps_roller *roller) {
    ps_rollup_report report = {.due_ns = INT64_MAX};
    ps_error why;
    roller->next_ns = ps_clock_ns() + roller->options.interval_ns;
    const ps_status status = roll(roller, &report, &why);
    roller->due_ns = report.due_ns;
    if (roller->rollup != NULL) roller->signed_tree = ps_rollup_tree(roller->rollup);
    say(roller, status, &why);
    if (status == PS_OK) say_witnesses(roller);
    count(roller, status, &report);
    /* Signed, though a quorum may be missing. */
    if (status != PS_OK && status != PS_AGAIN && report.forked == 0) {
        give_up(roller);
        return;
    }
    roller->wait_ns = 0;
    for (uint32_t p = 0; p < roller->options.partitions; p++)
        roller->slot[p].rolled = roller->slot[p].taken;
}

/* True: it is to stop, when what there is was done. */
static bool wait_for_work(ps_roller *roller) {
    pthread_mutex_lock(&roller->mutex);
    while (!roller->stop) {
        int64_t until_ns = roller->due_ns;
        if (roller->news && roller->next_ns < until_ns) until_ns = roller->next_ns;
        if (roller->rollup == NULL) until_ns = roller->reopen_ns;
        if (until_ns <= ps_clock_ns()) break;
        if (until_ns == INT64_MAX)
            (void)pthread_cond_wait(&roller->changed, &roller->mutex);
        else
            ps_clock_wait(&roller->changed, &roller->mutex, until_ns);
    }
    const bool stop = roller->stop;
    roller->news = false;
    pthread_mutex_unlock(&roller->mutex);
    return stop;
}

static void *roller_main(void *argument) {
    ps_roller *roller = argument;
    (void)pthread_setname_np(pthread_self(), "roll-up");
    bool stop = false;
    while (!stop) {
        stop = wait_for_work(roller);
        work(roller);
    }
    pthread_mutex_lock(&roller->mutex);
    roller->ended = true;
    (void)pthread_cond_signal(&roller->changed);
    pthread_mutex_unlock(&roller->mutex);
    return NULL;
}

/* ---- its owner ---- */

static ps_status start(ps_roller *roller, ps_error *error) {
    PS_TRY(ps_rollup_open(&roller->options.rollup, &roller->rollup, error));
    if (pthread_create(&roller->thread, NULL, roller_main, roller) == 0) return PS_OK;
    return ps_fail(error, PS_NO_MEMORY, "cannot start a thread: raise the limit of processes");
}

static void discard(ps_roller *roller) {
    ps_rollup_close(roller->rollup);
    (void)pthread_mutex_destroy(&roller->mutex);
    (void)pthread_cond_destroy(&roller->changed);
    free(roller);
}

ps_status ps_roller_open(const ps_roller_options *options, ps_roller **out, ps_error *error) {
    ps_roller *roller = calloc(1, sizeof *roller + options->partitions * sizeof roller->slot[0]);
    if (roller == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a roll-up");
    roller->options = *options;
    /* What an earlier run has signed is shown to witnesses at once. */
    roller->next_ns = roller->due_ns = 0;
    (void)pthread_mutex_init(&roller->mutex, NULL);
    (void)pthread_cond_init(&roller->changed, NULL);
    const ps_status status = start(roller, error);
    if (status == PS_OK)
        *out = roller;
    else
        discard(roller);
    return status;
}

const ps_roll_metrics *ps_roller_metrics(const ps_roller *roller) {
    return &roller->metrics;
}

void ps_roller_close(ps_roller *roller) {
    if (roller == NULL) return;
    const int64_t end_ns = ps_clock_ns() + PS_ROLLER_STOP_MS * PS_NS_PER_MS;
    pthread_mutex_lock(&roller->mutex);
    roller->stop = true;
    (void)pthread_cond_signal(&roller->changed);
    while (!roller->ended && ps_clock_ns() < end_ns)
        ps_clock_wait(&roller->changed, &roller->mutex, end_ns);
    roller->hurries = true;
    if (roller->rollup != NULL) ps_rollup_stop(roller->rollup);
    pthread_mutex_unlock(&roller->mutex);
    (void)pthread_join(roller->thread, NULL);
    discard(roller);
}
