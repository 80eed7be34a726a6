// libexecutorch_backend_xnnpack.so: takes the name "XnnpackBackend" when it is loaded, and opens
// the library with the backend, libonepack_executorch.so beside it, when that is asked for
// something.
//
// Two libraries, because the backend calls the XNNPACK inside the wheel's library of this same
// name. That one registers a backend of its own when it is loaded, and the first one to register a
// name has it: so this one comes first, and what needs the other one is loaded from here.

#include <dlfcn.h>
#include <string.h>

#include <array>
#include <string>

#include "integrations/executorch/implementation.h"

namespace onepack {
namespace {

constexpr char kLibrary[] = "libonepack_executorch.so";

// "" if this library's own path is not known.
std::string FolderOfThisLibrary() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&onepack_executorch_open), &info) == 0) return "";
  const std::string path = info.dli_fname;
  return path.substr(0, path.rfind('/') + 1);
}

// Opened once, for as long as the process lives.
class Implementation {
 public:
  static const Implementation& Get() {
    static const Implementation* const implementation = new Implementation();
    return *implementation;
  }

  // Null where there is none; then `message` says why.
  const ExecutorchImplementation* get() const { return implementation_; }
  const char* message() const { return message_.c_str(); }

 private:
  Implementation() {
    Open();
    if (implementation_ == nullptr) ET_LOG(Error, "onepack: %s", message());
  }

  void Open() {
    void* const library = dlopen((FolderOfThisLibrary() + kLibrary).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      message_ = dlerror();
      return;
    }
    const auto find = reinterpret_cast<decltype(&onepack_executorch_implementation)>(
        dlsym(library, kImplementationSymbol));
    const char* message = "no such function";
    implementation_ = find == nullptr ? nullptr : find(&message);
    if (implementation_ == nullptr) message_ = std::string(kLibrary) + ": " + message;
  }

  const ExecutorchImplementation* implementation_ = nullptr;
  std::string message_;
};

class Door final : public et::BackendInterface {
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
  static Door* const door = new Door();  // programs may be destroyed after static objects are
  return et::register_backend({"XnnpackBackend", door});
}

const et::Error registered = Register();

}  // namespace
}  // namespace onepack

namespace {

template <size_t kSize>
bool CopyText(const char* text, char (&copy)[kSize]) {
  const size_t size = strlen(text);
  if (size >= kSize) return false;
  memcpy(copy, text, size + 1);
  return true;
}

int SetOption(const char* name, const onepack::et::OptionValue& value) {
  onepack::et::BackendOption option;
  if (!CopyText(name, option.key)) return static_cast<int>(onepack::et::Error::InvalidArgument);
  option.value = value;
  return static_cast<int>(onepack::et::set_option("XnnpackBackend", {&option, 1}));
}

}  // namespace

int onepack_executorch_set_bool(const char* name, int value) { return SetOption(name, value != 0); }

int onepack_executorch_set_int(const char* name, int value) { return SetOption(name, value); }

int onepack_executorch_set_text(const char* name, const char* value) {
  char copy[onepack::et::kMaxOptionValueLength] = {};
  if (!CopyText(value, copy)) return static_cast<int>(onepack::et::Error::InvalidArgument);
  std::array<char, sizeof(copy)> text;
  memcpy(text.data(), copy, sizeof(copy));
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
