/* SPDX-License-Identifier: Apache-2.0
 * Bytes as standard compressed frames that any tool reads: Zstandard (RFC 8878), the LZ4 frame
 * format 1.6.x, the snappy framing format. The libraries do the work; a lane has its own framer, so
 * lanes compress side by side. Frames of one codec written one after the other are a valid file:
 * whoever cuts it between two of them loses nothing of those before.
 */
#ifndef PS_INGEST_FRAMES_H
#define PS_INGEST_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "host/base/status.h"

typedef enum ps_frame_codec {
    PS_FRAME_NONE, /* the bytes as they are */
    PS_FRAME_ZSTD, /* level 1: level 3 is slower and, at 64 KiB, no smaller */
    PS_FRAME_LZ4,
    PS_FRAME_SNAPPY,
    PS_FRAME_CODECS
} ps_frame_codec;

/* Of an option; the index is the codec. */
#define PS_FRAME_CHOICES "none|zstd|lz4|snappy"

/* As HTTP's content-encoding has it ("identity" for none), and as files end (".zst"). */
const char *ps_frame_encoding(ps_frame_codec codec);
const char *ps_frame_suffix(ps_frame_codec codec);

typedef struct ps_framer ps_framer;

/* Owns: all memory that frames of up to `bytes_max` take, from here on; snappy alone takes and
 * returns as much with every call, because its interface has no other way. */
ps_status ps_framer_open(ps_frame_codec codec, size_t bytes_max, ps_framer **out,
                         ps_error *error) PS_MUST_USE;
void ps_framer_close(ps_framer *framer);
/* What one takes at most. */
size_t ps_framer_bytes(ps_frame_codec codec, size_t bytes_max);

/* Room for the frame of `bytes`, whatever they are. */
size_t ps_frame_bound(ps_frame_codec codec, size_t bytes);

/* One frame of all of `from` at `to`, which has ps_frame_bound() of it; returns its length.
 * Shapes: bytes <= bytes_max; 0 is possible. */
size_t ps_frame_write(ps_framer *framer, const void *from, size_t bytes, void *to);

#endif
