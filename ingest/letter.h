/* SPDX-License-Identifier: Apache-2.0
 * A dead letter as it lies in a topic or a file, the same for both: the record that came, and why
 * it did not go on.
 *
 * A letter in a topic is the record with three more headers behind its own: ps-source, ps-error,
 * ps-reason. Only those three are taken off, so that a record which came from another pipeline
 * keeps what that one had added.
 */
#ifndef PS_INGEST_LETTER_H
#define PS_INGEST_LETTER_H

#include <stdbool.h>

#include "host/base/bytes.h"
#include "host/base/status.h"

enum { PS_LETTER_TOPIC_MAX = 250 };

/* Everything is borrowed until the function that was given it returns. */
typedef struct ps_letter {
    ps_bytes source; /* topic/partition/offset of the record */
    char topic[PS_LETTER_TOPIC_MAX];
    int32_t partition;
    int64_t offset;
    ps_bytes code, reason;
    int64_t timestamp_ms; /* -1: the record has none */
    ps_bytes key, value;
    ps_bytes headers; /* the record's own, packed as in host/batch/headers.h */
} ps_letter;

/* PS_END: enough; the reader returns PS_OK. Any other failure goes up as it is. */
typedef ps_status ps_letter_fn(void *context, const ps_letter *letter, ps_error *error);

/* Reads "topic/partition/offset" into a letter. False: it is not one. */
bool ps_letter_locate(ps_letter *letter, ps_bytes source);

/* Hands over the letters of a file in their order. `*strangers`: lines that are none. A last line
 * without its end is being written and is left alone. */
ps_status ps_letter_read_file(const char *path, ps_letter_fn *fn, void *context,
                              uint64_t *strangers, ps_error *error) PS_MUST_USE;

#endif
