/* SPDX-License-Identifier: Apache-2.0 */
#include "host/seal/note.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host/seal/base64.h"
#include "host/seal/cosignature.h"
#include "host/seal/utf8.h"
#include "host/seal/wide.h"

/* U+2014 and a blank. */
static const char dash[] = "\xE2\x80\x94 ";
enum { DASH = sizeof dash - 1, ID_BYTES = 4 };

static ps_status malformed(ps_error *error, const char *what) {
    return ps_fail(error, PS_TAMPERED, "not a signed note: %s", what);
}

static bool has_good_characters(ps_bytes bytes) {
    uint32_t character = 0;
    for (uint32_t at = 0, size = 0; at < bytes.length; at += size) {
        size = (uint32_t)ps_utf8_next(bytes.data + at, bytes.length - at, &character);
        if (size == 0 || (character < 0x20 && character != '\n')) return false;
    }
    return true;
}

/* How many bytes the base64 holds, however many, and the first of them; false: it is none. */
static bool read_head(ps_bytes base64, uint8_t *head, size_t *bytes) {
    const char *const text = (const char *)base64.data;
    uint8_t group[3];
    size_t used = 0;
    *bytes = 0;
    if (base64.length % 4 != 0) return false;
    for (uint32_t at = 0; at < base64.length; at += 4) {
        const bool last = at + 4 == base64.length;
        if (!ps_base64_read(text + at, 4, group, sizeof group, &used)) return false;
        if (!last && used != 3) return false;
        for (size_t i = 0; i < used; i++)
            if (*bytes + i < ID_BYTES) head[*bytes + i] = group[i];
        *bytes += used;
    }
    return true;
}

static ps_status parse_line(ps_bytes line, ps_note_line *out, ps_error *error) {
    uint8_t id[ID_BYTES];
    size_t bytes = 0;
    if (line.length < DASH || memcmp(line.data, dash, DASH) != 0)
        return malformed(error, "a line behind the text is no signature");
    const uint8_t *const name = line.data + DASH;
    const uint32_t left = line.length - DASH;
    const uint8_t *const blank = left == 0 ? NULL : memchr(name, ' ', left);
    if (blank == NULL) return malformed(error, "a signature has no name, or nothing behind it");
    out->name = (ps_bytes){name, (uint32_t)(blank - name)};
    out->base64 = (ps_bytes){blank + 1, left - out->name.length - 1};
    if (!ps_key_name_is_good((const char *)name, out->name.length))
        return malformed(error, "the name at a signature is none that a key can have");
    if (!read_head(out->base64, id, &bytes) || bytes <= ID_BYTES)
        return malformed(error, "a signature is not base64, or too short");
    out->id = (uint32_t)ps_wide_get(id, ID_BYTES);
    return PS_OK;
}

/* Where the last empty line begins; NULL: there is none. */
static const uint8_t *find_split(ps_bytes bytes) {
    for (uint32_t at = bytes.length; at >= 2; at--)
        if (bytes.data[at - 2] == '\n' && bytes.data[at - 1] == '\n') return bytes.data + at - 1;
    return NULL;
}

ps_status ps_note_parse(ps_bytes bytes, ps_note *out, ps_error *error) {
    out->lines = 0;
    if (bytes.length > PS_NOTE_BYTES_MAX) return malformed(error, "it is too long");
    if (!has_good_characters(bytes))
        return malformed(error, "it has control characters, or is not UTF-8");
    const uint8_t *const split = find_split(bytes);
    if (split == NULL) return malformed(error, "it has no signatures");
    const uint8_t *at = split + 1, *const end = bytes.data + bytes.length;
    if (at == end || end[-1] != '\n') return malformed(error, "its last line does not end");
    out->text = (ps_bytes){bytes.data, (uint32_t)(split - bytes.data)};
    while (at < end) {
        const uint8_t *const stop = memchr(at, '\n', (size_t)(end - at));
        if (out->lines == PS_NOTE_LINES_MAX) return malformed(error, "it has too many signatures");
        PS_TRY(parse_line((ps_bytes){at, (uint32_t)(stop - at)}, &out->line[out->lines], error));
        out->lines++;
        at = stop + 1;
    }
    return PS_OK;
}

static bool is_by(const ps_note_line *line, const ps_verifier *verifier) {
    return line->id == verifier->id && line->name.length == strlen(verifier->name) &&
           memcmp(line->name.data, verifier->name, line->name.length) == 0;
}

ps_note_verdict ps_note_verify(const ps_note *note, const ps_verifier *verifier, uint64_t *time_s) {
    uint8_t bytes[ID_BYTES + PS_COSIGNATURE_BYTES];
    uint64_t time = 0;
    size_t length = 0;
    uint32_t i = 0;
    while (i < note->lines && !is_by(&note->line[i], verifier)) i++;
    if (time_s != NULL) *time_s = 0;
    if (i == note->lines) return PS_NOTE_UNSIGNED;
    const ps_bytes base64 = note->line[i].base64;
    const bool cosigned = verifier->type == PS_KEY_COSIGNATURE;
    const size_t wanted = ID_BYTES + (cosigned ? PS_COSIGNATURE_BYTES : PS_SIGNATURE_BYTES);
    if (!ps_base64_read((const char *)base64.data, base64.length, bytes, sizeof bytes, &length) ||
        length != wanted)
        return PS_NOTE_FORGED;
    const uint8_t *const signature = bytes + ID_BYTES;
    const bool good =
        cosigned ? ps_cosignature_verify(verifier, note->text, signature, &time)
                 : ps_ed25519_verify(verifier->key, note->text.data, note->text.length, signature);
    if (good && time_s != NULL) *time_s = time;
    return good ? PS_NOTE_SIGNED : PS_NOTE_FORGED;
}

ps_status ps_note_open(ps_bytes bytes, const ps_verifier *verifiers, uint32_t count, ps_note *out,
                       ps_error *error) {
    bool is_signed = false;
    PS_TRY(ps_note_parse(bytes, out, error));
    for (uint32_t i = 0; i < count; i++) {
        const ps_note_verdict verdict = ps_note_verify(out, &verifiers[i], NULL);
        if (verdict == PS_NOTE_FORGED)
            return ps_fail(error, PS_TAMPERED, "the signature of %.200s+%08x does not fit the text",
                           verifiers[i].name, verifiers[i].id);
        is_signed |= verdict == PS_NOTE_SIGNED;
    }
    if (is_signed) return PS_OK;
    if (count != 1) return ps_fail(error, PS_TAMPERED, "no key that is known has signed this note");
    return ps_fail(error, PS_TAMPERED, "not signed by %.200s+%08x, but by %.*s+%08x",
                   verifiers[0].name, verifiers[0].id,
                   (int)(out->line[0].name.length > 200 ? 200 : out->line[0].name.length),
                   (const char *)out->line[0].name.data, out->line[0].id);
}

ps_status ps_note_sign(ps_bytes text, const ps_signer *signer, uint64_t time_s,
                       char line[PS_NOTE_LINE_MAX], size_t *length, ps_error *error) {
    uint8_t bytes[ID_BYTES + PS_COSIGNATURE_BYTES];
    uint8_t *const to = ps_wide_put(bytes, signer->verifier.id, ID_BYTES);
    size_t size = ID_BYTES + PS_SIGNATURE_BYTES;
    if (signer->verifier.type == PS_KEY_COSIGNATURE) {
        size = ID_BYTES + PS_COSIGNATURE_BYTES;
        PS_TRY(ps_cosignature_sign(signer, text, time_s, to, error));
    } else {
        PS_TRY(ps_ed25519_sign(signer->seed, text.data, text.length, to, error));
    }
    const int head = snprintf(line, PS_NOTE_LINE_MAX, "%s%s ", dash, signer->verifier.name);
    char *end = ps_base64_write(bytes, size, line + head);
    *end++ = '\n';
    *end = '\0';
    *length = (size_t)(end - line);
    return PS_OK;
}
