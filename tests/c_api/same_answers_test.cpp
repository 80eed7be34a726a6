// What comes out of the C interface is what the C++ one gives, bit for bit.

#include <gtest/gtest.h>
#include <string.h>

#include <memory>
#include <string>
#include <vector>

#include "onepack/adapter_pool.h"
#include "onepack/c_api.h"
#include "onepack/cpu_operators.h"
#include "tests/support/case_loader.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"
#include "tools/recorded_case.h"

namespace onepack {
namespace {

template <auto kRelease>
struct Releaser {
  template <typename Handle>
  void operator()(Handle* handle) const {
    kRelease(handle);
  }
};
using Engine = std::unique_ptr<onepack_engine, Releaser<onepack_engine_release>>;
using ProgramHandle = std::unique_ptr<onepack_program, Releaser<onepack_program_release>>;
using DataHandle = std::unique_ptr<onepack_data, Releaser<onepack_data_release>>;
using MethodHandle = std::unique_ptr<onepack_method, Releaser<onepack_method_release>>;
using AdaptersHandle = std::unique_ptr<onepack_adapters, Releaser<onepack_adapters_release>>;

// A call with room for its message as the last argument.
template <typename Function, typename... Arguments>
testing::AssertionResult Succeeds(Function function, Arguments... arguments) {
  char* message = nullptr;
  const onepack_status status = function(arguments..., &message);
  const std::string text = message == nullptr ? "" : message;
  onepack_message_free(message);
  if (status == ONEPACK_OK && message == nullptr) return testing::AssertionSuccess();
  return testing::AssertionFailure() << onepack_status_name(status) << ": " << text;
}

// The handle that `function` makes; null, and a failure of the test, when it makes none.
template <typename Owner, typename Function, typename... Arguments>
Owner Make(Function function, Arguments... arguments) {
  typename Owner::pointer handle = nullptr;
  EXPECT_TRUE(Succeeds(function, arguments..., &handle));
  return Owner(handle);
}

ProgramHandle OpenProgram(const std::string& path) {
  return Make<ProgramHandle>(onepack_program_open, path.c_str());
}

DataHandle OpenData(const std::string& path) {
  return Make<DataHandle>(onepack_data_open, path.c_str());
}

Engine CreateEngine(int32_t linears) {
  onepack_engine_options options;
  onepack_engine_options_init(&options);
  options.linears = linears;
  return Make<Engine>(onepack_engine_create, &options);
}

using Answer = std::vector<uint8_t>;

Answer RunInC(onepack_method* method, const RecordedTensor& input, const uint8_t* bytes) {
  onepack_value value;
  onepack_value_init(&value);
  EXPECT_TRUE(Succeeds(onepack_method_input, method, size_t{0}, &value));
  std::copy(input.sizes.begin(), input.sizes.end(), value.sizes);
  value.data = bytes;
  value.size_bytes = input.size_bytes;
  EXPECT_TRUE(Succeeds(onepack_method_set_input, method, size_t{0}, &value));
  EXPECT_TRUE(Succeeds(onepack_method_execute, method));
  EXPECT_TRUE(Succeeds(onepack_method_output, method, size_t{0}, &value));
  const auto* first = static_cast<const uint8_t*>(value.data);
  return Answer(first, first + value.size_bytes);
}

Result<Answer> RunInCpp(Method& method, const RecordedCase& recorded, const RecordedValue& input) {
  Tensor tensor;
  ONEPACK_RETURN_IF_ERROR(method.SetInput(0, recorded.ToValue(input, &tensor)));
  ONEPACK_RETURN_IF_ERROR(method.Execute());
  const Tensor& output = method.output(0).tensor();
  return Answer(output.data(), output.data() + output.size_bytes());
}

MethodHandle LoadInC(onepack_engine* engine, const std::string& stem, onepack_data* foundation) {
  const ProgramHandle program = OpenProgram(stem + ".pte");
  const DataHandle adapter = OpenData(stem + ".ptd");
  onepack_data* const data[] = {foundation, adapter.get()};
  onepack_load_options options;
  onepack_load_options_init(&options);
  options.data = data;
  options.data_count = 2;
  return Make<MethodHandle>(onepack_method_load, engine, program.get(), &options);
}

class CApiMethodTest : public testing::TestWithParam<const char*> {};

TEST_P(CApiMethodTest, GivesTheAnswersOfTheCppApi) {
  const std::string folder = TestData("cases/" + std::string(GetParam()));
  const CaseLoader loader(WeightCache::Create());  // of packed weights
  const Engine engine = CreateEngine(ONEPACK_LINEARS_PACKED);
  const DataHandle foundation = OpenData(folder + "/foundation.ptd");
  for (const char* name : {"lora0", "lora1"}) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> cpp, loader.Load(folder, name));
    const std::string stem = folder + "/" + name;
    const MethodHandle c = LoadInC(engine.get(), stem, foundation.get());
    ASSERT_NE(c, nullptr);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const RecordedCase recorded, ReadRecordedCase(stem + ".json"));
    ASSERT_FALSE(recorded.calls.empty());
    for (const RecordedCall& call : recorded.calls) {
      const auto& input = std::get<RecordedTensor>(call.inputs[0]);
      ONEPACK_ASSERT_OK_AND_ASSIGN(const Answer expected, RunInCpp(*cpp, recorded, call.inputs[0]));
      ASSERT_FALSE(expected.empty());
      EXPECT_EQ(RunInC(c.get(), input, recorded.tensors.bytes().data() + input.offset), expected)
          << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, CApiMethodTest,
                         testing::Values("lora_fp32", "lora_8da4w", "lora_8da8w"));

constexpr const char* kAdapters[] = {"base", "a0", "a1"};
constexpr int64_t kPrompt[] = {1, 17, 42, 99};

using Tokens = std::vector<int64_t>;

std::string ModelFile(const std::string& name) { return TestData("cases/llm_8da4w/" + name); }

Result<Ref<NamedDataMap>> OpenMap(const std::string& path) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> file, OpenMappedFile(path.c_str()));
  return NamedDataMap::Open(file);
}

// All adapters, asked in C++.
class CppAdapters {
 public:
  Status Load() {
    XnnpackBackendOptions backend;
    backend.weight_cache = WeightCache::Create();
    ONEPACK_ASSIGN_OR_RETURN(backend_, CreateXnnpackBackend(backend));
    ONEPACK_ASSIGN_OR_RETURN(CpuOperators operators, CpuOperators::Create({}));
    operators_ = std::make_unique<CpuOperators>(std::move(operators));
    MethodOptions options;
    ONEPACK_ASSIGN_OR_RETURN(options.named_data, OpenMap(ModelFile("foundation.ptd")));
    options.backends = {&backend_, 1};
    options.operators = operators_->registry();
    pool_ = std::make_unique<AdapterPool>(options);
    for (const char* name : kAdapters) ONEPACK_RETURN_IF_ERROR(Add(name));
    return Status::Ok();
  }

  Result<GenerateResult> Generate(const char* name, const GenerateOptions& options) {
    return pool_->Generate(name, kPrompt, options);
  }

 private:
  Status Add(const std::string& name) {
    ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> file,
                             OpenMappedFile(ModelFile(name + ".pte").c_str()));
    ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, Program::Open(file));
    Ref<NamedDataMap> data;
    if (name != "base") {
      ONEPACK_ASSIGN_OR_RETURN(data, OpenMap(ModelFile(name + ".ptd")));
    }
    return pool_->Add(name, program, data);
  }

  Ref<Backend> backend_;
  std::unique_ptr<CpuOperators> operators_;
  std::unique_ptr<AdapterPool> pool_;
};

AdaptersHandle LoadAdaptersInC() {
  const Engine engine = CreateEngine(ONEPACK_LINEARS_AUTO);
  const DataHandle foundation = OpenData(ModelFile("foundation.ptd"));
  onepack_data* const foundations[] = {foundation.get()};
  AdaptersHandle adapters =
      Make<AdaptersHandle>(onepack_adapters_create, engine.get(), foundations, size_t{1});
  for (const std::string name : kAdapters) {
    const ProgramHandle program = OpenProgram(ModelFile(name + ".pte"));
    const DataHandle own = name == "base" ? nullptr : OpenData(ModelFile(name + ".ptd"));
    onepack_data* const data[] = {own.get()};
    onepack_load_options options;
    onepack_load_options_init(&options);
    options.data = data;
    options.data_count = own == nullptr ? 0 : 1;
    EXPECT_TRUE(
        Succeeds(onepack_adapters_add, adapters.get(), name.c_str(), program.get(), &options));
  }
  return adapters;
}

Tokens GenerateInC(onepack_adapters* adapters, const char* name, onepack_generate_options options) {
  Tokens tokens(64);
  options.tokens = tokens.data();
  options.token_capacity = tokens.size();
  onepack_generate_result result;
  onepack_generate_result_init(&result);
  EXPECT_TRUE(Succeeds(onepack_adapters_generate, adapters, name, kPrompt, std::size(kPrompt),
                       &options, &result));
  tokens.resize(result.token_count);
  return tokens;
}

TEST(CApiAdaptersTest, GenerateTheTokensOfTheCppApi) {
  CppAdapters cpp;
  ASSERT_TRUE(IsOk(cpp.Load()));
  const AdaptersHandle c = LoadAdaptersInC();
  onepack_generate_options options;
  onepack_generate_options_init(&options);
  options.max_new_tokens = 12;
  options.ignore_eos = 1;
  for (const float temperature : {0.0f, 0.9f}) {
    options.temperature = temperature;
    options.top_k = 40;
    options.top_p = 0.95f;
    options.seed = 7;
    GenerateOptions same;
    same.max_new_tokens = 12;
    same.ignore_eos = true;
    same.sampling.temperature = temperature;
    same.sampling.top_k = 40;
    same.sampling.top_p = 0.95f;
    same.sampling.seed = 7;
    for (const char* name : kAdapters) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult expected, cpp.Generate(name, same));
      ASSERT_EQ(expected.tokens.size(), 12u);
      EXPECT_EQ(GenerateInC(c.get(), name, options), expected.tokens) << name << temperature;
    }
  }
}

// Options that are all zero are the defaults of the C++ API, whatever those are.
TEST(CApiAdaptersTest, ZeroIsTheDefault) {
  CppAdapters cpp;
  ASSERT_TRUE(IsOk(cpp.Load()));
  const AdaptersHandle c = LoadAdaptersInC();
  onepack_generate_options options;
  onepack_generate_options_init(&options);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const GenerateResult expected, cpp.Generate("a0", {}));
  onepack_generate_result result;
  onepack_generate_result_init(&result);
  for (const onepack_generate_options* given : {&options, (onepack_generate_options*)nullptr}) {
    ASSERT_TRUE(Succeeds(onepack_adapters_generate, c.get(), "a0", kPrompt, std::size(kPrompt),
                         given, &result));
    EXPECT_EQ(result.token_count, expected.tokens.size());
    EXPECT_EQ(result.stop_reason, static_cast<int32_t>(expected.stop_reason));
    EXPECT_EQ(result.prefill_tokens, expected.prefill_tokens);
    EXPECT_EQ(result.decode_tokens, expected.decode_tokens);
  }
}

}  // namespace
}  // namespace onepack
