// Instead of hugging_face_tokenizer.cpp where there is no Rust to build the library with
// (ONEPACK_HUGGING_FACE_TOKENIZER).

#include "tools/hugging_face_tokenizer.h"

namespace onepack {

Result<std::unique_ptr<Tokenizer>> OpenHuggingFaceTokenizer(const std::string& path,
                                                            const std::string& /*bytes*/) {
  return Status::Error(StatusCode::kUnsupported,
                       "%s: this onepack was built without Hugging Face's tokenizers: run "
                       "scripts/setup.sh --rust, and build it with "
                       "-DONEPACK_HUGGING_FACE_TOKENIZER=ON",
                       path.c_str());
}

}  // namespace onepack
