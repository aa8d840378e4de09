/* SPDX-License-Identifier: Apache-2.0
 * Reads a topic by ingest/wire, appends headers to each record and writes it to another topic, with
 * the offsets, in transactions: the worker's data path with nothing in between. What it writes is
 * judged by the acceptance checker. A line of JSON at the end says what a record cost.
 *
 * It stops at the end that the source had when it came there, or after so many seconds. Any
 * trouble: a new producer's epoch, and back to what is committed, as the worker does.
 */
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "host/base/clock.h"
#include "ingest/wire/error.h"
#include "ingest/wire/fetcher.h"
#include "ingest/wire/producer.h"
#include "simd/dispatch.h"
#include "tests/integration/client.h"

enum {
    PARTITIONS_MAX = 256,
    NODES_MAX = 16,
    PATIENCE_S = 60,
    HEADERS_MAX = 4,
    SCRATCH = 1 << 16,
    SOURCE_MAX = 300,
    WARM_COMMITS = 3
};

typedef struct copier {
    const char *brokers, *from, *to, *group, *id;
    int64_t interval_ns, stop_ns;
    uint32_t headers, fetch_kib, batch_kib, batches, codec;
    int64_t linger_ns;
    ps_wire_client *reads, *writes;
    ps_wire_fetcher *fetcher;
    ps_wire_producer *producer;
    uint32_t partitions;
    int64_t next[PARTITIONS_MAX]; /* behind what was put */
    int64_t safe[PARTITIONS_MAX]; /* as committed */
    int64_t end[PARTITIONS_MAX];  /* as seen first, -1: not yet */
    uint64_t copied, commits, resets;
    uint64_t warm_copied; /* before what is counted: memory was touched for the first time */
    struct rusage warm;
    uint8_t packed[SCRATCH];
    char source[SOURCE_MAX + 24];
    uint32_t source_bytes, source_partition;
} copier;

static void sent(void *opaque, const ps_wire_sent *batch) {
    (void)opaque;
    if (batch->code != 0)
        client_die("partition %u refuses a batch of %u records: %s", batch->partition, batch->count,
                   ps_wire_error_name(batch->code));
}

static bool knows(void *opaque) {
    const ps_wire_topic *topic = ps_wire_client_topic(opaque, 0);
    return topic->known && topic->error_code == 0 && topic->partitions > 0;
}

static ps_wire_client *open_client(const copier *c, const char *const *topic, const char *group,
                                   const char *id) {
    const ps_wire_client_recipe recipe = {.brokers = c->brokers,
                                          .client_id = "wire-copy",
                                          .topics = topic,
                                          .topic_count = 1,
                                          .nodes_max = NODES_MAX,
                                          .partitions_max = PARTITIONS_MAX,
                                          .receive_bytes = {8 << 20, 1 << 20, 1 << 20},
                                          .keys = {group, id}};
    ps_wire_client *client;
    ps_error why;
    if (ps_wire_client_open(&recipe, &client, &why) != PS_OK) client_die("%s", why.message);
    const int64_t until = ps_clock_ns() + PATIENCE_S * PS_NS_PER_S;
    if (ps_wire_client_wait(client, knows, client, until, &why) != PS_OK)
        client_die("%s: %s", *topic, ps_wire_client_trouble(client));
    return client;
}

static void open_all(copier *c) {
    ps_error why;
    c->reads = open_client(c, &c->from, NULL, NULL);
    c->writes = open_client(c, &c->to, c->group, c->id);
    c->partitions = ps_wire_client_topic(c->reads, 0)->partitions;
    const ps_wire_fetcher_recipe reads = {.client = c->reads,
                                          .partitions = PARTITIONS_MAX,
                                          .read_committed = true,
                                          .partition_bytes = (int32_t)c->fetch_kib << 10,
                                          .answer_bytes = 4 << 20,
                                          .least_bytes = 1,
                                          .wait_ms = 100,
                                          .unpacked_max = 4 << 20};
    if (ps_wire_fetcher_open(&reads, &c->fetcher, &why) != PS_OK) client_die("%s", why.message);
    const ps_wire_producer_recipe writes = {.client = c->writes,
                                            .topics = &c->to,
                                            .topic_count = 1,
                                            .partitions_max = PARTITIONS_MAX,
                                            .transactional = c->id,
                                            .group = c->group,
                                            .transaction_ms = 15000,
                                            .batch_bytes = (size_t)c->batch_kib << 10,
                                            .record_bytes = 1 << 20,
                                            .batches_max = c->batches,
                                            .codec = (uint8_t)c->codec,
                                            .linger_ns = c->linger_ns,
                                            .timeout_ns = 5 * PS_NS_PER_S,
                                            .sent = sent};
    if (ps_wire_producer_open(&writes, &c->producer, &why) != PS_OK) client_die("%s", why.message);
}

/* Where the group stands; what is still being decided is waited for. */
static bool ask_committed(copier *c) {
    int32_t numbers[PARTITIONS_MAX];
    for (uint32_t p = 0; p < c->partitions; p++) numbers[p] = (int32_t)p;
    const ps_wire_offset_fetch_request_offset_fetch_request_topics topic = {
        .name = {(const uint8_t *)c->from, (uint32_t)strlen(c->from)},
        .partition_indexes_count = (int32_t)c->partitions,
        .partition_indexes = numbers};
    const ps_wire_offset_fetch_request_offset_fetch_request_group group = {
        .group_id = {(const uint8_t *)c->group, (uint32_t)strlen(c->group)},
        .member_id = {NULL, PS_NULL_LENGTH},
        .member_epoch = -1,
        .topics_count = 1,
        .topics = &topic};
    const ps_wire_offset_fetch_request request = {
        .groups_count = 1, .groups = &group, .require_stable = true};
    const int32_t node = ps_wire_client_coordinator(c->writes, PS_WIRE_OF_GROUP);
    const void *response;
    int16_t version;
    ps_error why;
    if (node < 0) return false;
    const ps_wire_call call = {.node = node,
                               .line = PS_WIRE_CONTROL,
                               .api = PS_WIRE_OFFSET_FETCH,
                               .version = -1,
                               .request = &request,
                               .timeout_ns = 5 * PS_NS_PER_S};
    if (ps_wire_client_ask(c->writes, &call, ps_clock_ns() + 5 * PS_NS_PER_S, &version, &response,
                           &why) != PS_OK)
        return false;
    const ps_wire_offset_fetch_response *told = response;
    if (told->groups_count != 1 || told->groups[0].error_code != 0) return false;
    for (int32_t i = 0; i < told->groups[0].topics[0].partitions_count; i++) {
        if (told->groups[0].topics[0].partitions[i].error_code != 0) return false;
        c->safe[told->groups[0].topics[0].partitions[i].partition_index] =
            told->groups[0].topics[0].partitions[i].committed_offset;
    }
    return true;
}

/* A new epoch, and everything again from what is committed. */
static void begin(copier *c) {
    const int64_t until = ps_clock_ns() + PATIENCE_S * PS_NS_PER_S;
    ps_error why = {""};
    ps_status status;
    while ((status = ps_wire_producer_init(c->producer, until, &why)) == PS_ABORTED) {}
    if (status != PS_OK) {
        (void)fprintf(stderr, "wire_copy: %s\n", why.message);
        exit(status == PS_FENCED ? 4 : 2);
    }
    while (!ask_committed(c)) {
        if (ps_clock_ns() > until)
            client_die("the group's offsets: %s", ps_wire_client_trouble(c->writes));
        const ps_status waited =
            ps_wire_client_wait(c->writes, NULL, NULL, ps_clock_ns() + 20 * PS_NS_PER_MS, &why);
        if (waited != PS_OK && waited != PS_AGAIN) client_die("%s", why.message);
    }
    for (uint32_t p = 0; p < c->partitions; p++) {
        c->next[p] = c->safe[p];
        ps_wire_fetcher_start(c->fetcher, p, 0, p, c->safe[p] >= 0 ? c->safe[p] : PS_WIRE_EARLIEST);
    }
}

/* topic/partition/offset. Of a run of records only the offset is another one. */
static ps_bytes source_of(copier *c, uint32_t partition, int64_t offset) {
    char digits[24], *at = digits + sizeof digits;
    if (c->source_bytes == 0 || c->source_partition != partition) {
        c->source_partition = partition;
        c->source_bytes = (uint32_t)snprintf(c->source, SOURCE_MAX, "%s/%u/", c->from, partition);
    }
    do *--at = (char)('0' + offset % 10);
    while ((offset /= 10) > 0);
    const uint32_t count = (uint32_t)(digits + sizeof digits - at);
    memcpy(c->source + c->source_bytes, at, count);
    return (ps_bytes){(const uint8_t *)c->source, c->source_bytes + count};
}

/* False: no buffer is free now. */
static bool put(copier *c, const ps_wire_fetched *f) {
    static const char digest[] = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    const ps_wire_record *r = &f->record;
    const ps_header added[HEADERS_MAX] = {
        {{(const uint8_t *)"ps-source", 9}, source_of(c, f->partition, r->offset)},
        {{(const uint8_t *)"ps-sha256", 9}, {(const uint8_t *)digest, 64}},
        {{(const uint8_t *)"ps-score", 8}, {(const uint8_t *)"0.1234567", 9}},
        {{(const uint8_t *)"ps-anomaly", 10}, {(const uint8_t *)"false", 5}}};
    ps_wire_row row = {.timestamp_ms = r->timestamp_ms,
                       .key = r->key,
                       .value = r->value,
                       .packed = {NULL, PS_NULL_LENGTH},
                       .added = added,
                       .added_count = c->headers};
    if (r->header_count > 0) {
        const size_t bytes = ps_wire_headers_pack(r->headers, r->header_count, c->packed, SCRATCH);
        row.packed = (ps_bytes){c->packed, (uint32_t)bytes};
        row.packed_count = r->header_count;
    }
    const ps_status status = ps_wire_producer_put(c->producer, 0, f->partition, &row, c->copied);
    if (status == PS_UNSUPPORTED) client_die("a record of %u bytes is too large", r->value.length);
    return status == PS_OK;
}

/* Takes what is there; false: it must wait for buffers. */
static bool take(copier *c) {
    ps_wire_fetched f;
    ps_error why = {""};
    while (ps_wire_fetcher_next(c->fetcher, &f, &why) == PS_OK) {
        if (f.news == PS_WIRE_RECORD) {
            if (!put(c, &f)) return false;
            c->next[f.partition] = f.record.offset + 1;
            c->copied++;
        } else if (f.news == PS_WIRE_PASSED || f.news == PS_WIRE_END) {
            if (f.next > c->next[f.partition]) c->next[f.partition] = f.next;
            if (f.news == PS_WIRE_END && c->end[f.partition] < 0) c->end[f.partition] = f.next;
        } else {
            client_die("partition %u at %" PRId64 ": news %d, code %d %s", f.partition, f.next,
                       f.news, f.code, why.message);
        }
        ps_wire_fetcher_taken(c->fetcher);
    }
    return true;
}

static ps_status commit(copier *c, ps_error *why) {
    static const ps_wire_member nobody = {.generation = -1, .id = ""};
    ps_wire_offset moved[PARTITIONS_MAX];
    ps_wire_offsets all = {.topic = c->from, .at = moved};
    for (uint32_t p = 0; p < c->partitions; p++)
        if (c->next[p] > c->safe[p]) moved[all.count++] = (ps_wire_offset){p, c->next[p]};
    PS_TRY(ps_wire_producer_commit(c->producer, &all, all.count > 0, &nobody,
                                   ps_clock_ns() + 15 * PS_NS_PER_S, why));
    memcpy(c->safe, c->next, sizeof c->safe);
    if (++c->commits == WARM_COMMITS) {
        c->warm_copied = c->copied;
        (void)getrusage(RUSAGE_SELF, &c->warm);
    }
    return PS_OK;
}

static bool has_news(const copier *c) {
    return memcmp(c->next, c->safe, c->partitions * sizeof *c->next) != 0;
}

static bool is_over(const copier *c) {
    bool all = true;
    for (uint32_t p = 0; p < c->partitions; p++)
        all = all && c->end[p] >= 0 && c->safe[p] >= c->end[p];
    return c->stop_ns == 0 ? all : ps_clock_ns() > c->stop_ns && !has_news(c);
}

static void rest(const copier *c, int64_t until) {
    int64_t at = until;
    const int64_t reads = ps_wire_fetcher_deadline(c->fetcher);
    const int64_t writes = ps_wire_producer_deadline(c->producer);
    if (reads < at) at = reads;
    if (writes < at) at = writes;
    int64_t left = at - ps_clock_ns();
    if (left <= 0) return;
    if (left > PS_NS_PER_S) left = PS_NS_PER_S;
    const struct timespec time = {left / PS_NS_PER_S, left % PS_NS_PER_S};
    struct pollfd both[] = {{.fd = ps_wire_client_fd(c->reads), .events = POLLIN},
                            {.fd = ps_wire_client_fd(c->writes), .events = POLLIN}};
    (void)ppoll(both, 2, &time, NULL);
}

static ps_status round_of(copier *c, int64_t *began, ps_error *why) {
    const int64_t now = ps_clock_ns();
    PS_TRY(ps_wire_fetcher_step(c->fetcher, now, why));
    PS_TRY(ps_wire_producer_step(c->producer, now, why));
    (void)take(c);
    PS_TRY(ps_wire_producer_step(c->producer, ps_clock_ns(), why));
    const bool news = has_news(c);
    if (!news) *began = ps_clock_ns();
    if (news && ps_clock_ns() - *began >= c->interval_ns) {
        PS_TRY(commit(c, why));
        *began = ps_clock_ns();
        if (ps_wire_producer_doubts(c->producer)) return PS_ABORTED;
    }
    rest(c, *began + c->interval_ns);
    return PS_OK;
}

static void copy(copier *c) {
    int64_t began = ps_clock_ns();
    while (!is_over(c)) {
        ps_error why = {""};
        const ps_status status = round_of(c, &began, &why);
        if (status == PS_OK) continue;
        (void)fprintf(stderr, "wire_copy: %s; going back to what is committed\n",
                      status == PS_ABORTED && why.message[0] == '\0' ? "doubts" : why.message);
        if (status != PS_ABORTED && status != PS_AGAIN) exit(status == PS_FENCED ? 4 : 2);
        c->resets++;
        begin(c);
    }
}

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"brokers", required_argument, NULL, 'b'},   {"from", required_argument, NULL, 'f'},
        {"to", required_argument, NULL, 't'},        {"group", required_argument, NULL, 'g'},
        {"id", required_argument, NULL, 'i'},        {"interval-ms", required_argument, NULL, 'm'},
        {"headers", required_argument, NULL, 'n'},   {"seconds", required_argument, NULL, 's'},
        {"fetch-kib", required_argument, NULL, 'F'}, {"batch-kib", required_argument, NULL, 'B'},
        {"batches", required_argument, NULL, 'N'},   {"codec", required_argument, NULL, 'C'},
        {"linger-ms", required_argument, NULL, 'L'}, {NULL, 0, NULL, 0}};
    static copier c = {.interval_ns = 100 * PS_NS_PER_MS,
                       .headers = HEADERS_MAX,
                       .fetch_kib = 256,
                       .batch_kib = 256,
                       .batches = 64,
                       .linger_ns = 5 * PS_NS_PER_MS};
    memset(c.end, -1, sizeof c.end);
    for (int o; (o = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
        if (o == 'b') c.brokers = optarg;
        if (o == 'f') c.from = optarg;
        if (o == 't') c.to = optarg;
        if (o == 'g') c.group = optarg;
        if (o == 'i') c.id = optarg;
        if (o == 'm') c.interval_ns = strtol(optarg, NULL, 10) * PS_NS_PER_MS;
        if (o == 'n') c.headers = (uint32_t)strtoul(optarg, NULL, 10);
        if (o == 'F') c.fetch_kib = (uint32_t)strtoul(optarg, NULL, 10);
        if (o == 'B') c.batch_kib = (uint32_t)strtoul(optarg, NULL, 10);
        if (o == 'N') c.batches = (uint32_t)strtoul(optarg, NULL, 10);
        if (o == 'C') c.codec = (uint32_t)strtoul(optarg, NULL, 10);
        if (o == 'L') c.linger_ns = strtol(optarg, NULL, 10) * PS_NS_PER_MS;
        if (o == 's') c.stop_ns = ps_clock_ns() + strtol(optarg, NULL, 10) * PS_NS_PER_S;
    }
    if (c.brokers == NULL || c.from == NULL || c.to == NULL || c.group == NULL || c.id == NULL ||
        c.headers > HEADERS_MAX)
        client_die("wire_copy --brokers B --from TOPIC --to TOPIC --group G --id TRANSACTIONAL "
                   "[--interval-ms N] [--headers 0..4] [--seconds S] [--fetch-kib K] "
                   "[--batch-kib K] [--batches N] [--linger-ms N] [--codec 0..4]");
    ps_error why;
    if (ps_dispatch_init(&why) != PS_OK) client_die("%s", why.message);
    open_all(&c);
    begin(&c);
    struct rusage after;
    (void)getrusage(RUSAGE_SELF, &c.warm);
    const double from = client_seconds();
    copy(&c);
    (void)getrusage(RUSAGE_SELF, &after);
    const double took = client_seconds() - from;
    const uint64_t counted = c.copied - c.warm_copied;
    const double per = 1e9 / (double)(counted == 0 ? 1 : counted);
    printf("{\"records\":%" PRIu64 ",\"seconds\":%.3f,\"ns_user\":%.0f,\"ns_sys\":%.0f,"
           "\"commits\":%" PRIu64 ",\"resets\":%" PRIu64 ",\"rss_mib\":%ld}\n",
           c.copied, took, per * (seconds_of(after.ru_utime) - seconds_of(c.warm.ru_utime)),
           per * (seconds_of(after.ru_stime) - seconds_of(c.warm.ru_stime)), c.commits, c.resets,
           after.ru_maxrss / 1024);
    ps_wire_fetcher_close(c.fetcher);
    ps_wire_producer_close(c.producer);
    ps_wire_client_close(c.reads);
    ps_wire_client_close(c.writes);
    return 0;
}
