// The gated delta rule: linear attention with a state of fixed size instead of a growing cache.

#include "base/rounding.h"
#include "kernels/arguments.h"
#include "kernels/element.h"
#include "kernels/operator_families.h"
#include "kernels/strided.h"
#include "kernels/vector_loops.h"

namespace onepack::kernels {
namespace {

// Columns of the state have nothing to do with each other. So many at a time stay in the first
// level cache from token to token.
constexpr size_t kColumns = 64;

size_t Smaller(size_t a, size_t b) { return a < b ? a : b; }

struct Problem {
  Strided query;   // [batch, heads, tokens, key width]
  Strided key;     // [batch, state heads, tokens, key width]
  Strided value;   // [batch, state heads, tokens, value width]
  Strided decay;   // as key; where it is one number for a token, repeated
  Strided beta;    // [batch, state heads, tokens]
  Strided state;   // [batch, state heads, key width, value width]
  Strided output;  // [batch, heads, tokens, value width]
  size_t tokens = 0, heads_of_state = 0, group = 0, key_width = 0, value_width = 0;
  size_t column_blocks = 0;
  const VectorLoops* loops = nullptr;
};

int64_t OffsetOf(const Strided& tensor, size_t batch, size_t head, size_t row) {
  return static_cast<int64_t>(batch) * tensor.strides[0] +
         static_cast<int64_t>(head) * tensor.strides[1] +
         static_cast<int64_t>(row) * tensor.strides[2];
}

// Some columns of the state of a head, for all tokens.
class ColumnBlock {
 public:
  ColumnBlock(const Problem& problem, size_t task)
      : problem_(problem),
        batch_(task / problem.column_blocks / problem.heads_of_state),
        head_(task / problem.column_blocks % problem.heads_of_state),
        first_(task % problem.column_blocks * kColumns),
        n_(Smaller(kColumns, problem.value_width - first_)) {}

  void Run() {
    for (size_t token = 0; token < problem_.tokens; ++token) {
      Update(token);
      for (size_t i = 0; i < problem_.group; ++i) Answer(token, head_ * problem_.group + i);
    }
  }

 private:
  // state = decay * state + key x (value - key * decay * state) * beta
  void Update(size_t token) {
    float predicted[kColumns] = {};
    float* const sums = predicted;
    float keys[kBlockSize];
    float decays[kBlockSize];
    ForEachBlockOfRows([&](size_t row, size_t n) {
      LoadRow(problem_.key, head_, token, row, n, keys);
      LoadRow(problem_.decay, head_, token, row, n, decays);
      for (size_t i = 0; i < n; ++i) keys[i] *= decays[i];
      const float* const weights = keys;
      problem_.loops->add_weighted_rows(&weights, 1, StateRows(row, n), &sums);
    });
    float delta[kColumns];
    LoadRow(problem_.value, head_, token, first_, n_, delta);
    const auto beta = LoadElement<float>(problem_.beta.type, problem_.beta.data,
                                         OffsetOf(problem_.beta, batch_, head_, token));
    for (size_t i = 0; i < n_; ++i) delta[i] = (delta[i] - predicted[i]) * beta;
    ForEachBlockOfRows([&](size_t row, size_t n) {
      LoadRow(problem_.key, head_, token, row, n, keys);
      LoadRow(problem_.decay, head_, token, row, n, decays);
      for (size_t i = 0; i < n; ++i) {
        problem_.loops->scale_and_add(StateRow(row + i), n_, decays[i], delta, keys[i]);
      }
    });
  }

  // output = query * state
  void Answer(size_t token, size_t head) const {
    float output[kColumns] = {};
    float* const sums = output;
    float queries[kBlockSize];
    ForEachBlockOfRows([&](size_t row, size_t n) {
      LoadRow(problem_.query, head, token, row, n, queries);
      const float* const weights = queries;
      problem_.loops->add_weighted_rows(&weights, 1, StateRows(row, n), &sums);
    });
    const Strided& to = problem_.output;
    StoreElements<float>(
        to.type, to.data,
        OffsetOf(to, batch_, head, token) + static_cast<int64_t>(first_) * to.strides[3],
        to.strides[3], n_, output);
  }

  template <typename Visit>
  void ForEachBlockOfRows(Visit visit) const {
    for (size_t row = 0; row < problem_.key_width; row += kBlockSize) {
      visit(row, Smaller(kBlockSize, problem_.key_width - row));
    }
  }

  void LoadRow(const Strided& from, size_t head, size_t token, size_t first, size_t n,
               float* to) const {
    LoadElements<float>(
        from.type, from.data,
        OffsetOf(from, batch_, head, token) + static_cast<int64_t>(first) * from.strides[3],
        from.strides[3], n, to);
  }

  float* StateRow(size_t row) const {
    return reinterpret_cast<float*>(problem_.state.data) +
           OffsetOf(problem_.state, batch_, head_, row) + first_;
  }
  FloatRows StateRows(size_t row, size_t n) const {
    return {StateRow(row), static_cast<size_t>(problem_.state.strides[2]), n, n_};
  }

  const Problem& problem_;
  const size_t batch_;
  const size_t head_;  // of the state
  const size_t first_;
  const size_t n_;
};

void RunTask(void* problem, size_t task) {
  ColumnBlock(*static_cast<const Problem*>(problem), task).Run();
}

bool HasSizes(const Tensor& tensor, const int32_t (&sizes)[4], size_t rank = 4) {
  return SameSizes(tensor.sizes(), {sizes, rank});
}

struct Arguments {
  const Tensor* query;
  const Tensor* key;
  const Tensor* value;
  const Tensor* decay;
  const Tensor* beta;
  const Tensor* state;
};

Status CheckTypes(const Arguments& arguments, const Tensor& out, const Tensor& final_state) {
  for (const Tensor* tensor : {arguments.query, arguments.key, arguments.value, arguments.decay,
                               arguments.beta, arguments.state, &out}) {
    const ScalarType type = tensor->scalar_type();
    if (IsFloatingPoint(type) && type != ScalarType::kDouble) continue;
    return Status::Error(StatusCode::kUnsupported, "the gated delta rule over %s",
                         LayoutText(tensor->layout()).c_str());
  }
  if (final_state.scalar_type() == ScalarType::kFloat) return Status::Ok();
  return Status::Error(StatusCode::kUnsupported, "a state of %s",
                       LayoutText(final_state.layout()).c_str());
}

Status CheckSizes(const Arguments& arguments) {
  const Tensor& query = *arguments.query;
  const Tensor& key = *arguments.key;
  const Tensor& value = *arguments.value;
  if (query.rank() != 4 || key.rank() != 4 || value.rank() != 4) {
    return Unfit("queries, keys and values of rank 4 expected", query, value);
  }
  const int32_t batch = key.sizes()[0];
  const int32_t heads = key.sizes()[1];
  const int32_t tokens = key.sizes()[2];
  const int32_t width = key.sizes()[3];
  const int32_t value_width = value.sizes()[3];
  if (heads == 0 || query.sizes()[1] % heads != 0 ||
      !HasSizes(query, {batch, query.sizes()[1], tokens, width})) {
    return Unfit("queries and keys do not fit", query, key);
  }
  if (!HasSizes(value, {batch, heads, tokens, value_width})) {
    return Unfit("values and keys do not fit", value, key);
  }
  if (!HasSizes(*arguments.decay, {batch, heads, tokens, width}) &&
      !HasSizes(*arguments.decay, {batch, heads, tokens}, 3)) {
    return Unfit("decays and keys do not fit", *arguments.decay, key);
  }
  if (!HasSizes(*arguments.beta, {batch, heads, tokens}, 3)) {
    return Unfit("betas and keys do not fit", *arguments.beta, key);
  }
  if (!HasSizes(*arguments.state, {batch, heads, width, value_width})) {
    return Unfit("the state does not fit the keys", *arguments.state, key);
  }
  return Status::Ok();
}

Status Prepare(const Arguments& arguments, Tensor& out, Tensor& final_state, Problem* problem) {
  const Span<const int32_t> keys = arguments.key->sizes();
  const Span<const int32_t> queries = arguments.query->sizes();
  const Span<const int32_t> values = arguments.value->sizes();
  const int32_t sizes[] = {queries[0], queries[1], queries[2], values[3]};
  ONEPACK_RETURN_IF_ERROR(out.Resize({sizes, 4}));
  ONEPACK_RETURN_IF_ERROR(final_state.Resize(arguments.state->sizes()));
  problem->query = StridedInput(*arguments.query);
  problem->key = StridedInput(*arguments.key);
  problem->value = StridedInput(*arguments.value);
  problem->decay = StridedInput(*arguments.decay);
  if (problem->decay.rank == 3) problem->decay.Append(keys[3], 0);
  problem->beta = StridedInput(*arguments.beta);
  problem->state = StridedOutput(final_state);
  problem->output = StridedOutput(out);
  if (problem->state.strides[3] != 1 && problem->state.sizes[3] != 1) {
    return Status::Error(StatusCode::kUnsupported, "a state whose rows are not side by side");
  }
  problem->heads_of_state = static_cast<size_t>(keys[1]);
  problem->group = static_cast<size_t>(queries[1] / keys[1]);
  problem->tokens = static_cast<size_t>(keys[2]);
  problem->key_width = static_cast<size_t>(keys[3]);
  problem->value_width = static_cast<size_t>(values[3]);
  problem->column_blocks = DivideUp(problem->value_width, kColumns);
  problem->loops = &VectorLoopsOfThisMachine();
  return Status::Ok();
}

// gated_delta_rule(query, key, value, decay, beta, initial_state, out, final_state_out)
Status GatedDeltaRule(void* context, Span<Value* const> values) {
  ArgumentReader read(values);
  Arguments arguments;
  arguments.query = &read.Input("query");
  arguments.key = &read.Input("key");
  arguments.value = &read.Input("value");
  arguments.decay = &read.Input("decay");
  arguments.beta = &read.Input("beta");
  arguments.state = &read.Input("initial_state");
  Tensor& out = read.Output("out");
  Tensor& final_state = read.Output("final_state_out");
  ONEPACK_RETURN_IF_ERROR(read.TakeStatus());
  ONEPACK_RETURN_IF_ERROR(CheckTypes(arguments, out, final_state));
  ONEPACK_RETURN_IF_ERROR(CheckSizes(arguments));
  Problem problem;
  ONEPACK_RETURN_IF_ERROR(Prepare(arguments, out, final_state, &problem));
  CopyStrided(StridedInput(*arguments.state), problem.state);
  if (problem.tokens == 0) return Status::Ok();  // of any number of heads
  const size_t tasks = static_cast<size_t>(arguments.key->sizes()[0]) * problem.heads_of_state *
                       problem.column_blocks;
  pthreadpool_parallelize_1d(ContextOf(context).threadpool(), RunTask, &problem, tasks, 0);
  return Status::Ok();
}

constexpr OperatorRow kRows[] = {
    // The first is the older name.
    {"llama::channelwise_gated_delta_rule.out", GatedDeltaRule},
    {"llama::gated_delta_rule.out", GatedDeltaRule},
};

}  // namespace

OperatorRows GatedDeltaRuleOperators() { return kRows; }

}  // namespace onepack::kernels
