/* SPDX-License-Identifier: Apache-2.0
 * A device as far away as one can be: blocks have mirrors, and every copy and launch is only noted
 * until the device gets round to it. A lane that touches a slot too early, copies too little or
 * restores over what is under way computes with the wrong bytes here. It can be lost at any step.
 */
#ifndef PS_TESTS_FAR_DEVICE_H
#define PS_TESTS_FAR_DEVICE_H

#include "host/device/backend.h"

typedef struct far_world {
    uint32_t (*below)(uint32_t n); /* seeded */
    uint32_t idle_percent;         /* how often it gets nothing done when asked */
    uint32_t lost_permille;        /* how often a step is its last */
    uint32_t spared;               /* steps at first that are not */
    uint64_t lost;                 /* devices so far */
} far_world;

extern far_world far;
extern const ps_backend far_device;

/* Only errors are told: such a world has thousands of moves. */
void far_quiet(void);

#endif
