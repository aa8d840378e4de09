/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/wire/stalled.h"

#include <inttypes.h>

#include "ingest/wire/client_parts.h"
#include "ingest/wire/error.h"

/* Who leads comes first: what a broker said is of the time before. */
void ps_wire_stalled_why(ps_wire_client *client, const ps_wire_stalled *stalled, ps_error *why) {
    const int16_t code = stalled->code;
    const char *trouble = client->trouble.message;
    const int32_t node = ps_wire_client_leader(client, stalled->topic, stalled->within).node;
    if (node < 0)
        (void)ps_fail(why, PS_IO, "it has no leader now");
    else if (ps_wire_node_find(client, node) == NULL)
        (void)ps_fail(why, PS_IO,
                      "broker %" PRId32 " leads it, for which there was no room at the start: "
                      "start this worker again",
                      node);
    else if (code != 0)
        (void)ps_fail(why, PS_IO, "%s (%d): %s", ps_wire_error_name(code), code,
                      ps_wire_error_text(code));
    else
        (void)ps_fail(why, PS_IO, "broker %" PRId32 " leads it and does not answer: %s", node,
                      trouble[0] == '\0' ? "no reason is known" : trouble);
}
