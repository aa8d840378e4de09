/* SPDX-License-Identifier: Apache-2.0 */
#include "host/flow/sealer.h"

#include <stdio.h>

#include "host/base/check.h"
#include "host/batch/partitions.h"

uint32_t ps_seal_origin(const char *origin, const ps_partitions *all, uint32_t partition,
                        char text[PS_ORIGIN_MAX]) {
    uint32_t within;
    const uint32_t topic = ps_partitions_topic(all, partition, &within);
    const int length = snprintf(text, PS_ORIGIN_MAX, "%s/%s/%s/%s/%u", origin, all->cluster,
                                all->topic[topic].name, all->topic[topic].id, within);
    PS_CHECK(length > 0 && length < PS_ORIGIN_MAX);
    return (uint32_t)length;
}
