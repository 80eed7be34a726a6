#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "c_api/boundary.h"
#include "c_api/handles.h"
#include "c_api/sized_struct.h"
#include "onepack/adapter_pool.h"

namespace onepack {

struct Adapters {
  const std::shared_ptr<Engine> engine;  // destroyed last
  AdapterPool pool;
};

}  // namespace onepack

struct onepack_adapters {
  // Counted, so that a request's callback may release the handle.
  std::shared_ptr<onepack::Adapters> adapters;
};

namespace onepack {
namespace {

constexpr bool Equal(int number, StopReason reason) { return number == static_cast<int>(reason); }
static_assert(Equal(ONEPACK_STOP_MAX_NEW_TOKENS, StopReason::kMaxNewTokens));
static_assert(Equal(ONEPACK_STOP_STOP_TOKEN, StopReason::kStopToken));
static_assert(Equal(ONEPACK_STOP_CONTEXT_FULL, StopReason::kContextFull));
static_assert(Equal(ONEPACK_STOP_CANCELLED, StopReason::kCancelled));

Result<onepack_adapters> Create(const std::shared_ptr<Engine>& engine,
                                onepack_data* const* foundation, size_t count) {
  MethodOptions options = engine->LoadOptions();
  ONEPACK_ASSIGN_OR_RETURN(options.named_data, MergeData(foundation, count));
  // No make_shared: an AdapterPool cannot be moved into place.
  return onepack_adapters{std::shared_ptr<Adapters>(new Adapters{engine, AdapterPool(options)})};
}

Status Add(AdapterPool& pool, std::string_view name, const Ref<Program>& program,
           const onepack_load_options& options) {
  if (options.shared_state != nullptr) {
    return Status::Error(StatusCode::kInvalidArgument,
                         "an adapter keeps its state to itself: shared_state has to be NULL");
  }
  ONEPACK_ASSIGN_OR_RETURN(const Ref<NamedDataMap> data,
                           MergeData(options.data, options.data_count));
  return pool.Add(name, program, data, options.method != nullptr ? options.method : "");
}

Result<GenerateOptions> OptionsOf(const onepack_generate_options& given) {
  GenerateOptions options;
  if (given.max_new_tokens != 0) options.max_new_tokens = given.max_new_tokens;
  options.sampling.temperature = given.temperature;
  options.sampling.top_k = given.top_k;
  if (given.top_p != 0) options.sampling.top_p = given.top_p;
  options.sampling.seed = given.seed;
  if (given.stop_token_count > 0) {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(given.stop_tokens, "list of stop tokens"));
    options.stop_tokens.assign(given.stop_tokens, given.stop_tokens + given.stop_token_count);
  }
  options.ignore_eos = given.ignore_eos != 0;
  options.prefill_chunk = given.prefill_chunk;
  void* const context = given.context;
  if (const auto on_token = given.on_token; on_token != nullptr) {
    options.on_token = [=](int64_t token) { return on_token(context, token) != 0; };
  }
  if (const auto should_cancel = given.should_cancel; should_cancel != nullptr) {
    options.should_cancel = [=] { return should_cancel(context) != 0; };
  }
  return options;
}

onepack_generate_result ResultOf(const GenerateResult& answer) {
  onepack_generate_result result = {};
  result.token_count = answer.tokens.size();
  result.stop_reason = static_cast<int32_t>(answer.stop_reason);
  result.prefill_seconds = answer.prefill_seconds;
  result.decode_seconds = answer.decode_seconds;
  result.prefill_tokens = answer.prefill_tokens;
  result.decode_tokens = answer.decode_tokens;
  return result;
}

// What the pool is not asked with.
Status CheckRequest(const int64_t* prompt, size_t count, const onepack_generate_options& options,
                    const onepack_generate_result* result) {
  if (count > 0) ONEPACK_RETURN_IF_ERROR(CheckGiven(prompt, "prompt"));
  if (options.token_capacity > 0) {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(options.tokens, "room for tokens"));
  }
  return result == nullptr ? Status::Ok() : CheckSize(*result, "onepack_generate_result");
}

}  // namespace
}  // namespace onepack

using onepack::CheckGiven;
using onepack::Guard;
using onepack::Result;
using onepack::Status;

onepack_status onepack_adapters_create(onepack_engine* engine, onepack_data* const* foundation,
                                       size_t count, onepack_adapters** adapters, char** message) {
  return onepack::GuardNew(adapters, message, [&]() -> Result<onepack_adapters> {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(engine, "engine"));
    return onepack::Create(engine->engine, foundation, count);
  });
}

void onepack_adapters_release(onepack_adapters* adapters) { delete adapters; }

onepack_status onepack_adapters_add(onepack_adapters* adapters, const char* name,
                                    onepack_program* program, const onepack_load_options* options,
                                    char** message) {
  return Guard(message, [&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(adapters, "handle of adapters"));
    ONEPACK_RETURN_IF_ERROR(CheckGiven(name, "name"));
    ONEPACK_RETURN_IF_ERROR(CheckGiven(program, "program"));
    onepack_load_options read;
    ONEPACK_RETURN_IF_ERROR(onepack::ReadStruct(options, "onepack_load_options", &read));
    const auto shared = adapters->adapters;
    return onepack::Add(shared->pool, name, program->program, read);
  });
}

onepack_status onepack_adapters_drop(onepack_adapters* adapters, const char* name, char** message) {
  return Guard(message, [&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(adapters, "handle of adapters"));
    ONEPACK_RETURN_IF_ERROR(CheckGiven(name, "name"));
    return adapters->adapters->pool.Drop(name);
  });
}

onepack_status onepack_adapters_generate(onepack_adapters* adapters, const char* name,
                                         const int64_t* prompt, size_t count,
                                         const onepack_generate_options* options,
                                         onepack_generate_result* result, char** message) {
  return Guard(message, [&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(adapters, "handle of adapters"));
    ONEPACK_RETURN_IF_ERROR(CheckGiven(name, "name"));
    onepack_generate_options read;
    ONEPACK_RETURN_IF_ERROR(onepack::ReadStruct(options, "onepack_generate_options", &read));
    ONEPACK_RETURN_IF_ERROR(onepack::CheckRequest(prompt, count, read, result));
    ONEPACK_ASSIGN_OR_RETURN(const onepack::GenerateOptions request, onepack::OptionsOf(read));
    const auto shared = adapters->adapters;
    ONEPACK_ASSIGN_OR_RETURN(const onepack::GenerateResult answer,
                             shared->pool.Generate(name, {prompt, count}, request));
    std::copy_n(answer.tokens.begin(), std::min(answer.tokens.size(), read.token_capacity),
                read.tokens);
    if (result != nullptr) onepack::WriteStruct(onepack::ResultOf(answer), result);
    return Status::Ok();
  });
}
