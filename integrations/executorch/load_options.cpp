#include "integrations/executorch/load_options.h"

#include <string.h>

#include <array>
#include <string_view>
#include <variant>

namespace onepack {
namespace {

using Text = std::array<char, et::kMaxOptionValueLength>;

std::string_view NameOf(const et::BackendOption& option) {
  return {option.key, strnlen(option.key, sizeof(option.key))};
}

Status WrongValue(const et::BackendOption& option, const char* expected) {
  return Status::Error(StatusCode::kInvalidArgument, "backend option %.*s: %s expected",
                       static_cast<int>(sizeof(option.key)), option.key, expected);
}

Status TakeInt(const et::BackendOption& option, int max, const char* expected, int* value) {
  const int* const given = std::get_if<int>(&option.value);
  if (given == nullptr || *given < 0 || *given > max) return WrongValue(option, expected);
  *value = *given;
  return Status::Ok();
}

}  // namespace

Status LoadOptions::Set(const et::BackendOption& option) {
  const std::string_view name = NameOf(option);
  if (name == kWeightCacheEnabled) {
    const bool* const given = std::get_if<bool>(&option.value);
    if (given == nullptr) return WrongValue(option, "true or false");
    shares_weights = *given;
  } else if (name == kPackedCachePath) {
    const Text* const given = std::get_if<Text>(&option.value);
    if (given == nullptr) return WrongValue(option, "a path");
    packed_file.assign(given->data(), strnlen(given->data(), given->size()));
  } else if (name == kWorkspaceSharingMode) {
    return TakeInt(option, 2, "0, 1 or 2", &workspace_sharing_mode);
  } else if (name == kRetainedMebibytes) {
    return TakeInt(option, 1 << 20, "a number of mebibytes", &retained_mebibytes);
  }
  return Status::Ok();
}

void LoadOptions::Get(et::BackendOption& option) const {
  const std::string_view name = NameOf(option);
  if (name == kWeightCacheEnabled) {
    option.value = shares_weights;
  } else if (name == kPackedCachePath) {
    Text text{};
    packed_file.copy(text.data(), text.size() - 1);
    option.value = text;
  } else if (name == kWorkspaceSharingMode) {
    option.value = workspace_sharing_mode;
  } else if (name == kRetainedMebibytes) {
    option.value = retained_mebibytes;
  }
}

Result<bool> AsksToSave(const et::BackendOption& option) {
  if (NameOf(option) != kSaveWeightCacheOnDisk) return false;
  const bool* const given = std::get_if<bool>(&option.value);
  if (given == nullptr) return WrongValue(option, "true or false");
  return *given;
}

}  // namespace onepack
