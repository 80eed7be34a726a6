// Language models that the exporter wrote (tests/data/language_models), loaded with the XNNPACK
// delegate and all operators.

#ifndef ONEPACK_TESTS_LLM_EXPORTED_MODEL_H_
#define ONEPACK_TESTS_LLM_EXPORTED_MODEL_H_

#include <memory>
#include <string>
#include <vector>

#include "onepack/language_model.h"
#include "onepack/linear_layout.h"

namespace onepack {

// Paths, below tests/data or absolute.
struct ModelFiles {
  std::string program;
  std::vector<std::string> data;
  LinearLayout linears = LinearLayout::kAuto;
};

// An adapter over a foundation of int4 weights.
inline const ModelFiles kPackedAdapter = {
    "cases/llm_8da4w/a0.pte",
    {"cases/llm_8da4w/foundation.ptd", "cases/llm_8da4w/a0.ptd"},
    LinearLayout::kPacked};

// All of one layout over one loader, which lives as long as the process.
Result<std::unique_ptr<LanguageModel>> LoadExported(const ModelFiles& files);

// The same for language_models/NAME.pte.
Result<std::unique_ptr<LanguageModel>> LoadExported(const std::string& name);

// Of what comes next; empty, and a failure of the test, on errors.
std::vector<float> LogitsAfter(LanguageModel& model, const std::vector<int64_t>& tokens);

// What the model answers after `prompt`, greedily; empty, and a failure of the test, on errors.
std::vector<int64_t> Answer(LanguageModel& model, const std::vector<int64_t>& prompt, size_t count,
                            bool ignore_eos = false);

}  // namespace onepack

#endif  // ONEPACK_TESTS_LLM_EXPORTED_MODEL_H_
