/* SPDX-License-Identifier: Apache-2.0
 * The manual: the option tables, printed. docs/configuration.md is this, and a test compares the
 * two.
 */
#ifndef PS_HOST_CLI_MANUAL_H
#define PS_HOST_CLI_MANUAL_H

#include <stdbool.h>

/* Everything, as Markdown, to stdout. */
void ps_manual_markdown(void);

/* One part, section or kind of part, to stdout; false where nothing has that name. */
bool ps_manual_print(const char *name);

/* Calls `offer` with every name that ps_manual_print knows. */
typedef void ps_manual_offer(void *context, const char *name);
void ps_manual_names(ps_manual_offer *offer, void *context);

#endif
