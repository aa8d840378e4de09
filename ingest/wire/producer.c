/* SPDX-License-Identifier: Apache-2.0 */
#include "ingest/wire/producer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/base/check.h"
#include "host/base/clock.h"
#include "ingest/wire/producer_parts.h"

/* A batch keeps a tag for each record: so small are the records of a batch at least, else it ends
 * before it is full. */
enum { RECORD_BYTES_MIN = 64 };

static uint32_t tags_of(size_t bytes) {
    return (uint32_t)(bytes / RECORD_BYTES_MIN) + 1;
}

static size_t outlets_of(const ps_wire_producer_recipe *recipe) {
    return (size_t)recipe->topic_count * recipe->partitions_max;
}

static uint32_t produces_of(const ps_wire_producer_recipe *recipe) {
    /* No more than there are batches, and enough for some brokers at a time. */
    return recipe->batches_max < 64 ? recipe->batches_max : 64;
}

static size_t largest_of(const ps_wire_producer_recipe *recipe) {
    return recipe->record_bytes > recipe->batch_bytes ? recipe->record_bytes : recipe->batch_bytes;
}

static size_t packing_of(const ps_wire_producer_recipe *recipe) {
    const ps_wire_codec codec = (ps_wire_codec)recipe->codec;
    if (codec == PS_WIRE_NONE) return 0;
    return ps_wire_packer_bytes(codec, largest_of(recipe)) +
           ps_wire_packed_bound(codec, largest_of(recipe));
}

size_t ps_wire_producer_bytes(const ps_wire_producer_recipe *recipe) {
    /* What compresses, batches, what their rows' tags take, what is known of them, partitions,
     * requests. */
    return packing_of(recipe) + recipe->batches_max * recipe->batch_bytes +
           PS_WIRE_LARGE_LOADS * recipe->record_bytes +
           (recipe->batches_max * (size_t)tags_of(recipe->batch_bytes) + PS_WIRE_LARGE_LOADS) *
               sizeof(uint64_t) +
           (recipe->batches_max + PS_WIRE_LARGE_LOADS) * sizeof(ps_wire_load) +
           outlets_of(recipe) * (sizeof(ps_wire_outlet) + sizeof(uint32_t)) +
           produces_of(recipe) * sizeof(ps_wire_produce) + sizeof(ps_wire_producer);
}

static void share_out(ps_wire_producer *producer) {
    const ps_wire_producer_recipe *recipe = &producer->recipe;
    const uint32_t tags = tags_of(recipe->batch_bytes);
    uint8_t *memory = producer->memory, *large = producer->large_memory;
    for (uint32_t i = 0; i < recipe->batches_max + PS_WIRE_LARGE_LOADS; i++) {
        ps_wire_load *load = &producer->loads[i];
        load->large = i >= recipe->batches_max;
        load->room = load->large ? recipe->record_bytes : recipe->batch_bytes;
        load->memory = load->large ? large : memory;
        load->tags_max = load->large ? 1 : tags;
        load->tags = producer->tags +
                     (load->large ? (size_t)recipe->batches_max * tags + i - recipe->batches_max
                                  : (size_t)i * tags);
        *(load->large ? &large : &memory) += load->room;
        ps_wire_load_free(producer, load);
    }
}

static ps_status open_packer(ps_wire_producer *producer, ps_error *error) {
    const ps_wire_codec codec = (ps_wire_codec)producer->recipe.codec;
    const size_t largest = largest_of(&producer->recipe);
    if (codec == PS_WIRE_NONE) return PS_OK;
    producer->packed_bytes = ps_wire_packed_bound(codec, largest);
    producer->packed = malloc(producer->packed_bytes);
    if (producer->packed == NULL)
        return ps_fail(error, PS_NO_MEMORY, "no memory to compress batches of %zu bytes with",
                       largest);
    return ps_wire_packer_open(codec, largest, &producer->packer, error);
}

ps_status ps_wire_producer_open(const ps_wire_producer_recipe *recipe, ps_wire_producer **out,
                                ps_error *error) {
    PS_CHECK_OP(recipe->topic_count, <=, (uint32_t)PS_WIRE_TOPICS_MAX);
    ps_wire_producer *producer = calloc(1, sizeof *producer);
    if (producer == NULL) return ps_fail(error, PS_NO_MEMORY, "no memory for a producer");
    producer->recipe = *recipe;
    producer->client = recipe->client;
    producer->id = -1;
    producer->epoch = -1;
    producer->due_ns = INT64_MAX;
    producer->produces_max = produces_of(recipe);
    const size_t loads = recipe->batches_max + PS_WIRE_LARGE_LOADS;
    const size_t tags =
        recipe->batches_max * (size_t)tags_of(recipe->batch_bytes) + PS_WIRE_LARGE_LOADS;
    producer->outlet = calloc(outlets_of(recipe), sizeof *producer->outlet);
    producer->active = calloc(outlets_of(recipe), sizeof *producer->active);
    producer->loads = calloc(loads, sizeof *producer->loads);
    producer->tags = malloc(tags * sizeof *producer->tags);
    producer->memory = malloc(recipe->batches_max * recipe->batch_bytes);
    producer->large_memory = malloc(PS_WIRE_LARGE_LOADS * recipe->record_bytes);
    producer->produces = calloc(producer->produces_max, sizeof *producer->produces);
    if (producer->outlet == NULL || producer->active == NULL || producer->loads == NULL ||
        producer->tags == NULL || producer->memory == NULL || producer->large_memory == NULL ||
        producer->produces == NULL) {
        ps_wire_producer_close(producer);
        return ps_fail(error, PS_NO_MEMORY, "no memory for a producer's batches");
    }
    const ps_status status = open_packer(producer, error);
    if (status != PS_OK) {
        ps_wire_producer_close(producer);
        return status;
    }
    producer->fill = recipe->batch_bytes;
    for (uint32_t t = 0; t < recipe->topic_count; t++) producer->limit[t] = recipe->record_bytes;
    for (uint32_t i = 0; i < producer->produces_max; i++) producer->produces[i].producer = producer;
    share_out(producer);
    *out = producer;
    return PS_OK;
}

void ps_wire_producer_close(ps_wire_producer *producer) {
    if (producer == NULL) return;
    bool asks = producer->adding;
    for (uint32_t i = 0; producer->produces != NULL && i < producer->produces_max; i++)
        asks |= producer->produces[i].busy;
    producer->dropping = true;
    if (asks) ps_wire_client_cut_all(producer->client); /* it would answer to us later */
    ps_wire_packer_close(producer->packer);
    free(producer->packed);
    free(producer->outlet);
    free(producer->active);
    free(producer->loads);
    free(producer->tags);
    free(producer->memory);
    free(producer->large_memory);
    free(producer->produces);
    free(producer);
}

void ps_wire_producer_void(ps_wire_producer *producer, ps_status status, int16_t code,
                           const char *format, ...) {
    if (producer->status != PS_OK) return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(producer->error.message, sizeof producer->error.message, format, arguments);
    va_end(arguments);
    /* That a record is too large is not what put is to answer. */
    producer->status = status == PS_UNSUPPORTED ? PS_IO : status;
    producer->code = code;
}

void ps_wire_load_free(ps_wire_producer *producer, ps_wire_load *load) {
    ps_wire_load **list = load->large ? &producer->free_large : &producer->free;
    load->next = *list;
    *list = load;
}

/* It stays as it is where that makes it no smaller. */
static void compress(ps_wire_producer *producer, ps_wire_load *load) {
    ps_wire_writer packed;
    ps_wire_writer_begin(&packed, producer->packed, producer->packed_bytes);
    if (!ps_wire_pack(producer->packer, &load->writer, &packed)) return;
    if (packed.used >= load->writer.used) return;
    memcpy(load->memory + PS_WIRE_BATCH_HEADER, producer->packed + PS_WIRE_BATCH_HEADER,
           packed.used - PS_WIRE_BATCH_HEADER);
    packed.memory = load->memory;
    packed.room = load->room;
    load->writer = packed;
}

void ps_wire_load_close(ps_wire_producer *producer, ps_wire_outlet *outlet) {
    ps_wire_load *load = outlet->open;
    if (load == NULL) return;
    if (producer->packer != NULL) compress(producer, load);
    outlet->open = NULL;
    load->next = NULL;
    if (outlet->first == NULL)
        outlet->first = load;
    else
        outlet->last->next = load;
    outlet->last = load;
}

void ps_wire_producer_limit(ps_wire_producer *producer, uint32_t topic, size_t bytes) {
    PS_CHECK_OP(topic, <, producer->recipe.topic_count);
    producer->limit[topic] =
        bytes < producer->recipe.record_bytes ? bytes : producer->recipe.record_bytes;
}

void ps_wire_producer_fill(ps_wire_producer *producer, size_t bytes) {
    if (bytes > producer->recipe.batch_bytes) bytes = producer->recipe.batch_bytes;
    if (bytes < PS_WIRE_BATCH_HEADER) bytes = PS_WIRE_BATCH_HEADER;
    producer->fill = bytes;
    for (uint32_t i = 0; i < producer->active_count; i++) {
        ps_wire_load *load = producer->outlet[producer->active[i]].open;
        if (load == NULL || load->writer.room <= bytes) continue;
        load->writer.room = load->writer.used > bytes ? load->writer.used : bytes;
    }
}

/* For a first row with which it has so many bytes. */
static bool open_load(ps_wire_producer *producer, uint32_t topic, uint32_t partition,
                      size_t bytes) {
    const bool large = bytes > producer->recipe.batch_bytes;
    ps_wire_load **list = large ? &producer->free_large : &producer->free;
    ps_wire_load *load = *list;
    if (load == NULL) return false;
    *list = load->next;
    load->topic = topic;
    load->partition = partition;
    load->sequence = -1;
    load->sent = load->done = false;
    load->opened_ns = ps_clock_ns();
    if (load->opened_ns + producer->recipe.linger_ns < producer->due_ns)
        producer->due_ns = load->opened_ns + producer->recipe.linger_ns;
    const size_t limit = producer->limit[topic];
    const size_t most = bytes > producer->fill ? bytes : producer->fill;
    ps_wire_writer_begin(&load->writer, load->memory, most < limit ? most : limit);
    ps_wire_outlet *outlet = ps_wire_outlet_of(producer, topic, partition);
    outlet->open = load;
    if (!outlet->active)
        producer->active[producer->active_count++] = (uint32_t)(outlet - producer->outlet);
    outlet->active = true;
    return true;
}

static bool append(ps_wire_producer *producer, ps_wire_outlet *outlet, const ps_wire_row *row,
                   uint64_t tag) {
    ps_wire_load *load = outlet->open;
    if (load == NULL || load->writer.count >= load->tags_max) return false;
    if (!ps_wire_writer_add(&load->writer, row)) return false;
    load->tags[load->writer.count - 1] = tag;
    producer->waiting++;
    return true;
}

ps_status ps_wire_producer_put(ps_wire_producer *producer, uint32_t topic, uint32_t partition,
                               const ps_wire_row *row, uint64_t tag) {
    ps_wire_outlet *outlet = ps_wire_outlet_of(producer, topic, partition);
    if (__builtin_expect(producer->status != PS_OK, 0)) return producer->status;
    if (__builtin_expect(append(producer, outlet, row, tag), 1)) return PS_OK;
    const size_t bytes = PS_WIRE_BATCH_HEADER + ps_wire_row_bytes(row);
    const size_t limit = producer->limit[topic];
    if (bytes > limit) return PS_UNSUPPORTED;
    if (outlet->open != NULL) producer->due_ns = 0;
    ps_wire_load_close(producer, outlet);
    if (!open_load(producer, topic, partition, bytes)) {
        producer->hurries = true;
        producer->due_ns = 0;
        return PS_AGAIN;
    }
    PS_CHECK(append(producer, outlet, row, tag));
    if (bytes > producer->fill) ps_wire_load_close(producer, outlet);
    return PS_OK;
}

uint8_t *ps_wire_producer_draft(ps_wire_producer *producer, uint32_t topic, uint32_t partition,
                                const ps_wire_row *row, size_t most, ps_wire_draft *draft) {
    ps_wire_load *load = ps_wire_outlet_of(producer, topic, partition)->open;
    if (producer->status != PS_OK || load == NULL || load->writer.count >= load->tags_max)
        return NULL;
    draft->owner = load;
    return ps_wire_writer_open(&load->writer, row, most, draft);
}

void ps_wire_producer_drafted(ps_wire_producer *producer, const ps_wire_draft *draft,
                              const uint8_t *end, uint32_t count, uint64_t tag) {
    ps_wire_load *load = draft->owner;
    load->tags[load->writer.count] = tag;
    ps_wire_writer_close(draft, end, count);
    producer->waiting++;
}

int16_t ps_wire_producer_code(const ps_wire_producer *producer) {
    return producer->code;
}

bool ps_wire_producer_stalled(ps_wire_producer *producer, int64_t before_ns, ps_wire_stalled *out) {
    out->since_ns = before_ns;
    bool some = false;
    for (uint32_t i = 0; i < producer->active_count; i++) {
        const ps_wire_outlet *outlet = &producer->outlet[producer->active[i]];
        if (outlet->first == NULL) continue;
        const int64_t since_ns = outlet->first->opened_ns + producer->recipe.linger_ns;
        if (since_ns >= out->since_ns) continue;
        some = true;
        *out = (ps_wire_stalled){outlet->first->topic, outlet->first->partition, outlet->failing,
                                 since_ns};
    }
    return some;
}

uint64_t ps_wire_producer_waiting(const ps_wire_producer *producer) {
    return producer->waiting;
}

bool ps_wire_producer_doubts(const ps_wire_producer *producer) {
    return producer->doubts && ps_wire_first_dialect(producer);
}

/* A request takes one batch of each partition: they leave together. */
static ps_status send_due(ps_wire_producer *producer, int64_t now_ns, ps_error *error) {
    const uint32_t before = ps_wire_client_sent(producer->client);
    uint32_t sent = before;
    if (producer->status == PS_OK && ps_wire_first_dialect(producer))
        PS_TRY(ps_wire_add_partitions(producer, now_ns, error));
    for (bool more = true; more && producer->status == PS_OK;) {
        PS_TRY(ps_wire_produce_due(producer, now_ns, error));
        more = ps_wire_client_sent(producer->client) != sent;
        sent = ps_wire_client_sent(producer->client);
    }
    if (ps_wire_client_sent(producer->client) == before) return PS_OK;
    return ps_wire_client_push(producer->client, error);
}

ps_status ps_wire_producer_step(ps_wire_producer *producer, int64_t now_ns, ps_error *error) {
    PS_TRY(ps_wire_client_step(producer->client, now_ns, error));
    PS_TRY(send_due(producer, now_ns, error));
    if (producer->status != PS_OK && error != NULL) *error = producer->error;
    return producer->status;
}

int64_t ps_wire_producer_deadline(const ps_wire_producer *producer) {
    const int64_t client_ns = ps_wire_client_deadline(producer->client);
    return client_ns < producer->due_ns ? client_ns : producer->due_ns;
}
