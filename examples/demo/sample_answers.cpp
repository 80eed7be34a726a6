#include "examples/demo/sample_answers.h"

#include <memory>
#include <utility>

#include "examples/demo/text_models.h"
#include "tools/format.h"

namespace onepack {
namespace {

// The cache holds what the programs have packed. Apart, each would have packed what it found, too.
std::string Saving(const std::vector<TextModel>& models) {
  uint64_t packed = 0;
  uint64_t needed = 0;
  for (const TextModel& model : models) {
    packed += model.packed_bytes;
    needed += model.packed_bytes + model.found_bytes;
  }
  std::string text = "The foundation's weights are held once: " + models.front().name + " packed " +
                     FormatBytes(models.front().packed_bytes);
  for (size_t i = 1; i < models.size(); ++i) {
    text += ", " + models[i].name + " added " + FormatBytes(models[i].packed_bytes);
  }
  return text + ".\n" + FormatBytes(packed) + " of packed weights instead of " +
         FormatBytes(needed) + ".\n";
}

}  // namespace

Result<std::string> SampleAnswers(const SampleOptions& options) {
  auto tokenizer = Tokenizer::Open(options.tokenizer);
  if (!tokenizer.ok() && tokenizer.status().code() == StatusCode::kUnsupported) {
    return "no text: " + std::string(tokenizer.status().message()) + "\n";
  }
  ONEPACK_ASSIGN_OR_RETURN(std::unique_ptr<Tokenizer> opened, std::move(tokenizer));
  ONEPACK_ASSIGN_OR_RETURN(const std::unique_ptr<TextModels> models,
                           TextModels::Open(options.folder, std::move(opened)));
  TextTable table(0);
  table.AddRow({"prompt", options.prompt});
  for (size_t i = 0; i < models->models().size(); ++i) {
    ONEPACK_ASSIGN_OR_RETURN(std::string answer, models->Answer(i, options.prompt));
    table.AddRow({models->models()[i].name, std::move(answer)});
  }
  return table.ToString() + "\n" + Saving(models->models());
}

}  // namespace onepack
