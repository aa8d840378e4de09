/* SPDX-License-Identifier: Apache-2.0
 * Which cluster and which topics these are for good: a log is named after their ids, so that it
 * cannot be taken for that of a topic which was deleted and made anew under the same name.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "host/base/log.h"
#include "ingest/kafka_admin.h"
#include "ingest/kafka_link.h"

enum { ASK_MS = 3000, PAUSE_NS = 50000000 };

static ps_status ask_cluster(rd_kafka_t *client, ps_partitions *all, ps_error *error) {
    char *id = rd_kafka_clusterid(client, ASK_MS);
    if (id == NULL) return PS_AGAIN;
    const bool fits = strlen(id) < sizeof all->cluster;
    (void)snprintf(all->cluster, sizeof all->cluster, "%s", id);
    rd_kafka_mem_free(client, id);
    return fits ? PS_OK : ps_fail(error, PS_UNSUPPORTED, "the cluster's id is too long");
}

static ps_status ask_all(rd_kafka_t *client, ps_partitions *all, ps_error *error) {
    if (all->cluster[0] == '\0') PS_TRY(ask_cluster(client, all, error));
    for (uint32_t t = 0; t < all->topic_count; t++)
        if (all->topic[t].id[0] == '\0')
            PS_TRY(ps_kafka_topic_id(client, all->topic[t].name, ASK_MS, all->topic[t].id,
                                     sizeof all->topic[t].id, error));
    return PS_OK;
}

ps_status ps_kafka_identify(const void *configuration, ps_partitions *all, ps_error *error) {
    const ps_kafka_source_config *config = configuration;
    const ps_kafka_recipe recipe = {
        .role = PS_KAFKA_ADMIN, .brokers = config->brokers, .inherited = &config->properties};
    ps_kafka_patience patience = {0, 0};
    rd_kafka_t *client = NULL;
    PS_TRY(ps_kafka_client_open(&recipe, &client, error));
    ps_status status = ask_all(client, all, error);
    while (status == PS_AGAIN) {
        const struct timespec pause = {0, PAUSE_NS};
        if (ps_kafka_patience_tell(&patience))
            ps_log(PS_LOG_WARNING, "source kafka",
                   "no broker at %s has told the ids of cluster and topics, still trying",
                   config->brokers);
        (void)nanosleep(&pause, NULL);
        status = ask_all(client, all, error);
    }
    ps_kafka_client_close(client);
    return status == PS_OK ? PS_OK : ps_fail_in(error, status, "seal");
}
