// Programs over one weight cache, for callers that are not C++: C99, opaque handles, status codes.
//
//     onepack_engine* engine = NULL;
//     onepack_data* data[2] = {NULL, NULL};
//     onepack_program* program = NULL;
//     onepack_method* method = NULL;
//     char* message = NULL;
//     if (onepack_engine_create(NULL, &engine, &message) != ONEPACK_OK ||
//         onepack_data_open("foundation.ptd", &data[0], &message) != ONEPACK_OK || ...
//
// docs/c_api.md has the whole of it, and the rules with their reasons.
//
// Ownership: whoever creates, opens or loads a handle releases it, once, in any order: what is
//            loaded keeps what it needs. To release NULL does nothing. Arguments are copied or
//            counted, unless a comment says otherwise.
// Threads:   engines, sources, programs, data files and adapters from any thread. A method belongs
//            to one thread at a time, and tells one that comes while it runs
//            (ONEPACK_FAILED_PRECONDITION). A handle is released when no other thread is in a call
//            with it.
// Errors:    what can fail returns a status; on failure the handle asked for is NULL. `message` may
//            be NULL; otherwise *message becomes NULL on success, and on failure a text that the
//            caller frees with onepack_message_free (or NULL when there is no memory for it:
//            onepack_status_name says less). What it held is not freed. A NULL handle, and NULL for
//            what has to be there, is ONEPACK_INVALID_ARGUMENT. Nothing is printed, and no C++
//            exception comes out.
// Structs:   begin with their size, so that they can grow at the end: a caller and a library of
//            different ages work together. Call the struct's _init first, or zero all of it and set
//            struct_size = sizeof. Zero is the default of every option. A struct that asks for
//            something newer than the library is ONEPACK_UNSUPPORTED; in a result, what the library
//            does not know is zero.

#ifndef ONEPACK_C_API_H_
#define ONEPACK_C_API_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "onepack/export.h"

#ifdef __cplusplus
extern "C" {
#endif

// "0.1.0"
ONEPACK_API const char* onepack_version(void);

// ---- Errors

typedef int32_t onepack_status;

// Each calls for another reaction of the caller (onepack/status.h).
enum {
  ONEPACK_OK = 0,
  ONEPACK_INVALID_ARGUMENT = 1,     // the caller passed something wrong: fix the call
  ONEPACK_NOT_FOUND = 2,            // a file, key, method, adapter or operator that is not there
  ONEPACK_INVALID_FILE = 3,         // the bytes are not what the format says: get another copy
  ONEPACK_MISMATCH = 4,             // two good files that do not fit together: pair them correctly
  ONEPACK_UNSUPPORTED = 5,          // a good request for what this build cannot do
  ONEPACK_RESOURCE_EXHAUSTED = 6,   // no memory, no address space: retry later
  ONEPACK_IO_ERROR = 7,             // the operating system refused a read or a mapping
  ONEPACK_FAILED_PRECONDITION = 8,  // called in the wrong state
  ONEPACK_CANCELLED = 9,            // the application's own callback said stop
  ONEPACK_INTERNAL = 10             // a defect of ours, or of XNNPACK
};

// The code's name as in "invalid file". Never NULL.
ONEPACK_API const char* onepack_status_name(onepack_status status);

ONEPACK_API void onepack_message_free(char* message);

// ---- Engine: one weight cache, the XNNPACK backend over it, operators and threads

typedef struct onepack_engine onepack_engine;

// What linear layers run over (docs/linears.md).
enum {
  ONEPACK_LINEARS_AUTO = 0,      // in place where that was measured to cost little or no time
  ONEPACK_LINEARS_IN_PLACE = 1,  // the files' bytes, which must not change while a method is loaded
  ONEPACK_LINEARS_PACKED = 2     // packed weights: needs the files only while it loads
};

// weight_cache.h and xnnpack_backend.h say more of each. Truths are 0 or 1.
typedef struct onepack_engine_options {
  size_t struct_size;
  // That compute, with the one that calls; no more than there are processors. 0 and 1: that one
  // does all the work.
  size_t threads;
  // Keep packed weights that no method uses any more, up to so many bytes.
  size_t retained_bytes;
  // The most that numbers in a program may make a load plan for. 0: the memory of the machine.
  uint64_t max_planned_bytes;
  // That pack what a program needs while it is loaded. 0 and 1: the one that loads.
  size_t packing_threads;
  int32_t linears;           // ONEPACK_LINEARS_...
  int32_t record_hashes;     // recognise a retained weight in another file
  int32_t huge_pages;        // ask for them
  int32_t prefetch_weights;  // of weights in place: read them from the disk at load
  int32_t verify_keys;       // refuse data that is not what its key, a SHA-256, says
  // The file in which packed weights are kept, for the next start and for other processes
  // (packed_file.h). NULL: none. It is copied.
  const char* packed_file;
  uint64_t packed_file_max_bytes;  // 0: without limit
  int32_t packed_file_read_only;   // use what is there, and write nothing
} onepack_engine_options;

static inline void onepack_engine_options_init(onepack_engine_options* options) {
  memset(options, 0, sizeof(*options));
  options->struct_size = sizeof(*options);
}

// `options` NULL: the defaults.
ONEPACK_API onepack_status onepack_engine_create(const onepack_engine_options* options,
                                                 onepack_engine** engine, char** message);
// Methods and adapters of it go on.
ONEPACK_API void onepack_engine_release(onepack_engine* engine);

typedef struct onepack_cache_stats {
  size_t struct_size;
  // Now.
  uint64_t entries;         // weights that programs can share
  uint64_t bytes;           // packed, all of them
  uint64_t private_bytes;   // of them, those that no other program can find
  uint64_t retained_bytes;  // of them, those that no method uses
  uint64_t in_place_bytes;  // besides `bytes`: of weights used as their files have them
  uint64_t copied_bytes;    // the same, of files that are not mapped
  // Since the engine was made. A load counts each weight once.
  uint64_t hits;
  uint64_t hit_bytes;
  uint64_t misses;
  uint64_t packed_bytes;
  uint64_t packing_ns;  // summed over threads
  uint64_t evictions;   // of retained weights
  // Of the packed file: of `misses`, those that were found in it, and their bytes; weights that
  // were written to it; and how often something went wrong with it.
  uint64_t file_hits;
  uint64_t file_hit_bytes;
  uint64_t file_written;
  uint64_t file_troubles;
} onepack_cache_stats;

static inline void onepack_cache_stats_init(onepack_cache_stats* stats) {
  memset(stats, 0, sizeof(*stats));
  stats->struct_size = sizeof(*stats);
}

ONEPACK_API onepack_status onepack_engine_stats(const onepack_engine* engine,
                                                onepack_cache_stats* stats, char** message);
// Gives back what retained_bytes has kept.
ONEPACK_API onepack_status onepack_engine_prune(onepack_engine* engine, char** message);
// Waits until all that was packed so far is in the packed file, and on the disk. ONEPACK_OK without
// a file.
ONEPACK_API onepack_status onepack_engine_flush(onepack_engine* engine, char** message);

// ---- Sources: bytes that are no whole file of their own

typedef struct onepack_source onepack_source;

// `size` bytes of the file at `path` from `offset` on. The file must not be changed in place while
// anything that was opened from it lives: replace it (write a new one, rename it over).
ONEPACK_API onepack_status onepack_source_open_part(const char* path, uint64_t offset,
                                                    uint64_t size, onepack_source** source,
                                                    char** message);
// The same by descriptor, which stays the caller's, who may close it at once: an uncompressed asset
// of an Android package, of which AAsset_openFileDescriptor64 gives all three. Messages use `name`.
ONEPACK_API onepack_status onepack_source_map_descriptor(int descriptor, uint64_t offset,
                                                         uint64_t size, const char* name,
                                                         onepack_source** source, char** message);
// Bytes of the caller's, unchanged until `release(context)` is called: once, by whichever thread
// drops the last use of them. It is not called when this function fails. NULL: they stay for good.
ONEPACK_API onepack_status onepack_source_wrap_memory(const void* bytes, size_t size,
                                                      const char* name,
                                                      void (*release)(void* context), void* context,
                                                      onepack_source** source, char** message);
ONEPACK_API void onepack_source_release(onepack_source* source);

// ---- Programs (.pte) and data files (.ptd), verified when they are opened

typedef struct onepack_program onepack_program;
typedef struct onepack_data onepack_data;

// By path the file is mapped whole, and must not be changed in place, as above.
ONEPACK_API onepack_status onepack_program_open(const char* path, onepack_program** program,
                                                char** message);
ONEPACK_API onepack_status onepack_program_open_source(onepack_source* source,
                                                       onepack_program** program, char** message);
ONEPACK_API void onepack_program_release(onepack_program* program);
// 0 for NULL.
ONEPACK_API size_t onepack_program_method_count(const onepack_program* program);
// Lives as long as the program's handle. NULL for NULL, and from `method_count` on.
ONEPACK_API const char* onepack_program_method_name(const onepack_program* program, size_t index);

ONEPACK_API onepack_status onepack_data_open(const char* path, onepack_data** data, char** message);
ONEPACK_API onepack_status onepack_data_open_source(onepack_source* source, onepack_data** data,
                                                    char** message);
ONEPACK_API void onepack_data_release(onepack_data* data);

// ---- Values: what goes into a method and comes out of it

enum {
  ONEPACK_VALUE_NONE = 0,
  ONEPACK_VALUE_INT = 1,
  ONEPACK_VALUE_BOOL = 2,
  ONEPACK_VALUE_DOUBLE = 3,
  ONEPACK_VALUE_STRING = 4,
  ONEPACK_VALUE_TENSOR = 5,
  ONEPACK_VALUE_LIST = 6  // of any of these: its items do not cross this interface
};

// PyTorch's numbers, of the types that models give and take; others are in onepack/scalar_type.h.
enum {
  ONEPACK_UINT8 = 0,
  ONEPACK_INT8 = 1,
  ONEPACK_INT16 = 2,
  ONEPACK_INT32 = 3,
  ONEPACK_INT64 = 4,
  ONEPACK_FLOAT16 = 5,
  ONEPACK_FLOAT32 = 6,
  ONEPACK_FLOAT64 = 7,
  ONEPACK_BOOL = 11,
  ONEPACK_BFLOAT16 = 15
};

enum { ONEPACK_MAX_RANK = 16 };

typedef struct onepack_value {
  size_t struct_size;
  int32_t kind;  // ONEPACK_VALUE_...
  // Of a tensor.
  int32_t scalar_type;
  size_t rank;
  int32_t sizes[ONEPACK_MAX_RANK];
  // Outermost first: 0, 1, 2, ... is contiguous, and so are zeros where the caller makes the value.
  uint8_t dim_order[ONEPACK_MAX_RANK];
  // Of a tensor or a string, which has no zero at its end. Whoever made the value owns the bytes.
  const void* data;
  size_t size_bytes;
  int64_t int_value;  // of an int; of a bool: 0 or 1
  double double_value;
} onepack_value;

static inline void onepack_value_init(onepack_value* value) {
  memset(value, 0, sizeof(*value));
  value->struct_size = sizeof(*value);
}

// ---- Methods

typedef struct onepack_method onepack_method;
typedef struct onepack_shared_state onepack_shared_state;

// The state that methods of a program have together, a KV cache that "prefill" fills and "decode"
// goes on with: one for each conversation. Methods that share state are refused without one.
// The engine's max_planned_bytes is its limit.
ONEPACK_API onepack_status onepack_shared_state_create(const onepack_engine* engine,
                                                       onepack_program* program,
                                                       onepack_shared_state** state,
                                                       char** message);
ONEPACK_API void onepack_shared_state_release(onepack_shared_state* state);

typedef struct onepack_load_options {
  size_t struct_size;
  const char* method;  // NULL: "forward"; of a language model, the one that it generates with
  onepack_data* const* data;  // the files that the program was separated from
  size_t data_count;
  onepack_shared_state* shared_state;  // of the same program handle; NULL: the method has none
} onepack_load_options;

static inline void onepack_load_options_init(onepack_load_options* options) {
  memset(options, 0, sizeof(*options));
  options->struct_size = sizeof(*options);
}

// `options` NULL: "forward", without data files. What the engine's cache has is not packed again.
ONEPACK_API onepack_status onepack_method_load(onepack_engine* engine, onepack_program* program,
                                               const onepack_load_options* options,
                                               onepack_method** method, char** message);
ONEPACK_API void onepack_method_release(onepack_method* method);

// 0 for NULL.
ONEPACK_API size_t onepack_method_input_count(const onepack_method* method);
ONEPACK_API size_t onepack_method_output_count(const onepack_method* method);

// What belongs there: a tensor's sizes are the largest it may have, and `data` is NULL. With `data`
// and smaller sizes put in, `value` is ready for onepack_method_set_input.
ONEPACK_API onepack_status onepack_method_input(const onepack_method* method, size_t index,
                                                onepack_value* value, char** message);
// Copies `value`. `size_bytes` is what the caller has at `data`: at least what the sizes take.
// Tensors are set before each run, because runs reuse their memory. Errors:
// ONEPACK_INVALID_ARGUMENT when kind, type, dim order or sizes do not fit; ONEPACK_UNSUPPORTED for
// strings and lists. After an error the input has to be set again.
ONEPACK_API onepack_status onepack_method_set_input(onepack_method* method, size_t index,
                                                    const onepack_value* value, char** message);
ONEPACK_API onepack_status onepack_method_execute(onepack_method* method, char** message);
// A view of the method's own bytes, after a run; valid until its next set_input, execute, reset or
// release; of state that methods share also until another one's execute.
ONEPACK_API onepack_status onepack_method_output(const onepack_method* method, size_t index,
                                                 onepack_value* value, char** message);
// State that runs have left, a KV cache for instance, becomes what it was at first.
ONEPACK_API onepack_status onepack_method_reset(onepack_method* method, char** message);

// ---- Adapters: language models by name, over one foundation

typedef struct onepack_adapters onepack_adapters;

// `foundation`: data files that all adapters use; NULL when `count` is 0.
ONEPACK_API onepack_status onepack_adapters_create(onepack_engine* engine,
                                                   onepack_data* const* foundation, size_t count,
                                                   onepack_adapters** adapters, char** message);
// Not while a request runs, except from within its own callback.
ONEPACK_API void onepack_adapters_release(onepack_adapters* adapters);

// Loads a model while others answer. `options`: its method, and data files besides the foundation;
// NULL: none. It keeps its state to itself: `shared_state` has to be NULL. Errors:
// ONEPACK_INVALID_ARGUMENT for a name that is taken; ONEPACK_UNSUPPORTED for a program that is no
// language model.
ONEPACK_API onepack_status onepack_adapters_add(onepack_adapters* adapters, const char* name,
                                                onepack_program* program,
                                                const onepack_load_options* options,
                                                char** message);
// Requests that run still end well. Errors: ONEPACK_NOT_FOUND.
ONEPACK_API onepack_status onepack_adapters_drop(onepack_adapters* adapters, const char* name,
                                                 char** message);

// The defaults take the likeliest token, always the same one. Callbacks run in the thread that
// called onepack_adapters_generate, with no lock held, and may call any function here; a request to
// an adapter that is answering is refused there instead of waiting.
typedef struct onepack_generate_options {
  size_t struct_size;
  size_t max_new_tokens;  // 0: 128
  float temperature;      // logits are divided by it; 0: the likeliest token
  float top_p;            // among those that have so much of all probability; 0: 1, which is all
  size_t top_k;           // among the so many likeliest; 0: all
  uint64_t seed;          // the same seed, the same tokens
  const int64_t* stop_tokens;  // besides the model's own
  size_t stop_token_count;
  int32_t ignore_eos;    // 1: go on after the model's own
  size_t prefill_chunk;  // tokens of the prompt for each run; 0: as many as the model takes
  // Each new token, a stop token included; returns 0 to stop. May be NULL.
  int32_t (*on_token)(void* context, int64_t token);
  // Asked before each run of the model; returns 1 to stop. May be NULL.
  int32_t (*should_cancel)(void* context);
  void* context;
  // Room for the new tokens, of which the first `token_capacity` are written when all are there.
  // May be NULL.
  int64_t* tokens;
  size_t token_capacity;
} onepack_generate_options;

static inline void onepack_generate_options_init(onepack_generate_options* options) {
  memset(options, 0, sizeof(*options));
  options->struct_size = sizeof(*options);
}

enum {
  ONEPACK_STOP_MAX_NEW_TOKENS = 0,
  ONEPACK_STOP_STOP_TOKEN = 1,
  ONEPACK_STOP_CONTEXT_FULL = 2,
  ONEPACK_STOP_CANCELLED = 3  // by a callback; the tokens until then are good
};

typedef struct onepack_generate_result {
  size_t struct_size;
  size_t token_count;   // new ones, a stop token included; also those that found no room
  int32_t stop_reason;  // ONEPACK_STOP_...
  // To the first token, and from there to the last; callbacks are not counted.
  double prefill_seconds;
  double decode_seconds;
  // How many tokens those took.
  size_t prefill_tokens;
  size_t decode_tokens;
} onepack_generate_result;

static inline void onepack_generate_result_init(onepack_generate_result* result) {
  memset(result, 0, sizeof(*result));
  result->struct_size = sizeof(*result);
}

// The adapter's answer to `prompt`, in a context of its own: nothing is left from the request
// before. Requests to one adapter take turns, different ones answer in parallel. `options` NULL:
// the defaults; `result` may be NULL. Errors: ONEPACK_NOT_FOUND for a name that is not there;
// ONEPACK_INVALID_ARGUMENT for no tokens, one outside the vocabulary, or more than there is room
// for.
ONEPACK_API onepack_status onepack_adapters_generate(onepack_adapters* adapters, const char* name,
                                                     const int64_t* prompt, size_t count,
                                                     const onepack_generate_options* options,
                                                     onepack_generate_result* result,
                                                     char** message);

#ifdef __cplusplus
}  // extern "C"
#endif

#endif  // ONEPACK_C_API_H_
