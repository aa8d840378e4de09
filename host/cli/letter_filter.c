/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <time.h>

#include "host/base/text.h"
#include "host/batch/rejects.h"
#include "host/cli/letters.h"
#include "ingest/number.h"

#define CODE_(name, code, left, right, detail) code,
static const char *const codes[] = {PS_REJECT_MAP(CODE_)};
#undef CODE_

/* The words of all values, which may hold several with commas between. */
static const char **split(const ps_string_list *list, ps_pool *pool, uint32_t *count) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < list->count; i++)
        for (const char *at = list->at[i]; at != NULL; at = strchr(at + 1, ',')) most++;
    const char **words = ps_pool_take(pool, (most + 1) * sizeof *words);
    *count = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        char *rest = ps_pool_text(pool, list->at[i], strlen(list->at[i]));
        for (char *word; (word = strsep(&rest, ",")) != NULL;) words[(*count)++] = word;
    }
    return words;
}

static ps_status check_code(const char *word, ps_error *error) {
    ps_nearest nearest = ps_nearest_to(word);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(codes[i], word) == 0) return PS_OK;
        ps_nearest_offer(&nearest, codes[i]);
    }
    const char *meant = ps_nearest_take(&nearest);
    if (meant != NULL)
        return ps_fail(error, PS_BAD_CONFIG, "--code: no '%s'; did you mean '%s'?", word, meant);
    char all[200] = "";
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        strncat(all, i == 0 ? "" : " ", sizeof all - strlen(all) - 1);
        strncat(all, codes[i], sizeof all - strlen(all) - 1);
    }
    return ps_fail(error, PS_BAD_CONFIG, "--code: no '%s': one of %s", word, all);
}

/* "[TOPIC/]PARTITION" */
static ps_status read_partition(const char *word, ps_pool *pool, ps_letter_place *place,
                                ps_error *error) {
    const char *slash = strrchr(word, '/');
    int64_t partition;
    if (!ps_text_integer(slash == NULL ? word : slash + 1, &partition) || partition < 0 ||
        partition > INT32_MAX || slash == word)
        return ps_fail(error, PS_BAD_CONFIG, "--partition: '%s' is not [TOPIC/]PARTITION", word);
    *place =
        (ps_letter_place){slash == NULL ? NULL : ps_pool_text(pool, word, (size_t)(slash - word)),
                          (int32_t)partition, -1};
    return PS_OK;
}

static ps_status read_source(const char *word, ps_pool *pool, ps_letter_place *place,
                             ps_error *error) {
    ps_letter letter;
    if (!ps_letter_locate(&letter, (ps_bytes){(const uint8_t *)word, (uint32_t)strlen(word)}))
        return ps_fail(error, PS_BAD_CONFIG,
                       "'%.*s' is not TOPIC/PARTITION/OFFSET as `penstock dead ls` prints it",
                       (int)strcspn(word, "="), word); /* a value may be a secret */
    *place = (ps_letter_place){ps_pool_text(pool, letter.topic, strlen(letter.topic)),
                               letter.partition, letter.offset};
    return PS_OK;
}

/* RFC 3339, a date, milliseconds since 1970, or how long ago. */
static ps_status read_time(const char *name, const char *text, int64_t *ms, ps_error *error) {
    char whole[64];
    int64_t ns;
    if (text == NULL || ps_text_integer(text, ms)) return PS_OK;
    if (ps_text_duration(text, &ns)) {
        struct timespec now;
        (void)clock_gettime(CLOCK_REALTIME, &now);
        *ms = (int64_t)now.tv_sec * 1000 - ns / 1000000;
        return PS_OK;
    }
    (void)snprintf(whole, sizeof whole, "%.40s%s", text, strlen(text) == 10 ? "T00:00:00Z" : "");
    if (ps_time_parse((const uint8_t *)whole, (uint32_t)strlen(whole), &ns) == PS_TIME_OK) {
        *ms = ns / 1000000;
        return PS_OK;
    }
    return ps_fail(error, PS_BAD_CONFIG,
                   "--%s: '%s' is no time: 2026-01-31, 2026-01-31T12:00:00Z, milliseconds since "
                   "1970, or how long ago as 2h",
                   name, text);
}

ps_status ps_letter_filter_init(ps_letter_filter *filter, const ps_letter_wish *wish, ps_pool *pool,
                                ps_error *error) {
    *filter = (ps_letter_filter){.from_ms = INT64_MIN, .until_ms = INT64_MAX};
    filter->code = split(&wish->codes, pool, &filter->codes);
    for (uint32_t i = 0; i < filter->codes; i++) PS_TRY(check_code(filter->code[i], error));
    const char **word = split(&wish->partitions, pool, &filter->partitions);
    filter->partition = ps_pool_take(pool, (filter->partitions + 1) * sizeof *filter->partition);
    for (uint32_t i = 0; i < filter->partitions; i++)
        PS_TRY(read_partition(word[i], pool, &filter->partition[i], error));
    filter->sources = wish->sources.count;
    filter->source = ps_pool_take(pool, (filter->sources + 1) * sizeof *filter->source);
    for (uint32_t i = 0; i < filter->sources; i++)
        PS_TRY(read_source(wish->sources.at[i], pool, &filter->source[i], error));
    PS_TRY(read_time("from", wish->from, &filter->from_ms, error));
    return read_time("until", wish->until, &filter->until_ms, error);
}

static bool among(const ps_letter_place *places, uint32_t count, const ps_letter *letter) {
    for (uint32_t i = 0; i < count; i++)
        if (places[i].partition == letter->partition &&
            (places[i].topic == NULL || strcmp(places[i].topic, letter->topic) == 0) &&
            (places[i].offset < 0 || places[i].offset == letter->offset))
            return true;
    return count == 0;
}

static bool has_code(const ps_letter_filter *filter, const ps_letter *letter) {
    for (uint32_t i = 0; i < filter->codes; i++)
        if (strlen(filter->code[i]) == letter->code.length &&
            memcmp(filter->code[i], letter->code.data, letter->code.length) == 0)
            return true;
    return filter->codes == 0;
}

bool ps_letter_passes(const ps_letter_filter *filter, const ps_letter *letter) {
    const bool timed = filter->from_ms != INT64_MIN || filter->until_ms != INT64_MAX;
    if (timed && (letter->timestamp_ms < 0 || letter->timestamp_ms < filter->from_ms ||
                  letter->timestamp_ms >= filter->until_ms))
        return false;
    return has_code(filter, letter) && among(filter->partition, filter->partitions, letter) &&
           among(filter->source, filter->sources, letter);
}
