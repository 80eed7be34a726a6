// libexecutorch_backend_xnnpack.so: takes the name "XnnpackBackend" when it is loaded, and opens
// the library with the backend, libonepack_executorch.so beside it, when that is asked for
// something.
//
// Two libraries, because the backend calls the XNNPACK inside the wheel's library of this same
// name. That one registers a backend of its own when it is loaded, and the first one to register a
// name has it: so this one comes first, and what needs the other one is loaded from here.

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <array>
#include <new>

#include "integrations/executorch/implementation.h"
#include "integrations/executorch/log_error.h"

namespace onepack {
namespace {

constexpr char kLibrary[] = "libonepack_executorch.so";

// Opened once, for as long as the process lives.
class Implementation {
 public:
  static const Implementation& Get() {
    static const Implementation implementation;
    return implementation;
  }

  // Null where there is none; then `message` says why.
  const ExecutorchImplementation* get() const { return implementation_; }
  const char* message() const { return message_; }

 private:
  Implementation() {
    Open();
    if (implementation_ == nullptr) LogError(message_);
  }

  void Open() {
    char path[PATH_MAX];
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(&onepack_executorch_open), &info) == 0) return;
    const char* const name = strrchr(info.dli_fname, '/');
    const int folder = name == nullptr ? 0 : static_cast<int>(name + 1 - info.dli_fname);
    snprintf(path, sizeof(path), "%.*s%s", folder, info.dli_fname, kLibrary);
    void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return Say(dlerror());
    const auto find = reinterpret_cast<decltype(&onepack_executorch_implementation)>(
        dlsym(library, kImplementationSymbol));
    const char* message = "it is of another version";
    implementation_ = find == nullptr ? nullptr : find(&message);
    Say(message);
  }

  void Say(const char* message) { snprintf(message_, sizeof(message_), "%s", message); }

  const ExecutorchImplementation* implementation_ = nullptr;
  char message_[1024] = "it is not known where this library is";
};

class RegisteredBackend final : public et::BackendInterface {
 public:
  bool is_available() const override { return Implementation::Get().get() != nullptr; }

  et::Result<et::DelegateHandle*> init(et::BackendInitContext& context,
                                       et::FreeableBuffer* processed,
                                       et::ArrayRef<et::CompileSpec> specs) const override {
    if (!is_available()) return et::Error::InvalidState;
    return backend().init(context, processed, specs);
  }
  et::Error execute(et::BackendExecutionContext& context, et::DelegateHandle* handle,
                    et::Span<et::EValue*> arguments) const override {
    return backend().execute(context, handle, arguments);
  }
  void destroy(et::DelegateHandle* handle) const override {
    if (handle != nullptr) backend().destroy(handle);
  }
  et::Error set_option(et::BackendOptionContext& context,
                       const et::Span<et::BackendOption>& options) override {
    return is_available() ? backend().set_option(context, options) : et::Error::InvalidState;
  }
  et::Error get_option(et::BackendOptionContext& context,
                       et::Span<et::BackendOption>& options) override {
    return is_available() ? backend().get_option(context, options) : et::Error::InvalidState;
  }

 private:
  static et::BackendInterface& backend() { return *Implementation::Get().get()->backend; }
};

et::Error Register() {
  // Never destroyed: programs may be after static objects are.
  alignas(RegisteredBackend) static char memory[sizeof(RegisteredBackend)];
  return et::register_backend({"XnnpackBackend", new (memory) RegisteredBackend()});
}

const et::Error registered = Register();

}  // namespace
}  // namespace onepack

namespace {

// False where there is no text, or no room for it.
bool CopyText(const char* text, char* copy, size_t room) {
  const size_t size = text == nullptr ? room : strnlen(text, room);
  if (size >= room) return false;
  memcpy(copy, text, size + 1);
  return true;
}

int SetOption(const char* name, const onepack::et::OptionValue& value) {
  onepack::et::BackendOption option;
  if (!CopyText(name, option.key, sizeof(option.key))) {
    return static_cast<int>(onepack::et::Error::InvalidArgument);
  }
  option.value = value;
  return static_cast<int>(onepack::et::set_option("XnnpackBackend", {&option, 1}));
}

}  // namespace

int onepack_executorch_set_bool(const char* name, int value) { return SetOption(name, value != 0); }

int onepack_executorch_set_int(const char* name, int value) { return SetOption(name, value); }

int onepack_executorch_set_text(const char* name, const char* value) {
  std::array<char, onepack::et::kMaxOptionValueLength> text{};
  if (!CopyText(value, text.data(), text.size())) {
    return static_cast<int>(onepack::et::Error::InvalidArgument);
  }
  return SetOption(name, text);
}

int onepack_executorch_is_registered() {
  return onepack::registered == onepack::et::Error::Ok ? 1 : 0;
}

const char* onepack_executorch_open() {
  const auto& implementation = onepack::Implementation::Get();
  return implementation.get() != nullptr ? nullptr : implementation.message();
}

size_t onepack_executorch_stats(onepack_executorch_stat* stats, size_t capacity) {
  const auto* implementation = onepack::Implementation::Get().get();
  return implementation != nullptr ? implementation->stats(stats, capacity) : 0;
}
