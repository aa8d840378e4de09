/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/base/clock.h"
#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/seal_policy.h"
#include "host/cli/term.h"
#include "host/seal/lines.h"

enum { FAULTS_SHOWN = 20, PATH_BYTES = 4096, LIVE_NS = 100000000, BAR = 30 };

/* All logs below one directory. */
typedef struct check {
    const ps_seal_options *chosen;
    const char *root;
    ps_verifier *key; /* as many as --key was said */
    bool *key_used;
    char **log; /* paths of logs */
    uint32_t logs, room;
    uint32_t whole, changed, unknown;
    /* Of the log that is being checked. */
    const char *path;
    uint64_t faults;
    int64_t started_ns, shown_ns;
    bool live;
} check;

static void put_text(const char *name, const char *text) {
    char escaped[2 * PATH_BYTES];
    (void)ps_json_escape(text, escaped, sizeof escaped);
    (void)printf("\"%s\":\"%s\"", name, escaped);
}

static void take_fault(void *context, const char *file, const char *what) {
    check *const c = context;
    const bool first = c->faults++ == 0;
    if (c->faults > FAULTS_SHOWN) return;
    if (!c->chosen->json) {
        if (c->live) ps_log_live("");
        (void)printf("%s/%s: %s\n", c->path, file, what);
        return;
    }
    (void)printf(first ? "{" : ",{");
    put_text("file", file);
    (void)printf(",");
    put_text("what", what);
    (void)printf("}");
}

static void take_remark(void *context, const char *file, const char *what) {
    const check *const c = context;
    ps_log(PS_LOG_WARNING, "seal", "%s/%s: %s", c->path, file, what);
}

static void take_progress(void *context, uint64_t entries, uint64_t size) {
    check *const c = context;
    char line[200], bar[BAR + 1], done[PS_TEXT_NUMBER_MAX], rate[PS_TEXT_NUMBER_MAX];
    if (!c->live) return;
    const int64_t now = ps_clock_ns();
    if (now - c->shown_ns < LIVE_NS) return;
    c->shown_ns = now;
    const double share = (double)entries / (double)size;
    const double seconds = (double)(now - c->started_ns) / 1e9;
    memset(bar, '.', BAR);
    memset(bar, '#', (size_t)(share * BAR));
    bar[BAR] = '\0';
    (void)snprintf(line, sizeof line, "%s %3.0f %%  %s entries  %s/s  %.0f s left", bar,
                   share * 100, ps_text_about_count((double)entries, done),
                   ps_text_about_count((double)entries / seconds, rate), seconds / share - seconds);
    ps_log_live(line);
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

/* The key that was given for this log's origin; of one log, the one key. `*missing`: keys were
 * given, and none is for it. */
static const ps_verifier *choose_key(check *c, const char *path, bool *missing) {
    uint8_t *bytes = NULL;
    size_t length = 0;
    char file[PATH_BYTES];
    ps_error ignored;
    ps_bytes rest, origin = {NULL, 0};
    const uint32_t keys = c->chosen->key.count;
    *missing = false;
    if (keys == 0) return NULL;
    if (c->logs == 1 && keys == 1) {
        c->key_used[0] = true;
        return &c->key[0];
    }
    (void)snprintf(file, sizeof file, "%s/checkpoint", path);
    const bool there = ps_seal_file(file, &bytes, &length, &ignored) == PS_OK;
    rest = (ps_bytes){bytes, (uint32_t)length};
    const ps_verifier *found = NULL;
    for (uint32_t i = 0; there && i < keys && found == NULL; i++) {
        ps_bytes left = rest;
        if (!ps_line_next(&left, &origin) || origin.length != strlen(c->key[i].name) ||
            memcmp(origin.data, c->key[i].name, origin.length) != 0)
            continue;
        c->key_used[i] = true;
        found = &c->key[i];
    }
    if (there) free(bytes);
    *missing = found == NULL;
    return found;
}

static void tell_json(const check *c, const ps_verify_report *report, ps_status status,
                      const ps_error *error) {
    char root[PS_HASH_TEXT_MAX];
    (void)printf("],");
    put_text("log", c->path);
    (void)printf(",");
    put_text("origin", report->origin);
    (void)printf(",\"size\":%" PRIu64 ",\"root\":\"%s\",\"entries\":%" PRIu64 ",\"files\":%" PRIu64
                 ",\"beyond\":%" PRIu64 ",\"fault_count\":%" PRIu64
                 ",\"signed\":%s,\"own_key\":%s,\"result\":\"%s\"",
                 report->tree.size, ps_hash_text(&report->tree.root, root), report->entries,
                 report->files, report->beyond, report->faults,
                 report->is_signed ? "true" : "false", report->own_key ? "true" : "false",
                 status == PS_OK         ? "ok"
                 : status == PS_TAMPERED ? "tampered"
                                         : "cannot_tell");
    if (status != PS_OK && status != PS_TAMPERED) {
        (void)printf(",");
        put_text("why", error->message);
    }
    (void)printf("}\n");
}

static void tell(const check *c, const ps_verify_report *report, ps_status status,
                 const ps_error *error) {
    char count[PS_TEXT_NUMBER_MAX], more[PS_TEXT_NUMBER_MAX], origin[2 * PS_KEY_NAME_MAX];
    if (c->live) ps_log_live("");
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

static void verify_one(check *c, const char *path) {
    const ps_verify_watch watch = {take_fault, take_remark, take_progress, c};
    ps_seal_folder *folder = NULL;
    ps_verify_report report;
    ps_error error;
    bool missing = false;
    c->path = path;
    c->faults = 0;
    c->started_ns = ps_clock_ns();
    c->shown_ns = c->started_ns;
    if (c->chosen->json) (void)printf("{\"faults\":[");
    memset(&report, 0, sizeof report);
    ps_status status = ps_seal_folder_open(path, false, &folder, &error);
    const ps_verifier *const key = choose_key(c, path, &missing);
    if (status == PS_OK) status = ps_verify_folder(folder, key, &watch, &report, &error);
    if (status == PS_OK) {
        const ps_tile_source source = ps_seal_folder_source(folder);
        status = ps_seal_check_more(&source, c->chosen, c->key_used, &watch, &report, &error);
    }
    ps_seal_folder_close(folder);
    if (status == PS_OK && missing)
        status = ps_fail(&error, PS_UNKNOWN_NAME, "none of the keys that were given is for it");
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

static ps_status read_keys(check *c, ps_error *error) {
    const uint32_t keys = c->chosen->key.count;
    c->key = calloc(keys + 1, sizeof *c->key);
    c->key_used = calloc(keys + 1, sizeof *c->key_used);
    if (c->key == NULL || c->key_used == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory for keys");
    for (uint32_t i = 0; i < keys; i++)
        PS_TRY(ps_seal_key(c->chosen->key.at[i], &c->key[i], error));
    return PS_OK;
}

static int verify_all(check *c) {
    for (uint32_t i = 0; i < c->logs; i++) verify_one(c, c->log[i]);
    for (uint32_t i = 0; i < c->chosen->key.count; i++) {
        if (c->key_used[i]) continue;
        ps_log(PS_LOG_ERROR, "seal", "%s: no log of the key %.200s is there", c->root,
               c->key[i].name);
        c->unknown++;
    }
    if (c->logs > 1)
        ps_log(PS_LOG_INFO, "seal", "%u logs: %u whole, %u changed, %u cannot be told", c->logs,
               c->whole, c->changed, c->unknown);
    if (c->changed > 0) return PS_EXIT_FAILED;
    return c->unknown > 0 ? PS_EXIT_CANNOT_TELL : PS_EXIT_OK;
}

int ps_seal_verify(const ps_seal_job *job) {
    check c = {.chosen = job->chosen,
               .root = job->operand[0],
               .live = ps_term_is(STDERR_FILENO) && !job->chosen->json};
    ps_error error;
    ps_seal_policy *policy = NULL;
    ps_status status = ps_seal_policy_read(job->chosen, &policy, &error);
    free(policy); /* it is one: each log reads it again */
    if (status == PS_OK) status = read_keys(&c, &error);
    if (status == PS_OK) status = find_logs(&c, &error);
    const int code =
        status == PS_OK ? verify_all(&c) : ps_seal_failed(status, &error, PS_EXIT_CANNOT_TELL);
    for (uint32_t i = 0; i < c.logs; i++) free(c.log[i]);
    free(c.log);
    free(c.key);
    free(c.key_used);
    return code;
}
