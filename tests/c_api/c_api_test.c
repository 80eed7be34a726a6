/* The C interface, from C.
 *
 *     onepack_c_api_test CASES TEST
 *
 * CASES is tests/data/cases. Status: 0 when TEST passes, 1 when it fails, 2 for another name.
 */

#include "onepack/c_api.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/c_api/recorded_call.h"

static const char* cases_folder;

/* Ends the test, which returns 1. */
#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      return 1;                                                               \
    }                                                                         \
  } while (0)

/* A call that has to succeed, with `&message` as its last argument. */
#define CHECK_OK(call)                                                                     \
  do {                                                                                     \
    const onepack_status status_ = (call);                                                 \
    if (status_ != ONEPACK_OK) {                                                           \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, onepack_status_name(status_), \
              message != NULL ? message : "-");                                            \
      return 1;                                                                            \
    }                                                                                      \
    CHECK(message == NULL);                                                                \
  } while (0)

/* A call that has to fail so, with `part` in its message. */
#define CHECK_FAILS(code, part, call)                                                      \
  do {                                                                                     \
    const onepack_status status_ = (call);                                                 \
    if (status_ != (code) || message == NULL || strstr(message, (part)) == NULL) {         \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, onepack_status_name(status_), \
              message != NULL ? message : "-");                                            \
      return 1;                                                                            \
    }                                                                                      \
    onepack_message_free(message);                                                         \
    message = NULL;                                                                        \
  } while (0)

/* CASES/NAME, valid until the eighth call after this one. */
static const char* case_file(const char* name) {
  static char paths[8][512];
  static size_t next = 0;
  char* path = paths[next++ % 8];
  snprintf(path, sizeof(paths[0]), "%s/%s", cases_folder, name);
  return path;
}

/* The whole file; freed by the caller. */
static void* read_file(const char* path, size_t* size) {
  FILE* file = fopen(path, "rb");
  char* bytes = NULL;
  long end;
  *size = 0;
  if (file == NULL) return NULL;
  if (fseek(file, 0, SEEK_END) == 0 && (end = ftell(file)) > 0 && fseek(file, 0, SEEK_SET) == 0 &&
      (bytes = malloc((size_t)end)) != NULL) {
    *size = fread(bytes, 1, (size_t)end, file);
  }
  fclose(file);
  return bytes;
}

static uint64_t hits_of(const onepack_engine* engine) {
  onepack_cache_stats stats;
  onepack_cache_stats_init(&stats);
  return onepack_engine_stats(engine, &stats, NULL) == ONEPACK_OK ? stats.hits : UINT64_MAX;
}

/* FOLDER/NAME.pte over the foundation and, unless it is a base, FOLDER/NAME.ptd. */
static onepack_status load_case(onepack_engine* engine, onepack_data* foundation,
                                const char* folder, const char* name, onepack_method** method,
                                char** message) {
  onepack_program* program = NULL;
  onepack_data* data[2];
  onepack_load_options options;
  onepack_status status;
  char file[64];
  data[0] = foundation;
  data[1] = NULL;
  onepack_load_options_init(&options);
  options.data = data;
  options.data_count = 1;
  snprintf(file, sizeof(file), "%s/%s.pte", folder, name);
  status = onepack_program_open(case_file(file), &program, message);
  if (status == ONEPACK_OK && strcmp(name, "base") != 0) {
    snprintf(file, sizeof(file), "%s/%s.ptd", folder, name);
    options.data_count = 2;
    status = onepack_data_open(case_file(file), &data[1], message);
  }
  if (status == ONEPACK_OK)
    status = onepack_method_load(engine, program, &options, method, message);
  onepack_data_release(data[1]);
  onepack_program_release(program);
  return status;
}

static int run_call(onepack_method* method, const recorded_call* call) {
  char* message = NULL;
  onepack_value value;
  const float* numbers;
  size_t i;
  onepack_value_init(&value);
  CHECK_OK(onepack_method_input(method, 0, &value, &message));
  CHECK(value.kind == ONEPACK_VALUE_TENSOR && value.scalar_type == ONEPACK_FLOAT32);
  CHECK(value.rank == call->input.rank && value.data == NULL);
  CHECK(value.sizes[0] >= call->input.sizes[0] && value.sizes[1] == call->input.sizes[1]);
  memcpy(value.sizes, call->input.sizes, sizeof(value.sizes));
  value.data = call->input.numbers;
  value.size_bytes = call->input.count * sizeof(float);
  CHECK_OK(onepack_method_set_input(method, 0, &value, &message));
  CHECK_OK(onepack_method_execute(method, &message));

  onepack_value_init(&value);
  CHECK_OK(onepack_method_output(method, 0, &value, &message));
  CHECK(value.kind == ONEPACK_VALUE_TENSOR && value.scalar_type == ONEPACK_FLOAT32);
  CHECK(value.rank == call->output.rank);
  CHECK(memcmp(value.sizes, call->output.sizes, value.rank * sizeof(value.sizes[0])) == 0);
  CHECK(value.size_bytes == call->output.count * sizeof(float));
  numbers = value.data;
  for (i = 0; i < call->output.count; ++i) {
    const double expected = call->output.numbers[i];
    CHECK(fabs((double)numbers[i] - expected) <= call->atol + call->rtol * fabs(expected));
  }
  return 0;
}

/* All recorded calls. */
static int run_case(onepack_method* method, const char* json) {
  const size_t calls = count_recorded_calls(json);
  size_t i;
  CHECK(calls > 0);
  CHECK(onepack_method_input_count(method) == 1 && onepack_method_output_count(method) == 1);
  for (i = 0; i < calls; ++i) {
    recorded_call call;
    int failed;
    CHECK(read_recorded_call(json, i, &call));
    failed = run_call(method, &call);
    free_recorded_call(&call);
    if (failed) return 1;
  }
  return 0;
}

static int test_version_and_names(void) {
  int major, minor, patch;
  CHECK(sscanf(onepack_version(), "%d.%d.%d", &major, &minor, &patch) == 3);
  CHECK(strcmp(onepack_status_name(ONEPACK_NOT_FOUND), "not found") == 0);
  CHECK(strcmp(onepack_status_name(-1), onepack_status_name(ONEPACK_INTERNAL + 1)) == 0);
  onepack_message_free(NULL);
  return 0;
}

/* The second LoRA program finds the foundation's weights packed, and gives its own answers. */
static int share_one_foundation(const char* folder, int32_t linears, size_t threads) {
  char* message = NULL;
  onepack_engine_options options;
  onepack_engine* engine = NULL;
  onepack_data* foundation = NULL;
  onepack_method* methods[3] = {NULL, NULL, NULL};
  static const char* const names[3] = {"base", "lora0", "lora1"};
  onepack_cache_stats before, after;
  char path[64];
  size_t i;
  onepack_engine_options_init(&options);
  options.linears = linears;
  options.threads = threads;
  options.packing_threads = threads;
  CHECK_OK(onepack_engine_create(&options, &engine, &message));
  snprintf(path, sizeof(path), "%s/foundation.ptd", folder);
  CHECK_OK(onepack_data_open(case_file(path), &foundation, &message));
  onepack_cache_stats_init(&after);
  for (i = 0; i < 3; ++i) {
    before = after;
    CHECK_OK(load_case(engine, foundation, folder, names[i], &methods[i], &message));
    CHECK_OK(onepack_engine_stats(engine, &after, &message));
    CHECK(after.misses > before.misses && after.entries > before.entries);
    if (i == 0) {
      CHECK(after.hits == 0);
    } else {
      /* All that the base program had, and the adapter besides. */
      CHECK(after.hits > before.hits && after.hit_bytes > before.hit_bytes);
      if (linears == ONEPACK_LINEARS_PACKED) CHECK(after.packed_bytes > before.packed_bytes);
    }
  }
  /* Of the first program nothing was found, so its misses are its weights. */
  CHECK(after.bytes + after.in_place_bytes > 0);
  if (linears == ONEPACK_LINEARS_PACKED) CHECK(after.in_place_bytes == 0);
  /* Everything that was used to load goes first. */
  onepack_data_release(foundation);
  onepack_engine_release(engine);
  for (i = 0; i < 3; ++i) {
    snprintf(path, sizeof(path), "%s/%s.json", folder, names[i]);
    if (run_case(methods[i], case_file(path))) return 1;
    onepack_method_release(methods[i]);
  }
  return 0;
}

static int test_packed_weights_are_shared(void) {
  return share_one_foundation("lora_8da4w", ONEPACK_LINEARS_PACKED, 1) ||
         share_one_foundation("lora_fp32", ONEPACK_LINEARS_PACKED, 1);
}

static int test_weights_in_place_are_shared(void) {
  return share_one_foundation("lora_8da4w", ONEPACK_LINEARS_IN_PLACE, 1);
}

static int test_threads_compute_the_same(void) {
  return share_one_foundation("lora_fp32", ONEPACK_LINEARS_AUTO, 2);
}

static int test_retained_weights_stay_until_they_are_pruned(void) {
  char* message = NULL;
  onepack_engine_options options;
  onepack_engine* engine = NULL;
  onepack_data* foundation = NULL;
  onepack_method* method = NULL;
  onepack_cache_stats stats;
  uint64_t hits;
  onepack_engine_options_init(&options);
  options.linears = ONEPACK_LINEARS_PACKED;
  options.retained_bytes = 64 << 20;
  CHECK_OK(onepack_engine_create(&options, &engine, &message));
  CHECK_OK(onepack_data_open(case_file("lora_fp32/foundation.ptd"), &foundation, &message));
  CHECK_OK(load_case(engine, foundation, "lora_fp32", "base", &method, &message));
  onepack_method_release(method);
  onepack_cache_stats_init(&stats);
  CHECK_OK(onepack_engine_stats(engine, &stats, &message));
  CHECK(stats.retained_bytes > 0 && stats.retained_bytes == stats.bytes);
  hits = hits_of(engine);
  CHECK_OK(load_case(engine, foundation, "lora_fp32", "base", &method, &message));
  CHECK(hits_of(engine) > hits);
  onepack_method_release(method);
  CHECK_OK(onepack_engine_prune(engine, &message));
  CHECK_OK(onepack_engine_stats(engine, &stats, &message));
  CHECK(stats.entries == 0 && stats.bytes == 0 && stats.retained_bytes == 0);
  CHECK(stats.evictions > 0);
  onepack_data_release(foundation);
  onepack_engine_release(engine);
  return 0;
}

/* The second engine finds in the file what the first one has packed. */
static int test_packed_weights_are_kept_in_a_file(void) {
  char* message = NULL;
  char path[] = "/tmp/onepack-c-api-XXXXXX";
  onepack_engine_options options;
  onepack_data* foundation = NULL;
  uint64_t packed = 0;
  int start;
  CHECK(mkdtemp(path) != NULL);
  char file[64];
  snprintf(file, sizeof(file), "%s/packed.bin", path);
  onepack_engine_options_init(&options);
  options.linears = ONEPACK_LINEARS_PACKED;
  options.packed_file = file;
  CHECK_OK(onepack_data_open(case_file("lora_fp32/foundation.ptd"), &foundation, &message));
  for (start = 0; start < 3; ++start) {
    onepack_engine* engine = NULL;
    onepack_method* method = NULL;
    onepack_cache_stats stats;
    options.packed_file_read_only = start == 2;
    CHECK_OK(onepack_engine_create(&options, &engine, &message));
    CHECK_OK(load_case(engine, foundation, "lora_fp32", "base", &method, &message));
    if (start < 2) CHECK_OK(onepack_engine_flush(engine, &message));
    onepack_cache_stats_init(&stats);
    CHECK_OK(onepack_engine_stats(engine, &stats, &message));
    if (start == 0) packed = stats.file_written;
    CHECK(packed > 0 && stats.file_written == (start == 0 ? packed : 0));
    CHECK(stats.file_hits == (start == 0 ? 0 : packed) && stats.file_troubles == 0);
    if (run_case(method, case_file("lora_fp32/base.json"))) return 1;
    onepack_method_release(method);
    onepack_engine_release(engine);
  }
  onepack_data_release(foundation);
  CHECK(unlink(file) == 0 && rmdir(path) == 0);
  return 0;
}

static int test_errors_say_what_and_where(void) {
  char* message = NULL;
  onepack_engine* engine = NULL;
  onepack_program* program = (onepack_program*)&engine; /* anything but NULL */
  onepack_data* foundation = NULL;
  onepack_method* method = NULL;
  onepack_engine_options options;
  onepack_load_options load;
  onepack_value value;
  float one = 1;
  CHECK_FAILS(ONEPACK_NOT_FOUND, "there is none.pte",
              onepack_program_open(case_file("there is none.pte"), &program, &message));
  CHECK(program == NULL);
  CHECK_FAILS(ONEPACK_NOT_FOUND, "there is none.ptd",
              onepack_data_open(case_file("there is none.ptd"), &foundation, &message));
  CHECK_FAILS(ONEPACK_INVALID_FILE, "foundation.ptd",
              onepack_program_open(case_file("lora_fp32/foundation.ptd"), &program, &message));
  CHECK_FAILS(ONEPACK_INVALID_FILE, "base.pte",
              onepack_data_open(case_file("lora_fp32/base.pte"), &foundation, &message));
  onepack_engine_options_init(&options);
  options.linears = 7;
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "linears 7",
              onepack_engine_create(&options, &engine, &message));
  CHECK(engine == NULL);

  CHECK_OK(onepack_engine_create(NULL, &engine, &message));
  CHECK_OK(onepack_data_open(case_file("lora_fp32/foundation.ptd"), &foundation, &message));
  CHECK_OK(onepack_program_open(case_file("lora_fp32/base.pte"), &program, &message));
  /* The base program needs its foundation. */
  CHECK_FAILS(ONEPACK_NOT_FOUND, "base.pte",
              onepack_method_load(engine, program, NULL, &method, &message));
  CHECK(method == NULL);
  /* Without a place for the message, too. */
  CHECK(onepack_method_load(engine, program, NULL, &method, NULL) == ONEPACK_NOT_FOUND);
  onepack_load_options_init(&load);
  load.data = &foundation;
  load.data_count = 1;
  load.method = "backward";
  CHECK_FAILS(ONEPACK_NOT_FOUND, "'backward'",
              onepack_method_load(engine, program, &load, &method, &message));
  load.method = NULL;
  CHECK_OK(onepack_method_load(engine, program, &load, &method, &message));

  CHECK_FAILS(ONEPACK_FAILED_PRECONDITION, "input 0", onepack_method_execute(method, &message));
  onepack_value_init(&value);
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "input 1 of 1",
              onepack_method_input(method, 1, &value, &message));
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "output 1 of 1",
              onepack_method_output(method, 1, &value, &message));
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "input 1 of 1",
              onepack_method_set_input(method, 1, &value, &message));
  CHECK_OK(onepack_method_input(method, 0, &value, &message));
  value.data = &one; /* of one float only */
  value.size_bytes = sizeof(one);
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "input 0",
              onepack_method_set_input(method, 0, &value, &message));
  value.data = NULL;
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "NULL",
              onepack_method_set_input(method, 0, &value, &message));
  value.rank = ONEPACK_MAX_RANK + 1;
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "rank 17",
              onepack_method_set_input(method, 0, &value, &message));
  value.rank = 1;
  value.scalar_type = 512; /* would be 0 in eight bits */
  value.size_bytes = 0;
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "scalar type 512",
              onepack_method_set_input(method, 0, &value, &message));
  value.kind = ONEPACK_VALUE_INT;
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "int given",
              onepack_method_set_input(method, 0, &value, &message));
  value.kind = ONEPACK_VALUE_STRING;
  CHECK_FAILS(ONEPACK_UNSUPPORTED, "string", onepack_method_set_input(method, 0, &value, &message));
  value.kind = 99;
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "kind 99",
              onepack_method_set_input(method, 0, &value, &message));
  onepack_method_release(method);
  onepack_program_release(program);
  onepack_data_release(foundation);
  onepack_engine_release(engine);
  return 0;
}

/* Every pointer that has to be there, one by one. */
static int test_null_is_an_invalid_argument(void) {
  char* message = NULL;
  onepack_engine* engine = NULL;
  onepack_source* source = NULL;
  onepack_program* program = NULL;
  onepack_program* no_program = NULL;
  onepack_data* data = NULL;
  onepack_shared_state* state = NULL;
  onepack_method* method = NULL;
  onepack_adapters* adapters = NULL;
  onepack_adapters* no_adapters = NULL;
  onepack_cache_stats stats;
  onepack_value value;
  onepack_load_options load;
  onepack_generate_options generate;
  const int64_t prompt = 1;
  onepack_cache_stats_init(&stats);
  onepack_value_init(&value);
  onepack_load_options_init(&load);
  onepack_generate_options_init(&generate);
  CHECK_OK(onepack_engine_create(NULL, &engine, &message));
  CHECK_OK(onepack_program_open(case_file("shared_state/m.pte"), &program, &message));
  CHECK_OK(onepack_adapters_create(engine, NULL, 0, &adapters, &message));

#define CHECK_REFUSED(call) CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "", call)
  CHECK_REFUSED(onepack_engine_create(NULL, NULL, &message));
  CHECK_REFUSED(onepack_engine_stats(NULL, &stats, &message));
  CHECK_REFUSED(onepack_engine_stats(engine, NULL, &message));
  CHECK_REFUSED(onepack_engine_prune(NULL, &message));
  CHECK_REFUSED(onepack_source_open_part(NULL, 0, 1, &source, &message));
  CHECK_REFUSED(onepack_source_open_part("x", 0, 1, NULL, &message));
  CHECK_REFUSED(onepack_source_map_descriptor(0, 0, 1, NULL, &source, &message));
  CHECK_REFUSED(onepack_source_wrap_memory(NULL, 1, "x", NULL, NULL, &source, &message));
  CHECK_REFUSED(onepack_source_wrap_memory("x", 1, NULL, NULL, NULL, &source, &message));
  CHECK_REFUSED(onepack_source_wrap_memory("x", 1, "x", NULL, NULL, NULL, &message));
  CHECK_REFUSED(onepack_program_open(NULL, &no_program, &message));
  CHECK_REFUSED(onepack_program_open("x", NULL, &message));
  CHECK_REFUSED(onepack_program_open_source(NULL, &no_program, &message));
  CHECK(onepack_program_method_count(NULL) == 0);
  CHECK(onepack_program_method_name(NULL, 0) == NULL);
  CHECK_REFUSED(onepack_data_open(NULL, &data, &message));
  CHECK_REFUSED(onepack_data_open("x", NULL, &message));
  CHECK_REFUSED(onepack_data_open_source(NULL, &data, &message));
  CHECK_REFUSED(onepack_shared_state_create(engine, NULL, &state, &message));
  CHECK_REFUSED(onepack_shared_state_create(engine, program, NULL, &message));
  CHECK_REFUSED(onepack_method_load(NULL, program, NULL, &method, &message));
  CHECK_REFUSED(onepack_method_load(engine, NULL, NULL, &method, &message));
  CHECK_REFUSED(onepack_method_load(engine, program, NULL, NULL, &message));
  load.data_count = 1;
  CHECK_REFUSED(onepack_method_load(engine, program, &load, &method, &message));
  load.data = &data; /* a list of one that is NULL */
  CHECK_REFUSED(onepack_method_load(engine, program, &load, &method, &message));
  CHECK(onepack_method_input_count(NULL) == 0 && onepack_method_output_count(NULL) == 0);
  CHECK_REFUSED(onepack_method_input(NULL, 0, &value, &message));
  CHECK_REFUSED(onepack_method_set_input(NULL, 0, &value, &message));
  CHECK_REFUSED(onepack_method_output(NULL, 0, &value, &message));
  CHECK_REFUSED(onepack_method_execute(NULL, &message));
  CHECK_REFUSED(onepack_method_reset(NULL, &message));
  CHECK_REFUSED(onepack_adapters_create(NULL, NULL, 0, &no_adapters, &message));
  CHECK_REFUSED(onepack_adapters_create(engine, NULL, 1, &no_adapters, &message));
  CHECK_REFUSED(onepack_adapters_create(engine, NULL, 0, NULL, &message));
  CHECK_REFUSED(onepack_adapters_add(NULL, "a", program, NULL, &message));
  CHECK_REFUSED(onepack_adapters_add(adapters, NULL, program, NULL, &message));
  CHECK_REFUSED(onepack_adapters_add(adapters, "a", NULL, NULL, &message));
  CHECK_REFUSED(onepack_adapters_drop(NULL, "a", &message));
  CHECK_REFUSED(onepack_adapters_drop(adapters, NULL, &message));
  CHECK_REFUSED(onepack_adapters_generate(NULL, "a", &prompt, 1, NULL, NULL, &message));
  CHECK_REFUSED(onepack_adapters_generate(adapters, NULL, &prompt, 1, NULL, NULL, &message));
  CHECK_REFUSED(onepack_adapters_generate(adapters, "a", NULL, 1, NULL, NULL, &message));
  generate.token_capacity = 1;
  CHECK_REFUSED(onepack_adapters_generate(adapters, "a", &prompt, 1, &generate, NULL, &message));
  generate.token_capacity = 0;
  generate.stop_token_count = 1;
  CHECK_REFUSED(onepack_adapters_generate(adapters, "a", &prompt, 1, &generate, NULL, &message));

  CHECK_OK(onepack_shared_state_create(engine, program, &state, &message));
  load.data_count = 0;
  load.method = "prefill";
  load.shared_state = state;
  CHECK_OK(onepack_method_load(engine, program, &load, &method, &message));
  CHECK_REFUSED(onepack_method_input(method, 0, NULL, &message));
  CHECK_REFUSED(onepack_method_set_input(method, 0, NULL, &message));
  CHECK_REFUSED(onepack_method_output(method, 0, NULL, &message));
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "shared_state",
              onepack_adapters_add(adapters, "a", program, &load, &message));

  onepack_adapters_release(NULL);
  onepack_method_release(NULL);
  onepack_shared_state_release(NULL);
  onepack_data_release(NULL);
  onepack_program_release(NULL);
  onepack_source_release(NULL);
  onepack_engine_release(NULL);
  onepack_adapters_release(adapters);
  onepack_method_release(method);
  onepack_shared_state_release(state);
  onepack_program_release(program);
  onepack_engine_release(engine);
  return 0;
}

/* Structs of callers that are older or newer than the library. */
static int test_structs_may_differ_in_age(void) {
  char* message = NULL;
  onepack_engine* engine = NULL;
  onepack_cache_stats stats;
  struct {
    onepack_engine_options now;
    uint64_t later;
  } newer;
  struct {
    onepack_cache_stats now;
    uint64_t later;
  } newer_stats;
  memset(&newer, 0, sizeof(newer));
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "onepack_engine_options_init",
              onepack_engine_create(&newer.now, &engine, &message));
  newer.now.struct_size = sizeof(newer);
  newer.later = 1;
  CHECK_FAILS(ONEPACK_UNSUPPORTED, "onepack_engine_options",
              onepack_engine_create(&newer.now, &engine, &message));
  newer.later = 0;
  CHECK_OK(onepack_engine_create(&newer.now, &engine, &message));
  onepack_engine_release(engine);
  /* An older caller's struct ends before `linears`: what is there is not looked at. */
  newer.now.struct_size = offsetof(onepack_engine_options, linears);
  newer.now.linears = 7;
  CHECK_OK(onepack_engine_create(&newer.now, &engine, &message));

  memset(&newer_stats, 0xff, sizeof(newer_stats));
  newer_stats.now.struct_size = sizeof(newer_stats);
  CHECK_OK(onepack_engine_stats(engine, &newer_stats.now, &message));
  CHECK(newer_stats.now.entries == 0 && newer_stats.later == 0);
  CHECK(newer_stats.now.struct_size == sizeof(newer_stats));
  memset(&stats, 0xff, sizeof(stats));
  stats.struct_size = offsetof(onepack_cache_stats, bytes);
  CHECK_OK(onepack_engine_stats(engine, &stats, &message));
  CHECK(stats.entries == 0 && stats.bytes == UINT64_MAX);
  stats.struct_size = 0;
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "onepack_cache_stats_init",
              onepack_engine_stats(engine, &stats, &message));
  onepack_engine_release(engine);
  return 0;
}

static void count_release(void* context) { ++*(int*)context; }

/* The case's program and data from `sources`, which are released before anything runs. */
static int run_from_sources(onepack_source* program_source, onepack_source* data_source) {
  char* message = NULL;
  onepack_engine* engine = NULL;
  onepack_program* program = NULL;
  onepack_data* data = NULL;
  onepack_method* method = NULL;
  onepack_load_options options;
  int failed;
  CHECK_OK(onepack_engine_create(NULL, &engine, &message));
  CHECK_OK(onepack_program_open_source(program_source, &program, &message));
  CHECK_OK(onepack_data_open_source(data_source, &data, &message));
  onepack_source_release(program_source);
  onepack_source_release(data_source);
  onepack_load_options_init(&options);
  options.data = &data;
  options.data_count = 1;
  CHECK_OK(onepack_method_load(engine, program, &options, &method, &message));
  CHECK(onepack_program_method_count(program) >= 1);
  CHECK(strcmp(onepack_program_method_name(program, 0), "forward") == 0);
  CHECK(onepack_program_method_name(program, onepack_program_method_count(program)) == NULL);
  onepack_program_release(program);
  onepack_data_release(data);
  onepack_engine_release(engine);
  failed = run_case(method, case_file("lora_8da4w/base.json"));
  onepack_method_release(method);
  return failed;
}

static int test_memory_is_released_once_after_its_last_use(void) {
  char* message = NULL;
  onepack_source* program_source = NULL;
  onepack_source* data_source = NULL;
  onepack_data* data = NULL;
  size_t program_size, data_size;
  void* program_bytes = read_file(case_file("lora_8da4w/base.pte"), &program_size);
  void* data_bytes = read_file(case_file("lora_8da4w/foundation.ptd"), &data_size);
  int program_releases = 0;
  int data_releases = 0;
  CHECK(program_bytes != NULL && data_bytes != NULL);
  /* A failure leaves the bytes with the caller. */
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "NULL",
              onepack_source_wrap_memory(data_bytes, data_size, NULL, count_release, &data_releases,
                                         &data_source, &message));
  CHECK(data_releases == 0);
  CHECK_OK(onepack_source_wrap_memory(program_bytes, program_size, "program in memory",
                                      count_release, &program_releases, &program_source, &message));
  CHECK_OK(onepack_source_wrap_memory(data_bytes, data_size, "data in memory", count_release,
                                      &data_releases, &data_source, &message));
  CHECK_FAILS(ONEPACK_INVALID_FILE, "program in memory",
              onepack_data_open_source(program_source, &data, &message));
  if (run_from_sources(program_source, data_source)) return 1;
  CHECK(program_releases == 1 && data_releases == 1);
  free(program_bytes);
  free(data_bytes);
  return 0;
}

/* A package: junk, the program, junk, its data. */
static int write_package(const char* path, const void* program, size_t program_size,
                         const void* data, size_t data_size) {
  FILE* file = fopen(path, "wb");
  int good = file != NULL && fwrite("junk", 1, 4, file) == 4 &&
             fwrite(program, 1, program_size, file) == program_size &&
             fwrite("more", 1, 4, file) == 4 && fwrite(data, 1, data_size, file) == data_size;
  if (file != NULL && fclose(file) != 0) good = 0;
  return good;
}

static int test_parts_of_a_file_are_sources(void) {
  char* message = NULL;
  onepack_source* program_source = NULL;
  onepack_source* data_source = NULL;
  char path[] = "/tmp/onepack_c_api_XXXXXX";
  size_t program_size, data_size;
  void* program_bytes = read_file(case_file("lora_8da4w/base.pte"), &program_size);
  void* data_bytes = read_file(case_file("lora_8da4w/foundation.ptd"), &data_size);
  const int descriptor = mkstemp(path);
  int failed;
  CHECK(descriptor >= 0 && program_bytes != NULL && data_bytes != NULL);
  failed = !write_package(path, program_bytes, program_size, data_bytes, data_size);
  free(program_bytes);
  free(data_bytes);
  if (!failed) {
    failed =
        onepack_source_open_part(path, 4, program_size, &program_source, &message) != ONEPACK_OK ||
        onepack_source_map_descriptor(descriptor, 8 + program_size, data_size, "data", &data_source,
                                      &message) != ONEPACK_OK;
  }
  close(descriptor);
  if (!failed) failed = run_from_sources(program_source, data_source);
  if (!failed) {
    failed = onepack_source_open_part(path, 4, program_size + data_size + 5, &program_source,
                                      &message) != ONEPACK_INVALID_FILE ||
             strstr(message, path) == NULL;
    onepack_message_free(message);
  }
  unlink(path);
  CHECK(!failed);
  return 0;
}

/* A row of the cache is the input's row times a weight, the output the sum of all rows. */
static int run_rows(onepack_method* method, const char* x_name, const char* p_name, float* y) {
  char* message = NULL;
  onepack_value x, position;
  size_t x_size, p_size;
  void* x_bytes = read_file(case_file(x_name), &x_size);
  void* p_bytes = read_file(case_file(p_name), &p_size);
  CHECK(x_bytes != NULL && p_bytes != NULL);
  onepack_value_init(&x);
  onepack_value_init(&position);
  CHECK_OK(onepack_method_input(method, 0, &x, &message));
  CHECK(x.size_bytes == x_size);
  x.data = x_bytes;
  CHECK_OK(onepack_method_set_input(method, 0, &x, &message));
  CHECK_OK(onepack_method_input(method, 1, &position, &message));
  CHECK(position.scalar_type == ONEPACK_INT64 && position.size_bytes == p_size);
  position.data = p_bytes;
  memset(position.dim_order, 0, sizeof(position.dim_order)); /* contiguous as well */
  CHECK_OK(onepack_method_set_input(method, 1, &position, &message));
  free(x_bytes); /* it was copied */
  free(p_bytes);
  CHECK_OK(onepack_method_execute(method, &message));
  CHECK_OK(onepack_method_output(method, 0, &x, &message));
  CHECK(x.scalar_type == ONEPACK_FLOAT32 && x.size_bytes == 4 * sizeof(float));
  memcpy(y, x.data, x.size_bytes);
  return 0;
}

static int test_methods_share_state(void) {
  char* message = NULL;
  onepack_engine* engine = NULL;
  onepack_program* program = NULL;
  onepack_shared_state* state = NULL;
  onepack_method* prefill = NULL;
  onepack_method* decode = NULL;
  onepack_load_options options;
  float of_prefill[4], of_decode[4], after_reset[4];
  size_t i;
  CHECK_OK(onepack_engine_create(NULL, &engine, &message));
  CHECK_OK(onepack_program_open(case_file("shared_state/m.pte"), &program, &message));
  onepack_load_options_init(&options);
  options.method = "decode";
  CHECK_FAILS(ONEPACK_FAILED_PRECONDITION, "'prefill'",
              onepack_method_load(engine, program, &options, &decode, &message));
  CHECK_OK(onepack_shared_state_create(engine, program, &state, &message));
  options.shared_state = state;
  CHECK_OK(onepack_method_load(engine, program, &options, &decode, &message));
  options.method = "prefill";
  CHECK_OK(onepack_method_load(engine, program, &options, &prefill, &message));
  onepack_shared_state_release(state);
  onepack_program_release(program);
  onepack_engine_release(engine);
  if (run_rows(prefill, "shared_state/x3.bin", "shared_state/p3.bin", of_prefill)) return 1;
  if (run_rows(decode, "shared_state/x1.bin", "shared_state/p1.bin", of_decode)) return 1;
  CHECK_OK(onepack_method_reset(decode, &message));
  if (run_rows(decode, "shared_state/x1.bin", "shared_state/p1.bin", after_reset)) return 1;
  for (i = 0; i < 4; ++i) {
    CHECK(of_prefill[i] != 0);
    CHECK(fabsf(of_decode[i] - of_prefill[i] * 4 / 3) < 1e-5f);
    CHECK(fabsf(after_reset[i] - of_prefill[i] / 3) < 1e-5f);
  }
  onepack_method_release(prefill);
  onepack_method_release(decode);
  return 0;
}

static int test_shared_state_has_the_engines_limit(void) {
  char* message = NULL;
  onepack_engine* engine = NULL;
  onepack_program* program = NULL;
  onepack_shared_state* state = NULL;
  onepack_engine_options options;
  onepack_engine_options_init(&options);
  options.max_planned_bytes = 16;
  CHECK_OK(onepack_engine_create(&options, &engine, &message));
  CHECK_OK(onepack_program_open(case_file("shared_state/m.pte"), &program, &message));
  CHECK_FAILS(ONEPACK_RESOURCE_EXHAUSTED, "16 allowed",
              onepack_shared_state_create(engine, program, &state, &message));
  CHECK(state == NULL);
  onepack_program_release(program);
  onepack_engine_release(engine);
  return 0;
}

/* An old value is not run with in the place of one that was refused. */
static int test_a_refused_input_has_to_be_set_again(void) {
  char* message = NULL;
  onepack_engine* engine = NULL;
  onepack_program* program = NULL;
  onepack_shared_state* state = NULL;
  onepack_method* method = NULL;
  onepack_load_options options;
  onepack_value value;
  uint8_t zeros[4096] = {0};
  size_t i;
  CHECK_OK(onepack_engine_create(NULL, &engine, &message));
  CHECK_OK(onepack_program_open(case_file("shared_state/m.pte"), &program, &message));
  CHECK_OK(onepack_shared_state_create(engine, program, &state, &message));
  onepack_load_options_init(&options);
  options.method = "prefill";
  options.shared_state = state;
  CHECK_OK(onepack_method_load(engine, program, &options, &method, &message));
  for (i = 0; i < onepack_method_input_count(method); ++i) {
    onepack_value_init(&value);
    CHECK_OK(onepack_method_input(method, i, &value, &message));
    CHECK(value.size_bytes <= sizeof(zeros));
    value.data = zeros;
    CHECK_OK(onepack_method_set_input(method, i, &value, &message));
  }
  onepack_value_init(&value);
  value.kind = 99;
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "input 0",
              onepack_method_set_input(method, 0, &value, &message));
  CHECK_FAILS(ONEPACK_FAILED_PRECONDITION, "input 0", onepack_method_execute(method, &message));
  onepack_method_release(method);
  onepack_shared_state_release(state);
  onepack_program_release(program);
  onepack_engine_release(engine);
  return 0;
}

/* What a request's callback sees. */
typedef struct listener {
  int64_t tokens[16];
  size_t count;
  size_t stop_at;              /* 0: never */
  onepack_adapters** released; /* by the first call; NULL: not */
} listener;

static int32_t listen(void* context, int64_t token) {
  listener* to = context;
  if (to->count < 16) to->tokens[to->count] = token;
  ++to->count;
  if (to->released != NULL) {
    onepack_adapters_release(*to->released);
    *to->released = NULL;
    to->released = NULL;
  }
  return to->count != to->stop_at;
}

static int32_t cancel(void* context) {
  (void)context;
  return 1;
}

static onepack_status add_adapter(onepack_adapters* adapters, const char* name, char** message) {
  onepack_program* program = NULL;
  onepack_data* data = NULL;
  onepack_load_options options;
  onepack_status status;
  char file[64];
  onepack_load_options_init(&options);
  snprintf(file, sizeof(file), "llm_8da4w/%s.pte", name);
  status = onepack_program_open(case_file(file), &program, message);
  if (status == ONEPACK_OK && strcmp(name, "base") != 0) {
    snprintf(file, sizeof(file), "llm_8da4w/%s.ptd", name);
    status = onepack_data_open(case_file(file), &data, message);
    options.data = &data;
    options.data_count = 1;
  }
  if (status == ONEPACK_OK) {
    status = onepack_adapters_add(adapters, name, program, &options, message);
  }
  onepack_data_release(data);
  onepack_program_release(program);
  return status;
}

static int test_adapters_answer_by_name(void) {
  static const int64_t prompt[4] = {1, 17, 42, 99};
  char* message = NULL;
  onepack_engine* engine = NULL;
  onepack_data* foundation = NULL;
  onepack_adapters* adapters = NULL;
  onepack_program* program = NULL;
  onepack_generate_options options;
  onepack_generate_result result;
  listener heard;
  int64_t tokens[8], of_base[8], few[3];
  uint64_t hits;
  CHECK_OK(onepack_engine_create(NULL, &engine, &message));
  CHECK_OK(onepack_data_open(case_file("llm_8da4w/foundation.ptd"), &foundation, &message));
  CHECK_OK(onepack_adapters_create(engine, &foundation, 1, &adapters, &message));
  onepack_data_release(foundation);
  CHECK_OK(add_adapter(adapters, "base", &message));
  hits = hits_of(engine);
  CHECK_OK(add_adapter(adapters, "a0", &message));
  CHECK(hits_of(engine) > hits);
  hits = hits_of(engine);
  CHECK_OK(add_adapter(adapters, "a1", &message));
  CHECK(hits_of(engine) > hits);
  onepack_engine_release(engine);
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "'a1'", add_adapter(adapters, "a1", &message));
  CHECK_OK(onepack_program_open(case_file("lora_8da4w/base.pte"), &program, &message));
  CHECK(onepack_adapters_add(adapters, "none", program, NULL, NULL) != ONEPACK_OK);
  onepack_program_release(program);

  onepack_generate_options_init(&options);
  onepack_generate_result_init(&result);
  memset(&heard, 0, sizeof(heard));
  options.max_new_tokens = 8;
  options.ignore_eos = 1;
  options.on_token = listen;
  options.context = &heard;
  options.tokens = tokens;
  options.token_capacity = 8;
  CHECK_OK(onepack_adapters_generate(adapters, "a0", prompt, 4, &options, &result, &message));
  CHECK(result.token_count == 8 && result.stop_reason == ONEPACK_STOP_MAX_NEW_TOKENS);
  CHECK(result.prefill_tokens == 4 && result.decode_tokens == 7);
  CHECK(result.prefill_seconds > 0 && result.decode_seconds > 0);
  CHECK(heard.count == 8 && memcmp(heard.tokens, tokens, sizeof(tokens)) == 0);
  options.tokens = of_base;
  CHECK_OK(onepack_adapters_generate(adapters, "base", prompt, 4, &options, NULL, &message));
  CHECK(memcmp(of_base, tokens, sizeof(tokens)) != 0);

  /* The context of the request before is gone; the rest finds no room. */
  options.tokens = few;
  options.token_capacity = 3;
  CHECK_OK(onepack_adapters_generate(adapters, "a0", prompt, 4, &options, &result, &message));
  CHECK(result.token_count == 8 && memcmp(few, tokens, sizeof(few)) == 0);

  memset(&heard, 0, sizeof(heard));
  heard.stop_at = 2;
  CHECK_OK(onepack_adapters_generate(adapters, "a0", prompt, 4, &options, &result, &message));
  CHECK(result.token_count == 2 && result.stop_reason == ONEPACK_STOP_CANCELLED);
  CHECK(heard.count == 2 && memcmp(heard.tokens, tokens, 2 * sizeof(tokens[0])) == 0);
  options.should_cancel = cancel;
  CHECK_OK(onepack_adapters_generate(adapters, "a0", prompt, 4, &options, &result, &message));
  CHECK(result.token_count == 0 && result.stop_reason == ONEPACK_STOP_CANCELLED);
  options.should_cancel = NULL;
  options.on_token = NULL;
  options.stop_tokens = &tokens[0];
  options.stop_token_count = 1;
  CHECK_OK(onepack_adapters_generate(adapters, "a0", prompt, 4, &options, &result, &message));
  CHECK(result.token_count == 1 && result.stop_reason == ONEPACK_STOP_STOP_TOKEN);

  options.temperature = -1;
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "temperature",
              onepack_adapters_generate(adapters, "a0", prompt, 4, &options, NULL, &message));
  CHECK_FAILS(ONEPACK_INVALID_ARGUMENT, "a0.pte",
              onepack_adapters_generate(adapters, "a0", prompt, 0, NULL, NULL, &message));
  CHECK_FAILS(ONEPACK_NOT_FOUND, "'b'",
              onepack_adapters_generate(adapters, "b", prompt, 4, NULL, NULL, &message));
  CHECK_OK(onepack_adapters_drop(adapters, "a1", &message));
  CHECK_FAILS(ONEPACK_NOT_FOUND, "'a1'", onepack_adapters_drop(adapters, "a1", &message));

  /* A request keeps what it runs on, also when its callback releases the handle. */
  memset(&heard, 0, sizeof(heard));
  heard.released = &adapters;
  onepack_generate_options_init(&options);
  options.max_new_tokens = 8;
  options.ignore_eos = 1;
  options.on_token = listen;
  options.context = &heard;
  CHECK_OK(onepack_adapters_generate(adapters, "a0", prompt, 4, &options, &result, &message));
  CHECK(adapters == NULL && heard.count == 8);
  CHECK(memcmp(heard.tokens, tokens, sizeof(tokens)) == 0);
  return 0;
}

typedef struct named_test {
  const char* name;
  int (*run)(void);
} named_test;

static const named_test tests[] = {
    {"VersionAndNames", test_version_and_names},
    {"PackedWeightsAreShared", test_packed_weights_are_shared},
    {"WeightsInPlaceAreShared", test_weights_in_place_are_shared},
    {"ThreadsComputeTheSame", test_threads_compute_the_same},
    {"RetainedWeightsStayUntilTheyArePruned", test_retained_weights_stay_until_they_are_pruned},
    {"PackedWeightsAreKeptInAFile", test_packed_weights_are_kept_in_a_file},
    {"ErrorsSayWhatAndWhere", test_errors_say_what_and_where},
    {"NullIsAnInvalidArgument", test_null_is_an_invalid_argument},
    {"StructsMayDifferInAge", test_structs_may_differ_in_age},
    {"MemoryIsReleasedOnceAfterItsLastUse", test_memory_is_released_once_after_its_last_use},
    {"PartsOfAFileAreSources", test_parts_of_a_file_are_sources},
    {"MethodsShareState", test_methods_share_state},
    {"SharedStateHasTheEnginesLimit", test_shared_state_has_the_engines_limit},
    {"ARefusedInputHasToBeSetAgain", test_a_refused_input_has_to_be_set_again},
    {"AdaptersAnswerByName", test_adapters_answer_by_name},
};

int main(int argc, char** argv) {
  size_t i;
  if (argc != 3) {
    fprintf(stderr, "usage: onepack_c_api_test CASES TEST\n");
    return 2;
  }
  cases_folder = argv[1];
  for (i = 0; i < sizeof(tests) / sizeof(tests[0]); ++i) {
    if (strcmp(tests[i].name, argv[2]) == 0) return tests[i].run();
  }
  fprintf(stderr, "no test '%s'\n", argv[2]);
  return 2;
}
