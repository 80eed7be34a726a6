#include "tests/support/recording_backend.h"

#include <stdexcept>

namespace onepack {
namespace {

class RecordingDelegate final : public Delegate {
 public:
  explicit RecordingDelegate(BackendRecord* record) : record_(record) {
    ++record_->delegates_alive;
  }
  ~RecordingDelegate() override { --record_->delegates_alive; }

  Status Execute(Span<Value* const> arguments) override {
    return record_->on_execute ? record_->on_execute(arguments) : Status::Ok();
  }

 private:
  BackendRecord* record_;
};

class RecordingSession final : public BackendSession {
 public:
  explicit RecordingSession(BackendRecord* record)
      : record_(record), number_(++record->sessions_opened) {
    ++record_->sessions_alive;
  }
  ~RecordingSession() override { --record_->sessions_alive; }

  Status LoadDelegates(Span<const DelegateRequest> requests,
                       Span<Ref<Delegate>> delegates) override {
    for (size_t i = 0; i < requests.size(); ++i) {
      ONEPACK_ASSIGN_OR_RETURN(delegates[i], LoadDelegate(requests[i]));
    }
    return Status::Ok();
  }

 private:
  Result<Ref<Delegate>> LoadDelegate(const DelegateRequest& request) {
    RecordedDelegate recorded;
    recorded.index = request.index;
    recorded.payload.assign(request.payload.bytes.begin(), request.payload.bytes.end());
    recorded.payload_offset = request.payload_offset;
    recorded.source_name = request.source->name();
    for (const CompileSpec& spec : request.compile_specs) {
      recorded.compile_specs.emplace_back(
          std::string(spec.key), std::vector<uint8_t>(spec.value.begin(), spec.value.end()));
    }
    recorded.session = number_;
    record_->delegates.push_back(std::move(recorded));
    if (record_->on_load) ONEPACK_RETURN_IF_ERROR(record_->on_load(request));
    ONEPACK_ASSIGN_OR_RETURN(Ref<RecordingDelegate> delegate,
                             MakeRef<RecordingDelegate>(HeapAllocator(), record_));
    return Ref<Delegate>(delegate);
  }

  BackendRecord* record_;
  int number_;
};

class RecordingBackend final : public Backend {
 public:
  RecordingBackend(const char* name, BackendRecord* record) : name_(name), record_(record) {}

  const char* name() const override { return name_; }
  Result<Ref<BackendSession>> OpenSession() override {
    ONEPACK_ASSIGN_OR_RETURN(Ref<RecordingSession> session,
                             MakeRef<RecordingSession>(HeapAllocator(), record_));
    return Ref<BackendSession>(session);
  }

 private:
  const char* name_;
  BackendRecord* record_;
};

}  // namespace

Ref<Backend> MakeRecordingBackend(const char* name, BackendRecord* record) {
  auto backend = MakeRef<RecordingBackend>(HeapAllocator(), name, record);
  if (!backend.ok()) throw std::runtime_error(backend.status().message());
  return *backend;
}

}  // namespace onepack
