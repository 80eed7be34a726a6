/* Onepack.java's native methods: each is a call or two of the C interface. */

#include <jni.h>
#include <stdlib.h>
#include <string.h>

#include "onepack/c_api.h"

#define NATIVE(type, name) JNIEXPORT type JNICALL Java_onepack_Onepack_##name

static jlong to_java(void* handle) { return (jlong)(intptr_t)handle; }
static void* to_c(jlong handle) { return (void*)(intptr_t)handle; }

static void throw_exception(JNIEnv* env, jint status, const char* message) {
  char text[1024];
  size_t i;
  jclass type = (*env)->FindClass(env, "onepack/Onepack$OnepackException");
  jmethodID constructor;
  jstring java_text;
  jobject exception;
  if (type == NULL) return;
  constructor = (*env)->GetMethodID(env, type, "<init>", "(ILjava/lang/String;)V");
  if (constructor == NULL) return;
  /* Java takes no bytes of other encodings, and a path may have any. */
  for (i = 0; i + 1 < sizeof(text) && message[i] != '\0'; ++i) {
    text[i] = message[i] > 0 && message[i] < 127 ? message[i] : '?';
  }
  text[i] = '\0';
  java_text = (*env)->NewStringUTF(env, text);
  if (java_text == NULL) return;
  exception = (*env)->NewObject(env, type, constructor, status, java_text);
  if (exception != NULL) (*env)->Throw(env, (jthrowable)exception);
}

/* Whether the call that gave `status` and `*message` has failed: then an exception waits for the
 * return to Java. Frees `*message`. (By address, because C evaluates arguments in any order, the
 * call among them.) */
static int failed(JNIEnv* env, onepack_status status, char** message) {
  if (status == ONEPACK_OK) return 0;
  /* A callback may have thrown its own. */
  if (!(*env)->ExceptionCheck(env)) {
    throw_exception(env, status, *message != NULL ? *message : onepack_status_name(status));
  }
  onepack_message_free(*message);
  return 1;
}

static void throw_out_of_memory(JNIEnv* env) {
  throw_exception(env, ONEPACK_RESOURCE_EXHAUSTED, "out of memory");
}

/* The text, or NULL for null. 0: an exception waits. */
static int get_text(JNIEnv* env, jstring string, const char** text) {
  *text = string == NULL ? NULL : (*env)->GetStringUTFChars(env, string, NULL);
  return string == NULL || *text != NULL;
}

static void release_text(JNIEnv* env, jstring string, const char* text) {
  if (text != NULL) (*env)->ReleaseStringUTFChars(env, string, text);
}

/* A list of data files, freed by the caller. 0: an exception waits. */
static int get_data(JNIEnv* env, jlongArray handles, onepack_data*** data, size_t* count) {
  jlong* elements = (*env)->GetLongArrayElements(env, handles, NULL);
  size_t i;
  if (elements == NULL) return 0;
  *count = (size_t)(*env)->GetArrayLength(env, handles);
  *data = calloc(*count + 1, sizeof(**data));
  for (i = 0; *data != NULL && i < *count; ++i) (*data)[i] = to_c(elements[i]);
  (*env)->ReleaseLongArrayElements(env, handles, elements, JNI_ABORT);
  if (*data == NULL) throw_out_of_memory(env);
  return *data != NULL;
}

NATIVE(jlong, createEngine)(JNIEnv* env, jclass type, jint threads) {
  onepack_engine_options options;
  onepack_engine* engine;
  char* message;
  onepack_status status;
  (void)type;
  onepack_engine_options_init(&options);
  options.threads = threads > 0 ? (size_t)threads : 0;
  status = onepack_engine_create(&options, &engine, &message);
  return failed(env, status, &message) ? 0 : to_java(engine);
}

NATIVE(void, releaseEngine)(JNIEnv* env, jclass type, jlong engine) {
  (void)env;
  (void)type;
  onepack_engine_release(to_c(engine));
}

NATIVE(jlongArray, stats)(JNIEnv* env, jclass type, jlong engine) {
  onepack_cache_stats stats;
  jlong numbers[7];
  jlongArray result;
  char* message;
  (void)type;
  onepack_cache_stats_init(&stats);
  if (failed(env, onepack_engine_stats(to_c(engine), &stats, &message), &message)) return NULL;
  numbers[0] = (jlong)stats.entries;
  numbers[1] = (jlong)stats.bytes;
  numbers[2] = (jlong)stats.in_place_bytes;
  numbers[3] = (jlong)stats.hits;
  numbers[4] = (jlong)stats.hit_bytes;
  numbers[5] = (jlong)stats.misses;
  numbers[6] = (jlong)stats.packed_bytes;
  result = (*env)->NewLongArray(env, 7);
  if (result != NULL) (*env)->SetLongArrayRegion(env, result, 0, 7, numbers);
  return result;
}

NATIVE(jlong, openProgram)(JNIEnv* env, jclass type, jstring path) {
  onepack_program* program;
  const char* text;
  char* message;
  onepack_status status;
  (void)type;
  if (!get_text(env, path, &text)) return 0;
  status = onepack_program_open(text, &program, &message);
  release_text(env, path, text);
  return failed(env, status, &message) ? 0 : to_java(program);
}

/* NULL: an exception waits. */
static onepack_source* map_source(JNIEnv* env, jint descriptor, jlong offset, jlong size,
                                  jstring name) {
  onepack_source* source;
  const char* text;
  char* message;
  onepack_status status;
  if (!get_text(env, name, &text)) return NULL;
  status = onepack_source_map_descriptor(descriptor, (uint64_t)offset, (uint64_t)size, text,
                                         &source, &message);
  release_text(env, name, text);
  return failed(env, status, &message) ? NULL : source;
}

NATIVE(jlong, mapProgram)
(JNIEnv* env, jclass type, jint descriptor, jlong offset, jlong size, jstring name) {
  onepack_source* source = map_source(env, descriptor, offset, size, name);
  onepack_program* program;
  char* message;
  onepack_status status;
  (void)type;
  if (source == NULL) return 0;
  status = onepack_program_open_source(source, &program, &message);
  onepack_source_release(source);
  return failed(env, status, &message) ? 0 : to_java(program);
}

NATIVE(void, releaseProgram)(JNIEnv* env, jclass type, jlong program) {
  (void)env;
  (void)type;
  onepack_program_release(to_c(program));
}

NATIVE(jlong, openData)(JNIEnv* env, jclass type, jstring path) {
  onepack_data* data;
  const char* text;
  char* message;
  onepack_status status;
  (void)type;
  if (!get_text(env, path, &text)) return 0;
  status = onepack_data_open(text, &data, &message);
  release_text(env, path, text);
  return failed(env, status, &message) ? 0 : to_java(data);
}

NATIVE(jlong, mapData)
(JNIEnv* env, jclass type, jint descriptor, jlong offset, jlong size, jstring name) {
  onepack_source* source = map_source(env, descriptor, offset, size, name);
  onepack_data* data;
  char* message;
  onepack_status status;
  (void)type;
  if (source == NULL) return 0;
  status = onepack_data_open_source(source, &data, &message);
  onepack_source_release(source);
  return failed(env, status, &message) ? 0 : to_java(data);
}

NATIVE(void, releaseData)(JNIEnv* env, jclass type, jlong data) {
  (void)env;
  (void)type;
  onepack_data_release(to_c(data));
}

NATIVE(jlong, loadMethod)
(JNIEnv* env, jclass type, jlong engine, jlong program, jstring name, jlongArray data) {
  onepack_load_options options;
  onepack_method* method;
  onepack_data** files;
  char* message;
  onepack_status status;
  (void)type;
  onepack_load_options_init(&options);
  if (!get_data(env, data, &files, &options.data_count)) return 0;
  if (!get_text(env, name, &options.method)) {
    free(files);
    return 0;
  }
  options.data = files;
  status = onepack_method_load(to_c(engine), to_c(program), &options, &method, &message);
  release_text(env, name, options.method);
  free(files);
  return failed(env, status, &message) ? 0 : to_java(method);
}

NATIVE(void, releaseMethod)(JNIEnv* env, jclass type, jlong method) {
  (void)env;
  (void)type;
  onepack_method_release(to_c(method));
}

NATIVE(jintArray, inputSizes)(JNIEnv* env, jclass type, jlong method, jint index) {
  onepack_value value;
  jint sizes[ONEPACK_MAX_RANK];
  jintArray result;
  char* message;
  size_t i;
  (void)type;
  onepack_value_init(&value);
  if (failed(env, onepack_method_input(to_c(method), (size_t)index, &value, &message), &message)) {
    return NULL;
  }
  for (i = 0; i < value.rank; ++i) sizes[i] = value.sizes[i];
  result = (*env)->NewIntArray(env, (jsize)value.rank);
  if (result != NULL) (*env)->SetIntArrayRegion(env, result, 0, (jsize)value.rank, sizes);
  return result;
}

NATIVE(void, setInput)
(JNIEnv* env, jclass type, jlong method, jint index, jfloatArray numbers, jintArray sizes) {
  const jsize rank = (*env)->GetArrayLength(env, sizes);
  jint dims[ONEPACK_MAX_RANK];
  onepack_value value;
  jfloat* elements;
  char* message;
  onepack_status status;
  jsize i;
  (void)type;
  if (rank > ONEPACK_MAX_RANK) {
    throw_exception(env, ONEPACK_INVALID_ARGUMENT, "a tensor of too many dimensions");
    return;
  }
  onepack_value_init(&value);
  value.kind = ONEPACK_VALUE_TENSOR;
  value.scalar_type = ONEPACK_FLOAT32;
  value.rank = (size_t)rank;
  (*env)->GetIntArrayRegion(env, sizes, 0, rank, dims);
  for (i = 0; i < rank; ++i) value.sizes[i] = dims[i];
  elements = (*env)->GetFloatArrayElements(env, numbers, NULL);
  if (elements == NULL) return;
  value.data = elements;
  value.size_bytes = (size_t)(*env)->GetArrayLength(env, numbers) * sizeof(float);
  status = onepack_method_set_input(to_c(method), (size_t)index, &value, &message);
  (*env)->ReleaseFloatArrayElements(env, numbers, elements, JNI_ABORT);
  (void)failed(env, status, &message);
}

NATIVE(void, execute)(JNIEnv* env, jclass type, jlong method) {
  char* message;
  (void)type;
  (void)failed(env, onepack_method_execute(to_c(method), &message), &message);
}

NATIVE(jfloatArray, output)(JNIEnv* env, jclass type, jlong method, jint index) {
  onepack_value value;
  jfloatArray result;
  jsize count;
  char* message;
  (void)type;
  onepack_value_init(&value);
  if (failed(env, onepack_method_output(to_c(method), (size_t)index, &value, &message), &message)) {
    return NULL;
  }
  if (value.kind != ONEPACK_VALUE_TENSOR || value.scalar_type != ONEPACK_FLOAT32) {
    throw_exception(env, ONEPACK_UNSUPPORTED, "the output is no tensor of float32");
    return NULL;
  }
  count = (jsize)(value.size_bytes / sizeof(float));
  result = (*env)->NewFloatArray(env, count);
  if (result != NULL) (*env)->SetFloatArrayRegion(env, result, 0, count, value.data);
  return result;
}

NATIVE(jlong, createAdapters)(JNIEnv* env, jclass type, jlong engine, jlongArray foundation) {
  onepack_adapters* adapters;
  onepack_data** files;
  size_t count;
  char* message;
  onepack_status status;
  (void)type;
  if (!get_data(env, foundation, &files, &count)) return 0;
  status = onepack_adapters_create(to_c(engine), files, count, &adapters, &message);
  free(files);
  return failed(env, status, &message) ? 0 : to_java(adapters);
}

NATIVE(void, releaseAdapters)(JNIEnv* env, jclass type, jlong adapters) {
  (void)env;
  (void)type;
  onepack_adapters_release(to_c(adapters));
}

NATIVE(void, addAdapter)
(JNIEnv* env, jclass type, jlong adapters, jstring name, jlong program, jlongArray data) {
  onepack_load_options options;
  onepack_data** files;
  const char* text;
  char* message;
  onepack_status status;
  (void)type;
  onepack_load_options_init(&options);
  if (!get_data(env, data, &files, &options.data_count)) return;
  if (!get_text(env, name, &text)) {
    free(files);
    return;
  }
  options.data = files;
  status = onepack_adapters_add(to_c(adapters), text, to_c(program), &options, &message);
  release_text(env, name, text);
  free(files);
  (void)failed(env, status, &message);
}

NATIVE(void, dropAdapter)(JNIEnv* env, jclass type, jlong adapters, jstring name) {
  const char* text;
  char* message;
  onepack_status status;
  (void)type;
  if (!get_text(env, name, &text)) return;
  status = onepack_adapters_drop(to_c(adapters), text, &message);
  release_text(env, name, text);
  (void)failed(env, status, &message);
}

/* A TokenListener, and how to call it. */
typedef struct listener {
  JNIEnv* env;
  jobject object;
  jmethodID on_token;
} listener;

static int32_t call_listener(void* context, int64_t token) {
  const listener* to = context;
  JNIEnv* env = to->env;
  const jboolean goes_on = (*env)->CallBooleanMethod(env, to->object, to->on_token, (jlong)token);
  return !(*env)->ExceptionCheck(env) && goes_on;
}

/* 0: an exception waits. */
static int find_listener(JNIEnv* env, jobject object, listener* found) {
  found->env = env;
  found->object = object;
  found->on_token =
      (*env)->GetMethodID(env, (*env)->GetObjectClass(env, object), "onToken", "(J)Z");
  return found->on_token != NULL;
}

/* The answer, or NULL: an exception waits. */
static jlongArray generate(JNIEnv* env, onepack_adapters* adapters, const char* name,
                           jlongArray prompt, const onepack_generate_options* options) {
  const jsize count = (*env)->GetArrayLength(env, prompt);
  jlong* elements = (*env)->GetLongArrayElements(env, prompt, NULL);
  onepack_generate_result result;
  jlongArray tokens;
  char* message;
  onepack_status status;
  if (elements == NULL) return NULL;
  onepack_generate_result_init(&result);
  status = onepack_adapters_generate(adapters, name, (const int64_t*)elements, (size_t)count,
                                     options, &result, &message);
  (*env)->ReleaseLongArrayElements(env, prompt, elements, JNI_ABORT);
  if (failed(env, status, &message) || (*env)->ExceptionCheck(env)) return NULL;
  tokens = (*env)->NewLongArray(env, (jsize)result.token_count);
  if (tokens != NULL) {
    (*env)->SetLongArrayRegion(env, tokens, 0, (jsize)result.token_count,
                               (const jlong*)options->tokens);
  }
  return tokens;
}

NATIVE(jlongArray, generate)
(JNIEnv* env, jclass type, jlong adapters, jstring name, jlongArray prompt, jint max_new_tokens,
 jfloat temperature, jobject token_listener) {
  onepack_generate_options options;
  listener found;
  const char* text;
  jlongArray tokens = NULL;
  (void)type;
  if (max_new_tokens <= 0) {
    throw_exception(env, ONEPACK_INVALID_ARGUMENT, "no new tokens asked for");
    return NULL;
  }
  onepack_generate_options_init(&options);
  options.max_new_tokens = (size_t)max_new_tokens;
  options.temperature = temperature;
  if (token_listener != NULL) {
    if (!find_listener(env, token_listener, &found)) return NULL;
    options.on_token = call_listener;
    options.context = &found;
  }
  if (!get_text(env, name, &text)) return NULL;
  options.token_capacity = (size_t)max_new_tokens;
  options.tokens = malloc(options.token_capacity * sizeof(*options.tokens));
  if (options.tokens != NULL) {
    tokens = generate(env, to_c(adapters), text, prompt, &options);
  } else {
    throw_out_of_memory(env);
  }
  free(options.tokens);
  release_text(env, name, text);
  return tokens;
}
