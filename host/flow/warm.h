/* SPDX-License-Identifier: Apache-2.0
 * A warm state: a file that holds what detectors know of series, so that a new deployment does not
 * begin blind. `penstock score --save-state` writes it; `--load-state` and option warm_state of
 * stage detect begin from it: a series gets its state from there when its first row comes, and
 * only if the pipeline's own state knows nothing of it.
 *
 * The file is a head of lines, zeros up to a multiple of 8 bytes, and the series; little-endian.
 *
 *   - head: "penstock warm state 1"; a line "state NAME FORMAT PLANES OPTIONS" for each state;
 *     "series COUNT" in ten digits; "check CRC", the CRC-32C of all lines before in eight
 *     hexadecimal digits; an empty line
 *   - series: u32 key bytes, u32 0, key and zeros up to a multiple of 8 bytes, f64 planes of all
 *     states, u32 CRC-32C of all that, u32 0
 */
#ifndef PS_HOST_FLOW_WARM_H
#define PS_HOST_FLOW_WARM_H

#include "host/base/bytes.h"
#include "host/flow/plan.h"

enum { PS_WARM_FORMAT = 1, PS_WARM_KEY_MAX = 65536 };

/* All files of a plan in memory, read-only: lanes share it. */
typedef struct ps_warm ps_warm;

/* NULL where the plan names no file. Owns: ps_warm_close. Fails: PS_IO, also where a check sum is
 * wrong; PS_BAD_CONFIG: the file is not that of the plan. */
ps_status ps_warm_open(const ps_plan *plan, ps_warm **out, ps_error *error) PS_MUST_USE;
void ps_warm_close(ps_warm *warm);

/* Series in all files together. */
uint64_t ps_warm_series(const ps_warm *warm);

/* Whether any of them has the series, by SipHash-2-4-128 of its key. */
bool ps_warm_has(const ps_warm *warm, const uint64_t key[2]);

/* Told the planes of one state of a series that begins. */
typedef void ps_warm_put(void *context, const ps_state_plan *state, uint32_t id,
                         const double *planes);

/* After the batch's series are resolved and before its calls: fills the columns `fresh` of all
 * files, and tells what the series that begin in this batch begin with. Their segments become
 * PS_SEGMENT_BOTH where the plan replays: what is restored must not need the file. How many they
 * are. */
uint32_t ps_warm_batch(const ps_warm *warm, const ps_plan *plan, const ps_batch *batch,
                       ps_warm_put *put, void *context);

/* Writes a file of the plan's described states beside `path`, and renames it when it is whole. */
typedef struct ps_warm_writer ps_warm_writer;

ps_status ps_warm_writer_open(const char *path, const ps_plan *plan, ps_warm_writer **out,
                              ps_error *error) PS_MUST_USE;
/* A series by the bytes of its key, 1 to PS_WARM_KEY_MAX of them, and once; `planes`: those of all
 * described states, in the plan's order. */
ps_status ps_warm_writer_add(ps_warm_writer *writer, ps_bytes key, const double *planes,
                             ps_error *error) PS_MUST_USE;
/* Makes the file be there. */
ps_status ps_warm_writer_finish(ps_warm_writer *writer, ps_error *error) PS_MUST_USE;
/* What is not finished leaves nothing behind. */
void ps_warm_writer_close(ps_warm_writer *writer);

#endif
