// onepack generate: a language model continues a prompt.

#include <float.h>
#include <stdio.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>

#include "onepack/context_file.h"
#include "onepack/generate.h"
#include "tools/command_options.h"
#include "tools/commands.h"
#include "tools/format.h"
#include "tools/option_values.h"
#include "tools/print_stats.h"
#include "tools/seconds_since.h"
#include "tools/text_stream.h"
#include "tools/tokenizer.h"
#include "tools/unused_data.h"

namespace onepack {
namespace {

struct CommandOptions {
  std::string program;
  std::vector<std::string> data;
  std::vector<int64_t> tokens;
  std::string prompt;
  std::string tokenizer;
  std::string method;
  std::string load_context;
  std::string save_context;
  GenerateOptions generate;
  ProgramLoaderOptions loader;
  bool strict = false;
  bool stats = false;
};

// What begins a text begins a context only. The program says what it is where the tokenizer does
// not.
Result<std::vector<int64_t>> PromptOf(const CommandOptions& options, const LanguageModel& model,
                                      const Tokenizer* tokenizer) {
  if (options.prompt.empty()) return options.tokens;
  const bool begins_context = model.context().empty();
  ONEPACK_ASSIGN_OR_RETURN(std::vector<int64_t> prompt,
                           tokenizer->Encode(options.prompt, begins_context));
  const int64_t bos_id = tokenizer->begins_texts() ? -1 : model.info().bos_id;
  if (bos_id >= 0 && begins_context) prompt.insert(prompt.begin(), bos_id);
  return prompt;
}

// Shows tokens while they come: as text where there is a tokenizer, else as numbers.
class TokenPrinter {
 public:
  explicit TokenPrinter(const Tokenizer* tokenizer) {
    if (tokenizer != nullptr) text_.emplace(*tokenizer);
  }

  // False cancels: making text has failed.
  bool Print(int64_t token) {
    if (!text_) {
      printf("%s%lld", is_first_ ? "" : " ", static_cast<long long>(token));
      is_first_ = false;
    } else {
      Result<std::string> text = text_->Add(token);
      // A model may have more tokens than its tokenizer: its head is padded to a round size.
      const bool has_no_text = !text.ok() && text.status().code() == StatusCode::kInvalidArgument;
      if (!has_no_text) Show(std::move(text));
    }
    fflush(stdout);
    return status_.ok();
  }

  Status Finish() {
    if (text_ && status_.ok()) Show(text_->Finish());
    printf("\n");
    return std::move(status_);
  }

 private:
  void Show(Result<std::string> text) {
    if (text.ok()) {
      fwrite(text->data(), 1, text->size(), stdout);
    } else {
      status_ = text.TakeStatus();
    }
  }

  std::optional<TextStream> text_;
  bool is_first_ = true;
  Status status_;
};

// The tokenizer's end of text ends an answer, like those that the model names.
GenerateOptions GenerateOptionsFor(const CommandOptions& options, const Tokenizer* tokenizer,
                                   TokenPrinter& printer) {
  GenerateOptions generate = options.generate;
  const int64_t eos_id = tokenizer != nullptr ? tokenizer->eos_id() : -1;
  if (eos_id >= 0 && !generate.ignore_eos) generate.stop_tokens.push_back(eos_id);
  generate.on_token = [&printer](int64_t token) { return printer.Print(token); };
  return generate;
}

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
                           LanguageModel::Load(program, method_options, options.method));
  const double load_seconds = SecondsSince(start);
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<std::string> unused,
                           UnusedFiles(*loader, options.data, method_options.named_data.get(),
                                       [&model](size_t entry) { return model->UsesData(entry); }));
  ONEPACK_RETURN_IF_ERROR(ReportUnusedFiles(unused, options.program, options.strict));
  for (const std::string& line : model->info().ignored) {
    fprintf(stderr, "onepack: %s: ignored: %s\n", model->name(), line.c_str());
  }
  if (!options.load_context.empty()) {
    ONEPACK_RETURN_IF_ERROR(LoadContextFile(*model, options.load_context.c_str()));
  }
  ONEPACK_ASSIGN_OR_RETURN(const std::vector<int64_t> prompt,
                           PromptOf(options, *model, tokenizer.get()));
  TokenPrinter printer(tokenizer.get());
  const GenerateOptions generate = GenerateOptionsFor(options, tokenizer.get(), printer);
  ONEPACK_ASSIGN_OR_RETURN(const GenerateResult result, Generate(*model, prompt, generate));
  ONEPACK_RETURN_IF_ERROR(printer.Finish());
  if (!options.save_context.empty()) {
    ONEPACK_RETURN_IF_ERROR(SaveContextFile(*model, options.save_context.c_str()));
  }
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
  AddDataOption(command, options.data);
  AddStrictOption(command, options.strict);
  CLI::Option* tokens =
      AddNumberListOption(command, "--tokens", options.tokens, "The prompt, as token ids")
          ->type_name("3,17,99");
  CLI::Option* tokenizer =
      command
          .add_option("--tokenizer", options.tokenizer,
                      "Hugging Face's tokenizer.json, or a SentencePiece model: print text")
          ->type_name("FILE");
  CLI::Option* prompt = command.add_option("--prompt", options.prompt, "The prompt, as text")
                            ->type_name("TEXT")
                            ->needs(tokenizer);
  tokens->excludes(prompt);
  command
      .add_option("--method", options.method,
                  "Of the program, where it is not named \"forward\" or \"text_decoder\"")
      ->type_name("NAME");
  command
      .add_option("--load-context", options.load_context,
                  "Go on from what --save-context has written for the same model")
      ->type_name("FILE");
  command
      .add_option("--save-context", options.save_context,
                  "Write the context as it is after the answer, without its last token")
      ->type_name("FILE");
}

void AddSamplingOptions(CLI::App& command, GenerateOptions& options) {
  AddCountOption(command, "--max-new-tokens", options.max_new_tokens, 1000000,
                 "Stop after so many tokens");
  SamplerOptions& sampling = options.sampling;
  AddRealOption(command, "--temperature", sampling.temperature, {0, FLT_MAX, " from 0 on"},
                "0: always the likeliest token")
      ->type_name("T");
  AddNumberOption(command, "--top-k", sampling.top_k, size_t{0}, SIZE_MAX,
                  "Among the K likeliest only; 0: all")
      ->type_name("K");
  AddRealOption(command, "--top-p", sampling.top_p, {FLT_TRUE_MIN, 1, " above 0 and at most 1"},
                "Among the likeliest that make up P")
      ->type_name("P");
  AddNumberOption(command, "--seed", sampling.seed, uint64_t{0}, UINT64_MAX,
                  "Of the random choice");
  AddNumberListOption(command, "--stop", options.stop_tokens,
                      "Token ids to stop at, besides the model's own")
      ->type_name("ID");
  command.add_flag("--ignore-eos", options.ignore_eos,
                   "Go on after the model's end-of-text tokens");
  AddNumberOption(command, "--prefill-chunk", options.prefill_chunk, size_t{0}, SIZE_MAX,
                  "Tokens of the prompt per call; 0: as many as the model takes");
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
      "  onepack generate --program a.pte --data f.ptd,a.ptd --tokenizer tokenizer.json \\\n"
      "    --prompt \"Once upon a time\" --temperature 0.8 --top-p 0.95\n");
  command->callback([options, action] { *action = [options] { return Run(*options); }; });
}

}  // namespace onepack
