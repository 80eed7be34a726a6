#include "aot/language_model.h"

#include <utility>

#include "aot/language_model_program.h"
#include "aot/preprocess.h"

namespace onepack {
namespace {

constexpr char kFoundation[] = "foundation";

struct Preset {
  const char* name;
  uint32_t layers;
  uint32_t dim;
  uint32_t heads;
  uint32_t kv_heads;
  uint32_t head_dim;
  uint32_t ffn;
  uint32_t vocabulary;
  bool has_query_key_norms;
  float rope_theta;
};

constexpr Preset kPresets[] = {
    {"tiny", 2, 64, 4, 2, 16, 128, 256, true, 1e6f},
    {"SmolLM2-135M", 30, 576, 9, 3, 64, 1536, 49152, false, 1e5f},
    {"Qwen3-0.6B", 28, 1024, 16, 8, 128, 3072, 151936, true, 1e6f},
    {"Qwen3-1.7B", 28, 2048, 16, 8, 128, 6144, 151936, true, 1e6f},
    {"Qwen3-4B", 36, 2560, 32, 8, 128, 9728, 151936, true, 1e6f},
    {"Llama-3.2-1B", 16, 2048, 32, 8, 64, 8192, 128256, false, 5e5f},
    {"Llama-3.2-3B", 28, 3072, 24, 8, 128, 8192, 128256, false, 5e5f},
};

Status Misfit(const char* what) { return Status::Error(StatusCode::kInvalidArgument, "%s", what); }

Status CheckOptions(const LanguageModelOptions& options) {
  for (const uint32_t size :
       {options.layers, options.dim, options.heads, options.kv_heads, options.head_dim, options.ffn,
        options.vocabulary, options.chunk, options.rank}) {
    if (size == 0 || size > (1u << 24)) return Misfit("a size is 0 or above 2^24");
  }
  if (options.head_dim % 2 != 0) return Misfit("the heads' size is odd");
  if (options.heads % options.kv_heads != 0) {
    return Misfit("the heads are not a multiple of those of keys and values");
  }
  if (options.chunk > options.context) return Misfit("a chunk is longer than the context");
  if (options.weights != WeightType::kInt4) return Status::Ok();
  if (options.group == 0 || options.group % 32 != 0) return Misfit("a group is no multiple of 32");
  for (const uint32_t inputs : {options.dim, options.heads * options.head_dim, options.ffn}) {
    if (inputs % options.group != 0) return Misfit("the inputs of a layer are no whole groups");
  }
  return Status::Ok();
}

std::string ProgramName(uint32_t program) {
  return program == 0 ? "base" : "lora" + std::to_string(program - 1);
}

class ModelWriter {
 public:
  ModelWriter(const std::string& folder, const LanguageModelOptions& options)
      : folder_(folder),
        options_(options),
        bank_(WatchOfWeights(options.data, options.watch)),
        files_(options.existing) {}

  // With data files all at once, so that what is shared is seen; else each program alone.
  Status Write() {
    for (uint32_t p = 0; p <= options_.adapters; ++p) {
      ONEPACK_RETURN_IF_ERROR(Build(p));
      if (options_.data != DataPlace::kDataFiles) ONEPACK_RETURN_IF_ERROR(WriteBuilt());
    }
    if (options_.data == DataPlace::kDataFiles) ONEPACK_RETURN_IF_ERROR(WriteBuilt());
    return files_.Commit();
  }

 private:
  Status Build(uint32_t p) {
    if (options_.watch) ONEPACK_RETURN_IF_ERROR(options_.watch(0));
    const bool has_files = options_.data == DataPlace::kDataFiles;
    const std::optional<uint32_t> adapter = p == 0 ? std::nullopt : std::optional(p - 1);
    auto program = std::make_unique<LanguageModelProgram>(
        options_, adapter, bank_, has_files ? &tensors_ : nullptr, kFoundation);
    ONEPACK_RETURN_IF_ERROR(program->Build());
    ProgramGraphs graphs;
    graphs.name = ProgramName(p);
    if (has_files) graphs.tag = p == 0 ? kFoundation : graphs.name;
    graphs.methods.push_back({"forward", program->TakeGraphs()});
    graphs_.push_back(std::move(graphs));
    programs_.push_back(std::move(program));
    return Status::Ok();
  }

  // Data first: a program gets its name only after what it needs.
  Status WriteBuilt() {
    ONEPACK_ASSIGN_OR_RETURN(Preprocessed all, Preprocess(std::exchange(graphs_, {}), kFoundation));
    ONEPACK_RETURN_IF_ERROR(all.store.Merge(tensors_));
    for (const std::string& tag : all.store.Tags()) {
      ONEPACK_RETURN_IF_ERROR(WriteInto(folder_, tag + ".ptd", all.store.DataFile(tag), files_));
    }
    for (size_t p = 0; p < all.programs.size(); ++p) {
      ProgramWriter& program = programs_[p]->program();
      for (const std::vector<uint8_t>& payload : all.programs[p].methods[0].payloads) {
        program.AddSegment(payload);
      }
      all.programs[p].own_data.AddOwnData(program);
      ONEPACK_RETURN_IF_ERROR(WriteInto(folder_, all.programs[p].name + ".pte", program, files_));
    }
    programs_.clear();
    return Status::Ok();
  }

  const std::string& folder_;
  const LanguageModelOptions& options_;
  WeightBank bank_;
  OutputFiles files_;
  NamedDataStore tensors_;  // outside of the delegates
  std::vector<ProgramGraphs> graphs_;
  std::vector<std::unique_ptr<LanguageModelProgram>> programs_;
};

}  // namespace

std::optional<LanguageModelOptions> LanguageModelPreset(std::string_view name) {
  for (const Preset& preset : kPresets) {
    if (name != preset.name) continue;
    LanguageModelOptions options;
    options.layers = preset.layers;
    options.dim = preset.dim;
    options.heads = preset.heads;
    options.kv_heads = preset.kv_heads;
    options.head_dim = preset.head_dim;
    options.ffn = preset.ffn;
    options.vocabulary = preset.vocabulary;
    options.has_query_key_norms = preset.has_query_key_norms;
    options.rope_theta = preset.rope_theta;
    if (preset.layers == 2) return options;
    options.context = 512;
    options.chunk = 128;
    options.rank = 16;
    return options;
  }
  return std::nullopt;
}

std::vector<std::string> LanguageModelPresets() {
  std::vector<std::string> names;
  for (const Preset& preset : kPresets) names.emplace_back(preset.name);
  return names;
}

uint64_t LanguageModelSizeBytes(const LanguageModelOptions& options) {
  return LanguageModelWeights(options).SizeBytes();
}

Status WriteLanguageModel(const std::string& folder, const LanguageModelOptions& options) {
  ONEPACK_RETURN_IF_ERROR(CheckOptions(options));
  return ModelWriter(folder, options).Write();
}

}  // namespace onepack
