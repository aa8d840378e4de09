/* SPDX-License-Identifier: Apache-2.0
 * Base64 with its padding, strictly: one text for the same bytes, so that no bit of a signed file
 * may be turned unseen.
 * Source: RFC 4648, section 4.
 */
#ifndef PS_HOST_SEAL_BASE64_H
#define PS_HOST_SEAL_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Characters for so many bytes; bytes that so many characters may hold. */
#define PS_BASE64_LENGTH(bytes) (((bytes) + 2) / 3 * 4)
#define PS_BASE64_BYTES(length) ((length) / 4 * 3)

/* PS_BASE64_LENGTH(length) characters and a NUL; returns the NUL. */
char *ps_base64_write(const uint8_t *bytes, size_t length, char *out);

/* False: not base64, not as it would be written, or more than `room` bytes. */
bool ps_base64_read(const char *text, size_t length, uint8_t *out, size_t room, size_t *bytes);

#endif
