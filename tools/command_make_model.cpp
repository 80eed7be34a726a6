// onepack make-model: models of random weights, of any size.

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <map>
#include <memory>

#include "aot/language_model.h"
#include "aot/lora_stack.h"
#include "tools/commands.h"
#include "tools/format.h"
#include "tools/option_values.h"
#include "tools/progress.h"

namespace onepack {
namespace {

struct MakeModelOptions {
  std::string folder;
  std::string shape = "tiny";
  LoraStackOptions stack;
  LanguageModelOptions model;
  // Sizes given on the command line replace those of the preset.
  std::map<std::string, uint32_t> sizes;
  std::string weights = "f32";
  uint32_t group = 32;
  std::string data = "files";
  bool int8_embedding = false;
  bool untied = false;
  uint32_t adapters = 2;
  uint64_t seed = 0;
  ExistingFile existing = ExistingFile::kRefuse;
};

WeightType TypeOf(const std::string& weights) {
  if (weights == "8da8w") return WeightType::kInt8;
  return weights == "8da4w" ? WeightType::kInt4 : WeightType::kFloat32;
}

DataPlace PlaceOf(const std::string& data) {
  if (data == "program") return DataPlace::kProgram;
  return data == "payload" ? DataPlace::kPayload : DataPlace::kDataFiles;
}

template <typename Options>
void Complete(const MakeModelOptions& given, Options& options) {
  options.weights = TypeOf(given.weights);
  options.group = given.group;
  options.data = PlaceOf(given.data);
  options.adapters = given.adapters;
  options.seed = given.seed;
  options.existing = given.existing;
}

void Replace(const MakeModelOptions& given, const char* name, uint32_t& size) {
  const auto replacement = given.sizes.find(name);
  if (replacement != given.sizes.end()) size = replacement->second;
}

Status MakeFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return error ? PosixError(folder.c_str(), error.value()) : Status::Ok();
}

void Report(const MakeModelOptions& given, uint64_t size_bytes) {
  printf("%s: a base program and %s over %s of weights\n", given.folder.c_str(),
         FormatCount(given.adapters, "adapter", "adapters").c_str(),
         FormatBytes(size_bytes).c_str());
}

Result<bool> MakeStack(const MakeModelOptions& given) {
  LoraStackOptions options;
  Complete(given, options);
  Replace(given, "--width", options.width);
  Replace(given, "--hidden", options.hidden);
  Replace(given, "--blocks", options.blocks);
  Replace(given, "--rank", options.rank);
  Replace(given, "--rows", options.max_rows);
  ONEPACK_RETURN_IF_ERROR(MakeFolder(given.folder));
  {
    Progress progress("make-model");
    options.watch = progress.Watcher();
    ONEPACK_RETURN_IF_ERROR(WriteLoraStack(given.folder, options));
  }
  Report(given, FoundationSizeBytes(options));
  return true;
}

Result<bool> MakeLanguageModel(const MakeModelOptions& given) {
  LanguageModelOptions options = *LanguageModelPreset(given.shape);
  Complete(given, options);
  options.has_int8_embedding = given.int8_embedding;
  options.is_tied = !given.untied;
  Replace(given, "--layers", options.layers);
  Replace(given, "--dim", options.dim);
  Replace(given, "--heads", options.heads);
  Replace(given, "--kv-heads", options.kv_heads);
  Replace(given, "--head-dim", options.head_dim);
  Replace(given, "--ffn", options.ffn);
  Replace(given, "--vocabulary", options.vocabulary);
  Replace(given, "--context", options.context);
  Replace(given, "--chunk", options.chunk);
  Replace(given, "--rank", options.rank);
  ONEPACK_RETURN_IF_ERROR(MakeFolder(given.folder));
  {
    Progress progress("make-model");
    options.watch = progress.Watcher();
    ONEPACK_RETURN_IF_ERROR(WriteLanguageModel(given.folder, options));
  }
  Report(given, LanguageModelSizeBytes(options));
  return true;
}

void AddSize(CLI::App& command, MakeModelOptions& options, const char* name,
             const char* description) {
  const auto parse = [&options, name](const CLI::results_t& texts) {
    options.sizes[name] = ValueOf(name, ParseWhole<uint32_t>(texts.front(), 1, UINT32_MAX));
    return true;
  };
  command.add_option(name, parse, description)->type_name("N");
}

void AddCommonOptions(CLI::App& command, MakeModelOptions& options) {
  command.add_option("FOLDER", options.folder, "Made when it is not there")
      ->required()
      ->type_name("");
  command.add_option("--weights", options.weights, "\"f32\", \"8da8w\" or \"8da4w\"")
      ->check(CLI::IsMember({"f32", "8da8w", "8da4w"}).description(""))
      ->type_name("TYPE")
      ->capture_default_str();
  AddNumberOption<uint32_t>(command, "--group", options.group, 32, 256,
                            "Inputs that share a scale, for 8da4w: 32, 64, 128 or 256")
      ->check(CLI::IsMember({"32", "64", "128", "256"}).description(""));
  AddNumberOption<uint32_t>(command, "--adapters", options.adapters, 0, 1000,
                            "LoRA programs besides the base");
  command
      .add_option("--data", options.data,
                  "Weights in data \"files\", in each \"program\", or in each \"payload\"")
      ->check(CLI::IsMember({"files", "program", "payload"}).description(""))
      ->type_name("PLACE")
      ->capture_default_str();
  AddNumberOption<uint64_t>(command, "--seed", options.seed, 0, UINT64_MAX,
                            "Another one gives other weights");
  command.add_flag_callback(
      "--replace", [&options] { options.existing = ExistingFile::kReplace; },
      "Replace files that are there");
  AddSize(command, options, "--rank", "Of an adapter");
}

void AddStackCommand(CLI::App& parent, const std::shared_ptr<MakeModelOptions>& options,
                     Action* action) {
  CLI::App* command =
      parent.add_subcommand("stack", "Blocks of linear layers, with recorded cases");
  AddCommonOptions(*command, *options);
  AddSize(*command, *options, "--width", "Of the input");
  AddSize(*command, *options, "--hidden", "Between the layers of a block");
  AddSize(*command, *options, "--blocks", "How many");
  AddSize(*command, *options, "--rows", "That one call takes, at most");
  command->callback([options, action] { *action = [options] { return MakeStack(*options); }; });
}

void AddLlmCommand(CLI::App& parent, const std::shared_ptr<MakeModelOptions>& options,
                   Action* action) {
  CLI::App* command = parent.add_subcommand("llm", "A language model, for onepack generate");
  AddCommonOptions(*command, *options);
  std::string shapes;
  for (const std::string& name : LanguageModelPresets()) {
    shapes += (shapes.empty() ? "" : ", ") + name;
  }
  command->add_option("--preset", options->shape, "The sizes of " + shapes)
      ->check(CLI::IsMember(LanguageModelPresets()).description(""))
      ->type_name("NAME")
      ->capture_default_str();
  command->add_flag("--int8-embedding", options->int8_embedding, "8 bits, a scale for each token");
  command->add_flag("--untied", options->untied, "The head has a weight of its own");
  AddSize(*command, *options, "--layers", "These replace what the preset says");
  for (const char* name :
       {"--dim", "--heads", "--kv-heads", "--head-dim", "--ffn", "--vocabulary"}) {
    AddSize(*command, *options, name, "");
  }
  AddSize(*command, *options, "--context", "Tokens that the KV cache has room for");
  AddSize(*command, *options, "--chunk", "Tokens that one call takes, at most");
  command->callback(
      [options, action] { *action = [options] { return MakeLanguageModel(*options); }; });
}

}  // namespace

void AddMakeModelCommand(CLI::App& app, Action* action) {
  const auto options = std::make_shared<MakeModelOptions>();
  CLI::App* command = app.add_subcommand(
      "make-model", "Write a model of random weights: base.pte, loraK.pte and their data");
  command->group("Commands");
  command->require_subcommand(1);
  AddStackCommand(*command, options, action);
  AddLlmCommand(*command, options, action);
  command->footer(
      "Files appear when all are written; after a failure nothing has changed.\n"
      "\n"
      "Examples:\n"
      "  onepack make-model stack models/stack --width 1024 --hidden 4096 --weights 8da4w\n"
      "  onepack make-model llm models/qwen --preset Qwen3-0.6B --weights 8da4w --int8-embedding");
}

}  // namespace onepack
