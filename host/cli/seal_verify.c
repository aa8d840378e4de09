/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/seal_faults.h"
#include "host/cli/seal_logs.h"
#include "host/cli/seal_policy.h"
#include "host/seal/lines.h"

/* All logs below one directory, or one behind a URL. */
typedef struct check {
    ps_seal_faults faults; /* of the log that is being checked; first: the watch's context */
    const ps_seal_options *chosen;
    ps_seal_keys keys;
    ps_seal_tally tally;
    bool is_only;
} check;

static void take_fault(void *context, const char *file, const char *what) {
    check *const c = context;
    ps_seal_faults_put(&c->faults, NULL, file, what);
}

static void tell_json(const check *c, const ps_verify_report *report, ps_status status,
                      const ps_error *error) {
    char root[PS_HASH_TEXT_MAX];
    (void)printf("],");
    ps_seal_put_text("log", c->faults.where);
    (void)printf(",");
    ps_seal_put_text("origin", report->origin);
    (void)printf(",\"size\":%" PRIu64 ",\"root\":\"%s\",\"entries\":%" PRIu64 ",\"files\":%" PRIu64
                 ",\"beyond\":%" PRIu64 ",\"fault_count\":%" PRIu64
                 ",\"signed\":%s,\"own_key\":%s,\"result\":\"%s\"",
                 report->tree.size, ps_hash_text(&report->tree.root, root), report->entries,
                 report->files, report->beyond, report->faults,
                 report->is_signed ? "true" : "false", report->own_key ? "true" : "false",
                 ps_seal_result(status));
    if (status != PS_OK && status != PS_TAMPERED) {
        (void)printf(",");
        ps_seal_put_text("why", error->message);
    }
    (void)printf("}\n");
}

static void tell(const check *c, const ps_verify_report *report, ps_status status,
                 const ps_error *error) {
    char count[PS_TEXT_NUMBER_MAX], origin[2 * PS_KEY_NAME_MAX];
    ps_seal_live_hide(&c->faults.live);
    if (c->chosen->json) {
        tell_json(c, report, status, error);
        return;
    }
    ps_seal_faults_rest(&c->faults, c->faults.where);
    if (status == PS_OK) {
        (void)ps_json_escape(report->origin, origin, sizeof origin);
        (void)printf("%s: ok: %s entries of %s\n", c->faults.where,
                     ps_text_from_count(report->tree.size, count), origin);
    } else if (status == PS_TAMPERED) {
        (void)printf("%s: TAMPERED: %s fault%s\n", c->faults.where,
                     ps_text_from_count(report->faults, count), report->faults == 1 ? "" : "s");
    } else {
        (void)printf("%s: cannot tell: %s\n", c->faults.where, error->message);
    }
}

static ps_status verify_place(check *c, ps_seal_place *place, ps_verify_report *report,
                              ps_error *error) {
    const ps_verify_watch watch = {.fault = take_fault,
                                   .remark = ps_seal_faults_remark,
                                   .progress = ps_seal_faults_progress,
                                   .context = c};
    bool missing = false;
    const ps_verifier *const key =
        ps_seal_keys_choose(&c->keys, &place->source, c->is_only, &missing);
    PS_TRY(place->folder == NULL ? ps_verify_source(&place->source, key, &watch, report, error)
                                 : ps_verify_folder(place->folder, key, &watch, report, error));
    PS_TRY(ps_seal_check_more(&place->source, c->chosen, &c->keys, &watch, report, error));
    if (!missing) return PS_OK;
    return ps_fail(error, PS_UNKNOWN_NAME, "none of the keys that were given is for it");
}

static void verify_one(check *c, const char *path) {
    ps_seal_place place;
    ps_verify_report report;
    ps_error error;
    ps_seal_faults_begin(&c->faults, path, c->chosen->json);
    memset(&report, 0, sizeof report);
    ps_status status = ps_seal_place_open(path, &place, &error);
    if (status == PS_OK) status = verify_place(c, &place, &report, &error);
    ps_seal_place_close(&place);
    tell(c, &report, status, &error);
    ps_seal_tally_add(&c->tally, status, path, report.own_key);
}

/* Nobody lists what is below a URL. */
static ps_status find_logs(ps_seal_logs *logs, const char *root, ps_error *error) {
    struct stat about;
    if (ps_seal_web_is_url(root)) return ps_seal_web_check(root, error);
    if (stat(root, &about) == 0 && !S_ISDIR(about.st_mode))
        return ps_fail(error, PS_BAD_CONFIG,
                       "%s: is a file: `verify` takes the directory of a log, `verify proof` a "
                       "proof, `show` either",
                       root);
    return ps_seal_logs_init(logs, root, error);
}

static int verify_all(check *c, const ps_seal_logs *logs, const char *root) {
    c->is_only = logs->count <= 1;
    if (logs->count == 0) verify_one(c, root); /* a URL */
    for (uint32_t i = 0; i < logs->count; i++) verify_one(c, logs->path[i]);
    c->tally.unknown += ps_seal_keys_unused(&c->keys, root);
    return ps_seal_tally_tell(&c->tally, logs->count, "logs");
}

int ps_seal_verify(const ps_seal_job *job) {
    const char *const root = job->operand[0];
    check c = {.chosen = job->chosen};
    ps_seal_logs logs = {0};
    ps_error error;
    ps_seal_policy *policy = NULL;
    ps_status status = ps_seal_policy_read(job->chosen, &policy, &error);
    free(policy); /* it is one: each log reads it again */
    if (status == PS_OK) status = ps_seal_keys_init(&c.keys, &job->chosen->key, &error);
    if (status == PS_OK) status = find_logs(&logs, root, &error);
    const int code = status == PS_OK ? verify_all(&c, &logs, root)
                                     : ps_seal_failed(status, &error, PS_EXIT_CANNOT_TELL);
    ps_seal_logs_deinit(&logs);
    ps_seal_keys_deinit(&c.keys);
    return code;
}
