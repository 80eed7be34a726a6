// Tokenizers of Hugging Face's library tokenizers.

#ifndef ONEPACK_TOOLS_HUGGING_FACE_TOKENIZER_H_
#define ONEPACK_TOOLS_HUGGING_FACE_TOKENIZER_H_

#include <memory>
#include <string>

#include "tools/tokenizer.h"

namespace onepack {

// By the bytes of the file `path`, which errors name: kInvalidFile, or kUnsupported where this was
// built without the library.
Result<std::unique_ptr<Tokenizer>> OpenHuggingFaceTokenizer(const std::string& path,
                                                            const std::string& bytes);

}  // namespace onepack

#endif  // ONEPACK_TOOLS_HUGGING_FACE_TOKENIZER_H_
