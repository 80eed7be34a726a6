#include "integrations/executorch/load_options.h"

#include <string.h>

#include <array>
#include <optional>
#include <string_view>
#include <variant>

namespace onepack {
namespace {

using Text = std::array<char, et::kMaxOptionValueLength>;

struct NamedLayout {
  std::string_view name;
  LinearLayout layout;
};

constexpr NamedLayout kLayouts[] = {{"auto", LinearLayout::kAuto},
                                    {"in-place", LinearLayout::kInPlace},
                                    {"packed", LinearLayout::kPacked}};

std::string_view NameOf(const et::BackendOption& option) {
  return {option.key, strnlen(option.key, sizeof(option.key))};
}

// Null for a value of another type. Good as long as the option is.
std::optional<std::string_view> TextOf(const et::BackendOption& option) {
  const Text* const given = std::get_if<Text>(&option.value);
  if (given == nullptr) return std::nullopt;
  return std::string_view(given->data(), strnlen(given->data(), given->size()));
}

Text AsText(std::string_view value) {
  Text text{};
  value.copy(text.data(), text.size() - 1);
  return text;
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

Status TakeLayout(const et::BackendOption& option, LinearLayout* layout) {
  const std::optional<std::string_view> given = TextOf(option);
  for (const NamedLayout& known : kLayouts) {
    if (given != known.name) continue;
    *layout = known.layout;
    return Status::Ok();
  }
  return WrongValue(option, "auto, in-place or packed");
}

std::string_view NameOf(LinearLayout layout) {
  for (const NamedLayout& known : kLayouts) {
    if (known.layout == layout) return known.name;
  }
  return {};
}

}  // namespace

Status LoadOptions::Set(const et::BackendOption& option) {
  const std::string_view name = NameOf(option);
  if (name == kWeightCacheEnabled) {
    const bool* const given = std::get_if<bool>(&option.value);
    if (given == nullptr) return WrongValue(option, "true or false");
    shares_weights = *given;
  } else if (name == kPackedCachePath) {
    const std::optional<std::string_view> given = TextOf(option);
    if (!given) return WrongValue(option, "a path");
    packed_file = *given;
  } else if (name == kWorkspaceSharingMode) {
    return TakeInt(option, 2, "0, 1 or 2", &workspace_sharing_mode);
  } else if (name == kRetainedMebibytes) {
    return TakeInt(option, 1 << 20, "a number of mebibytes", &retained_mebibytes);
  } else if (name == kLinears) {
    return TakeLayout(option, &linears);
  }
  return Status::Ok();
}

void LoadOptions::Get(et::BackendOption& option) const {
  const std::string_view name = NameOf(option);
  if (name == kWeightCacheEnabled) {
    option.value = shares_weights;
  } else if (name == kPackedCachePath) {
    option.value = AsText(packed_file);
  } else if (name == kWorkspaceSharingMode) {
    option.value = workspace_sharing_mode;
  } else if (name == kRetainedMebibytes) {
    option.value = retained_mebibytes;
  } else if (name == kLinears) {
    option.value = AsText(NameOf(linears));
  }
}

Result<bool> AsksToSave(const et::BackendOption& option) {
  if (NameOf(option) != kSaveWeightCacheOnDisk) return false;
  const bool* const given = std::get_if<bool>(&option.value);
  if (given == nullptr) return WrongValue(option, "true or false");
  return *given;
}

}  // namespace onepack
