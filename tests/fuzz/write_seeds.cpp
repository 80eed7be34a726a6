// Writes the good files that fuzzing starts from: DIR/program, DIR/data, DIR/bundle, DIR/payload,
// DIR/fields, DIR/operators, DIR/packed.

#include <stdio.h>

#include <filesystem>
#include <string>

#include "program_generated.h"
#include "runtime/program_contents.h"
#include "tests/hardening/operator_calls.h"
#include "tests/hardening/seed_programs.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "weight_cache/packed_file/writer.h"

namespace onepack {
namespace {

void Write(const std::string& folder, const std::string& name, Bytes bytes) {
  std::filesystem::create_directories(folder);
  WriteFile(folder + "/" + name, bytes);
}

// The payload of the first delegate, if there is one.
void WritePayload(const UntrustedFiles& files, const std::string& folder) {
  auto program = OpenProgram(files.program);
  if (!program.ok()) return;
  const auto* delegates = ProgramContents(**program).wire().execution_plan()->Get(0)->delegates();
  if (delegates == nullptr || delegates->size() == 0) return;
  const auto* data = delegates->Get(0)->processed();
  auto payload = ProgramContents(**program).LoadPayload(
      data->location() == wire::program::DataLocation::INLINE, data->index());
  if (payload.ok()) Write(folder, files.name, payload->buffer.bytes);
}

// Every 16th operator: the fuzzer finds the others.
void WriteCalls(const std::string& folder) {
  const std::vector<OperatorSignature> signatures = FindOperatorSignatures();
  for (size_t i = 0; i < signatures.size(); i += 16) {
    std::vector<uint8_t> call(64, 1);
    call[0] = static_cast<uint8_t>(i);
    call[1] = static_cast<uint8_t>(i >> 8);
    Write(folder, signatures[i].name, call);
  }
}

// A packed file of two states, and its last directory alone.
void WritePacked(const std::string& folder) {
  std::filesystem::create_directories(folder);
  const std::string path = folder + "/file";
  std::filesystem::remove(path);
  const std::vector<uint8_t> packed(100, 7);
  for (uint8_t number = 0; number < 2; ++number) {
    PackedFileChange change;
    PackKey key;
    key.weight.kernel.bytes.fill(number);
    change.additions.push_back({key, number, {packed.data(), packed.size()}, nullptr});
    change.hashes.push_back({key.weight.kernel, key.weight.kernel});
    static_cast<void>(WritePackedFile(path, change, {}));
  }
  auto file = PackedFileReader::Open(path);
  if (!file.ok()) return;
  const std::vector<uint8_t> directory =
      EncodePackedFileDirectory((*file)->directory(), (*file)->id(), (*file)->end());
  Write(folder, "directory", {directory.data(), 16 + 2 * 224 + 2 * 72});
}

void WriteAll(const std::string& folder) {
  uint8_t number = 0;
  for (const UntrustedFiles& files : GeneratedSeeds()) {
    Write(folder + "/program", files.name, files.program);
    WritePayload(files, folder + "/payload");
    Write(folder + "/fields", files.name, {&number, 1});
    ++number;
  }
  Write(folder + "/data", "generated", GeneratedData());
  Write(folder + "/bundle", "linear", ReadFile(TestData("programs/linear.bpte")));
  WriteCalls(folder + "/operators");
  WritePacked(folder + "/packed");
  for (const UntrustedFiles& files : RecordedSeeds()) {
    if (files.data.empty()) Write(folder + "/program", files.name, files.program);
    WritePayload(files, folder + "/payload");
    Write(folder + "/fields", files.name, {&number, 1});
    ++number;
  }
}

}  // namespace
}  // namespace onepack

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s DIR\n", argv[0]);
    return 2;
  }
  onepack::WriteAll(argv[1]);
  return 0;
}
