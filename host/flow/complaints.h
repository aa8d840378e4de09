/* SPDX-License-Identifier: Apache-2.0
 * What a part has against its own options, all of it at once: whoever asks knows where each was
 * written. Options that do not parse are as they are by default, required ones NULL; that is told
 * elsewhere.
 */
#ifndef PS_HOST_FLOW_COMPLAINTS_H
#define PS_HOST_FLOW_COMPLAINTS_H

#include <stdint.h>

#include "host/base/status.h"

typedef struct ps_complaints ps_complaints;
struct ps_complaints {
    /* `option` as its table has it; `entry` of a list, PS_NOWHERE: all of it. */
    void (*add)(ps_complaints *self, const char *option, uint32_t entry, const char *format, ...)
        PS_PRINTF(4, 5);
};

#endif
