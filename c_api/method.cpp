#include "onepack/method.h"

#include <utility>

#include "c_api/boundary.h"
#include "c_api/handles.h"
#include "c_api/sized_struct.h"
#include "c_api/values.h"

namespace onepack {
namespace {

Status CheckIndex(size_t index, size_t count, const char* what) {
  if (index < count) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument, "%s %zu of %zu", what, index, count);
}

// The method and the place for a value of it.
Status CheckValueCall(const onepack_method* method, const onepack_value* value) {
  ONEPACK_RETURN_IF_ERROR(CheckGiven(method, "method"));
  ONEPACK_RETURN_IF_ERROR(CheckGiven(value, "onepack_value"));
  return CheckSize(*value, "onepack_value");
}

// `tensor` refers to `read`, and the value to both.
Result<Value> Read(const onepack_value* value, onepack_value* read, Tensor* tensor) {
  ONEPACK_RETURN_IF_ERROR(CheckGiven(value, "onepack_value"));
  ONEPACK_RETURN_IF_ERROR(ReadStruct(value, "onepack_value", read));
  return ToValue(*read, tensor);
}

Result<onepack_method> Load(const onepack_engine& engine, const onepack_program& program,
                            const onepack_load_options& given) {
  MethodOptions options = engine.engine->LoadOptions();
  ONEPACK_ASSIGN_OR_RETURN(options.named_data, MergeData(given.data, given.data_count));
  if (given.shared_state != nullptr) options.shared_state = given.shared_state->state;
  const char* name = given.method != nullptr ? given.method : "forward";
  ONEPACK_ASSIGN_OR_RETURN(auto method, Method::Load(program.program, name, options));
  return onepack_method{engine.engine, std::move(method)};
}

}  // namespace
}  // namespace onepack

using onepack::CheckGiven;
using onepack::Guard;
using onepack::GuardNew;
using onepack::Result;
using onepack::Status;

onepack_status onepack_shared_state_create(const onepack_engine* engine, onepack_program* program,
                                           onepack_shared_state** state, char** message) {
  return GuardNew(state, message, [&]() -> Result<onepack_shared_state> {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(engine, "engine"));
    ONEPACK_RETURN_IF_ERROR(CheckGiven(program, "program"));
    ONEPACK_ASSIGN_OR_RETURN(
        auto created, onepack::SharedState::Create(
                          program->program, engine->engine->LoadOptions().max_planned_bytes));
    return onepack_shared_state{std::move(created)};
  });
}

void onepack_shared_state_release(onepack_shared_state* state) { delete state; }

onepack_status onepack_method_load(onepack_engine* engine, onepack_program* program,
                                   const onepack_load_options* options, onepack_method** method,
                                   char** message) {
  return GuardNew(method, message, [&]() -> Result<onepack_method> {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(engine, "engine"));
    ONEPACK_RETURN_IF_ERROR(CheckGiven(program, "program"));
    onepack_load_options read;
    ONEPACK_RETURN_IF_ERROR(onepack::ReadStruct(options, "onepack_load_options", &read));
    return onepack::Load(*engine, *program, read);
  });
}

void onepack_method_release(onepack_method* method) { delete method; }

size_t onepack_method_input_count(const onepack_method* method) {
  return method == nullptr ? 0 : method->method->input_count();
}

size_t onepack_method_output_count(const onepack_method* method) {
  return method == nullptr ? 0 : method->method->output_count();
}

onepack_status onepack_method_input(const onepack_method* method, size_t index,
                                    onepack_value* value, char** message) {
  return Guard(message, [&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(onepack::CheckValueCall(method, value));
    ONEPACK_RETURN_IF_ERROR(onepack::CheckIndex(index, method->method->input_count(), "input"));
    onepack::WriteStruct(onepack::SignatureOf(method->method->input(index)), value);
    return Status::Ok();
  });
}

onepack_status onepack_method_set_input(onepack_method* method, size_t index,
                                        const onepack_value* value, char** message) {
  return Guard(message, [&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(method, "method"));
    onepack_value read;
    onepack::Tensor tensor;
    auto input = onepack::Read(value, &read, &tensor);
    if (!input.ok()) {
      // What was set before is not to be run with instead: a refused value makes the method forget
      // it.
      (void)method->method->SetInput(index, onepack::Value::OfTensor(nullptr));
      return input.TakeStatus().WithContext("input %zu", index);
    }
    return method->method->SetInput(index, *input);
  });
}

onepack_status onepack_method_execute(onepack_method* method, char** message) {
  return Guard(message, [&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(method, "method"));
    return method->method->Execute();
  });
}

onepack_status onepack_method_output(const onepack_method* method, size_t index,
                                     onepack_value* value, char** message) {
  return Guard(message, [&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(onepack::CheckValueCall(method, value));
    ONEPACK_RETURN_IF_ERROR(onepack::CheckIndex(index, method->method->output_count(), "output"));
    onepack::WriteStruct(onepack::ViewOf(method->method->output(index)), value);
    return Status::Ok();
  });
}

onepack_status onepack_method_reset(onepack_method* method, char** message) {
  return Guard(message, [&]() -> Status {
    ONEPACK_RETURN_IF_ERROR(CheckGiven(method, "method"));
    return method->method->Reset();
  });
}
