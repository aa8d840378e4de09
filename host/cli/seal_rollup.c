/* SPDX-License-Identifier: Apache-2.0
 * `penstock seal rollup`: the checkpoints of all logs below a directory into one log, and that one
 * before the witnesses of a policy.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host/base/clock.h"
#include "host/base/directory.h"
#include "host/base/log.h"
#include "host/base/secret.h"
#include "host/base/text.h"
#include "host/cli/seal_keys.h"
#include "host/cli/seal_logs.h"
#include "host/cli/seal_policy.h"
#include "host/seal/rollup.h"

enum { TIMEOUT_MS = 10000 };

/* All of one run. */
typedef struct work {
    const ps_seal_options *chosen;
    ps_signer signer;
    ps_seal_policy *policy;
    ps_seal_logs logs;
    ps_rollup *rollup;
    ps_seal_keys keys; /* of --key */
    uint32_t added, tampered, failed;
    ps_note note;
    ps_tiles tiles;
    uint8_t bytes[PS_ENTRY_BYTES_MAX];
} work;

static ps_status read_signer(const char *path, ps_signer *out, ps_error *error) {
    uint8_t *bytes = NULL;
    size_t length = 0;
    ps_signer from;
    ps_secret_protect();
    if (ps_seal_file(path, &bytes, &length, error) != PS_OK) return PS_BAD_CONFIG;
    const size_t whole = length;
    while (length > 0 && bytes[length - 1] <= ' ') length--;
    ps_status status = ps_signer_parse((const char *)bytes, length, &from, error);
    explicit_bzero(bytes, whole);
    free(bytes);
    if (status == PS_OK) status = ps_rollup_signer(&from, out, error);
    ps_signer_deinit(&from);
    return status == PS_OK ? status : ps_fail_in(error, status, path);
}

/* Whose signature counts: --key, else what the log says of itself. */
static ps_status find_key(work *w, ps_seal_folder *folder, ps_bytes origin, ps_verifier *out,
                          ps_error *error) {
    uint8_t text[PS_KEY_TEXT_MAX + 1];
    size_t length = 0;
    const ps_verifier *const given = ps_seal_keys_find(&w->keys, &w->note, origin);
    if (given != NULL) {
        *out = *given;
        return PS_OK;
    }
    if (w->keys.count > 0)
        return ps_fail(error, PS_UNKNOWN_NAME, "none of the keys that were given is for it");
    PS_TRY(ps_seal_folder_read(folder, "vkey", text, sizeof text, &length, error));
    length -= length > 0 && text[length - 1] == '\n';
    if (ps_verifier_parse((const char *)text, length, out, error) != PS_OK)
        return ps_fail_in(error, PS_TAMPERED, "vkey");
    if (memcmp(out->key, w->signer.verifier.key, PS_KEY_BYTES) != 0)
        ps_log(PS_LOG_WARNING, "seal",
               "%s: signed by the key in its own `vkey`: give the key you know with --key",
               ps_seal_folder_path(folder));
    return PS_OK;
}

/* Its tiles have the root that was signed, and go on from the tree that was added last. */
static ps_status check_grown(work *w, const ps_tile_source *source, const ps_checkpoint *now,
                             ps_error *error) {
    const ps_tree *const tree = &now->tree;
    ps_tree last = {0};
    ps_hash root;
    ps_proof proof;
    if (tree->size >> 63 != 0) return ps_fail(error, PS_TAMPERED, "no log is that large");
    ps_tiles_init(&w->tiles, source, tree->size);
    PS_TRY(ps_tiles_root(&w->tiles, tree->size, &root, error));
    if (!ps_hash_is(&root, &tree->root))
        return ps_fail(error, PS_TAMPERED, "the tiles do not have the root of the checkpoint");
    if (!ps_rollup_find(w->rollup, now->origin, &last) || last.size == 0) return PS_OK;
    if (last.size >= tree->size) return PS_OK; /* judged when it is added */
    PS_TRY(ps_proof_consistency(&w->tiles, last.size, tree->size, &proof, error));
    if (ps_proof_extends(&proof, &last, tree)) return PS_OK;
    return ps_fail(error, PS_TAMPERED,
                   "its first %" PRIu64 " entries are not those that were rolled up before: the "
                   "log was rewritten",
                   last.size);
}

static ps_status add(work *w, ps_seal_folder *folder, ps_checkpoint *checkpoint, bool *added,
                     ps_error *error) {
    const ps_tile_source source = ps_seal_folder_source(folder);
    ps_verifier key;
    size_t length = 0;
    PS_TRY(ps_seal_folder_read(folder, "checkpoint", w->bytes, sizeof w->bytes, &length, error));
    const ps_bytes note = {w->bytes, (uint32_t)length};
    PS_TRY(ps_note_parse(note, &w->note, error));
    PS_TRY(ps_checkpoint_parse(w->note.text, checkpoint, error));
    PS_TRY(find_key(w, folder, checkpoint->origin, &key, error));
    PS_TRY(ps_checkpoint_open(note, &key, &w->note, checkpoint, error));
    PS_TRY(check_grown(w, &source, checkpoint, error));
    return ps_rollup_add(w->rollup, note, &key, added, error);
}

static void tell_added(const work *w, const char *path, const ps_checkpoint *checkpoint,
                       bool added) {
    char origin[PS_KEY_NAME_MAX], shown[2 * PS_KEY_NAME_MAX], count[PS_TEXT_NUMBER_MAX];
    (void)snprintf(origin, sizeof origin, "%.*s", (int)checkpoint->origin.length,
                   (const char *)checkpoint->origin.data);
    if (!w->chosen->json) {
        (void)ps_json_escape(origin, shown, sizeof shown);
        (void)printf("%s: %s: %s entries of %s\n", path, added ? "added" : "unchanged",
                     ps_text_from_count(checkpoint->tree.size, count), shown);
        return;
    }
    (void)printf("{");
    ps_seal_put_text("log", path);
    (void)printf(",");
    ps_seal_put_text("origin", origin);
    (void)printf(",\"size\":%" PRIu64 ",\"result\":\"%s\"}\n", checkpoint->tree.size,
                 added ? "added" : "unchanged");
}

static void tell_failed(const work *w, const char *path, ps_status status, const ps_error *error) {
    const bool tampered = status == PS_TAMPERED;
    if (!w->chosen->json) {
        (void)printf("%s: %s: %s\n", path, tampered ? "TAMPERED" : "cannot tell", error->message);
        return;
    }
    (void)printf("{");
    ps_seal_put_text("log", path);
    (void)printf(",\"result\":\"%s\",", tampered ? "tampered" : "cannot_tell");
    ps_seal_put_text("why", error->message);
    (void)printf("}\n");
}

/* One log that cannot be added does not keep the others out. */
static void add_log(work *w, const char *path) {
    ps_seal_folder *folder = NULL;
    ps_checkpoint checkpoint;
    ps_error error;
    bool added = false;
    ps_status status = ps_seal_folder_open(path, false, &folder, &error);
    if (status == PS_OK) status = add(w, folder, &checkpoint, &added, &error);
    ps_seal_folder_close(folder);
    w->added += added;
    w->tampered += status == PS_TAMPERED;
    w->failed += status != PS_OK && status != PS_TAMPERED;
    if (status == PS_OK)
        tell_added(w, path, &checkpoint, added);
    else
        tell_failed(w, path, status, &error);
}

static void wait_until(int64_t until_ns) {
    const struct timespec until = {.tv_sec = (time_t)(until_ns / PS_NS_PER_S),
                                   .tv_nsec = (long)(until_ns % PS_NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {}
}

/* Again, as often as a witness may be asked again in time. */
static ps_status publish(work *w, ps_rollup_report *report, ps_error *error) {
    const int64_t end_ns = ps_clock_ns() + w->chosen->wait_ns;
    for (;;) {
        const ps_status status = ps_rollup_publish(w->rollup, report, error);
        if (status != PS_AGAIN || report->due_ns > end_ns) return status;
        wait_until(report->due_ns);
    }
}

static void tell_witnesses(const work *w) {
    static const char *const verdicts[] = {"not_asked", "cosigned",   "no_answer",
                                           "refused",   "bad_answer", "forked"};
    const ps_witnesses *const all = ps_rollup_witnesses(w->rollup);
    (void)printf(",\"witnesses\":[");
    for (uint32_t i = 0; all != NULL && i < ps_witnesses_count(all); i++) {
        const ps_witness *const one = ps_witnesses_at(all, i);
        (void)printf("%s{", i > 0 ? "," : "");
        ps_seal_put_text("name", one->key->name);
        (void)printf(",\"verdict\":\"%s\"", verdicts[one->verdict]);
        if (one->verdict == PS_WITNESS_COSIGNED)
            (void)printf(",\"time\":%" PRIu64, one->time_s);
        else if (one->verdict != PS_WITNESS_WAITING) {
            (void)printf(",");
            ps_seal_put_text("why", one->why);
        }
        (void)printf("}");
    }
    (void)printf("]");
}

static void warn_of_others(const work *w) {
    const ps_witnesses *const all = ps_rollup_witnesses(w->rollup);
    for (uint32_t i = 0; all != NULL && i < ps_witnesses_count(all); i++) {
        const ps_witness *const one = ps_witnesses_at(all, i);
        if (one->verdict != PS_WITNESS_COSIGNED && one->verdict != PS_WITNESS_WAITING)
            ps_log(PS_LOG_WARNING, "seal", "witness %.*s %s", (int)one->name.length,
                   (const char *)one->name.data, one->why);
    }
}

static void tell(const work *w, const ps_rollup_report *report, ps_status status,
                 const ps_error *error) {
    char count[PS_TEXT_NUMBER_MAX];
    if (w->chosen->json) {
        (void)printf("{");
        ps_seal_put_text("rollup", w->chosen->into);
        (void)printf(",");
        ps_seal_put_text("origin", w->signer.verifier.name);
        (void)printf(",\"size\":%" PRIu64 ",\"published\":%" PRIu64 ",\"added\":%u",
                     report->tree.size, report->published, w->added);
        tell_witnesses(w);
        (void)printf(",\"result\":\"%s\"}\n", status == PS_OK         ? "ok"
                                              : status == PS_AGAIN    ? "no_quorum"
                                              : status == PS_TAMPERED ? "tampered"
                                                                      : "failed");
    } else if (status == PS_OK) {
        (void)printf("%s: %s %s of %s", w->chosen->into,
                     ps_text_from_count(report->tree.size, count),
                     report->tree.size == 1 ? "entry" : "entries", w->signer.verifier.name);
        if (report->witnesses > 0)
            (void)printf(", cosigned by %u of %u witnesses", report->cosigned, report->witnesses);
        (void)printf("\n");
    }
    if (status == PS_OK)
        warn_of_others(w);
    else
        ps_log(PS_LOG_ERROR, "seal", "%s: %s", w->chosen->into, error->message);
}

/* A roll-up below DIR would be taken for one of its logs. */
static ps_status check_places(const work *w, ps_error *error) {
    if (!ps_directory_is_below(w->chosen->into, w->logs.root)) return PS_OK;
    return ps_fail(error, PS_BAD_CONFIG, "--into: %s lies below %s: a roll-up lies elsewhere",
                   w->chosen->into, w->logs.root);
}

static ps_status begin(work *w, const char *root, ps_error *error) {
    PS_TRY(read_signer(w->chosen->signer, &w->signer, error));
    PS_TRY(ps_seal_policy_read(w->chosen, &w->policy, error));
    PS_TRY(ps_seal_keys_init(&w->keys, &w->chosen->key, error));
    w->logs.root = root;
    PS_TRY(check_places(w, error));
    PS_TRY(ps_seal_logs_init(&w->logs, root, error));
    const ps_rollup_options options = {w->chosen->into, &w->signer, w->policy, TIMEOUT_MS};
    return ps_rollup_open(&options, &w->rollup, error);
}

static int run(work *w, const char *root) {
    ps_rollup_report report;
    ps_error error;
    ps_status status = begin(w, root, &error);
    if (status != PS_OK) return ps_seal_failed(status, &error, PS_EXIT_FAILED);
    for (uint32_t i = 0; i < w->logs.count; i++) add_log(w, w->logs.path[i]);
    status = publish(w, &report, &error);
    tell(w, &report, status, &error);
    return status == PS_OK && w->tampered == 0 && w->failed == 0 ? PS_EXIT_OK : PS_EXIT_FAILED;
}

int ps_seal_rollup(const ps_seal_job *job) {
    const ps_seal_options *const chosen = job->chosen;
    if (chosen->into == NULL || chosen->signer == NULL) {
        ps_log(PS_LOG_ERROR, "seal", "rollup: say with %s",
               chosen->into == NULL ? "--into DIR where the roll-up log is"
                                    : "--signer FILE where its secret key is");
        return PS_EXIT_USAGE;
    }
    work *const w = calloc(1, sizeof *w);
    if (w == NULL) return PS_EXIT_FAILED;
    w->chosen = chosen;
    const int code = run(w, job->operand[0]);
    ps_rollup_close(w->rollup);
    ps_seal_logs_deinit(&w->logs);
    ps_signer_deinit(&w->signer);
    ps_seal_keys_deinit(&w->keys);
    free(w->policy);
    free(w);
    return code;
}
