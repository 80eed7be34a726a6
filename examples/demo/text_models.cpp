#include "examples/demo/text_models.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "onepack/generate.h"

namespace onepack {
namespace {

namespace fs = std::filesystem;

constexpr char kBase[] = "base";

Result<std::vector<std::string>> ProgramsIn(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".pte") names.push_back(entry->path().stem().string());
  }
  if (error) return PosixError(folder.c_str(), error.value());
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return std::pair(a != kBase, a) < std::pair(b != kBase, b);
  });
  if (!names.empty() && names.front() == kBase) return names;
  return Status::Error(StatusCode::kNotFound, "%s: no %s.pte", folder.c_str(), kBase);
}

}  // namespace

Result<std::unique_ptr<TextModels>> TextModels::Open(const std::string& folder,
                                                     std::unique_ptr<Tokenizer> tokenizer) {
  std::unique_ptr<TextModels> models(new TextModels(std::move(tokenizer)));
  ONEPACK_ASSIGN_OR_RETURN(models->loader_, ProgramLoader::Create(ProgramLoaderOptions{}));
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<std::string> names, ProgramsIn(folder));
  for (const std::string& name : names) ONEPACK_RETURN_IF_ERROR(models->Load(folder, name));
  return models;
}

Status TextModels::Load(const std::string& folder, const std::string& name) {
  const std::string stem = folder + "/" + name;
  std::vector<std::string> data = {folder + "/foundation.ptd"};
  if (name != kBase) data.push_back(stem + ".ptd");
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, loader_->OpenProgram(stem + ".pte"));
  ONEPACK_ASSIGN_OR_RETURN(const MethodOptions options, loader_->OptionsFor(data));
  TextModel loaded;
  loaded.name = name;
  ONEPACK_ASSIGN_OR_RETURN(loaded.model, LanguageModel::Load(program, options));
  models_.push_back(std::move(loaded));
  return Status::Ok();
}

Result<std::string> TextModels::Answer(size_t model, const std::string& prompt) {
  LanguageModel& asked = *models_[model].model;
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<int64_t> tokens,
                           tokenizer_->Encode(prompt, /*begins_context=*/true));
  ONEPACK_RETURN_IF_ERROR(asked.Reset());
  GenerateOptions options;
  options.stop_tokens = {tokenizer_->eos_id()};
  ONEPACK_ASSIGN_OR_RETURN(GenerateResult answer, Generate(asked, tokens, options));
  const bool ended = answer.stop_reason == StopReason::kStopToken;
  if (ended) answer.tokens.pop_back();
  ONEPACK_ASSIGN_OR_RETURN(std::string text, tokenizer_->Decode(answer.tokens));
  return ended ? text : text + " ...";
}

}  // namespace onepack
