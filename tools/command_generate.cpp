// onepack generate: a language model continues a prompt.

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "llm/generate.h"
#include "tools/command_options.h"
#include "tools/commands.h"
#include "tools/format.h"
#include "tools/print_stats.h"
#include "tools/tokenizer.h"

namespace onepack {
namespace {

struct CommandOptions {
  std::string program;
  std::vector<std::string> data;
  std::vector<int64_t> tokens;
  std::string prompt;
  std::string tokenizer;
  GenerateOptions generate;
  ProgramLoaderOptions loader;
  bool stats = false;
};

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Result<std::vector<int64_t>> PromptOf(const CommandOptions& options, const ModelInfo& info,
                                      const Tokenizer* tokenizer) {
  if (options.prompt.empty()) return options.tokens;
  ONEPACK_ASSIGN_OR_RETURN(std::vector<int64_t> prompt, tokenizer->Encode(options.prompt));
  if (info.bos_id >= 0) prompt.insert(prompt.begin(), info.bos_id);
  return prompt;
}

// Shows tokens while they come: as text where there is a tokenizer, else as numbers.
class TokenPrinter {
 public:
  explicit TokenPrinter(const Tokenizer* tokenizer) {
    if (tokenizer != nullptr) text_.emplace(*tokenizer);
  }

  // False cancels: there is no text for the token.
  bool Print(int64_t token) {
    if (!text_) {
      printf("%s%lld", is_first_ ? "" : " ", static_cast<long long>(token));
      is_first_ = false;
    } else {
      auto added = text_->Add(token);
      if (!added.ok()) {
        status_ = added.TakeStatus();
        return false;
      }
      fputs(added->c_str(), stdout);
    }
    fflush(stdout);
    return true;
  }

  Status Finish() {
    printf("\n");
    return std::move(status_);
  }

 private:
  std::optional<TextStream> text_;
  bool is_first_ = true;
  Status status_;
};

std::string Speed(size_t tokens, double seconds) {
  if (tokens == 0 || seconds <= 0) return "";
  char text[64];
  snprintf(text, sizeof(text), "%.1f tokens/s", static_cast<double>(tokens) / seconds);
  return text;
}

void PrintSummary(const GenerateResult& result, double load_seconds) {
  TextTable table(0);
  table.AddRow({"load", FormatSeconds(load_seconds)});
  table.AddRow({"prefill", FormatSeconds(result.prefill_seconds),
                FormatCount(result.prefill_tokens, "token", "tokens"),
                Speed(result.prefill_tokens, result.prefill_seconds)});
  table.AddRow({"decode", FormatSeconds(result.decode_seconds),
                FormatCount(result.decode_tokens, "token", "tokens"),
                Speed(result.decode_tokens, result.decode_seconds)});
  printf("%sstopped: %s\n", table.ToString().c_str(), StopReasonName(result.stop_reason));
}

Result<bool> Run(const CommandOptions& options) {
  std::unique_ptr<Tokenizer> tokenizer;
  if (!options.tokenizer.empty()) {
    ONEPACK_ASSIGN_OR_RETURN(tokenizer, Tokenizer::Open(options.tokenizer));
  }
  ONEPACK_ASSIGN_OR_RETURN(const std::unique_ptr<ProgramLoader> loader,
                           ProgramLoader::Create(options.loader));
  const Clock::time_point start = Clock::now();
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> program, loader->OpenProgram(options.program));
  ONEPACK_ASSIGN_OR_RETURN(const MethodOptions method_options, loader->OptionsFor(options.data));
  ONEPACK_ASSIGN_OR_RETURN(const std::unique_ptr<LanguageModel> model,
                           LanguageModel::Load(program, method_options));
  const double load_seconds = SecondsSince(start);
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<int64_t> prompt,
                           PromptOf(options, model->info(), tokenizer.get()));
  TokenPrinter printer(tokenizer.get());
  GenerateOptions generate = options.generate;
  generate.on_token = [&](int64_t token) { return printer.Print(token); };
  ONEPACK_ASSIGN_OR_RETURN(const GenerateResult result, Generate(*model, prompt, generate));
  ONEPACK_RETURN_IF_ERROR(printer.Finish());
  PrintSummary(result, load_seconds);
  if (options.stats) {
    PrintStats(*loader);
  } else {
    PrintMemory();
  }
  return true;
}

void AddPromptOptions(CLI::App& command, CommandOptions& options) {
  command.add_option("--program", options.program, "Language model to load")
      ->required()
      ->type_name("A.pte");
  command.add_option("--data", options.data, "Data files, separated by commas or repeated")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("F.ptd,A.ptd");
  CLI::Option* tokens = command.add_option("--tokens", options.tokens, "The prompt, as token ids")
                            ->delimiter(',')
                            ->allow_extra_args(false)
                            ->type_name("3,17,99");
  CLI::Option* tokenizer =
      command.add_option("--tokenizer", options.tokenizer, "SentencePiece model: print text")
          ->type_name("tokenizer.model");
  CLI::Option* prompt = command.add_option("--prompt", options.prompt, "The prompt, as text")
                            ->type_name("TEXT")
                            ->needs(tokenizer);
  tokens->excludes(prompt);
}

void AddSamplingOptions(CLI::App& command, GenerateOptions& options) {
  AddCountOption(command, "--max-new-tokens", options.max_new_tokens, 1000000,
                 "Stop after so many tokens");
  command
      .add_option("--temperature", options.sampling.temperature, "0: always the likeliest token")
      ->type_name("T")
      ->capture_default_str();
  command.add_option("--top-k", options.sampling.top_k, "Among the K likeliest only; 0: all")
      ->type_name("K")
      ->capture_default_str();
  command.add_option("--top-p", options.sampling.top_p, "Among the likeliest that make up P")
      ->type_name("P")
      ->capture_default_str();
  command.add_option("--seed", options.sampling.seed, "Of the random choice")
      ->type_name("N")
      ->capture_default_str();
  command
      .add_option("--stop", options.stop_tokens, "Token ids to stop at, besides the model's own")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->type_name("ID");
  command.add_flag("--ignore-eos", options.ignore_eos,
                   "Go on after the model's end-of-text tokens");
  command
      .add_option("--prefill-chunk", options.prefill_chunk,
                  "Tokens of the prompt per call; 0: as many as the model takes")
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace

void AddGenerateCommand(CLI::App& app, Action* action) {
  const auto options = std::make_shared<CommandOptions>();
  CLI::App* command = app.add_subcommand("generate", "Let a language model continue a prompt");
  command->group("Commands");
  AddPromptOptions(*command, *options);
  AddSamplingOptions(*command, options->generate);
  AddLoaderOptions(*command, options->loader);
  command->add_flag("--stats", options->stats, "Print what the weight cache did");
  command->footer(
      "Prints tokens as they come, then how long it took and what memory the process holds.\n"
      "\n"
      "Examples:\n"
      "  onepack generate --program a.pte --data f.ptd,a.ptd --tokens 3,17,99 --max-new-tokens 32\n"
      "  onepack generate --program a.pte --data f.ptd,a.ptd --tokenizer tokenizer.model \\\n"
      "    --prompt \"Once upon a time\" --temperature 0.8 --top-p 0.95\n");
  command->callback([options, action] { *action = [options] { return Run(*options); }; });
}

}  // namespace onepack
