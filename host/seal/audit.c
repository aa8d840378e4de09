/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/audit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/seal/audit_keys.h"
#include "host/seal/audit_records.h"

struct ps_audit {
    ps_audit_topic topic;
    const ps_audit_watch *watch;
    ps_audit_report *report;
    ps_audit_records *records;
    ps_audit_keys keys; /* of entries without a record, while a later entry may explain them */
    ps_audit_finding finding; /* count 0: none is being gathered */
    uint64_t next_index;      /* of the log */
    bool hole;            /* entries are not to be had: what lies before the next is not judged */
    int64_t bad_since;    /* the first fault behind the last match, -1: none */
    uint64_t bad_entries; /* and how many entries were faults since */
};

const char *ps_audit_name(ps_audit_class class) {
    static const char *const names[PS_AUDIT_CLASSES] = {"match",    "expired",  "superseded",
                                                        "unsealed", "MODIFIED", "MISSING",
                                                        "UNLOGGED", "TRUNCATED"};
    return names[class];
}

uint32_t ps_audit_parts(const ps_seal_entry *is, const ps_seal_entry *sealed) {
    const uint8_t differs = is->flags ^ sealed->flags;
    uint32_t parts = 0;
    if (!ps_hash_is(&is->key, &sealed->key) || (differs & PS_SEAL_KEY_NULL) != 0)
        parts |= PS_AUDIT_KEY;
    if (!ps_hash_is(&is->headers, &sealed->headers)) parts |= PS_AUDIT_HEADERS;
    if (!ps_hash_is(&is->value, &sealed->value) || (differs & PS_SEAL_VALUE_NULL) != 0)
        parts |= PS_AUDIT_VALUE;
    if (is->timestamp_ms != sealed->timestamp_ms) parts |= PS_AUDIT_TIMESTAMP;
    if ((differs & PS_SEAL_LOG_APPEND_TIME) != 0) parts |= PS_AUDIT_CLOCK;
    return parts;
}

const char *ps_audit_parts_text(uint32_t parts, char text[64]) {
    static const char *const names[] = {"key", "headers", "value", "timestamp", "timestamp's type"};
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if ((parts >> i & 1) != 0)
            used +=
                (size_t)snprintf(text + used, 64 - used, "%s%s", used > 0 ? ", " : "", names[i]);
    return text;
}

ps_status ps_audit_open(const ps_audit_topic *topic, const ps_audit_watch *watch,
                        ps_audit_report *report, ps_audit **out, ps_error *error) {
    ps_audit *const audit = calloc(1, sizeof *audit);
    if (audit == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for an audit");
    audit->topic = *topic;
    audit->watch = watch;
    audit->report = report;
    audit->bad_since = -1;
    memset(report, 0, sizeof *report);
    report->last_sealed = -1;
    report->void_from = -1;
    const ps_status status = ps_audit_records_open(&audit->topic, &audit->records, error);
    if (status == PS_OK)
        *out = audit;
    else
        ps_audit_close(audit);
    return status;
}

void ps_audit_close(ps_audit *audit) {
    if (audit == NULL) return;
    ps_audit_records_close(audit->records);
    ps_audit_keys_deinit(&audit->keys);
    free(audit);
}

static void flush(ps_audit *a) {
    if (a->finding.count > 0) a->watch->found(a->watch->context, &a->finding);
    a->finding.count = 0;
}

static void note(ps_audit *a, ps_audit_class class, uint32_t parts, int64_t offset,
                 uint64_t index) {
    ps_audit_finding *const finding = &a->finding;
    a->report->count[class]++;
    a->report->faults++;
    if (a->bad_since < 0) a->bad_since = offset;
    a->bad_entries += class != PS_AUDIT_UNLOGGED;
    if (finding->count == 0 || finding->class != class || finding->parts != parts) {
        flush(a);
        *finding = (ps_audit_finding){
            .class = class, .parts = parts, .first_offset = offset, .index = index};
    }
    finding->last_offset = offset;
    finding->count++;
}

/* Something that is right stands between what was wrong before and what may come. */
static void fine(ps_audit *a, ps_audit_class class) {
    a->report->count[class]++;
    if (a->finding.count > 0) flush(a);
    if (class != PS_AUDIT_MATCH) return;
    a->bad_since = -1;
    a->bad_entries = 0;
}

/* An entry that has no record. */
static ps_status lack(ps_audit *a, const ps_seal_entry *entry, uint64_t index, ps_error *error) {
    const int64_t offset = (int64_t)entry->offset;
    const bool has_key = (entry->flags & PS_SEAL_KEY_NULL) == 0;
    if (offset < a->topic.span->first) {
        fine(a, PS_AUDIT_EXPIRED);
    } else if (offset >= a->topic.span->end) {
        note(a, PS_AUDIT_TRUNCATED, 0, offset, index);
    } else if (a->topic.compacted && has_key && (entry->flags & PS_SEAL_VALUE_NULL) != 0) {
        fine(a, PS_AUDIT_SUPERSEDED);
    } else if (a->topic.compacted && has_key) {
        return ps_audit_keys_add(&a->keys, &entry->key, index, offset, error);
    } else {
        note(a, PS_AUDIT_MISSING, 0, offset, index);
    }
    return PS_OK;
}

/* A later entry or record of the same key is why an earlier one went. */
static void explain(ps_audit *a, const ps_hash *key) {
    if (ps_audit_keys_remove(&a->keys, key)) fine(a, PS_AUDIT_SUPERSEDED);
}

static ps_status take(ps_audit *a, const ps_seal_entry *entry, uint64_t index, ps_error *error) {
    const ps_seal_entry *record = NULL;
    PS_TRY(ps_audit_records_peek(a->records, &record, error));
    while (record != NULL && record->offset < entry->offset) {
        if (!a->hole) note(a, PS_AUDIT_UNLOGGED, 0, (int64_t)record->offset, 0);
        ps_audit_records_taken(a->records);
        PS_TRY(ps_audit_records_peek(a->records, &record, error));
    }
    a->hole = false;
    if (a->keys.count > 0 && (entry->flags & PS_SEAL_KEY_NULL) == 0) explain(a, &entry->key);
    if (record == NULL || record->offset > entry->offset) return lack(a, entry, index, error);
    const uint32_t parts = ps_audit_parts(record, entry);
    if (parts == 0)
        fine(a, PS_AUDIT_MATCH);
    else
        note(a, PS_AUDIT_MODIFIED, parts, (int64_t)entry->offset, index);
    ps_audit_records_taken(a->records);
    return PS_OK;
}

static ps_status read_entry(const ps_audit *a, uint64_t index, ps_bytes bytes, ps_seal_entry *out,
                            ps_error *error) {
    if (!ps_seal_entry_decode(bytes.data, bytes.length, out) || out->offset > INT64_MAX)
        return ps_fail(error, PS_UNKNOWN_NAME,
                       "entry %" PRIu64 " is not of a record: this is no log of a topic", index);
    if (out->partition != a->topic.partition)
        return ps_fail(error, PS_UNKNOWN_NAME,
                       "entry %" PRIu64 " is of partition %" PRIu32 ": this log is not of %" PRIu32,
                       index, out->partition, a->topic.partition);
    if ((int64_t)out->offset > a->report->last_sealed) return PS_OK;
    return ps_fail(error, PS_UNKNOWN_NAME,
                   "entry %" PRIu64 " has offset %" PRIu64 ", the one before it %" PRId64
                   ": who wrote this log did not follow the topic",
                   index, out->offset, a->report->last_sealed);
}

ps_status ps_audit_entries(ps_audit *audit, uint64_t first, const ps_bytes *entries, uint32_t count,
                           ps_error *error) {
    audit->hole = audit->hole || first != audit->next_index;
    audit->next_index = first + count;
    for (uint32_t i = 0; i < count; i++) {
        ps_seal_entry entry;
        audit->hole = audit->hole || entries[i].length == PS_NULL_LENGTH;
        if (entries[i].length == PS_NULL_LENGTH) continue;
        PS_TRY(read_entry(audit, first + i, entries[i], &entry, error));
        audit->report->last_sealed = (int64_t)entry.offset;
        if ((int64_t)entry.offset >= audit->topic.from)
            PS_TRY(take(audit, &entry, first + i, error));
    }
    audit->report->records = ps_audit_records_read(audit->records);
    return PS_OK;
}

/* Entries of keys that came no more: what goes on living in a compacted topic. */
static void settle(ps_audit *a) {
    const ps_audit_key *const left = ps_audit_keys_sort(&a->keys);
    for (size_t i = 0; i < a->keys.count; i++) {
        if (left[i].offset < a->topic.span->first)
            fine(a, PS_AUDIT_EXPIRED);
        else
            note(a, PS_AUDIT_MISSING, 0, left[i].offset, left[i].index);
    }
}

ps_status ps_audit_finish(ps_audit *audit, ps_error *error) {
    const ps_seal_entry *record = NULL;
    if (audit->bad_since >= 0 && audit->bad_entries > 1)
        audit->report->void_from = audit->bad_since;
    flush(audit);
    for (;;) {
        PS_TRY(ps_audit_records_peek(audit->records, &record, error));
        if (record == NULL) break;
        audit->report->count[PS_AUDIT_UNSEALED]++;
        if (audit->keys.count > 0 && (record->flags & PS_SEAL_KEY_NULL) == 0)
            explain(audit, &record->key);
        ps_audit_records_taken(audit->records);
    }
    settle(audit);
    flush(audit);
    audit->report->records = ps_audit_records_read(audit->records);
    return PS_OK;
}
