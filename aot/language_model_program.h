// One program of a written language model: its graphs, one for each delegate, and the method that
// calls them and the operators between them.

#ifndef ONEPACK_AOT_LANGUAGE_MODEL_PROGRAM_H_
#define ONEPACK_AOT_LANGUAGE_MODEL_PROGRAM_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aot/language_model_weights.h"
#include "aot/named_data_store.h"
#include "aot/plan_builder.h"

namespace onepack {

class LanguageModelProgram {
 public:
  // Tensors outside of the delegates go to `tensors` under `tag`, or, when that is null, into the
  // program. What is referred to outlives this.
  LanguageModelProgram(const LanguageModelOptions& options, std::optional<uint32_t> adapter,
                       WeightBank& bank, NamedDataStore* tensors, const std::string& tag);

  Status Build();

  // After Build, once: the graphs in the order of the delegates.
  std::vector<PayloadWriter> TakeGraphs() { return std::move(graphs_); }
  // After Build: the program without payloads, to which the payload of graph i is to be added as
  // segment i.
  ProgramWriter& program() { return program_; }

 private:
  class Partition;
  struct Heads {
    int32_t values;
    uint32_t count;
    int32_t norm;  // -1: none
  };

  int32_t Int(int64_t number);
  int32_t None();
  int32_t Planned(std::vector<int32_t> sizes);
  std::vector<int32_t> Rows(uint32_t width) const;
  std::vector<int32_t> HeadRows(uint32_t heads, uint32_t width) const;
  int32_t Scalar(float number);
  Result<int32_t> Outside(const std::string& key, const DataBytes& bytes, ScalarType type,
                          std::vector<int32_t> sizes);
  Result<int32_t> OutsideFloats(const std::string& key, const std::vector<float>& numbers);

  Status AddPositions();
  Result<int32_t> AddRotaryRows(const char* key, bool is_sine);
  Result<int32_t> AddEmbedding();
  Status AddLayer(uint32_t layer);
  Status AddQueriesKeysValues(uint32_t layer, int32_t* queries, int32_t* keys, int32_t* values);
  Status AddHeadNorms(uint32_t layer, Heads& queries, Heads& keys);
  void AddRotation(Heads& queries, Heads& keys);
  int32_t AddAttention(const Heads& queries, const Heads& keys, int32_t values);
  void AddOutputProjection(uint32_t layer, int32_t attended);
  Status AddFfn(uint32_t layer);
  Result<int32_t> AddHead();
  int32_t AddMean(int32_t squares, std::vector<int32_t> sizes);
  int32_t AddView(int32_t tensor, const std::vector<int32_t>& shape, std::vector<int32_t> sizes);
  int32_t AddConcatenation(const Heads& heads);
  int32_t AddHalf(int32_t tensor, uint32_t heads, bool is_second);
  void Finish(int32_t logits);

  const LanguageModelOptions& options_;
  const LanguageModelWeights weights_;
  const std::optional<uint32_t> adapter_;
  WeightBank& bank_;
  NamedDataStore* const tensors_;
  const std::string tag_;

  ProgramWriter program_;
  PlanBuilder plan_;
  std::vector<PayloadWriter> graphs_;
  std::map<int64_t, int32_t> ints_;
  int32_t none_ = -1;

  // Values that all layers use.
  int32_t tokens_ = -1;
  int32_t count_ = -1;     // of tokens
  int32_t position_ = -1;  // of the first
  int32_t epsilon_ = -1;
  int32_t factor_ = -1;
  int32_t cosines_ = -1;
  int32_t sines_ = -1;
  // What goes from layer to layer, and its squares.
  int32_t x_ = -1;
  int32_t squares_ = -1;
};

}  // namespace onepack

#endif  // ONEPACK_AOT_LANGUAGE_MODEL_PROGRAM_H_
