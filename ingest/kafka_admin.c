/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/kafka_admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sends one admin request on a queue of its own and waits: the answer, or NULL. */
typedef struct request {
    rd_kafka_queue_t *queue;
    rd_kafka_AdminOptions_t *options;
    int timeout_ms;
} request;

static request request_within(rd_kafka_t *client, rd_kafka_admin_op_t operation, int timeout_ms) {
    char text[256];
    request r = {rd_kafka_queue_new(client), rd_kafka_AdminOptions_new(client, operation),
                 timeout_ms};
    (void)rd_kafka_AdminOptions_set_request_timeout(r.options, timeout_ms, text, sizeof text);
    return r;
}

static request request_begin(rd_kafka_t *client, rd_kafka_admin_op_t operation) {
    return request_within(client, operation, PS_KAFKA_ADMIN_MS);
}

static rd_kafka_event_t *request_wait(const request *r) {
    return rd_kafka_queue_poll(r->queue, r->timeout_ms + 1000);
}

static void request_end(request *r, rd_kafka_event_t *event) {
    if (event != NULL) rd_kafka_event_destroy(event);
    rd_kafka_AdminOptions_destroy(r->options);
    rd_kafka_queue_destroy(r->queue);
}

static ps_status answered(rd_kafka_event_t *event, const char *what, ps_error *error) {
    if (event == NULL)
        return ps_fail(error, PS_IO, "%s: the brokers did not answer within %d s", what,
                       PS_KAFKA_ADMIN_MS / 1000);
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR) return PS_OK;
    return ps_fail(error, PS_IO, "%s: %s%s", what, rd_kafka_event_error_string(event),
                   ps_kafka_advice(rd_kafka_event_error(event)));
}

static ps_status created(rd_kafka_event_t *event, const char *topic, ps_error *error) {
    PS_TRY(answered(event, "cannot create a topic", error));
    size_t count;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    for (size_t i = 0; i < count; i++) {
        const rd_kafka_resp_err_t err = rd_kafka_topic_result_error(results[i]);
        if (err == RD_KAFKA_RESP_ERR_NO_ERROR || err == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            continue;
        return ps_fail(error, PS_IO,
                       "cannot create topic %s: %s; create it by hand, or allow this user to",
                       topic, rd_kafka_err2str(err));
    }
    return PS_OK;
}

ps_status ps_kafka_topic_create(rd_kafka_t *client, const char *topic, uint32_t partitions,
                                int replication, ps_error *error) {
    char text[256];
    rd_kafka_NewTopic_t *wanted =
        rd_kafka_NewTopic_new(topic, (int)partitions, replication, text, sizeof text);
    if (wanted == NULL) return ps_fail(error, PS_BAD_CONFIG, "topic %s: %s", topic, text);
    (void)rd_kafka_NewTopic_set_config(wanted, "cleanup.policy", "delete");
    (void)rd_kafka_NewTopic_set_config(wanted, "retention.ms", "-1");
    (void)rd_kafka_NewTopic_set_config(wanted, "retention.bytes", "-1");
    request r = request_begin(client, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    rd_kafka_CreateTopics(client, &wanted, 1, r.options, r.queue);
    rd_kafka_event_t *event = request_wait(&r);
    const ps_status status = created(event, topic, error);
    request_end(&r, event);
    rd_kafka_NewTopic_destroy(wanted);
    return status;
}

static ps_status widened(rd_kafka_event_t *event, const char *topic, uint32_t partitions,
                         ps_error *error) {
    PS_TRY(answered(event, "cannot widen a topic", error));
    size_t count;
    const rd_kafka_topic_result_t **results = rd_kafka_CreatePartitions_result_topics(
        rd_kafka_event_CreatePartitions_result(event), &count);
    for (size_t i = 0; i < count; i++)
        if (rd_kafka_topic_result_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
            return ps_fail(error, PS_IO,
                           "cannot widen topic %s: %s; give it %u partitions by hand, or this "
                           "user's principal the right to (Alter)",
                           topic, rd_kafka_err2str(rd_kafka_topic_result_error(results[i])),
                           partitions);
    return PS_OK;
}

ps_status ps_kafka_topic_widen(rd_kafka_t *client, const char *topic, uint32_t partitions,
                               ps_error *error) {
    char text[256];
    rd_kafka_NewPartitions_t *wanted =
        rd_kafka_NewPartitions_new(topic, partitions, text, sizeof text);
    if (wanted == NULL) return ps_fail(error, PS_BAD_CONFIG, "topic %s: %s", topic, text);
    request r = request_begin(client, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
    rd_kafka_CreatePartitions(client, &wanted, 1, r.options, r.queue);
    rd_kafka_event_t *event = request_wait(&r);
    const ps_status status = widened(event, topic, partitions, error);
    request_end(&r, event);
    rd_kafka_NewPartitions_destroy(wanted);
    return status;
}

static ps_status members_of(rd_kafka_event_t *event, const char *group, ps_error *error) {
    PS_TRY(answered(event, "cannot look at the group", error));
    size_t count;
    const rd_kafka_ConsumerGroupDescription_t **groups =
        rd_kafka_DescribeConsumerGroups_result_groups(
            rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    if (count == 0) return PS_OK;
    const rd_kafka_error_t *failure = rd_kafka_ConsumerGroupDescription_error(groups[0]);
    /* A group that was never used does not exist yet: nobody is in it. */
    if (failure != NULL && rd_kafka_error_code(failure) == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND)
        return PS_OK;
    if (failure != NULL)
        return ps_fail(error, PS_IO, "cannot look at group %s: %s%s", group,
                       rd_kafka_err2str(rd_kafka_error_code(failure)),
                       ps_kafka_advice(rd_kafka_error_code(failure)));
    const size_t members = rd_kafka_ConsumerGroupDescription_member_count(groups[0]);
    if (members == 0) return PS_OK;
    return ps_fail(
        error, PS_AGAIN,
        "group %s has %zu member%s: stop its workers first; one that has stopped stays a "
        "member until its session ends (10 s, unless session.timeout.ms says otherwise)",
        group, members, members == 1 ? "" : "s");
}

ps_status ps_kafka_group_empty(rd_kafka_t *client, const char *group, ps_error *error) {
    request r = request_begin(client, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
    rd_kafka_DescribeConsumerGroups(client, &group, 1, r.options, r.queue);
    rd_kafka_event_t *event = request_wait(&r);
    const ps_status status = members_of(event, group, error);
    request_end(&r, event);
    return status;
}

static void mark_owned(const rd_kafka_ConsumerGroupDescription_t *group, const ps_partitions *all,
                       uint8_t *owned) {
    const size_t members = rd_kafka_ConsumerGroupDescription_member_count(group);
    for (size_t m = 0; m < members; m++) {
        const rd_kafka_MemberAssignment_t *of = rd_kafka_MemberDescription_assignment(
            rd_kafka_ConsumerGroupDescription_member(group, m));
        const rd_kafka_topic_partition_list_t *list =
            of == NULL ? NULL : rd_kafka_MemberAssignment_partitions(of);
        for (int i = 0; list != NULL && i < list->cnt; i++) {
            const uint32_t p =
                ps_kafka_partition(all, list->elems[i].topic, list->elems[i].partition);
            if (p != PS_NOWHERE) owned[p] = 1;
        }
    }
}

static ps_status owned_of(rd_kafka_event_t *event, const ps_partitions *all, uint8_t *owned,
                          bool *at_rest) {
    if (event == NULL || ps_kafka_is_away(rd_kafka_event_error(event))) return PS_AGAIN;
    size_t count = 0;
    const rd_kafka_ConsumerGroupDescription_t **groups = NULL;
    if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR)
        groups = rd_kafka_DescribeConsumerGroups_result_groups(
            rd_kafka_event_DescribeConsumerGroups_result(event), &count);
    if (count == 0) return PS_UNSUPPORTED;
    const rd_kafka_error_t *failure = rd_kafka_ConsumerGroupDescription_error(groups[0]);
    if (failure != NULL)
        return ps_kafka_is_away(rd_kafka_error_code(failure)) ? PS_AGAIN : PS_UNSUPPORTED;
    *at_rest =
        rd_kafka_ConsumerGroupDescription_state(groups[0]) == RD_KAFKA_CONSUMER_GROUP_STATE_STABLE;
    mark_owned(groups[0], all, owned);
    return PS_OK;
}

ps_status ps_kafka_group_owned(rd_kafka_t *client, const char *group, const ps_partitions *all,
                               uint8_t *owned, bool *at_rest, int timeout_ms) {
    request r = request_within(client, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, timeout_ms);
    rd_kafka_DescribeConsumerGroups(client, &group, 1, r.options, r.queue);
    rd_kafka_event_t *event = request_wait(&r);
    const ps_status status = owned_of(event, all, owned, at_rest);
    request_end(&r, event);
    return status;
}

static rd_kafka_topic_partition_list_t *list_of(const ps_kafka_offset *offsets, uint32_t count) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count);
    for (uint32_t i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, offsets[i].topic, offsets[i].partition)->offset =
            offsets[i].offset;
    return list;
}

static ps_status take_offsets(rd_kafka_event_t *event, ps_kafka_offset *offsets, uint32_t count,
                              ps_error *error) {
    PS_TRY(answered(event, "cannot read the group's offsets", error));
    size_t groups;
    const rd_kafka_group_result_t **results = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &groups);
    if (groups == 0)
        return ps_fail(error, PS_IO, "cannot read the group's offsets: an empty answer");
    const rd_kafka_error_t *failure = rd_kafka_group_result_error(results[0]);
    if (failure != NULL)
        return ps_fail(error, PS_IO, "cannot read the group's offsets: %s%s",
                       rd_kafka_err2str(rd_kafka_error_code(failure)),
                       ps_kafka_advice(rd_kafka_error_code(failure)));
    const rd_kafka_topic_partition_list_t *list = rd_kafka_group_result_partitions(results[0]);
    for (uint32_t i = 0; i < count; i++) {
        const rd_kafka_topic_partition_t *found =
            rd_kafka_topic_partition_list_find((rd_kafka_topic_partition_list_t *)(uintptr_t)list,
                                               offsets[i].topic, offsets[i].partition);
        offsets[i].offset = found != NULL && found->offset >= 0 ? found->offset : PS_OFFSET_NONE;
    }
    return PS_OK;
}

ps_status ps_kafka_group_offsets(rd_kafka_t *client, const char *group, ps_kafka_offset *offsets,
                                 uint32_t count, ps_error *error) {
    rd_kafka_topic_partition_list_t *list = list_of(offsets, count);
    rd_kafka_ListConsumerGroupOffsets_t *wanted =
        rd_kafka_ListConsumerGroupOffsets_new(group, list);
    request r = request_begin(client, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_ListConsumerGroupOffsets(client, &wanted, 1, r.options, r.queue);
    rd_kafka_event_t *event = request_wait(&r);
    const ps_status status = take_offsets(event, offsets, count, error);
    request_end(&r, event);
    rd_kafka_ListConsumerGroupOffsets_destroy(wanted);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

ps_status ps_kafka_watermarks(rd_kafka_t *client, const char *topic, int32_t partition,
                              int64_t *low, int64_t *high, ps_error *error) {
    const rd_kafka_resp_err_t err =
        rd_kafka_query_watermark_offsets(client, topic, partition, low, high, PS_KAFKA_ADMIN_MS);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return PS_OK;
    return ps_fail(error, PS_IO, "cannot ask where %s/%d begins and ends: %s%s", topic, partition,
                   rd_kafka_err2str(err), ps_kafka_advice(err));
}

#if RD_KAFKA_VERSION >= 0x02030000
static ps_status take_end(rd_kafka_event_t *event, int64_t *end, ps_error *error) {
    if (event == NULL || ps_kafka_is_away(rd_kafka_event_error(event))) return PS_AGAIN;
    PS_TRY(answered(event, "cannot ask where a partition ends", error));
    size_t count;
    const rd_kafka_ListOffsetsResultInfo_t **infos =
        rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event), &count);
    if (count == 0) return PS_AGAIN;
    const rd_kafka_topic_partition_t *of = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[0]);
    *end = of->offset;
    if (of->err == RD_KAFKA_RESP_ERR_NO_ERROR) return of->offset >= 0 ? PS_OK : PS_AGAIN;
    if (ps_kafka_is_away(of->err)) return PS_AGAIN;
    return ps_fail(error, PS_IO, "cannot ask where %s/%d ends: %s", of->topic, of->partition,
                   rd_kafka_err2str(of->err));
}

ps_status ps_kafka_true_end(rd_kafka_t *client, const char *topic, int32_t partition,
                            int timeout_ms, int64_t *end, ps_error *error) {
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = RD_KAFKA_OFFSET_SPEC_LATEST;
    request r = request_within(client, RD_KAFKA_ADMIN_OP_LISTOFFSETS, timeout_ms);
    rd_kafka_error_t *failure = rd_kafka_AdminOptions_set_isolation_level(
        r.options, RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED);
    PS_CHECK(failure == NULL);
    rd_kafka_ListOffsets(client, list, r.options, r.queue);
    rd_kafka_event_t *event = request_wait(&r);
    const ps_status status = take_end(event, end, error);
    request_end(&r, event);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}
#else
/* A library that cannot ask it of an admin client answers by a client's own isolation level: this
 * one is made for the question. */
static rd_kafka_t *reads_all(rd_kafka_t *like) {
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(rd_kafka_conf(like));
    rd_kafka_conf_set_error_cb(conf, NULL);
    rd_kafka_t *client = NULL;
    if (rd_kafka_conf_set(conf, "isolation.level", "read_uncommitted", text, sizeof text) ==
        RD_KAFKA_CONF_OK)
        client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (client == NULL) rd_kafka_conf_destroy(conf);
    return client;
}

ps_status ps_kafka_true_end(rd_kafka_t *client, const char *topic, int32_t partition,
                            int timeout_ms, int64_t *end, ps_error *error) {
    rd_kafka_t *own = reads_all(client);
    if (own == NULL)
        return ps_fail(error, PS_NO_MEMORY, "cannot make a client to ask where %s ends", topic);
    int64_t low;
    const rd_kafka_resp_err_t err =
        rd_kafka_query_watermark_offsets(own, topic, partition, &low, end, timeout_ms);
    ps_kafka_client_close(own);
    if (err == RD_KAFKA_RESP_ERR_NO_ERROR) return PS_OK;
    if (ps_kafka_is_away(err)) return PS_AGAIN;
    return ps_fail(error, PS_IO, "cannot ask where %s/%d ends: %s", topic, partition,
                   rd_kafka_err2str(err));
}
#endif

#if RD_KAFKA_VERSION >= 0x02030000
static ps_status take_id(rd_kafka_event_t *event, const char *topic, char *id, size_t id_bytes,
                         ps_error *error) {
    static const char none[] = "AAAAAAAAAAAAAAAAAAAAAA"; /* all zeros */
    if (event == NULL || ps_kafka_is_away(rd_kafka_event_error(event))) return PS_AGAIN;
    PS_TRY(answered(event, "cannot ask for a topic's id", error));
    size_t count;
    const rd_kafka_TopicDescription_t **found =
        rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event), &count);
    if (count == 0) return PS_AGAIN;
    const rd_kafka_error_t *failure = rd_kafka_TopicDescription_error(found[0]);
    const rd_kafka_resp_err_t err = rd_kafka_error_code(failure);
    if (err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || ps_kafka_is_away(err)) return PS_AGAIN;
    if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
        return ps_fail(error, PS_IO, "cannot ask for the id of topic %s: %s%s", topic,
                       rd_kafka_error_string(failure), ps_kafka_advice(err));
    const char *text = rd_kafka_Uuid_base64str(rd_kafka_TopicDescription_topic_id(found[0]));
    if (text == NULL || text[0] == '\0' || strcmp(text, none) == 0)
        return ps_fail(error, PS_UNSUPPORTED,
                       "topic %s has no id: brokers older than Kafka 2.8 give none", topic);
    (void)snprintf(id, id_bytes, "%s", text);
    /* The alphabet of names and addresses, as Kafka's tools have it. */
    for (char *at = id; *at != '\0'; at++) *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    return PS_OK;
}

ps_status ps_kafka_topic_id(rd_kafka_t *client, const char *topic, int timeout_ms, char *id,
                            size_t id_bytes, ps_error *error) {
    rd_kafka_TopicCollection_t *wanted = rd_kafka_TopicCollection_of_topic_names(&topic, 1);
    request r = request_within(client, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout_ms);
    rd_kafka_DescribeTopics(client, wanted, r.options, r.queue);
    rd_kafka_event_t *event = request_wait(&r);
    const ps_status status = take_id(event, topic, id, id_bytes, error);
    request_end(&r, event);
    rd_kafka_TopicCollection_destroy(wanted);
    return status;
}
#else
ps_status ps_kafka_topic_id(rd_kafka_t *client, const char *topic, int timeout_ms, char *id,
                            size_t id_bytes, ps_error *error) {
    (void)client, (void)timeout_ms, (void)id, (void)id_bytes;
    return ps_fail(error, PS_UNSUPPORTED,
                   "this librdkafka cannot ask for the id of topic %s: build with 2.3 or newer",
                   topic);
}
#endif

static void take_limit(const rd_kafka_ConfigResource_t *answer, ps_kafka_limit *limit) {
    size_t entries = 0;
    const rd_kafka_ConfigEntry_t **entry = rd_kafka_ConfigResource_configs(answer, &entries);
    limit->refused = rd_kafka_ConfigResource_error(answer);
    for (size_t e = 0; e < entries; e++) {
        const char *const name = rd_kafka_ConfigEntry_name(entry[e]);
        const char *const value = rd_kafka_ConfigEntry_value(entry[e]);
        if (value == NULL) continue;
        if (strcmp(name, "max.message.bytes") == 0)
            limit->bytes_max = (uint32_t)strtoul(value, NULL, 10);
        if (strcmp(name, "cleanup.policy") != 0) continue;
        limit->has_cleanup = true;
        limit->compacts = strstr(value, "compact") != NULL;
    }
}

void ps_kafka_limits(rd_kafka_t *client, ps_kafka_limit *limits, uint32_t count, int timeout_ms) {
    rd_kafka_ConfigResource_t *wanted[PS_TOPICS_MAX];
    size_t answers = 0;
    PS_CHECK_OP(count, <=, (uint32_t)PS_TOPICS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        limits[i] = (ps_kafka_limit){.topic = limits[i].topic};
        wanted[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, limits[i].topic);
    }
    request r = request_within(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout_ms);
    rd_kafka_DescribeConfigs(client, wanted, count, r.options, r.queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(r.queue, timeout_ms);
    const rd_kafka_ConfigResource_t **answer =
        event == NULL || rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR
            ? NULL
            : rd_kafka_DescribeConfigs_result_resources(
                  rd_kafka_event_DescribeConfigs_result(event), &answers);
    for (size_t a = 0; answer != NULL && a < answers; a++)
        for (uint32_t i = 0; i < count; i++)
            if (strcmp(limits[i].topic, rd_kafka_ConfigResource_name(answer[a])) == 0)
                take_limit(answer[a], &limits[i]);
    request_end(&r, event);
    rd_kafka_ConfigResource_destroy_array(wanted, count);
}

static ps_status deleted(rd_kafka_event_t *event, ps_error *error) {
    const ps_status status = answered(event, "cannot delete records", error);
    if (event == NULL || ps_kafka_is_away(rd_kafka_event_error(event))) return PS_AGAIN;
    PS_TRY(status);
    const rd_kafka_topic_partition_list_t *list =
        rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR)
            return ps_fail(error, ps_kafka_is_away(list->elems[i].err) ? PS_AGAIN : PS_IO,
                           "cannot delete records of %s/%d: %s; is this user allowed to delete?",
                           list->elems[i].topic, list->elems[i].partition,
                           rd_kafka_err2str(list->elems[i].err));
    return PS_OK;
}

ps_status ps_kafka_delete_records(rd_kafka_t *client, const ps_kafka_offset *before, uint32_t count,
                                  int timeout_ms, ps_error *error) {
    rd_kafka_topic_partition_list_t *list = list_of(before, count);
    rd_kafka_DeleteRecords_t *wanted = rd_kafka_DeleteRecords_new(list);
    request r = request_within(client, RD_KAFKA_ADMIN_OP_DELETERECORDS, timeout_ms);
    rd_kafka_DeleteRecords(client, &wanted, 1, r.options, r.queue);
    rd_kafka_event_t *event = request_wait(&r);
    const ps_status status = deleted(event, error);
    request_end(&r, event);
    rd_kafka_DeleteRecords_destroy(wanted);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

ps_status ps_kafka_brokers_count(rd_kafka_t *client, int timeout_ms, uint32_t *count) {
    const struct rd_kafka_metadata *metadata = NULL;
    if (rd_kafka_metadata(client, 0, NULL, &metadata, timeout_ms) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return PS_AGAIN;
    *count = (uint32_t)metadata->broker_cnt;
    rd_kafka_metadata_destroy(metadata);
    return *count == 0 ? PS_AGAIN : PS_OK;
}
