/* SPDX-License-Identifier: Apache-2.0
 * Numbers as people write them in a pipeline file or on a command line, and as they read them back:
 * strict both ways, so that `5 ms`, `1e3x` or an overflow is a message and never a guess.
 */
#ifndef PS_HOST_BASE_TEXT_H
#define PS_HOST_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each accepts the whole text or nothing. */
bool ps_text_integer(const char *text, int64_t *value);
bool ps_text_number(const char *text, double *value); /* finite decimals only */
bool ps_text_duration(const char *text, int64_t *ns); /* 5ms, 1.5s, 2h; a bare 0 */
bool ps_text_size(const char *text, int64_t *bytes);  /* 512MiB, 64kB, 4096 */

enum { PS_TEXT_NUMBER_MAX = 40 };

/* Into PS_TEXT_NUMBER_MAX bytes; the text is returned. Durations and sizes take the largest unit
 * that is exact. */
const char *ps_text_from_duration(int64_t ns, char *text);
const char *ps_text_from_size(int64_t bytes, char *text);
const char *ps_text_from_count(uint64_t count, char *text); /* 1,234,567 */
const char *ps_text_about_size(double bytes, char *text);   /* rounded: 238.4 MiB */
const char *ps_text_about_count(double count, char *text);  /* rounded: 1.23 M */

/* Letters, digits, '.', '_' and '-', up to `length_max` of them, neither "." nor "..": what Kafka
 * takes as a topic's name where that is PS_TEXT_TOPIC_MAX. */
enum { PS_TEXT_TOPIC_MAX = 249 };
bool ps_text_is_name(const char *text, size_t length_max);

/* Edits (insert, delete, replace, swap neighbours) that turn one word into the other. */
uint32_t ps_text_distance(const char *left, const char *right);

/* "Did you mean": offer every candidate, then take the best one, NULL where none is near enough to
 * be a typo. */
typedef struct ps_nearest {
    const char *word, *best;
    uint32_t distance;
} ps_nearest;

ps_nearest ps_nearest_to(const char *word);
void ps_nearest_offer(ps_nearest *nearest, const char *candidate);
const char *ps_nearest_take(const ps_nearest *nearest);

/* Words of "a|b|c": how many, where one starts, which index a word has. */
bool ps_words_find(const char *words, const char *word, uint32_t *index);
const char *ps_words_at(const char *words, uint32_t index, size_t *length);

#endif
