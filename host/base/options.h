/* SPDX-License-Identifier: Apache-2.0
 * One table per part says what can be configured. Parsing, range checks, `penstock help`,
 * docs/configuration.md and the spelling suggestions of `penstock check` all read the same rows, so
 * none of them can disagree.
 */
#ifndef PS_HOST_BASE_OPTIONS_H
#define PS_HOST_BASE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/base/status.h"

/* What a row's member in the configuration struct is, and which text it accepts. */
typedef enum ps_option_type {
    PS_OPTION_STRING,   /* const char *; NULL where absent */
    PS_OPTION_INTEGER,  /* int64_t */
    PS_OPTION_NUMBER,   /* double */
    PS_OPTION_BOOL,     /* bool */
    PS_OPTION_DURATION, /* int64_t nanoseconds; text such as 5ms, 1.5s, 2h; a bare 0 is allowed */
    PS_OPTION_SIZE,     /* int64_t bytes; text such as 512MiB, 64kB, 1GiB; a bare number is bytes */
    PS_OPTION_CHOICE,   /* uint32_t: index into `choices` */
    PS_OPTION_LIST,     /* ps_string_list */
    PS_OPTION_MAP,      /* ps_string_map: free-form keys, values as text */
    PS_OPTION_FIELDS    /* ps_field_list: `decode`'s declared fields */
} ps_option_type;

typedef struct ps_string_list {
    const char *const *at;
    uint32_t count;
} ps_string_list;

typedef struct ps_string_pair {
    const char *name, *value;
} ps_string_pair;

typedef struct ps_string_map {
    const ps_string_pair *at;
    uint32_t count;
} ps_string_map;

typedef enum ps_field_type {
    PS_FIELD_STRING,
    PS_FIELD_FLOAT,
    PS_FIELD_INT,
    PS_FIELD_BOOL,
    PS_FIELD_TIMESTAMP
} ps_field_type;

typedef enum ps_time_unit { PS_UNIT_MS, PS_UNIT_S, PS_UNIT_US, PS_UNIT_NS } ps_time_unit;

/* One declared field of `decode`: `cpu: float`, or the long form. */
typedef struct ps_field {
    const char *name; /* the name that stages use */
    const char
        *path; /* where it lies in the record, members separated by dots; the name unless given */
    ps_field_type type;
    ps_time_unit unit; /* of a numeric timestamp */
    bool required;     /* absent or null rejects the record */
    bool from_string;  /* a number inside a string is accepted too */
} ps_field;

typedef struct ps_field_list {
    const ps_field *at;
    uint32_t count;
} ps_field_list;

#define PS_OPTION_REQUIRED 1u /* has no preset and must be given */
#define PS_OPTION_SECRET   2u /* never printed; `file:/path` reads it from a file; a MAP's values */
#define PS_OPTION_AUTO \
    4u /* the word `auto` is accepted and stored as 0 (INTEGER, SIZE, DURATION) */

typedef struct ps_option {
    const char *name;
    const char *preset; /* the default as the user would write it; NULL: absent */
    const char *help;   /* one sentence, with the unit where it has one */
    ps_option_type type;
    uint32_t flags;
    size_t at;       /* offsetof in the configuration struct */
    double min, max; /* numbers, durations in ns, sizes in bytes; both 0: unbounded */
    const char
        *choices; /* "a|b|c" for PS_OPTION_CHOICE; for a LIST: the words it accepts, NULL for any */
} ps_option;

/* First member of everything that can be named in a pipeline file. */
typedef struct ps_about {
    const char *name;         /* as the pipeline file says it: "kafka" */
    const char *summary;      /* one sentence */
    const ps_option *options; /* ends with a row whose name is NULL */
    size_t config_bytes;      /* of the struct that the options fill */
    /* What an option comes to where that is not what it says, "" where it has no say; else as
     * ps_option_value. NULL: what they say. */
    const char *(*effective)(const ps_option *option, const void *config, char *text);
} ps_about;

/* The row of that name, or NULL. */
const ps_option *ps_option_find(const ps_option *options, const char *name);

/* Stores one scalar, checked against the row's type and range. Not for LIST, MAP and FIELDS, which
 * have no one text. Owns: a STRING is kept as the pointer it came as. Fails with the whole sentence
 * but for the option's name, and leaves what was there. */
ps_status ps_option_parse(const ps_option *option, const char *text, void *config,
                          ps_error *error) PS_MUST_USE;

/* Fills a zeroed struct with the presets of its scalar options. A preset that its own row refuses
 * is a bug (PS_CHECK). */
void ps_options_preset(const ps_option *options, void *config);

enum { PS_OPTION_TEXT_MAX = 512 };

/* Into PS_OPTION_TEXT_MAX bytes, returned: what it accepts ("size, 1MiB to 1GiB"); its value as the
 * user would write it, secrets hidden, "" where absent. */
const char *ps_option_accepts(const ps_option *option, char *text);
const char *ps_option_value(const ps_option *option, const void *config, char *text);

#endif
