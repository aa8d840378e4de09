/* SPDX-License-Identifier: Apache-2.0
 * How every function that can fail says so: a status to branch on, and a sentence for the person
 * who must act.
 */
#ifndef PS_HOST_BASE_STATUS_H
#define PS_HOST_BASE_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#define PS_STATUS_MAP(X)                                                    \
    X(OK, "done")                                                           \
    X(AGAIN, "not now; call again")                                         \
    X(END, "the stream has ended")                                          \
    X(NO_MEMORY, "out of memory")                                           \
    X(BAD_CONFIG, "bad configuration")                                      \
    X(UNKNOWN_NAME, "no such name")                                         \
    X(UNSUPPORTED, "this build or device cannot")                           \
    X(IO, "input or output failed")                                         \
    X(DEVICE, "the device failed")                                          \
    X(ABORTED, "the transaction was aborted; go back to what is committed") \
    X(FENCED, "another worker has taken over")                              \
    X(TAMPERED, "this is not what was sealed")

#define PS_STATUS_ROW_(name, text) PS_##name,
typedef enum ps_status { PS_STATUS_MAP(PS_STATUS_ROW_) PS_STATUS_COUNT } ps_status;
#undef PS_STATUS_ROW_

/* The caller's. The message says what, where and what to try; one line, no trailing full stop or
 * newline. Every function that takes one accepts NULL. */
typedef struct ps_error {
    char message[512];
} ps_error;

#if defined(__GNUC__)
#define PS_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define PS_MUST_USE            __attribute__((warn_unused_result))
#else
#define PS_PRINTF(text, first)
#define PS_MUST_USE
#endif

const char *ps_status_text(ps_status status);

/* Fills `error` and hands `status` back, so that a failure is one statement: return ps_fail(error,
 * PS_IO, …); */
ps_status ps_fail(ps_error *error, ps_status status, const char *format, ...) PS_PRINTF(3, 4);

/* Puts `where: ` before a message on its way up. */
ps_status ps_fail_in(ps_error *error, ps_status status, const char *where);

#define PS_TRY(call)                          \
    do {                                      \
        const ps_status ps_try_ = (call);     \
        if (ps_try_ != PS_OK) return ps_try_; \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
