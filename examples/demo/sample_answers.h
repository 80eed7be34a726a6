// One prompt, and what each model over a foundation makes of it.

#ifndef ONEPACK_EXAMPLES_DEMO_SAMPLE_ANSWERS_H_
#define ONEPACK_EXAMPLES_DEMO_SAMPLE_ANSWERS_H_

#include <string>

#include "onepack/result.h"

namespace onepack {

struct SampleOptions {
  std::string folder;     // see TextModels
  std::string tokenizer;  // path
  std::string prompt;
};

// Lines to print: the prompt and each answer. Where the library for the tokenizer was left out, one
// line that says so.
Result<std::string> SampleAnswers(const SampleOptions& options);

}  // namespace onepack

#endif  // ONEPACK_EXAMPLES_DEMO_SAMPLE_ANSWERS_H_
