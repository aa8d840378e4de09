/* SPDX-License-Identifier: Apache-2.0
 * Watches a group from outside while brokers come and go: twice a second one line, monotonic
 * seconds, then for every partition what is committed and where the topic ends. A moment at which
 * no broker answers has no line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/integration/client.h"

enum { ASK_MS = 2000, LOOK_MS = 500, PARTITIONS_MAX = 1024 };

static int64_t ends[PARTITIONS_MAX];

static bool look(rd_kafka_t *client, const char *topic, rd_kafka_topic_partition_list_t *list) {
    if (rd_kafka_committed(client, list, ASK_MS) != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
    for (int i = 0; i < list->cnt; i++) {
        int64_t low;
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR ||
            rd_kafka_query_watermark_offsets(client, topic, i, &low, &ends[i], ASK_MS) !=
                RD_KAFKA_RESP_ERR_NO_ERROR)
            return false;
    }
    return true;
}

int main(int argc, char **argv) {
    if (argc != 4) client_die("watch BROKERS GROUP TOPIC");
    const char *const properties[] = {
        "group.id",          argv[2], "log_level", "0", "reconnect.backoff.max.ms", "500",
        "socket.timeout.ms", "3000",  NULL};
    rd_kafka_t *client = client_open(RD_KAFKA_CONSUMER, argv[1], properties);
    const int32_t partitions = client_partitions(client, argv[3]);
    if (partitions > PARTITIONS_MAX) client_die("too many partitions");
    for (;;) {
        rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
        for (int32_t i = 0; i < partitions; i++)
            rd_kafka_topic_partition_list_add(list, argv[3], i);
        if (look(client, argv[3], list)) {
            (void)printf("%.3f", client_seconds());
            for (int32_t i = 0; i < partitions; i++)
                (void)printf(" %" PRId64 "/%" PRId64,
                             list->elems[i].offset > 0 ? list->elems[i].offset : 0, ends[i]);
            (void)printf("\n");
            /* Whoever reads this has gone: so does this. */
            if (fflush(stdout) != 0) return 0;
        }
        rd_kafka_topic_partition_list_destroy(list);
        (void)nanosleep(&(struct timespec){0, LOOK_MS * 1000000L}, NULL);
    }
}
