#include "tools/tokenizer.h"

#include <errno.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "tools/hugging_face_tokenizer.h"
#include "tools/sentence_piece_tokenizer.h"

namespace onepack {
namespace {

Result<std::string> ReadAll(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return PosixError(path.c_str(), errno);
  if (S_ISDIR(info.st_mode)) return PosixError(path.c_str(), EISDIR);  // a stream would throw
  std::ifstream file(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.good() && !file.eof()) return PosixError(path.c_str(), EIO);
  return bytes;
}

bool IsJsonObject(const std::string& bytes) {
  const size_t start = bytes.find_first_not_of(" \t\r\n");
  return start != std::string::npos && bytes[start] == '{';
}

}  // namespace

Result<std::unique_ptr<Tokenizer>> Tokenizer::Open(const std::string& path) {
  ONEPACK_ASSIGN_OR_RETURN(const std::string bytes, ReadAll(path));
  return IsJsonObject(bytes) ? OpenHuggingFaceTokenizer(path, bytes)
                             : OpenSentencePieceTokenizer(path, bytes);
}

}  // namespace onepack
