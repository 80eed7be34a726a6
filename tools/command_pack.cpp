// onepack pack: a packed file, made ahead of time.

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <set>

#include "aot/detach_data.h"
#include "onepack/weight_cache.h"
#include "onepack/xnnpack_backend.h"
#include "tools/command_options.h"
#include "tools/commands.h"
#include "tools/data_holders.h"
#include "tools/format.h"
#include "tools/option_values.h"
#include "tools/progress.h"
#include "tools/recording_source.h"
#include "tools/verified_program.h"

namespace onepack {
namespace {

struct PackOptions {
  std::vector<std::string> programs;
  std::vector<std::string> data;
  std::string output;
  std::string detached;  // empty: nothing is detached
  LinearLayout linears = LinearLayout::kAuto;
  size_t threads = 1;
  ExistingFile existing = ExistingFile::kRefuse;
};

// The programs and data files of the command line, loaded over a packed file.
class PackedPrograms {
 public:
  struct DataFile {
    Ref<RecordingSource> source;
    InspectedFile file;
  };

  // Of a packed file that is read only: whatever a load asks of the data files then is not in it,
  // and no hash is computed either, of a data file that is too new to be known.
  static Result<PackedPrograms> Load(const PackOptions& options, bool is_read_only) {
    PackedPrograms loaded;
    WeightCacheOptions cache;
    cache.packed_file.path = options.output;
    cache.packed_file.is_read_only = is_read_only;
    cache.retained_bytes = SIZE_MAX;  // for the next program
    loaded.cache_ = WeightCache::Create(cache);
    XnnpackBackendOptions backend;
    backend.weight_cache = loaded.cache_;
    backend.linears = options.linears;
    backend.packing_threads = options.threads;
    ONEPACK_ASSIGN_OR_RETURN(loaded.backend_, CreateXnnpackBackend(backend));
    for (const std::string& path : options.data) {
      ONEPACK_RETURN_IF_ERROR(loaded.OpenData(path, is_read_only));
    }
    for (const std::string& path : options.programs) {
      Status status = loaded.LoadProgram(path);
      if (!status.ok()) return std::move(status).WithContext("%s", path.c_str());
    }
    return loaded;
  }

  WeightCache& cache() const { return *cache_; }
  const std::vector<std::unique_ptr<DataFile>>& data() const { return data_; }
  // Whether a program asks for this key of this file.
  bool IsUsed(const InspectedFile& file, std::string_view key) const {
    return used_.count({&file, std::string(key)}) > 0;
  }

 private:
  PackedPrograms() = default;

  Status OpenData(const std::string& path, bool knows_hashes) {
    ONEPACK_ASSIGN_OR_RETURN(Ref<DataSource> mapped, OpenMappedFile(path.c_str()));
    ONEPACK_ASSIGN_OR_RETURN(
        Ref<RecordingSource> source,
        MakeRef<RecordingSource>(HeapAllocator(), std::move(mapped), knows_hashes));
    ONEPACK_ASSIGN_OR_RETURN(InspectedFile file, OpenToInspect(Ref<DataSource>(source)));
    if (file.program) {
      return Status::Error(StatusCode::kInvalidArgument, "%s: a program, a data file expected",
                           path.c_str());
    }
    data_.push_back(std::make_unique<DataFile>(DataFile{source, std::move(file)}));
    return Status::Ok();
  }

  Status LoadProgram(const std::string& path) {
    ONEPACK_ASSIGN_OR_RETURN(const InspectedFile program, OpenToInspect(path));
    if (!program.program) {
      return Status::Error(StatusCode::kInvalidArgument, "a data file, a program expected");
    }
    std::vector<const InspectedFile*> files;
    for (const auto& one : data_) files.push_back(&one->file);
    const DataHolders holders = FindDataHolders(program, files);
    ONEPACK_RETURN_IF_ERROR(CheckNoneIsMissing(holders));
    for (const auto& [key, file] : holders.by_key) used_.emplace(file, key);
    ONEPACK_ASSIGN_OR_RETURN(const Ref<NamedDataMap> data, NamedDataMap::Merge(holders.maps));
    return VerifyMethods(program, data, backend_);
  }

  std::shared_ptr<WeightCache> cache_;
  Ref<Backend> backend_;
  std::vector<std::unique_ptr<DataFile>> data_;
  std::set<std::pair<const InspectedFile*, std::string>> used_;
};

void Report(const std::string& path, const PackedFileStats& stats) {
  if (stats.entries == 0) {
    printf("nothing to pack: all layers run over the bytes of the data files\n");
    return;
  }
  printf("%s: %s, %s; %llu packed now, %llu there already\n", path.c_str(),
         FormatCount(stats.entries, "weight", "weights").c_str(),
         FormatBytes(stats.file_bytes).c_str(),
         static_cast<unsigned long long>(stats.misses.total()),
         static_cast<unsigned long long>(stats.hits));
}

// The data file to detach from: that of the same name, or the only one.
Result<const PackedPrograms::DataFile*> FindRaw(const PackOptions& options,
                                                const PackedPrograms& loaded) {
  const auto name = std::filesystem::path(options.detached).filename();
  const PackedPrograms::DataFile* found = nullptr;
  size_t count = 0;
  for (const auto& one : loaded.data()) {
    if (std::filesystem::path(one->file.path).filename() != name) continue;
    found = one.get();
    ++count;
  }
  if (count == 1) return found;
  if (loaded.data().size() == 1) return loaded.data().front().get();
  return Status::Error(StatusCode::kInvalidArgument,
                       "--detach %s: %zu data files have that name, by which the one that is meant "
                       "is told",
                       options.detached.c_str(), count);
}

// What no program asks for when it is loaded over the packed file goes. What no program uses at all
// stays: nothing is known of it.
Status Detach(const PackOptions& options) {
  ONEPACK_ASSIGN_OR_RETURN(const PackedPrograms loaded,
                           PackedPrograms::Load(options, /*is_read_only=*/true));
  ONEPACK_ASSIGN_OR_RETURN(const PackedPrograms::DataFile* raw, FindRaw(options, loaded));
  Progress progress("pack");
  DetachOptions detach;
  detach.path = options.detached;
  detach.existing = options.existing;
  detach.where = std::filesystem::path(raw->file.path).filename().string();
  detach.watch = progress.Watcher();
  detach.is_detached = [&](const NamedData& entry) {
    // Nothing is gained by what has no bytes.
    return entry.segment.size > 0 && loaded.IsUsed(raw->file, entry.key) &&
           !raw->source->WasAskedFor(entry.segment);
  };
  ONEPACK_ASSIGN_OR_RETURN(const DetachReport report,
                           WriteDetachedData(*raw->file.named_data, detach));
  printf("%s: %s kept, %s of %s detached\n", options.detached.c_str(),
         FormatBytes(report.kept_bytes).c_str(), FormatBytes(report.detached_bytes).c_str(),
         FormatCount(report.detached_keys, "key", "keys").c_str());
  return Status::Ok();
}

Result<bool> Pack(const PackOptions& options) {
  {
    ONEPACK_ASSIGN_OR_RETURN(const PackedPrograms loaded,
                             PackedPrograms::Load(options, /*is_read_only=*/false));
    ONEPACK_RETURN_IF_ERROR(loaded.cache().Flush());
    Report(options.output, loaded.cache().Stats().file);
  }
  if (!options.detached.empty()) ONEPACK_RETURN_IF_ERROR(Detach(options));
  return true;
}

}  // namespace

void AddPackCommand(CLI::App& app, Action* action) {
  const auto options = std::make_shared<PackOptions>();
  CLI::App* command = app.add_subcommand("pack", "Pack the weights of programs ahead of time");
  command->group("Commands");
  AddPathArguments(*command, "PROGRAM", options->programs, "Programs (.pte, .bpte)")->required();
  AddDataOption(*command, options->data);
  command
      ->add_option("--output", options->output,
                   "The packed file: made, or added to\n"
                   "where it is there")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("--detach", options->detached,
                   "Also write this: the data file of the same name (or the\n"
                   "only one) without the bytes that are packed")
      ->type_name("F.ptd");
  command->add_flag_callback(
      "--replace", [options] { options->existing = ExistingFile::kReplace; },
      "Replace the detached data file if it is there");
  AddCountOption(*command, "--threads", options->threads, 1024, "Threads that pack");
  AddLinearsOption(*command, options->linears);
  command->footer(
      "Loads every method of the programs, as an application would, and keeps what was packed.\n"
      "Only a machine with the same processor features and the same XNNPACK has use for it:\n"
      "another one packs again, and replaces it. Load with the same --linears; layers that run\n"
      "over the bytes of the data file are not packed. On x86-64 those are all of floats and of\n"
      "int4 in blocks, unless --linears says packed.\n"
      "\n"
      "A detached data file has all keys, and the bytes that are used where they stand; what is\n"
      "packed it has the hashes of. With its packed file it takes the place of the whole one;\n"
      "what the packed file does not have is an error that names the whole one.\n"
      "\n"
      "Examples:\n"
      "  onepack pack base.pte lora0.pte --data foundation.ptd,lora0.ptd --linears packed\n"
      "      --output packed.bin\n"
      "  onepack run lora0.pte --data foundation.ptd,lora0.ptd --linears packed\n"
      "      --packed packed.bin\n"
      "  onepack pack *.pte --data foundation.ptd --linears packed --output app/packed.bin\n"
      "      --detach app/foundation.ptd");
  command->callback([options, action] { *action = [options] { return Pack(*options); }; });
}

}  // namespace onepack
