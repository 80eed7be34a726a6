// Language models over one foundation, asked in text: a folder with foundation.ptd, base.pte, and
// NAME.pte and NAME.ptd for each adapter, such as those of examples/tiny_lm/files.
//
// Threads: belongs to one thread at a time.

#ifndef ONEPACK_EXAMPLES_DEMO_TEXT_MODELS_H_
#define ONEPACK_EXAMPLES_DEMO_TEXT_MODELS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "onepack/language_model.h"
#include "onepack/result.h"
#include "tools/program_loader.h"
#include "tools/tokenizer.h"

namespace onepack {

struct TextModel {
  std::string name;  // "base", or the adapter's
  std::unique_ptr<LanguageModel> model;
};

class TextModels {
 public:
  // Loads all of them over one cache, the base first and the adapters in alphabetical order.
  // Errors: kNotFound for a folder without a base.
  static Result<std::unique_ptr<TextModels>> Open(const std::string& folder,
                                                  std::unique_ptr<Tokenizer> tokenizer);

  const std::vector<TextModel>& models() const { return models_; }

  // The greedy answer of `model`, a number in models(), up to the token that ends it; with " ..."
  // where none does within the new tokens that GenerateOptions allows or the model's context.
  Result<std::string> Answer(size_t model, const std::string& prompt);

 private:
  explicit TextModels(std::unique_ptr<Tokenizer> tokenizer) : tokenizer_(std::move(tokenizer)) {}
  Status Load(const std::string& folder, const std::string& name);

  const std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<ProgramLoader> loader_;
  std::vector<TextModel> models_;  // gone before their loader
};

}  // namespace onepack

#endif  // ONEPACK_EXAMPLES_DEMO_TEXT_MODELS_H_
