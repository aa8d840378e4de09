/* SPDX-License-Identifier: Apache-2.0
 * A detect stage over one series without a pipeline around it: the stage's own plan, run on this
 * processor, so that what a file scores is what the same values score in Kafka.
 */
#ifndef PS_ML_SOLO_H
#define PS_ML_SOLO_H

#include "host/base/bytes.h"
#include "host/base/status.h"
#include "host/flow/warm.h"
#include "kernels/table.h"
#include "ml/stage_detect.h"

typedef struct ps_solo ps_solo;

/* Rows of the series in their order; the last three are written. */
typedef struct ps_solo_rows {
    uint32_t count;
    const int64_t *time_ns;
    const double *value; /* NaN and infinite: no value, so no score and no anomaly */
    float *score;        /* NaN: none */
    uint8_t *anomaly;    /* 0 or 1 */
} ps_solo_rows;

enum { PS_SOLO_NAME_MAX = 256 }; /* bytes of a series' name */

/* `config` as the stage takes it; its field and time are the rows', whatever it says. `batch_rows`
 * changes speed and memory, never a score. Owns: ps_solo_close.
 * Fails: as the stage does. */
ps_status ps_solo_open(const ps_detect_config *config, uint32_t batch_rows, ps_solo **out,
                       ps_error *error) PS_MUST_USE;
void ps_solo_close(ps_solo *solo);

/* The next rows, as many as there are. */
void ps_solo_run(ps_solo *solo, const ps_solo_rows *rows);

/* What comes next is another series; its name, of less than PS_SOLO_NAME_MAX bytes, is what a warm
 * state is asked for. True: it is there. */
void ps_solo_restart(ps_solo *solo);
bool ps_solo_restart_as(ps_solo *solo, const char *name);

/* Opens a file for the state of this stage; its series are added one by one, under the name that
 * they have: one without rows is none. */
ps_status ps_solo_writer(const ps_solo *solo, const char *path, ps_warm_writer **out,
                         ps_error *error) PS_MUST_USE;
ps_status ps_solo_save(const ps_solo *solo, ps_warm_writer *writer, ps_error *error) PS_MUST_USE;

/* For measuring: a stage over many series at once. */
ps_status ps_solo_open_many(const ps_detect_config *config, uint32_t batch_rows, uint32_t series,
                            ps_solo **out, ps_error *error) PS_MUST_USE;
/* One more row of the batch at hand. */
void ps_solo_append(ps_solo *solo, uint32_t series, int64_t time_ns, double value);
/* Computes the batch and begins another one: nanoseconds that kernel `timed` took over the series
 * that have rows, those that a pipeline would sweep left out. */
int64_t ps_solo_compute(ps_solo *solo, ps_kernel_id timed);

/* The score from which a row is an anomaly. */
double ps_solo_threshold(const ps_solo *solo);

#endif
