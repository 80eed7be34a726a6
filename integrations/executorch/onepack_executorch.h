/* What libexecutorch_backend_xnnpack.so of onepack says of itself, besides what ExecuTorch asks of
 * a backend.
 *
 * Threads: any. All of it may be called at any time. */

#ifndef ONEPACK_EXECUTORCH_H_
#define ONEPACK_EXECUTORCH_H_

#include <stddef.h>
#include <stdint.h>

#define ONEPACK_EXECUTORCH_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* 1 if ExecuTorch's "XnnpackBackend" is this library's. 0 if another one had the name first:
 * nothing can be done about it in this process. */
ONEPACK_EXECUTORCH_API int onepack_executorch_is_registered(void);

/* Makes the backend ready, as the first program that is loaded does otherwise. Null, or why it
 * cannot be: a text that is never freed. */
ONEPACK_EXECUTORCH_API const char* onepack_executorch_open(void);

/* Sets an option of the backend, as executorch::runtime::set_option does, for what is loaded from
 * now on. Returns ExecuTorch's error code, 0 for none; the log has the message. */
ONEPACK_EXECUTORCH_API int onepack_executorch_set_bool(const char* name, int value);
ONEPACK_EXECUTORCH_API int onepack_executorch_set_int(const char* name, int value);
ONEPACK_EXECUTORCH_API int onepack_executorch_set_text(const char* name, const char* value);

/* A figure since the process began, or of now. The name is never freed. Sizes are in bytes, times
 * in nanoseconds. */
typedef struct onepack_executorch_stat {
  const char* name;
  uint64_t value;
} onepack_executorch_stat;

/* Writes as many as there are, at most `capacity`, and returns how many there are. 0 if the backend
 * is not ready. `stats` may be null: nothing is written. */
ONEPACK_EXECUTORCH_API size_t onepack_executorch_stats(onepack_executorch_stat* stats,
                                                       size_t capacity);

#ifdef __cplusplus
}
#endif

#endif /* ONEPACK_EXECUTORCH_H_ */
