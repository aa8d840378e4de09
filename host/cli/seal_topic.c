/* SPDX-License-Identifier: Apache-2.0
 * `penstock seal verify topic`: each partition's log is checked by itself and compared, on the same
 * way through it, with the records that the topic has.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/text.h"
#include "host/cli/seal_faults.h"
#include "host/cli/seal_keys.h"
#include "host/cli/seal_reach.h"
#include "host/seal/lines.h"

/* All of the topic, and the partition that is being looked at. */
typedef struct check {
    ps_seal_faults faults; /* of that partition; first: the watch's context */
    const ps_seal_options *chosen;
    ps_seal_reach reach;
    ps_seal_keys keys;
    uint64_t from;
    uint32_t checked;
    ps_seal_tally tally;
    uint32_t partition;
    char where[PS_SEAL_WHERE_MAX];
    ps_verify_report log;
    ps_audit_report audit;
    ps_audit_watch watch;
    ps_audit *auditor; /* NULL: the topic is not read yet */
    bool compared;     /* there was a log to compare with */
    bool anew;
} check;

/* ---- faults, as they are found ---- */

static void take_fault(void *context, const char *file, const char *what) {
    check *const c = context;
    ps_seal_faults_put(&c->faults, "LOG", file, what);
}

/* "offset 5 (entry 3)", "offsets 5 to 9 (5 records)". */
static void describe(const ps_audit_finding *f, char *text, size_t room) {
    char count[PS_TEXT_NUMBER_MAX];
    const bool has_entry = f->class != PS_AUDIT_UNLOGGED;
    if (f->count > 1)
        (void)snprintf(text, room, "offsets %" PRId64 " to %" PRId64 " (%s %s)", f->first_offset,
                       f->last_offset, ps_text_from_count(f->count, count),
                       has_entry ? "entries" : "records");
    else if (has_entry)
        (void)snprintf(text, room, "offset %" PRId64 " (entry %" PRIu64 ")", f->first_offset,
                       f->index);
    else
        (void)snprintf(text, room, "offset %" PRId64, f->first_offset);
}

static const char *reason(ps_audit_class class, uint32_t parts, char text[128]) {
    char names[64];
    switch (class) {
    case PS_AUDIT_MODIFIED:
        (void)snprintf(text, 128, "not what was sealed: %s", ps_audit_parts_text(parts, names));
        return text;
    case PS_AUDIT_MISSING:
        return "sealed, and no record is there";
    case PS_AUDIT_UNLOGGED:
        return "a record below the last sealed offset that no entry speaks of";
    default:
        return "sealed, and the partition ends before it";
    }
}

static void take_finding(void *context, const ps_audit_finding *f) {
    check *const c = context;
    char place[128], why[128];
    if (!ps_seal_faults_next(&c->faults)) return;
    if (!c->chosen->json) {
        describe(f, place, sizeof place);
        (void)printf("%s/%" PRIu32 ": %s: %s: %s\n", c->reach.topic, c->partition,
                     ps_audit_name(f->class), place, reason(f->class, f->parts, why));
        return;
    }
    (void)printf("\"class\":\"%s\",\"offset\":%" PRId64 ",\"last_offset\":%" PRId64
                 ",\"count\":%" PRIu64 ",",
                 ps_audit_name(f->class), f->first_offset, f->last_offset, f->count);
    if (f->class != PS_AUDIT_UNLOGGED) (void)printf("\"index\":%" PRIu64 ",", f->index);
    ps_seal_put_text("what", reason(f->class, f->parts, why));
    (void)printf("}");
}

/* What is wrong with the partition as a whole. */
static void tell_whole(check *c, const char *class, const char *what) {
    if (!ps_seal_faults_next(&c->faults)) return;
    if (!c->chosen->json) {
        (void)printf("%s/%" PRIu32 ": %s: %s\n", c->reach.topic, c->partition, class, what);
        return;
    }
    (void)printf("\"class\":\"%s\",", class);
    ps_seal_put_text("what", what);
    (void)printf("}");
}

/* ---- one partition ---- */

/* Not before the checkpoint was read: what a worker seals meanwhile would lie behind the end. */
static ps_status begin_topic(check *c, ps_error *error) {
    ps_audit_topic topic;
    if (c->auditor != NULL) return PS_OK;
    PS_TRY(ps_seal_reach_begin(&c->reach, c->partition, (int64_t)c->from, &topic, error));
    return ps_audit_open(&topic, &c->watch, &c->audit, &c->auditor, error);
}

static ps_status take_entries(void *context, uint64_t first, const ps_bytes *entries,
                              uint32_t count, ps_error *error) {
    check *const c = context;
    PS_TRY(begin_topic(c, error));
    return ps_audit_entries(c->auditor, first, entries, count, error);
}

/* Whether the log is signed, or was changed, the rest of the topic is still to be read; not where
 * entries cannot be had. */
static ps_status finish(check *c, ps_status status, ps_error *error) {
    ps_error why;
    c->compared = c->log.origin[0] != '\0';
    if (!c->compared || (status != PS_OK && c->log.entries < c->log.tree.size)) return status;
    ps_status rest = begin_topic(c, &why);
    if (rest == PS_OK) rest = ps_audit_finish(c->auditor, &why);
    if (status != PS_OK || rest == PS_OK) return status;
    return ps_fail(error, rest, "%s", why.message);
}

/* The log, and the topic with it. */
static ps_status compare(check *c, ps_seal_place *place, const ps_verifier *key, ps_error *error) {
    const ps_verify_watch watch = {.fault = take_fault,
                                   .remark = ps_seal_faults_remark,
                                   .progress = ps_seal_faults_progress,
                                   .entries = take_entries,
                                   .context = c};
    const ps_status status = place->folder == NULL
                                 ? ps_verify_source(&place->source, key, &watch, &c->log, error)
                                 : ps_verify_folder(place->folder, key, &watch, &c->log, error);
    return finish(c, status, error);
}

static void judge_whole(check *c) {
    char text[300];
    const ps_audit_report *const a = &c->audit;
    const bool cut = a->count[PS_AUDIT_TRUNCATED] > 0;
    if (c->anew) {
        (void)snprintf(
            text, sizeof text,
            "the topic was deleted and made anew: its id is %s, the log's origin is %.200s",
            c->reach.about->id, c->log.origin);
        tell_whole(c, "RECREATED", text);
    } else if (cut) {
        (void)snprintf(text, sizeof text,
                       "the partition ends at offset %" PRId64 ", and offset %" PRId64
                       " was sealed: it lost its end",
                       c->reach.span.end, a->last_sealed);
        tell_whole(c, "TRUNCATED", text);
    } else if (a->void_from >= 0) {
        (void)snprintf(text, sizeof text,
                       "from offset %" PRId64 " to the last sealed one, %" PRId64
                       ", nothing matches: the partition lost its end and went on (an unclean "
                       "election of a leader), or was written anew",
                       a->void_from, a->last_sealed);
        tell_whole(c, "REWRITTEN", text);
    }
}

/* Who may not ask whether a topic is compacted cannot tell a superseded record from a missing one.
 */
static ps_status judge(check *c, ps_status status, ps_error *error) {
    judge_whole(c);
    const uint64_t faults = c->audit.faults + c->log.faults + c->anew;
    if (faults > 0)
        return ps_fail(error, PS_TAMPERED, "%" PRIu64 " fault%s", faults, faults == 1 ? "" : "s");
    PS_TRY(status);
    if (c->audit.count[PS_AUDIT_SUPERSEDED] == 0 ||
        c->reach.about->cleanup != PS_KAFKA_CLEANUP_UNKNOWN)
        return PS_OK;
    return ps_fail(error, PS_UNKNOWN_NAME,
                   "%" PRIu64 " entries have no record but a later entry with the same key, and "
                   "whether the topic is compacted is not known: let this user read its "
                   "configuration (DescribeConfigs)",
                   c->audit.count[PS_AUDIT_SUPERSEDED]);
}

static ps_status check_log(check *c, ps_seal_place *place, ps_error *error) {
    bool missing = false;
    const ps_verifier *const key =
        ps_seal_keys_choose(&c->keys, &place->source, c->reach.one_log, &missing);
    ps_status status = compare(c, place, key, error);
    if (status == PS_TAMPERED && c->log.faults == 0) { /* a batch that cannot be read */
        tell_whole(c, "UNREADABLE", error->message);
        c->audit.faults++;
    }
    if (c->compared) {
        const ps_status of = ps_seal_reach_match(&c->reach, c->log.origin, c->partition, &c->anew,
                                                 status == PS_OK ? error : NULL);
        if (of != PS_OK) return of;
    }
    status = judge(c, status, error);
    if (status == PS_OK && missing)
        return ps_fail(error, PS_UNKNOWN_NAME, "none of the keys that were given is for it");
    return status;
}

/* A partition that never had a record needs no log. */
static ps_status without_log(check *c, ps_error *error) {
    ps_audit_topic topic;
    PS_TRY(ps_seal_reach_begin(&c->reach, c->partition, 0, &topic, error));
    if (c->reach.span.end == 0) return PS_OK;
    return ps_fail(error, PS_UNKNOWN_NAME,
                   "%s: no log of it is there, and it ends at offset %" PRId64, c->where,
                   c->reach.span.end);
}

/* ---- what came of it ---- */

static void tell_json(const check *c, ps_status status, const ps_error *error) {
    char root[PS_HASH_TEXT_MAX];
    (void)printf("],\"partition\":%" PRIu32 ",", c->partition);
    ps_seal_put_text("log", c->where);
    (void)printf(",");
    ps_seal_put_text("origin", c->log.origin);
    (void)printf(",\"size\":%" PRIu64 ",\"root\":\"%s\",\"signed\":%s,\"own_key\":%s",
                 c->log.tree.size, ps_hash_text(&c->log.tree.root, root),
                 c->log.is_signed ? "true" : "false", c->log.own_key ? "true" : "false");
    (void)printf(",\"first_offset\":%" PRId64 ",\"end_offset\":%" PRId64
                 ",\"last_sealed_offset\":%" PRId64 ",\"records\":%" PRIu64,
                 c->reach.span.first, c->reach.span.end, c->audit.last_sealed, c->audit.records);
    static const char *const names[PS_AUDIT_CLASSES] = {"match",    "expired",  "superseded",
                                                        "unsealed", "modified", "missing",
                                                        "unlogged", "truncated"};
    for (int i = 0; i < PS_AUDIT_CLASSES; i++)
        (void)printf(",\"%s\":%" PRIu64, names[i], c->audit.count[i]);
    (void)printf(",\"recreated\":%s,\"log_faults\":%" PRIu64 ",\"result\":\"%s\"",
                 c->anew ? "true" : "false", c->log.faults, ps_seal_result(status));
    if (status != PS_OK && status != PS_TAMPERED) {
        (void)printf(",");
        ps_seal_put_text("why", error->message);
    }
    (void)printf("}");
}

static void put_counts(const check *c) {
    static const struct {
        ps_audit_class class;
        const char *words;
    } rows[] = {{PS_AUDIT_MODIFIED, "modified"},      {PS_AUDIT_MISSING, "missing"},
                {PS_AUDIT_UNLOGGED, "unlogged"},      {PS_AUDIT_TRUNCATED, "beyond the end"},
                {PS_AUDIT_EXPIRED, "expired"},        {PS_AUDIT_SUPERSEDED, "superseded"},
                {PS_AUDIT_UNSEALED, "not yet sealed"}};
    char count[PS_TEXT_NUMBER_MAX];
    (void)printf("%s record%s match", ps_text_from_count(c->audit.count[PS_AUDIT_MATCH], count),
                 c->audit.count[PS_AUDIT_MATCH] == 1 ? "" : "s");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (c->audit.count[rows[i].class] > 0)
            (void)printf(", %s %s", ps_text_from_count(c->audit.count[rows[i].class], count),
                         rows[i].words);
    (void)printf("\n");
}

static void tell(const check *c, ps_status status, const ps_error *error) {
    char name[PS_SEAL_WHERE_MAX];
    if (c->chosen->json) {
        tell_json(c, status, error);
        return;
    }
    ps_seal_live_hide(&c->faults.live);
    const char *const topic = c->reach.topic;
    (void)snprintf(name, sizeof name, "%s/%" PRIu32, topic, c->partition);
    ps_seal_faults_rest(&c->faults, name);
    (void)printf("%s: ", name);
    if (status != PS_OK && status != PS_TAMPERED) {
        (void)printf("cannot tell: %s\n", error->message);
        return;
    }
    (void)printf(status == PS_OK ? "ok: " : "TAMPERED: ");
    if (c->compared)
        put_counts(c);
    else
        (void)printf(status == PS_OK ? "no record was ever there\n"
                                     : "its log cannot be trusted\n");
}

static void check_partition(check *c, uint32_t partition) {
    ps_seal_place place;
    ps_error error = {{0}};
    uint8_t byte[1];
    size_t length = 0;
    c->partition = partition;
    c->compared = c->anew = false;
    c->watch = (ps_audit_watch){take_finding, c};
    c->reach.span = (ps_audit_span){0, 0};
    memset(&c->log, 0, sizeof c->log);
    c->audit = (ps_audit_report){.last_sealed = -1, .void_from = -1};
    (void)ps_seal_reach_where(&c->reach, partition, c->where);
    if (c->chosen->json && c->checked > 0) (void)printf(",");
    ps_seal_faults_begin(&c->faults, c->where, c->chosen->json);
    ps_status status = ps_seal_place_open(c->where, &place, &error);
    if (status == PS_OK) {
        const ps_status there = place.source.read(place.source.context, "checkpoint", byte,
                                                  sizeof byte, &length, &error);
        status = there == PS_TAMPERED ? PS_OK : there; /* it is larger, as it should be */
    }
    if (status == PS_UNKNOWN_NAME)
        status = without_log(c, &error);
    else if (status == PS_OK)
        status = check_log(c, &place, &error);
    ps_audit_close(c->auditor);
    c->auditor = NULL;
    ps_seal_place_close(&place);
    tell(c, status, &error);
    c->checked++;
    ps_seal_tally_add(&c->tally, status, c->where, c->log.own_key);
}

/* Which partitions there are to look at: [*begin, *end). */
static ps_status choose(const check *c, uint32_t *begin, uint32_t *end, ps_error *error) {
    const uint32_t partitions = c->reach.about->partitions;
    uint64_t only = c->reach.partition;
    *begin = 0;
    *end = partitions;
    if (c->chosen->partition != NULL)
        PS_TRY(ps_seal_number("partition", c->chosen->partition, &only, error));
    else if (!c->reach.one_log)
        return PS_OK;
    else if (only == PS_NOWHERE)
        return ps_fail(error, PS_BAD_CONFIG,
                       "--dir is one log, and its origin does not say of which partition: say "
                       "--partition N");
    if (only >= partitions)
        return ps_fail(error, PS_UNKNOWN_NAME,
                       "topic %s has no partition %" PRIu64 ": it has %" PRIu32, c->reach.topic,
                       only, partitions);
    *begin = (uint32_t)only;
    *end = *begin + 1;
    return PS_OK;
}

static int verdict(check *c) {
    /* Of one partition alone, keys of others are nothing to wonder at. */
    if (c->chosen->partition == NULL && !c->reach.one_log)
        c->tally.unknown += ps_seal_keys_unused(&c->keys, c->chosen->dir);
    if (c->chosen->json)
        (void)printf("],\"result\":\"%s\"}\n", ps_seal_result(ps_seal_tally_result(&c->tally)));
    return ps_seal_tally_tell(&c->tally, c->checked, "partitions");
}

static int run(check *c) {
    ps_error error;
    uint32_t begin = 0, end = 0;
    ps_status status = ps_seal_keys_init(&c->keys, &c->chosen->key, &error);
    if (status == PS_OK && c->chosen->from != NULL)
        status = ps_seal_number("from", c->chosen->from, &c->from, &error);
    if (status == PS_OK) status = choose(c, &begin, &end, &error);
    if (status != PS_OK) return ps_seal_refuted(c->chosen, status, &error);
    if (c->chosen->json) {
        (void)printf("{");
        ps_seal_put_text("topic", c->reach.topic);
        (void)printf(",\"topic_id\":\"%s\",\"partitions\":[", c->reach.about->id);
    }
    for (uint32_t p = begin; p < end; p++) check_partition(c, p);
    return verdict(c);
}

int ps_seal_verify_topic(const ps_seal_job *job) {
    check *const c = calloc(1, sizeof *c);
    if (c == NULL) return PS_EXIT_CANNOT_TELL;
    c->chosen = job->chosen;
    int code = ps_seal_reach_init(&c->reach, job);
    if (code == PS_EXIT_GO_ON) code = run(c);
    ps_seal_keys_deinit(&c->keys);
    ps_seal_reach_deinit(&c->reach);
    free(c);
    return code;
}
