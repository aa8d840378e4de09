/* SPDX-License-Identifier: Apache-2.0
 * Words for a plan and its surroundings, and the JSON form of `penstock explain`.
 */
#ifndef PS_HOST_CLI_EXPLAIN_H
#define PS_HOST_CLI_EXPLAIN_H

#include "host/cli/launch.h"

const char *ps_explain_type(ps_type type);

enum { PS_EXPLAIN_TEXT_MAX = PS_NAME_MAX + 16 };

/* Into PS_EXPLAIN_TEXT_MAX bytes where it needs any; the text is returned. */
const char *ps_explain_operand(const ps_plan *plan, const ps_operand *operand, char *text);

const char *ps_explain_rejects(const ps_config *config);
const char *ps_explain_backend_why(const ps_launch *launch);

/* One line on stdout. */
void ps_explain_json(const ps_launch *launch, const ps_ceiling *ceiling);

/* A JSON string on stdout, quotes included. */
void ps_json_print(const char *text);

#endif
