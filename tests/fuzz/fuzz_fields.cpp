// Bytes as a list of changes to the fields of a good program and its data files; what loads is run.
//
//     u8 which program, then for each change: u16 which field, u8 how, u32 with what

#include "tests/fuzz/field_map.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/hardening/seed_programs.h"

namespace onepack {
namespace {

struct Seed {
  UntrustedFiles files;
  FieldMap fields;
};

std::vector<Seed> MakeSeeds() {
  std::vector<UntrustedFiles> all = GeneratedSeeds();
  for (UntrustedFiles& files : RecordedSeeds()) all.push_back(std::move(files));
  std::vector<Seed> seeds;
  for (UntrustedFiles& files : all) {
    FieldMap fields(files);
    seeds.push_back({std::move(files), std::move(fields)});
  }
  return seeds;
}

// Reads little-endian numbers; zeros after the end.
class Script {
 public:
  Script(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  bool AtEnd() const { return next_ >= size_; }
  uint32_t Take(size_t bytes) {
    uint32_t number = 0;
    for (size_t i = 0; i < bytes; ++i) {
      const uint32_t byte = next_ < size_ ? data_[next_] : 0;
      number |= byte << (8 * i);
      ++next_;
    }
    return number;
  }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t next_ = 0;
};

const std::vector<Seed>& Seeds() {
  static const std::vector<Seed> seeds = MakeSeeds();
  return seeds;
}

void TestOne(const uint8_t* data, size_t size) {
  constexpr int kMaxChanges = 16;
  Script script(data, size);
  const Seed& seed = Seeds()[script.Take(1) % Seeds().size()];
  UntrustedFiles files = seed.files;
  for (int i = 0; i < kMaxChanges && !script.AtEnd(); ++i) {
    const uint32_t field = script.Take(2);
    const uint32_t how = script.Take(1);
    seed.fields.Change(field, how, script.Take(4), files);
  }
  AbortOnViolation(RunUntrusted(files));
}

}  // namespace
}  // namespace onepack

// Else libFuzzer would charge the first input with it, and call it a hang on a busy machine.
extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  onepack::Seeds();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  onepack::TestOne(data, size);
  return 0;
}
