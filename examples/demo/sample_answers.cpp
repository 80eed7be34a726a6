#include "examples/demo/sample_answers.h"

#include <memory>
#include <utility>

#include "examples/demo/text_models.h"
#include "tools/format.h"

namespace onepack {

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
  return table.ToString();
}

}  // namespace onepack
