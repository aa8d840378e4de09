/* SPDX-License-Identifier: Apache-2.0
 * Sorts what a topic's partition holds against what its log says of it: each record against the
 * entry of its offset, and each entry that has no record by the reason there may be for that.
 *
 *   open ──> entries, entries, … ──> finish ──> close        entries: as ps_verify_watch has them
 *
 * Records are hashed here, on the calling thread, by the batch. Memory: a megabyte of records, one
 * record where it is larger, and on a compacted topic up to 128 bytes for each key of which an
 * entry has no record and no later entry has come yet.
 */
#ifndef PS_HOST_SEAL_AUDIT_H
#define PS_HOST_SEAL_AUDIT_H

#include "host/base/bytes.h"
#include "host/base/status.h"
#include "host/seal/entry.h"

/* From MODIFIED on they are faults. */
typedef enum ps_audit_class {
    PS_AUDIT_MATCH,
    PS_AUDIT_EXPIRED,    /* an entry below the partition's first offset */
    PS_AUDIT_SUPERSEDED, /* compacted away: a later entry has its key, or it was a tombstone */
    PS_AUDIT_UNSEALED,   /* a record behind the last entry */
    PS_AUDIT_MODIFIED,
    PS_AUDIT_MISSING,   /* an entry between first offset and end, and no record */
    PS_AUDIT_UNLOGGED,  /* a record below the last entry's offset, and no entry */
    PS_AUDIT_TRUNCATED, /* an entry at or behind the partition's end */
    PS_AUDIT_CLASSES
} ps_audit_class;

const char *ps_audit_name(ps_audit_class class);

/* What of a record is not as its entry says. */
enum {
    PS_AUDIT_KEY = 1,
    PS_AUDIT_HEADERS = 2,
    PS_AUDIT_VALUE = 4,
    PS_AUDIT_TIMESTAMP = 8,
    PS_AUDIT_CLOCK = 16 /* create time or LogAppendTime */
};

/* As a consumer gets it; headers as host/batch/headers.h packs them. */
typedef struct ps_audit_record {
    int64_t offset, timestamp_ms;
    bool append_time;
    ps_bytes key, headers, value;
} ps_audit_record;

/* Of the partition; the first may rise while it is read. */
typedef struct ps_audit_span {
    int64_t first, end;
} ps_audit_span;

/* Where records come from, in the order of their offsets. What `next` hands out is borrowed until
 * the next call; PS_END: that was the last one. */
typedef struct ps_audit_topic {
    ps_status (*next)(void *context, ps_audit_record *out, ps_error *error);
    void *context;             /* borrowed, as `span` is */
    const ps_audit_span *span; /* all records are below its end */
    uint32_t partition;
    int64_t from; /* entries and records below are passed over */
    bool compacted;
} ps_audit_topic;

/* Faults of one kind that follow each other, with nothing between them that is right. */
typedef struct ps_audit_finding {
    ps_audit_class class;
    uint32_t parts; /* PS_AUDIT_KEY …, of PS_AUDIT_MODIFIED */
    int64_t first_offset, last_offset;
    uint64_t count;
    uint64_t index; /* of the first one's entry; none of PS_AUDIT_UNLOGGED */
} ps_audit_finding;

typedef struct ps_audit_report {
    uint64_t count[PS_AUDIT_CLASSES];
    uint64_t records; /* read */
    uint64_t faults;
    int64_t last_sealed; /* offset of the last entry, -1: none */
    /* From there on to the last entry nothing matches, which are two entries at least; -1: no. */
    int64_t void_from;
} ps_audit_report;

typedef struct ps_audit_watch {
    void (*found)(void *context, const ps_audit_finding *finding);
    void *context; /* borrowed */
} ps_audit_watch;

typedef struct ps_audit ps_audit;

ps_status ps_audit_open(const ps_audit_topic *topic, const ps_audit_watch *watch,
                        ps_audit_report *report, ps_audit **out, ps_error *error) PS_MUST_USE;
void ps_audit_close(ps_audit *audit);

/* The next entries of the log, from index `first` on. One that is null, or left out, is not to be
 * had: records are not judged by it. Fails: PS_UNKNOWN_NAME: these are no entries
 * of this partition's records; else as the topic does. */
ps_status ps_audit_entries(ps_audit *audit, uint64_t first, const ps_bytes *entries, uint32_t count,
                           ps_error *error) PS_MUST_USE;

/* Behind the last entry: reads the topic to its end. */
ps_status ps_audit_finish(ps_audit *audit, ps_error *error) PS_MUST_USE;

/* The difference between one record's entry and another: PS_AUDIT_KEY …; 0: they are equal. */
uint32_t ps_audit_parts(const ps_seal_entry *is, const ps_seal_entry *sealed);
/* In words, such as "key, value". */
const char *ps_audit_parts_text(uint32_t parts, char text[64]);

#endif
