#include "tests/llm/exported_model.h"

#include <map>

#include "onepack/generate.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"
#include "tools/program_loader.h"

namespace onepack {
namespace {

ProgramLoader& LoaderFor(LinearLayout linears) {
  static std::map<LinearLayout, std::unique_ptr<ProgramLoader>> loaders;
  std::unique_ptr<ProgramLoader>& loader = loaders[linears];
  if (loader != nullptr) return *loader;
  ProgramLoaderOptions options;
  options.linears = linears;
  loader = std::move(ProgramLoader::Create(options)).value();
  return *loader;
}

std::string PathOf(const std::string& file) { return file[0] == '/' ? file : TestData(file); }

}  // namespace

Result<std::unique_ptr<LanguageModel>> LoadExported(const ModelFiles& files) {
  std::vector<std::string> data;
  for (const std::string& file : files.data) data.push_back(PathOf(file));
  ProgramLoader& loader = LoaderFor(files.linears);
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, loader.OpenProgram(PathOf(files.program)));
  ONEPACK_ASSIGN_OR_RETURN(const MethodOptions options, loader.OptionsFor(data));
  return LanguageModel::Load(program, options);
}

Result<std::unique_ptr<LanguageModel>> LoadExported(const std::string& name) {
  return LoadExported(ModelFiles{"language_models/" + name + ".pte", {}, LinearLayout::kAuto});
}

std::vector<float> LogitsAfter(LanguageModel& model, const std::vector<int64_t>& tokens) {
  auto logits = model.Append(tokens);
  EXPECT_TRUE(IsOk(logits));
  return logits.ok() ? std::vector<float>(logits->begin(), logits->end()) : std::vector<float>();
}

std::vector<int64_t> Answer(LanguageModel& model, const std::vector<int64_t>& prompt, size_t count,
                            bool ignore_eos) {
  GenerateOptions options;
  options.max_new_tokens = count;
  options.ignore_eos = ignore_eos;
  auto result = Generate(model, prompt, options);
  EXPECT_TRUE(IsOk(result));
  return result.ok() ? result->tokens : std::vector<int64_t>();
}

}  // namespace onepack
