/* SPDX-License-Identifier: Apache-2.0
 * A finished batch, compressed as Kafka's own clients do it, so that each of them reads it: gzip,
 * zstd, LZ4 frames of independent blocks of 64 KiB, snappy in the frame of Java's client.
 */
#ifndef PS_INGEST_WIRE_PACK_H
#define PS_INGEST_WIRE_PACK_H

#include "ingest/wire/writer.h"

typedef struct ps_wire_packer ps_wire_packer;

/* Owns: all memory that batches of up to `bytes_max` take, from here on; snappy alone takes and
 * returns some with every call, because its interface has no other way. */
ps_status ps_wire_packer_open(ps_wire_codec codec, size_t bytes_max, ps_wire_packer **out,
                              ps_error *error) PS_MUST_USE;
void ps_wire_packer_close(ps_wire_packer *packer);
/* What one takes at most. */
size_t ps_wire_packer_bytes(ps_wire_codec codec, size_t bytes_max);

/* Room that is enough for a batch of `bytes`, its header included, whatever they are. */
size_t ps_wire_packed_bound(ps_wire_codec codec, size_t bytes);

/* Writes what is in `from` into `to`, which has been begun and is then sealed in its place. False:
 * it has no room for that; `to` is to be begun again. Shapes: from->used <= bytes_max. */
bool ps_wire_pack(ps_wire_packer *packer, const ps_wire_writer *from, ps_wire_writer *to);

#endif
