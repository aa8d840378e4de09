/* SPDX-License-Identifier: Apache-2.0
 * What must not be seen: passwords and keys, by the names of the options that carry them. They
 * stay out of messages, of the command line that everybody on the machine can read, and of core
 * files (docs/security.md).
 */
#ifndef PS_HOST_BASE_SECRET_H
#define PS_HOST_BASE_SECRET_H

#include <stdbool.h>

/* Does an option of this name carry a secret? Also of any text that such a name is part of. */
bool ps_secret_is_in(const char *name);

/* Takes secrets out of the command line: words that name one keep their length, and nothing behind
 * the first '=' or ':'. The program goes on with copies, made here and never freed. NULL: no
 * memory. */
char **ps_secret_arguments(int argc, char **argv);

/* Secrets are about to be in memory: no core file from now on, and no other process of this user
 * may read that memory. PS_DUMPABLE=1 in the environment leaves it. */
void ps_secret_protect(void);

#endif
