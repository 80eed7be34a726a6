// onepack pack: a packed file, made ahead of time.

#include <stdio.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "onepack/weight_cache.h"
#include "onepack/xnnpack_backend.h"
#include "tools/command_options.h"
#include "tools/commands.h"
#include "tools/data_holders.h"
#include "tools/format.h"
#include "tools/option_values.h"
#include "tools/verified_program.h"

namespace onepack {
namespace {

struct PackOptions {
  std::vector<std::string> programs;
  std::vector<std::string> data;
  std::string output;
  LinearLayout linears = LinearLayout::kAuto;
  size_t threads = 1;
};

class PackCommand {
 public:
  explicit PackCommand(const PackOptions& options) : options_(options) {}

  Result<bool> Run() {
    WeightCacheOptions cache_options;
    cache_options.packed_file.path = options_.output;
    cache_options.retained_bytes = SIZE_MAX;  // for the next program
    const std::shared_ptr<WeightCache> cache = WeightCache::Create(cache_options);
    XnnpackBackendOptions backend_options;
    backend_options.weight_cache = cache;
    backend_options.linears = options_.linears;
    backend_options.packing_threads = options_.threads;
    ONEPACK_ASSIGN_OR_RETURN(backend_, CreateXnnpackBackend(backend_options));
    for (const std::string& path : options_.data) {
      ONEPACK_ASSIGN_OR_RETURN(InspectedFile file, OpenToInspect(path));
      if (file.program) {
        return Status::Error(StatusCode::kInvalidArgument, "%s: a program, a data file expected",
                             path.c_str());
      }
      data_.push_back(std::make_unique<InspectedFile>(std::move(file)));
    }
    for (const std::string& path : options_.programs) {
      Status status = PackProgram(path);
      if (!status.ok()) return std::move(status).WithContext("%s", path.c_str());
    }
    ONEPACK_RETURN_IF_ERROR(cache->Flush());
    Report(cache->Stats().file);
    return true;
  }

 private:
  Status PackProgram(const std::string& path) {
    ONEPACK_ASSIGN_OR_RETURN(const InspectedFile program, OpenToInspect(path));
    if (!program.program) {
      return Status::Error(StatusCode::kInvalidArgument, "a data file, a program expected");
    }
    std::vector<const InspectedFile*> files;
    for (const auto& file : data_) files.push_back(file.get());
    const DataHolders holders = FindDataHolders(program, files);
    ONEPACK_RETURN_IF_ERROR(CheckNoneIsMissing(holders));
    ONEPACK_ASSIGN_OR_RETURN(const Ref<NamedDataMap> data, NamedDataMap::Merge(holders.maps));
    return VerifyMethods(program, data, backend_);
  }

  void Report(const PackedFileStats& stats) const {
    if (stats.entries == 0) {
      printf("nothing to pack: all layers run over the bytes of the data files\n");
      return;
    }
    printf("%s: %s, %s; %llu packed now, %llu there already\n", options_.output.c_str(),
           FormatCount(stats.entries, "weight", "weights").c_str(),
           FormatBytes(stats.file_bytes).c_str(),
           static_cast<unsigned long long>(stats.misses.total()),
           static_cast<unsigned long long>(stats.hits));
  }

  const PackOptions& options_;
  Ref<Backend> backend_;
  std::vector<std::unique_ptr<InspectedFile>> data_;
};

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
  AddCountOption(*command, "--threads", options->threads, 1024, "Threads that pack");
  AddLinearsOption(*command, options->linears);
  command->footer(
      "Loads every method of the programs, as an application would, and keeps what was packed.\n"
      "Only a machine with the same processor features and the same XNNPACK has use for it:\n"
      "another one packs again, and replaces it. Load with the same --linears; layers that run\n"
      "over the bytes of the data file are not packed.\n"
      "\n"
      "Examples:\n"
      "  onepack pack base.pte lora0.pte --data foundation.ptd,lora0.ptd --output packed.bin\n"
      "  onepack run lora0.pte --data foundation.ptd,lora0.ptd --packed packed.bin");
  command->callback(
      [options, action] { *action = [options] { return PackCommand(*options).Run(); }; });
}

}  // namespace onepack
