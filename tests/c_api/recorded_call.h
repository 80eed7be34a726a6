/* One recorded call of a case (tools/recorded_case.h), for tests in C: a float tensor in and one
 * out. */

#ifndef ONEPACK_TESTS_C_API_RECORDED_CALL_H_
#define ONEPACK_TESTS_C_API_RECORDED_CALL_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct recorded_floats {
  size_t rank;
  int32_t sizes[16];
  size_t count;
  float* numbers; /* the call's, freed with it */
} recorded_floats;

typedef struct recorded_call {
  recorded_floats input;
  recorded_floats output;
  double atol;
  double rtol;
} recorded_call;

/* How many calls the case has; 0, and a line on standard error, when it cannot be read. */
size_t count_recorded_calls(const char* json_path);

/* 1, or 0 and a line on standard error. */
int read_recorded_call(const char* json_path, size_t index, recorded_call* call);
void free_recorded_call(recorded_call* call);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ONEPACK_TESTS_C_API_RECORDED_CALL_H_ */
