/* SPDX-License-Identifier: Apache-2.0
 * Memory of a configuration: taken piece by piece while a file is read, given back all at once.
 */
#ifndef PS_HOST_CLI_POOL_H
#define PS_HOST_CLI_POOL_H

#include <stddef.h>

typedef struct ps_pool ps_pool;

/* Out of memory here means before any work has begun: both stop the process with a message. */
ps_pool *ps_pool_open(void);
void *ps_pool_take(ps_pool *pool, size_t bytes); /* zeroed, aligned for anything */
void ps_pool_close(ps_pool *pool);

/* A copy of `length` bytes with a NUL behind it. */
char *ps_pool_text(ps_pool *pool, const char *text, size_t length);
char *ps_pool_format(ps_pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
