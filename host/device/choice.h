/* SPDX-License-Identifier: Apache-2.0
 * The choice among a kernel's implementations from one start to the next: measured once per
 * processor and build (simd/calibrate.h), kept in the cache, read at every start. A job that starts
 * without it begins with the order of implementations.def and changes over while it runs.
 */
#ifndef PS_HOST_DEVICE_CHOICE_H
#define PS_HOST_DEVICE_CHOICE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "host/base/status.h"
#include "host/device/cache.h"

/* ps_dispatch_init(), then what the cache says. PS_ISA forces a level and leaves the cache alone.
 */
PS_MUST_USE ps_status ps_choice_init(ps_error *error);

/* Whether it is forced, or measured. */
bool ps_choice_known(void);

/* What was measured counts no more; what is forced stays. */
void ps_choice_forget(void);

/* Measures what is not known yet; nothing has changed where `stop` (may be NULL) became true.
 * Threads: one caller; the kernels may run meanwhile. */
void ps_choice_measure(const atomic_bool *stop);

/* "PS_ISA", "measured" or "not measured yet". */
const char *ps_choice_by(void);

/* The file of the cache: another processor, other implementations, or a program that was built
 * otherwise (its compiler's flags: what a sanitizer slows down says nothing of the program that
 * people use) have another. */
void ps_choice_cache_name(const char *build, char name[PS_CACHE_NAME_MAX]);

#endif
