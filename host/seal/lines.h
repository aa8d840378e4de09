/* SPDX-License-Identifier: Apache-2.0
 * What the texts of a log are made of: lines, numbers without leading zeros, hashes in base64.
 */
#ifndef PS_HOST_SEAL_LINES_H
#define PS_HOST_SEAL_LINES_H

#include "host/base/bytes.h"
#include "host/seal/hash.h"

enum { PS_HASH_TEXT_MAX = 45 /* base64 and a NUL */ };

/* Cuts the next line off `rest`, without its newline; false: no whole line is left. */
bool ps_line_next(ps_bytes *rest, ps_bytes *line);

/* Does it begin with that word and a blank? Then what follows is in `rest`. */
bool ps_line_word(ps_bytes line, const char *word, ps_bytes *rest);

/* False: anything but the number as one would write it. */
bool ps_decimal_read(ps_bytes text, uint64_t *value);

bool ps_hash_read(ps_bytes base64, ps_hash *out);
const char *ps_hash_text(const ps_hash *hash, char text[PS_HASH_TEXT_MAX]);

#endif
