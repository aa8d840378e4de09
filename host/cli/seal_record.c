/* SPDX-License-Identifier: Apache-2.0
 * `penstock seal verify record`: one record against its log. Its entry is found by halving, and
 * what the answer rests on is proved from the tiles: the entry, or both neighbours of a gap.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/log.h"
#include "host/base/text.h"
#include "host/cli/seal_reach.h"
#include "host/seal/lines.h"

typedef struct look {
    const ps_seal_options *chosen;
    ps_seal_reach reach;
    ps_seal_log log;
    uint32_t partition;
    int64_t offset;
    /* What was found. */
    bool has_entry, has_record, anew;
    uint64_t index;
    uint8_t bytes[PS_SEAL_ENTRY_BYTES];
    ps_seal_entry entry, record;
    ps_proof proof;
    int64_t last_sealed; /* -1: the log is empty */
    ps_audit_class class;
    uint32_t parts;
} look;

/* ---- the log ---- */

static ps_status read_entry(look *l, uint64_t index, uint8_t bytes[PS_SEAL_ENTRY_BYTES],
                            ps_seal_entry *out, ps_error *error) {
    uint8_t *bundle = NULL;
    ps_bytes entry;
    PS_TRY(ps_seal_log_entry(&l->log, index, &bundle, &entry, error));
    const bool good = ps_seal_entry_decode(entry.data, entry.length, out);
    if (good) memcpy(bytes, entry.data, PS_SEAL_ENTRY_BYTES);
    free(bundle);
    if (!good)
        return ps_fail(error, PS_UNKNOWN_NAME,
                       "entry %" PRIu64 " is not of a record: this is no log of a topic", index);
    if (out->partition == l->partition) return PS_OK;
    return ps_fail(error, PS_UNKNOWN_NAME, "entry %" PRIu64 " is of partition %" PRIu32, index,
                   out->partition);
}

static ps_status prove(look *l, uint64_t index, const uint8_t bytes[PS_SEAL_ENTRY_BYTES],
                       ps_error *error) {
    return ps_seal_log_prove(&l->log, index, (ps_bytes){bytes, PS_SEAL_ENTRY_BYTES}, &l->proof,
                             error);
}

/* The first entry that is not below the offset; the log's size where there is none. */
static ps_status find(look *l, uint64_t *out, ps_error *error) {
    uint8_t bytes[PS_SEAL_ENTRY_BYTES];
    ps_seal_entry entry;
    uint64_t begin = 0, end = l->log.checkpoint.tree.size;
    while (begin < end) {
        const uint64_t middle = begin + (end - begin) / 2;
        PS_TRY(read_entry(l, middle, bytes, &entry, error));
        if (entry.offset < (uint64_t)l->offset)
            begin = middle + 1;
        else
            end = middle;
    }
    *out = begin;
    return PS_OK;
}

/* That neither of the entries around it was put there to hide another. */
static ps_status prove_gap(look *l, uint64_t next, ps_error *error) {
    uint8_t bytes[PS_SEAL_ENTRY_BYTES];
    ps_seal_entry entry;
    if (next > 0) {
        PS_TRY(read_entry(l, next - 1, bytes, &entry, error));
        PS_TRY(prove(l, next - 1, bytes, error));
        l->last_sealed = (int64_t)entry.offset;
    }
    if (next == l->log.checkpoint.tree.size) return PS_OK;
    PS_TRY(read_entry(l, next, bytes, &entry, error));
    return prove(l, next, bytes, error);
}

static ps_status find_entry(look *l, ps_error *error) {
    const uint64_t size = l->log.checkpoint.tree.size;
    uint64_t at = 0;
    l->last_sealed = -1;
    PS_TRY(find(l, &at, error));
    if (at < size) PS_TRY(read_entry(l, at, l->bytes, &l->entry, error));
    l->has_entry = at < size && l->entry.offset == (uint64_t)l->offset;
    l->index = at;
    PS_TRY(l->has_entry ? prove(l, at, l->bytes, error) : prove_gap(l, at, error));
    if (at < size) l->last_sealed = INT64_MAX; /* at least one is behind it */
    return PS_OK;
}

/* ---- the topic ---- */

static ps_status find_record(look *l, ps_error *error) {
    ps_audit_topic topic;
    ps_audit_record record;
    PS_TRY(ps_seal_reach_begin(&l->reach, l->partition, l->offset, &topic, error));
    const ps_status status = topic.next(topic.context, &record, error);
    if (status == PS_END) return PS_OK;
    PS_TRY(status);
    if (record.offset != l->offset) return PS_OK;
    l->has_record = true;
    l->record = (ps_seal_entry){.flags = record.append_time ? PS_SEAL_LOG_APPEND_TIME : 0,
                                .partition = l->partition,
                                .offset = (uint64_t)record.offset,
                                .timestamp_ms = record.timestamp_ms};
    return ps_seal_entry_digest(&l->record, record.key, record.headers, record.value)
               ? PS_OK
               : ps_fail(error, PS_NO_MEMORY, "no memory for a record's headers");
}

/* Whether a later entry has the key. Who forges one that says so must have it in the tree. */
static ps_status is_superseded(look *l, bool *superseded, ps_error *error) {
    uint8_t bytes[PS_SEAL_ENTRY_BYTES];
    ps_seal_entry entry;
    *superseded = false;
    if (l->reach.about->cleanup == PS_KAFKA_CLEANUP_DELETE ||
        (l->entry.flags & PS_SEAL_KEY_NULL) != 0)
        return PS_OK;
    *superseded = (l->entry.flags & PS_SEAL_VALUE_NULL) != 0;
    for (uint64_t i = l->index + 1; !*superseded && i < l->log.checkpoint.tree.size; i++) {
        PS_TRY(read_entry(l, i, bytes, &entry, error));
        *superseded = ps_hash_is(&entry.key, &l->entry.key);
        if (*superseded) PS_TRY(prove(l, i, bytes, error));
    }
    return PS_OK;
}

static ps_status classify(look *l, ps_error *error) {
    bool superseded = false;
    if (l->has_entry && l->has_record) {
        l->parts = ps_audit_parts(&l->record, &l->entry);
        l->class = l->parts == 0 ? PS_AUDIT_MATCH : PS_AUDIT_MODIFIED;
    } else if (l->has_entry) {
        PS_TRY(is_superseded(l, &superseded, error));
        l->class = l->offset < l->reach.span.first  ? PS_AUDIT_EXPIRED
                   : l->offset >= l->reach.span.end ? PS_AUDIT_TRUNCATED
                   : superseded                     ? PS_AUDIT_SUPERSEDED
                                                    : PS_AUDIT_MISSING;
    } else if (l->has_record) {
        l->class = l->offset < l->last_sealed ? PS_AUDIT_UNLOGGED : PS_AUDIT_UNSEALED;
    } else {
        return ps_fail(error, PS_UNKNOWN_NAME,
                       "%s/%" PRIu32 " has neither a record nor an entry of offset %" PRId64
                       " (first offset %" PRId64 ", end %" PRId64 ")",
                       l->reach.topic, l->partition, l->offset, l->reach.span.first,
                       l->reach.span.end);
    }
    return PS_OK;
}

/* ---- the answer ---- */

static ps_status verdict(const look *l) {
    if (l->class >= PS_AUDIT_MODIFIED || l->anew) return PS_TAMPERED;
    return l->class == PS_AUDIT_MATCH && l->log.has_key ? PS_OK : PS_UNKNOWN_NAME;
}

static const char *explain(const look *l, char text[160]) {
    char names[64];
    switch (l->class) {
    case PS_AUDIT_MATCH:
        return l->log.has_key
                   ? "the record is what was sealed"
                   : "the record is what the log says, and nobody is known who signed it";
    case PS_AUDIT_EXPIRED:
        return "it was sealed, and the partition begins behind it now";
    case PS_AUDIT_SUPERSEDED:
        return "it was sealed; the topic is compacted, and a later record had its key";
    case PS_AUDIT_UNSEALED:
        return "the log's checkpoint does not reach to it yet";
    case PS_AUDIT_MODIFIED:
        (void)snprintf(text, 160, "the record is not what was sealed: %s",
                       ps_audit_parts_text(l->parts, names));
        return text;
    case PS_AUDIT_MISSING:
        return "it was sealed, and no record is there";
    case PS_AUDIT_UNLOGGED:
        return "the log has entries behind it, and none of this record";
    default:
        return "it was sealed, and the partition ends before it";
    }
}

static void tell(const look *l, ps_status status) {
    char text[160], count[PS_TEXT_NUMBER_MAX];
    const ps_tree *const tree = &l->log.checkpoint.tree;
    if (l->chosen->json) {
        (void)printf("{\"result\":\"%s\",\"class\":\"%s\",", ps_seal_result(status),
                     ps_audit_name(l->class));
        ps_seal_put_text("why", explain(l, text));
        (void)printf(",\"recreated\":%s,\"signed\":%s,\"size\":%" PRIu64,
                     l->anew ? "true" : "false", l->log.has_key ? "true" : "false", tree->size);
        if (l->has_entry)
            (void)printf(",\"index\":%" PRIu64 ",\"hashes\":%u", l->index, l->proof.count);
        if (l->has_entry)
            ps_seal_print_entry((ps_bytes){l->bytes, PS_SEAL_ENTRY_BYTES}, true);
        else
            (void)printf(",\"partition\":%" PRIu32 ",\"offset\":%" PRId64, l->partition, l->offset);
        (void)printf("}\n");
        return;
    }
    (void)printf("%s/%" PRIu32 "/%" PRId64 ": %s: %s\n", l->reach.topic, l->partition, l->offset,
                 ps_audit_name(l->class), explain(l, text));
    if (l->anew)
        (void)printf("%s: RECREATED: the topic was deleted and made anew, its id is %s\n",
                     l->reach.topic, l->reach.about->id);
    if (!l->has_entry) return;
    (void)printf("index     %" PRIu64 " of %s entries, %u hashes lead to the root\n", l->index,
                 ps_text_from_count(tree->size, count), l->proof.count);
    ps_seal_print_entry((ps_bytes){l->bytes, PS_SEAL_ENTRY_BYTES}, false);
}

static ps_status look_up(look *l, ps_error *error) {
    char where[PS_SEAL_WHERE_MAX], origin[PS_KEY_NAME_MAX];
    PS_TRY(ps_seal_log_init(&l->log, ps_seal_reach_where(&l->reach, l->partition, where), l->chosen,
                            error));
    (void)snprintf(origin, sizeof origin, "%.*s", (int)l->log.checkpoint.origin.length,
                   (const char *)l->log.checkpoint.origin.data);
    PS_TRY(ps_seal_reach_match(&l->reach, origin, l->partition, &l->anew, error));
    PS_TRY(find_entry(l, error));
    PS_TRY(find_record(l, error));
    PS_TRY(classify(l, error));
    if (l->chosen->key.count == 0 && l->log.has_key)
        ps_log(PS_LOG_WARNING, "seal",
               "%s: signed by the key in its own `vkey`: who can change the log can change that "
               "too; give the key you know with --key",
               where);
    return PS_OK;
}

static int run(look *l) {
    ps_error error;
    const ps_status status = look_up(l, &error);
    if (status != PS_OK) return ps_seal_refuted(l->chosen, status, &error);
    const ps_status found = verdict(l);
    tell(l, found);
    if (found == PS_OK) return PS_EXIT_OK;
    return found == PS_TAMPERED ? PS_EXIT_FAILED : PS_EXIT_CANNOT_TELL;
}

static ps_status read_place(look *l, ps_error *error) {
    uint64_t partition = 0, offset = 0;
    if (l->chosen->partition == NULL || l->chosen->offset == NULL)
        return ps_fail(error, PS_BAD_CONFIG, "which record? say --partition N and --offset N");
    PS_TRY(ps_seal_number("partition", l->chosen->partition, &partition, error));
    PS_TRY(ps_seal_number("offset", l->chosen->offset, &offset, error));
    l->partition = (uint32_t)(partition > INT32_MAX ? INT32_MAX : partition);
    l->offset = (int64_t)offset;
    return PS_OK;
}

static int reach_and_run(look *l, const ps_seal_job *job) {
    ps_error error;
    const int code = ps_seal_reach_init(&l->reach, job);
    if (code != PS_EXIT_GO_ON) return code;
    if (l->partition < l->reach.about->partitions) return run(l);
    const ps_status status =
        ps_fail(&error, PS_UNKNOWN_NAME, "topic %s has no partition %" PRIu32 ": it has %" PRIu32,
                l->reach.topic, l->partition, l->reach.about->partitions);
    return ps_seal_refuted(job->chosen, status, &error);
}

int ps_seal_verify_record(const ps_seal_job *job) {
    ps_error error;
    look *const l = calloc(1, sizeof *l);
    if (l == NULL) return PS_EXIT_CANNOT_TELL;
    l->chosen = job->chosen;
    const ps_status status = read_place(l, &error);
    const int code = status == PS_OK ? reach_and_run(l, job)
                                     : ps_seal_failed(status, &error, PS_EXIT_CANNOT_TELL);
    ps_seal_log_deinit(&l->log);
    ps_seal_reach_deinit(&l->reach);
    free(l);
    return code;
}
