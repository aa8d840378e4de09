/* SPDX-License-Identifier: Apache-2.0
 * Messages for people and machines, one line each on stderr: `penstock: where: message`, or one
 * JSON object a line. Results never come this way, and neither do secrets: callers pass names, not
 * values of PS_OPTION_SECRET.
 */
#ifndef PS_HOST_BASE_LOG_H
#define PS_HOST_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "host/base/status.h"

typedef enum ps_log_level { PS_LOG_ERROR, PS_LOG_WARNING, PS_LOG_INFO, PS_LOG_DEBUG } ps_log_level;

/* Before any thread starts. Messages above `level` are dropped. */
void ps_log_init(ps_log_level level, bool json);

/* From now on only warnings and errors, for a command that has a better story to tell. */
void ps_log_quiet(void);

/* Threads: any; a line is never torn. `where` may be NULL. */
void ps_log(ps_log_level level, const char *where, const char *format, ...) PS_PRINTF(3, 4);

/* A fault in a file: `place: message` without the program's name, as editors and terminals make it
 * clickable. */
void ps_log_at(const char *place, const char *message);

/* The live line at the bottom of a terminal: messages appear above it. NULL or "" takes it away. */
void ps_log_live(const char *line);

/* `text` as the inside of a JSON string, cut where `bytes` end; returns the length. What moves a
 * terminal's cursor (C0, DEL, C1) is escaped, so that it may go to one as it is. */
size_t ps_json_escape(const char *text, char *out, size_t bytes);

#endif
