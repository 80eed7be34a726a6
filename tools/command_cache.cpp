// onepack cache: what is in a packed file, whether it is sound, and how to make it smaller.

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/hex.h"
#include "delegate/xnn/initialize.h"
#include "delegate/xnn/layout_tag.h"
#include "tools/commands.h"
#include "tools/format.h"
#include "tools/option_values.h"
#include "weight_cache/packed_file/writer.h"

namespace onepack {
namespace {

struct CacheOptions {
  std::string path;
  bool full = false;
  uint64_t max_bytes = 0;
};

using Reader = std::shared_ptr<const PackedFileReader>;

// Enough of a hash to tell it from others.
std::string Short(const Digest& digest) {
  return std::string(HexText<32>(digest.bytes).view().substr(0, 12));
}

std::string Number(uint64_t number) { return std::to_string(number); }

uint64_t PackedBytesOf(const PackedFileReader& file) {
  uint64_t bytes = 0;
  for (const PackedFileEntry& entry : file.directory().entries) bytes += entry.size;
  return bytes;
}

void PrintEntries(const PackedFileReader& file) {
  TextTable table(0);
  table.AddRow({"kernel", "quantization", "consumer", "bytes", "offset", "last use"});
  for (const PackedFileEntry& entry : file.directory().entries) {
    const WeightIdentity& weight = entry.key.weight;
    table.AddRow({Short(weight.kernel), Short(weight.quantization), Short(weight.consumer),
                  Number(entry.size), Number(entry.offset), Number(entry.last_use)});
  }
  printf("%s", table.ToString().c_str());
}

Result<bool> InspectCache(const CacheOptions& options) {
  ONEPACK_ASSIGN_OR_RETURN(const Reader file, PackedFileReader::Open(options.path));
  ONEPACK_RETURN_IF_ERROR(InitializeXnnpack());
  const PackedFileDirectory& directory = file->directory();
  TextTable table(2);
  table.AddRow({"packed file",
                "version " + Number(kPackedFileVersion) + ", state " + Number(directory.sequence)});
  table.AddRow({"size", FormatBytes(file->end()), FormatBytes(DeadBytes(*file)) + " of it dead"});
  table.AddRow({"weights", Number(directory.entries.size()), FormatBytes(PackedBytesOf(*file))});
  table.AddRow({"hashes", Number(directory.hashes.size()), "of raw bytes"});
  if (!directory.entries.empty()) {
    const Digest& layout = directory.entries.front().key.layout;
    table.AddRow({"layout", Short(layout),
                  layout == LayoutFingerprint() ? "of this XNNPACK and processor"
                                                : "of another XNNPACK or processor"});
  }
  printf("%s\n%s", options.path.c_str(), table.ToString().c_str());
  if (options.full) PrintEntries(*file);
  return true;
}

Result<bool> VerifyCache(const CacheOptions& options) {
  ONEPACK_ASSIGN_OR_RETURN(const Reader file, PackedFileReader::Open(options.path));
  size_t failed = 0;
  for (const PackedFileEntry& entry : file->directory().entries) {
    if (file->IsIntact(entry)) continue;
    ++failed;
    printf("FAIL  the weight of kernel %s, %llu bytes at %llu, is damaged\n",
           Short(entry.key.weight.kernel).c_str(), static_cast<unsigned long long>(entry.size),
           static_cast<unsigned long long>(entry.offset));
  }
  printf("%zu passed, %zu failed\n", file->directory().entries.size() - failed, failed);
  return failed == 0;
}

Result<bool> RewriteFile(const CacheOptions& options, const PackedFileLimits& limits) {
  ONEPACK_ASSIGN_OR_RETURN(const Reader before, PackedFileReader::Open(options.path));
  ONEPACK_ASSIGN_OR_RETURN(const WriteReport report, WritePackedFile(options.path, {}, limits));
  if (report.outcome == WriteOutcome::kBusy) {
    return Status::Error(StatusCode::kFailedPrecondition, "%s: another process is writing",
                         options.path.c_str());
  }
  ONEPACK_ASSIGN_OR_RETURN(const Reader after, PackedFileReader::Open(options.path));
  printf("%s: %s of %s instead of %s of %s\n", options.path.c_str(),
         FormatCount(after->directory().entries.size(), "weight", "weights").c_str(),
         FormatBytes(after->end()).c_str(),
         FormatCount(before->directory().entries.size(), "weight", "weights").c_str(),
         FormatBytes(before->end()).c_str());
  return true;
}

Result<bool> CompactCache(const CacheOptions& options) {
  PackedFileLimits limits;
  limits.compacts = true;
  return RewriteFile(options, limits);
}

Result<bool> PruneCache(const CacheOptions& options) {
  PackedFileLimits limits;
  limits.max_bytes = options.max_bytes;
  limits.compacts = true;
  return RewriteFile(options, limits);
}

CLI::App* AddPart(CLI::App& parent, const char* name, const char* description,
                  Result<bool> (*run)(const CacheOptions&),
                  const std::shared_ptr<CacheOptions>& options, Action* action) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->add_option("FILE", options->path, "A packed file")->required()->type_name("");
  command->callback([=] { *action = [=] { return run(*options); }; });
  return command;
}

}  // namespace

void AddCacheCommand(CLI::App& app, Action* action) {
  const auto options = std::make_shared<CacheOptions>();
  CLI::App* command = app.add_subcommand("cache", "Look at a packed file, or make it smaller");
  command->group("Commands");
  command->require_subcommand(1);
  AddPart(*command, "inspect", "What is in it", &InspectCache, options, action)
      ->add_flag("--full", options->full, "Every weight, too");
  AddPart(*command, "verify", "Whether every weight is what its checksum says", &VerifyCache,
          options, action);
  AddPart(*command, "compact", "Write it again without what is dead or damaged", &CompactCache,
          options, action);
  CLI::App* prune = AddPart(*command, "prune", "Drop what was not used for the longest time",
                            &PruneCache, options, action);
  AddNumberOption<uint64_t>(*prune, "--max-bytes", options->max_bytes, 0, UINT64_MAX,
                            "Size of the file afterwards, at most")
      ->required();
  command->footer(
      "Processes that use the file go on with what they have mapped.\n"
      "\n"
      "Examples:\n"
      "  onepack cache inspect packed.bin --full\n"
      "  onepack cache prune packed.bin --max-bytes 500000000");
}

}  // namespace onepack
