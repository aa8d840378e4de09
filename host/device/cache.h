/* SPDX-License-Identifier: Apache-2.0
 * Small files that may vanish at any time: compiled kernels, measured costs. They lie in
 * $XDG_CACHE_HOME/penstock or ~/.cache/penstock; where neither can be written, nothing is kept and
 * nothing fails.
 */
#ifndef PS_HOST_DEVICE_CACHE_H
#define PS_HOST_DEVICE_CACHE_H

#include <stddef.h>
#include <stdint.h>

/* A name for what `count` texts say, e.g. "opencl-0123456789abcdef0123456789abcdef". */
enum { PS_CACHE_NAME_MAX = 96 };
void ps_cache_name(const char *prefix, const char *const *texts, uint32_t count,
                   char name[PS_CACHE_NAME_MAX]);

/* The bytes stored under `name`, NULL where there are none or they are damaged. Owns: the caller
 * frees them. */
uint8_t *ps_cache_read(const char *name, size_t *bytes);

/* Whole or not at all: a reader never sees half of it. */
void ps_cache_write(const char *name, const void *data, size_t bytes);

#endif
