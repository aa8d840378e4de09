/* SPDX-License-Identifier: Apache-2.0
 * The records of a compressed batch, unpacked into memory that was taken at start-up. What does not
 * fit there is refused with a sentence that says how much it is: nothing grows.
 *
 * A batch's CRC has been compared before, so the check sums within the formats are not where that
 * costs time: gzip's is, because the library insists.
 */
#ifndef PS_INGEST_WIRE_UNPACK_H
#define PS_INGEST_WIRE_UNPACK_H

#include <stddef.h>

#include "host/base/bytes.h"
#include "host/base/status.h"

typedef struct ps_wire_unpacker ps_wire_unpacker;

/* Owns: room for `bytes_max` and what the libraries need. Shapes: bytes_max < 2^31. */
ps_status ps_wire_unpacker_open(size_t bytes_max, ps_wire_unpacker **out,
                                ps_error *error) PS_MUST_USE;
void ps_wire_unpacker_close(ps_wire_unpacker *unpacker);
/* What one takes. */
size_t ps_wire_unpacker_bytes(size_t bytes_max);

/* `plain` is valid until the next call; of codec NONE it is `packed`.
 * Fails: UNSUPPORTED where it is larger than bytes_max, or the codec is none of the format's; IO
 * where the data is bad. */
ps_status ps_wire_unpack(ps_wire_unpacker *unpacker, uint8_t codec, ps_bytes packed,
                         ps_bytes *plain, ps_error *error) PS_MUST_USE;

#endif
