/* SPDX-License-Identifier: Apache-2.0
 * Dead letters as people and machines see them: which are asked for, a table, one in full, JSON.
 * Their bytes are strangers': what is no printable text is shown escaped.
 */
#ifndef PS_HOST_CLI_LETTERS_H
#define PS_HOST_CLI_LETTERS_H

#include <stdio.h>

#include "host/base/options.h"
#include "host/cli/pool.h"
#include "ingest/letter.h"

/* As it was written on the command line; empty: all. */
typedef struct ps_letter_wish {
    ps_string_list codes, partitions, sources;
    const char *from, *until;
} ps_letter_wish;

typedef struct ps_letter_place {
    const char *topic; /* NULL: any */
    int32_t partition;
    int64_t offset; /* -1: any */
} ps_letter_place;

typedef struct ps_letter_filter {
    const char **code;
    ps_letter_place *partition, *source;
    uint32_t codes, partitions, sources;
    int64_t from_ms, until_ms; /* half-open; INT64_MIN, INT64_MAX: open ends */
} ps_letter_filter;

/* Fails with PS_BAD_CONFIG and a sentence that names the option. */
ps_status ps_letter_filter_init(ps_letter_filter *filter, const ps_letter_wish *wish, ps_pool *pool,
                                ps_error *error) PS_MUST_USE;
bool ps_letter_passes(const ps_letter_filter *filter, const ps_letter *letter);

/* How many of each code there were. */
typedef struct ps_letter_tally {
    char code[16][32]; /* the last one stands for all others */
    uint64_t of[16], total;
    uint32_t codes;
} ps_letter_tally;
void ps_letter_tally_add(ps_letter_tally *tally, const ps_letter *letter);
/* "37 dead letters: 30 syntax, 7 empty" */
void ps_letter_tally_text(const ps_letter_tally *tally, char *text, size_t bytes);

/* The first rows are kept until it is known how wide they are. */
typedef struct ps_letter_table ps_letter_table;
ps_letter_table *ps_letter_table_open(void);
void ps_letter_table_add(ps_letter_table *table, const ps_letter *letter);
void ps_letter_table_flush(ps_letter_table *table);
void ps_letter_table_close(ps_letter_table *table);

/* One letter on several lines. */
void ps_letter_show(const ps_letter *letter);

/* One line: in full as a dead-letter file has it, else with the value's size instead of value and
 * headers. */
void ps_letter_json(const ps_letter *letter, bool full);

#endif
