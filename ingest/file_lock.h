/* SPDX-License-Identifier: Apache-2.0
 * One process at a time writes to a file. The lock is a flock(), which belongs to an open file and
 * not to a process: lanes of one process share one of them, counted, so the first lane that closes
 * takes nothing away from the others. It ends with the process, however that ends.
 */
#ifndef PS_INGEST_FILE_LOCK_H
#define PS_INGEST_FILE_LOCK_H

#include "host/base/status.h"

typedef struct ps_file_lock ps_file_lock;

/* Locks the open file `fd`, whatever it is called. AGAIN: another process holds it. Owns: `fd`,
 * from success on; where this process holds the lock already the descriptor is closed. */
ps_status ps_file_lock_open(int fd, ps_file_lock **out, ps_error *error) PS_MUST_USE;
void ps_file_lock_close(ps_file_lock *lock);

/* The process that holds it writes its number in; whoever is refused can read it, 0: not there. */
void ps_file_lock_sign(const ps_file_lock *lock);
long ps_file_lock_signed(int fd);

#endif
