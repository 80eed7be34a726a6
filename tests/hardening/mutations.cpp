#include "tests/hardening/mutations.h"

#include <stdio.h>
#include <string.h>

namespace onepack {

Mutations::Change Mutations::ChangeOf(size_t number) const {
  using Kind = Change::Kind;
  static constexpr uint32_t kWords[kWordsEach] = {0, 1, 0x7fffffff, 0xffffffff};
  static constexpr uint8_t kBytes[kBytesEach - 1] = {0x00, 0x7f, 0xff};
  if (number < kBytesEach * file_.size()) {
    const size_t offset = number / kBytesEach;
    const size_t which = number % kBytesEach;
    if (which < kBytesEach - 1) return {Kind::kByte, offset, kBytes[which]};
    // Another bit in each byte, so that neighbouring bytes try all.
    return {Kind::kByte, offset, static_cast<uint32_t>(file_[offset] ^ (1 << (offset * 3 % 8)))};
  }
  number -= kBytesEach * file_.size();
  if (number < kWordsEach * words()) {
    return {Kind::kWord, number / kWordsEach * sizeof(uint32_t), kWords[number % kWordsEach]};
  }
  return {Kind::kLength, number - kWordsEach * words(), 0};
}

bool Mutations::Apply(size_t number, std::vector<uint8_t>* mutated) const {
  const Change change = ChangeOf(number);
  *mutated = file_;
  switch (change.kind) {
    case Change::Kind::kByte:
      (*mutated)[change.offset] = static_cast<uint8_t>(change.value);
      break;
    case Change::Kind::kWord:
      memcpy(mutated->data() + change.offset, &change.value, sizeof(change.value));
      break;
    case Change::Kind::kLength:
      mutated->resize(change.offset);
      break;
  }
  return *mutated != file_;
}

std::string Mutations::Describe(size_t number) const {
  const Change change = ChangeOf(number);
  char text[64];
  if (change.kind == Change::Kind::kLength) {
    snprintf(text, sizeof(text), "cut to %zu of %zu bytes", change.offset, file_.size());
  } else {
    snprintf(text, sizeof(text), "%s %zu = 0x%x",
             change.kind == Change::Kind::kByte ? "byte" : "word at", change.offset, change.value);
  }
  return text;
}

}  // namespace onepack
