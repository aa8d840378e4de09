/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/seal_keys.h"
#include "host/cli/seal_policy.h"
#include "host/seal/lines.h"
#include "host/seal/web.h"

enum { FAULTS_SHOWN = 20, PATH_BYTES = 4096 };

/* All logs below one directory. */
typedef struct check {
    const ps_seal_options *chosen;
    const char *root;
    ps_seal_keys keys;
    char **log; /* paths of logs */
    uint32_t logs, room;
    uint32_t whole, changed, unknown;
    /* Of the log that is being checked. */
    const char *path;
    uint64_t faults;
    ps_seal_live live;
} check;

static void take_fault(void *context, const char *file, const char *what) {
    check *const c = context;
    const bool first = c->faults++ == 0;
    if (c->faults > FAULTS_SHOWN) return;
    if (!c->chosen->json) {
        ps_seal_live_hide(&c->live);
        (void)printf("%s/%s: %s\n", c->path, file, what);
        return;
    }
    (void)printf(first ? "{" : ",{");
    ps_seal_put_text("file", file);
    (void)printf(",");
    ps_seal_put_text("what", what);
    (void)printf("}");
}

static void take_remark(void *context, const char *file, const char *what) {
    const check *const c = context;
    ps_log(PS_LOG_WARNING, "seal", "%s/%s: %s", c->path, file, what);
}

static void take_progress(void *context, uint64_t entries, uint64_t size) {
    check *const c = context;
    ps_seal_live_tell(&c->live, entries, size);
}

/* Ends at the first log; what is below a log belongs to it. */
static ps_status find_log(void *context, const char *path, ps_error *error) {
    check *const c = context;
    static const char name[] = "/checkpoint";
    const size_t length = strlen(path), tail = sizeof name - 1;
    if (length < tail || strcmp(path + length - tail, name) != 0) return PS_OK;
    if (c->logs == c->room) {
        c->room = c->room == 0 ? 64 : c->room * 2;
        char **const more = realloc(c->log, c->room * sizeof *more);
        if (more == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for %u logs", c->room);
        c->log = more;
    }
    char whole[PATH_BYTES];
    (void)snprintf(whole, sizeof whole, "%s%s%.*s", c->root, length == tail ? "" : "/",
                   (int)(length - tail), path);
    c->log[c->logs] = strdup(whole);
    if (c->log[c->logs] == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a path");
    c->logs++;
    return PS_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The directory itself where it is a log, else all below it. */
static ps_status find_logs(check *c, ps_error *error) {
    ps_seal_folder *folder = NULL;
    char path[PATH_BYTES];
    /* Nobody lists what is below a URL. */
    if (ps_seal_web_is_url(c->root)) return find_log(c, "/checkpoint", error);
    struct stat about;
    if (stat(c->root, &about) == 0 && !S_ISDIR(about.st_mode))
        return ps_fail(error, PS_BAD_CONFIG,
                       "%s: is a file: `verify` takes the directory of a log, `verify proof` a "
                       "proof, `show` either",
                       c->root);
    PS_TRY(ps_seal_folder_open(c->root, false, &folder, error));
    (void)snprintf(path, sizeof path, "%s/checkpoint", c->root);
    ps_status status = PS_OK;
    if (access(path, F_OK) == 0)
        status = find_log(c, "/checkpoint", error);
    else
        status = ps_seal_folder_walk(folder, find_log, c, error);
    ps_seal_folder_close(folder);
    if (status == PS_OK && c->logs == 0)
        status = ps_fail(error, PS_UNKNOWN_NAME, "%s: has no log in it, nor below", c->root);
    if (status == PS_OK) qsort(c->log, c->logs, sizeof *c->log, by_name);
    return status;
}

static void tell_json(const check *c, const ps_verify_report *report, ps_status status,
                      const ps_error *error) {
    char root[PS_HASH_TEXT_MAX];
    (void)printf("],");
    ps_seal_put_text("log", c->path);
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
    char count[PS_TEXT_NUMBER_MAX], more[PS_TEXT_NUMBER_MAX], origin[2 * PS_KEY_NAME_MAX];
    ps_seal_live_hide(&c->live);
    if (c->chosen->json) {
        tell_json(c, report, status, error);
        return;
    }
    if (report->faults > FAULTS_SHOWN)
        (void)printf("%s: … and %s more\n", c->path,
                     ps_text_from_count(report->faults - FAULTS_SHOWN, more));
    if (status == PS_OK) {
        (void)ps_json_escape(report->origin, origin, sizeof origin);
        (void)printf("%s: ok: %s entries of %s\n", c->path,
                     ps_text_from_count(report->tree.size, count), origin);
    } else if (status == PS_TAMPERED) {
        (void)printf("%s: TAMPERED: %s fault%s\n", c->path,
                     ps_text_from_count(report->faults, count), report->faults == 1 ? "" : "s");
    } else {
        (void)printf("%s: cannot tell: %s\n", c->path, error->message);
    }
}

static ps_status verify_place(check *c, ps_seal_place *place, ps_verify_report *report,
                              ps_error *error) {
    const ps_verify_watch watch = {
        .fault = take_fault, .remark = take_remark, .progress = take_progress, .context = c};
    bool missing = false;
    const ps_verifier *const key =
        ps_seal_keys_choose(&c->keys, &place->source, c->logs == 1, &missing);
    PS_TRY(place->folder == NULL ? ps_verify_source(&place->source, key, &watch, report, error)
                                 : ps_verify_folder(place->folder, key, &watch, report, error));
    PS_TRY(ps_seal_check_more(&place->source, c->chosen, c->keys.used, &watch, report, error));
    if (!missing) return PS_OK;
    return ps_fail(error, PS_UNKNOWN_NAME, "none of the keys that were given is for it");
}

static void verify_one(check *c, const char *path) {
    ps_seal_place place;
    ps_verify_report report;
    ps_error error;
    c->path = path;
    c->faults = 0;
    ps_seal_live_begin(&c->live, !c->chosen->json);
    if (c->chosen->json) (void)printf("{\"faults\":[");
    memset(&report, 0, sizeof report);
    ps_status status = ps_seal_place_open(path, &place, &error);
    if (status == PS_OK) status = verify_place(c, &place, &report, &error);
    ps_seal_place_close(&place);
    tell(c, &report, status, &error);
    c->whole += status == PS_OK;
    c->changed += status == PS_TAMPERED;
    c->unknown += status != PS_OK && status != PS_TAMPERED;
    if (status == PS_OK && report.own_key)
        ps_log(PS_LOG_WARNING, "seal",
               "%s: signed by the key in its own `vkey`: who can change the log can change that "
               "too; give the key you know with --key",
               path);
}

static int verify_all(check *c) {
    for (uint32_t i = 0; i < c->logs; i++) verify_one(c, c->log[i]);
    c->unknown += ps_seal_keys_unused(&c->keys, c->root);
    if (c->logs > 1)
        ps_log(PS_LOG_INFO, "seal", "%u logs: %u whole, %u changed, %u cannot be told", c->logs,
               c->whole, c->changed, c->unknown);
    if (c->changed > 0) return PS_EXIT_FAILED;
    return c->unknown > 0 ? PS_EXIT_CANNOT_TELL : PS_EXIT_OK;
}

int ps_seal_verify(const ps_seal_job *job) {
    check c = {.chosen = job->chosen, .root = job->operand[0]};
    ps_error error;
    ps_seal_policy *policy = NULL;
    ps_status status = ps_seal_policy_read(job->chosen, &policy, &error);
    free(policy); /* it is one: each log reads it again */
    if (status == PS_OK) status = ps_seal_keys_init(&c.keys, &job->chosen->key, &error);
    if (status == PS_OK && ps_seal_web_is_url(c.root)) status = ps_seal_web_check(c.root, &error);
    if (status == PS_OK) status = find_logs(&c, &error);
    const int code =
        status == PS_OK ? verify_all(&c) : ps_seal_failed(status, &error, PS_EXIT_CANNOT_TELL);
    for (uint32_t i = 0; i < c.logs; i++) free(c.log[i]);
    free(c.log);
    ps_seal_keys_deinit(&c.keys);
    return code;
}
