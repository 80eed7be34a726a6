#include "tools/verified_program.h"

#include <vector>

#include "program_generated.h"
#include "runtime/program_contents.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

Status NeverCalled(void* context, Span<Value* const> arguments) {
  (void)context;
  (void)arguments;
  return Status::Error(StatusCode::kInternal, "an operator that stands for another was called");
}

// Names as the registry knows them.
std::vector<std::string> OperatorNames(const wire::program::ExecutionPlan& plan) {
  std::vector<std::string> names;
  for (size_t i = 0; i < CountOf(plan.operators()); ++i) {
    const auto* op = plan.operators()->Get(static_cast<uint32_t>(i));
    std::string name(TextOf(op->name()));
    const std::string_view overload = TextOf(op->overload());
    if (!overload.empty()) name.append(".").append(overload);
    names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

Status VerifyMethods(const InspectedFile& file, const Ref<NamedDataMap>& data,
                     const Ref<Backend>& backend) {
  // All of them together: methods that share state cannot be loaded separately.
  ONEPACK_ASSIGN_OR_RETURN(const Ref<SharedState> shared_state, SharedState::Create(file.program));
  for (size_t i = 0; i < file.program->method_count(); ++i) {
    const std::string_view name = file.program->method_name(i);
    ONEPACK_ASSIGN_OR_RETURN(const auto* plan, ProgramContents(*file.program).FindMethod(name));
    const std::vector<std::string> names = OperatorNames(*plan);
    std::vector<Operator> operators;
    for (const std::string& op : names) operators.push_back({op, &NeverCalled, nullptr});
    MethodOptions options;
    options.named_data = data;
    options.shared_state = shared_state;
    options.backends = {&backend, 1};
    options.operators = OperatorRegistry(operators);
    ONEPACK_ASSIGN_OR_RETURN(const Ref<Method> method, Method::Load(file.program, name, options));
  }
  return Status::Ok();
}

}  // namespace onepack
