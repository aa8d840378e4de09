/* SPDX-License-Identifier: Apache-2.0
 * What the acceptance tests ask of a broker beside reading and writing, in 0.1 s instead of the JVM
 * tools' second: topics, ends, committed offsets, moving a group.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/integration/client.h"

static const char usage[] = "admin BROKERS create TOPIC PARTITIONS [NAME=VALUE…]\n"
                            "admin BROKERS widen TOPIC PARTITIONS\n"
                            "admin BROKERS delete|exists|end|begin TOPIC\n"
                            "admin BROKERS committed|move GROUP TOPIC [OFFSET]\n"
                            "admin BROKERS leader TOPIC PARTITION\n"
                            "admin BROKERS id TOPIC\n"
                            "admin BROKERS forget TOPIC PARTITION OFFSET: the records below it\n"
                            "admin BROKERS ready";

enum { TIMEOUT_MS = 40000 };

static rd_kafka_event_t *await(rd_kafka_queue_t *queue) {
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
    if (!event) client_die("the broker did not answer");
    if (rd_kafka_event_error(event)) client_die("%s", rd_kafka_event_error_string(event));
    return event;
}

static void check_topics(const rd_kafka_topic_result_t **results, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_topic_result_error(results[i]))
            client_die("%s: %s", rd_kafka_topic_result_name(results[i]),
                       rd_kafka_topic_result_error_string(results[i]));
}

static void create(rd_kafka_t *client, rd_kafka_queue_t *queue, char **words, int count) {
    char error[256];
    size_t results = 0;
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(words[0], (int)strtol(words[1], NULL, 10), -1, error, sizeof error);
    if (!topic) client_die("%s", error);
    (void)rd_kafka_NewTopic_set_config(topic, "retention.ms", "-1");
    for (int i = 2; i < count; i++) {
        char *equals = strchr(words[i], '=');
        if (!equals) client_die("%s", usage);
        *equals = 0;
        (void)rd_kafka_NewTopic_set_config(topic, words[i], equals + 1);
    }
    rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = await(queue);
    const rd_kafka_topic_result_t **list =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &results);
    check_topics(list, results);
    rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(topic);
    (void)client_partitions(client, words[0]);
}

static void widen(rd_kafka_t *client, rd_kafka_queue_t *queue, char **words) {
    char error[256];
    size_t results = 0;
    const int partitions = (int)strtol(words[1], NULL, 10);
    rd_kafka_NewPartitions_t *wanted =
        rd_kafka_NewPartitions_new(words[0], (size_t)partitions, error, sizeof error);
    if (!wanted) client_die("%s", error);
    rd_kafka_CreatePartitions(client, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = await(queue);
    const rd_kafka_topic_result_t **list = rd_kafka_CreatePartitions_result_topics(
        rd_kafka_event_CreatePartitions_result(event), &results);
    check_topics(list, results);
    rd_kafka_event_destroy(event);
    rd_kafka_NewPartitions_destroy(wanted);
    for (int i = 0; client_partitions(client, words[0]) < partitions; i++) {
        if (i == 100) client_die("%s is not seen to grow", words[0]);
        (void)nanosleep(&(struct timespec){0, 100000000}, NULL);
    }
}

static void delete (rd_kafka_t *client, rd_kafka_queue_t *queue, const char *name) {
    size_t results = 0;
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
    rd_kafka_DeleteTopics(client, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = await(queue);
    const rd_kafka_topic_result_t **list =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &results);
    check_topics(list, results);
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteTopic_destroy(topic);
}

/* Sum over the partitions of where the topic begins or ends, markers and aborted records included.
 */
static int64_t watermarks(rd_kafka_t *client, const char *topic, bool end) {
    int64_t total = 0;
    const int32_t partitions = client_partitions(client, topic);
    for (int32_t i = 0; i < partitions; i++) {
        int64_t low, high;
        const rd_kafka_resp_err_t status =
            rd_kafka_query_watermark_offsets(client, topic, i, &low, &high, TIMEOUT_MS);
        if (status) client_die("%s/%" PRId32 ": %s", topic, i, rd_kafka_err2str(status));
        total += end ? high : low;
    }
    return total;
}

static rd_kafka_topic_partition_list_t *all_partitions(rd_kafka_t *client, const char *topic,
                                                       int64_t offset) {
    const int32_t partitions = client_partitions(client, topic);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
    for (int32_t i = 0; i < partitions; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = offset;
    return list;
}

static int64_t committed(const char *brokers, const char *group, const char *topic) {
    const char *const properties[] = {"group.id", group, "log_level", "3", NULL};
    rd_kafka_t *consumer = client_open(RD_KAFKA_CONSUMER, brokers, properties);
    rd_kafka_topic_partition_list_t *list =
        all_partitions(consumer, topic, RD_KAFKA_OFFSET_INVALID);
    const rd_kafka_resp_err_t status = rd_kafka_committed(consumer, list, TIMEOUT_MS);
    if (status) client_die("committed offsets of %s: %s", group, rd_kafka_err2str(status));
    int64_t total = 0;
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset > 0) total += list->elems[i].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(consumer);
    return total;
}

static void move(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *group, const char *topic,
                 int64_t offset) {
    size_t results = 0;
    rd_kafka_topic_partition_list_t *list = all_partitions(client, topic, offset);
    rd_kafka_AlterConsumerGroupOffsets_t *request =
        rd_kafka_AlterConsumerGroupOffsets_new(group, list);
    rd_kafka_AlterConsumerGroupOffsets(client, &request, 1, NULL, queue);
    rd_kafka_event_t *event = await(queue);
    const rd_kafka_group_result_t **groups = rd_kafka_AlterConsumerGroupOffsets_result_groups(
        rd_kafka_event_AlterConsumerGroupOffsets_result(event), &results);
    for (size_t i = 0; i < results; i++) {
        const rd_kafka_error_t *error = rd_kafka_group_result_error(groups[i]);
        if (error) client_die("group %s: %s", group, rd_kafka_error_string(error));
        const rd_kafka_topic_partition_list_t *done = rd_kafka_group_result_partitions(groups[i]);
        for (int k = 0; done && k < done->cnt; k++)
            if (done->elems[k].err)
                client_die("group %s: %s", group, rd_kafka_err2str(done->elems[k].err));
    }
    rd_kafka_event_destroy(event);
    rd_kafka_AlterConsumerGroupOffsets_destroy(request);
    rd_kafka_topic_partition_list_destroy(list);
}

static int topic_exists(rd_kafka_t *client, const char *topic) {
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_resp_err_t status = rd_kafka_metadata(client, 1, NULL, &metadata, TIMEOUT_MS);
    if (status) client_die("metadata: %s", rd_kafka_err2str(status));
    int found = 1;
    for (int i = 0; topic && i < metadata->topic_cnt; i++)
        if (strcmp(metadata->topics[i].topic, topic) == 0) found = 0;
    if (!topic) found = metadata->broker_cnt > 0 ? 0 : 1;
    rd_kafka_metadata_destroy(metadata);
    return found;
}

/* The node that leads a partition: of an internal topic that is who coordinates. */
static int leader(rd_kafka_t *client, const char *topic, int32_t partition) {
    const struct rd_kafka_metadata *metadata = NULL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    const rd_kafka_resp_err_t status = rd_kafka_metadata(client, 0, handle, &metadata, TIMEOUT_MS);
    if (status) client_die("metadata of %s: %s", topic, rd_kafka_err2str(status));
    int node = -1;
    for (int i = 0; metadata->topic_cnt == 1 && i < metadata->topics[0].partition_cnt; i++)
        if (metadata->topics[0].partitions[i].id == partition)
            node = metadata->topics[0].partitions[i].leader;
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(handle);
    (void)printf("%d\n", node);
    return node < 0;
}

#if RD_KAFKA_VERSION >= 0x02030000
/* As Kafka's own tools print it; librdkafka has the other alphabet. */
static void print_id(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *topic) {
    size_t count = 0;
    rd_kafka_TopicCollection_t *wanted = rd_kafka_TopicCollection_of_topic_names(&topic, 1);
    rd_kafka_DescribeTopics(client, wanted, NULL, queue);
    rd_kafka_event_t *event = await(queue);
    const rd_kafka_TopicDescription_t **list =
        rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event), &count);
    if (count != 1) client_die("no description of %s", topic);
    const char *id = rd_kafka_Uuid_base64str(rd_kafka_TopicDescription_topic_id(list[0]));
    for (; *id != '\0' && *id != '='; id++)
        (void)putchar(*id == '+' ? '-' : *id == '/' ? '_' : *id);
    (void)putchar('\n');
    rd_kafka_event_destroy(event);
    rd_kafka_TopicCollection_destroy(wanted);
}

#else
static void print_id(rd_kafka_t *client, rd_kafka_queue_t *queue, const char *topic) {
    (void)client;
    (void)queue;
    client_die("%s: this librdkafka cannot ask for a topic's id", topic);
}
#endif

static void forget(rd_kafka_t *client, rd_kafka_queue_t *queue, char **words) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, words[0], (int32_t)strtol(words[1], NULL, 10))->offset =
        atoll(words[2]);
    rd_kafka_DeleteRecords_t *wanted = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(client, &wanted, 1, NULL, queue);
    rd_kafka_event_t *event = await(queue);
    const rd_kafka_topic_partition_list_t *done =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    if (done->elems[0].err) client_die("forget: %s", rd_kafka_err2str(done->elems[0].err));
    rd_kafka_event_destroy(event);
    rd_kafka_DeleteRecords_destroy(wanted);
    rd_kafka_topic_partition_list_destroy(list);
}

int main(int argc, char **argv) {
    if (argc < 3) client_die("%s", usage);
    const char *const command = argv[2];
    const char *const properties[] = {"log_level", "2", NULL};
    rd_kafka_t *client = client_open(RD_KAFKA_PRODUCER, argv[1], properties);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    int status = 0;
    if (strcmp(command, "create") == 0 && argc >= 5)
        create(client, queue, argv + 3, argc - 3);
    else if (strcmp(command, "widen") == 0 && argc == 5)
        widen(client, queue, argv + 3);
    else if (strcmp(command, "delete") == 0 && argc == 4)
        delete (client, queue, argv[3]);
    else if (strcmp(command, "exists") == 0 && argc == 4)
        status = topic_exists(client, argv[3]);
    else if (strcmp(command, "ready") == 0)
        status = topic_exists(client, NULL);
    else if ((strcmp(command, "end") == 0 || strcmp(command, "begin") == 0) && argc == 4)
        (void)printf("%" PRId64 "\n", watermarks(client, argv[3], command[0] == 'e'));
    else if (strcmp(command, "committed") == 0 && argc == 5)
        (void)printf("%" PRId64 "\n", committed(argv[1], argv[3], argv[4]));
    else if (strcmp(command, "move") == 0 && argc == 6)
        move(client, queue, argv[3], argv[4], atoll(argv[5]));
    else if (strcmp(command, "leader") == 0 && argc == 5)
        status = leader(client, argv[3], (int32_t)strtol(argv[4], NULL, 10));
    else if (strcmp(command, "id") == 0 && argc == 4)
        print_id(client, queue, argv[3]);
    else if (strcmp(command, "forget") == 0 && argc == 6)
        forget(client, queue, argv + 3);
    else
        client_die("%s", usage);
    rd_kafka_queue_destroy(queue);
    rd_kafka_destroy(client);
    return status;
}
