// Rule 5: running takes no lock of the cache. And the executor's states: sizes that change,
// failures that mend.

#include <gtest/gtest.h>
#include <pthreadpool.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "aot/payload_writer.h"
#include "aot/ptd_writer.h"
#include "aot/pte_writer.h"
#include "onepack/xnnpack_backend.h"
#include "tests/support/case_loader.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"
#include "weight_cache/pack_transaction.h"

namespace onepack {
namespace {

Result<Ref<Method>> LoadAlone(std::vector<uint8_t> program, pthreadpool* threadpool = nullptr) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Program> opened, OpenProgram(std::move(program)));
  XnnpackBackendOptions backend_options;
  backend_options.threadpool = threadpool;
  ONEPACK_ASSIGN_OR_RETURN(const Ref<Backend> backend, CreateXnnpackBackend(backend_options));
  const Ref<Backend> backends[] = {backend};
  MethodOptions options;
  options.backends = backends;
  return Method::Load(opened, "forward", options);
}

TensorPlan Dynamic(const std::vector<int32_t>& sizes, uint64_t offset) {
  TensorPlan tensor;
  tensor.sizes = sizes;
  tensor.place = PlannedPlace{1, offset};
  tensor.is_dynamic = true;
  return tensor;
}

// A program of one delegate call over `inputs` tensors of up to [rows, columns] and one output.
std::vector<uint8_t> ProgramOf(std::vector<uint8_t> payload, int32_t inputs, int32_t rows,
                               int32_t columns) {
  ProgramWriter program;
  MethodPlan method;
  DelegateCallPlan call;
  const auto size = static_cast<uint64_t>(rows) * static_cast<uint64_t>(columns) * sizeof(float);
  for (int32_t i = 0; i <= inputs; ++i) {
    method.values.push_back(Dynamic({rows, columns}, static_cast<uint64_t>(i) * size));
    call.arguments.push_back(i);
    (i < inputs ? method.inputs : method.outputs).push_back(i);
  }
  method.buffer_sizes = {0, static_cast<int64_t>(size) * (inputs + 1)};
  method.delegates = {DelegatePlan::InSegment("XnnpackBackend", program.AddSegment(payload))};
  method.chains = {{call}};
  program.AddMethod(method);
  return program.Finish();
}

struct Matrix {
  int32_t rows;
  int32_t columns;
  std::vector<float> numbers;

  float At(int32_t row, int32_t column) const {
    const int32_t r = rows == 1 ? 0 : row;
    const int32_t c = columns == 1 ? 0 : column;
    return numbers[static_cast<size_t>(r * columns + c)];
  }
};

Matrix Numbered(int32_t rows, int32_t columns, float first) {
  Matrix matrix{rows, columns, {}};
  for (int32_t i = 0; i < rows * columns; ++i) {
    matrix.numbers.push_back(first + 0.25f * static_cast<float>(i));
  }
  return matrix;
}

Status SetMatrix(Method& method, size_t index, Matrix& matrix) {
  const int32_t sizes[] = {matrix.rows, matrix.columns};
  const uint8_t order[] = {0, 1};
  ONEPACK_ASSIGN_OR_RETURN(
      Tensor tensor,
      Tensor::Over({ScalarType::kFloat, sizes, order},
                   {reinterpret_cast<uint8_t*>(matrix.numbers.data()), matrix.numbers.size() * 4}));
  return method.SetInput(index, Value::OfTensor(&tensor));
}

Matrix OutputOf(const Method& method) {
  const Tensor& tensor = method.output(0).tensor();
  const auto* numbers = reinterpret_cast<const float*>(tensor.data());
  return {tensor.sizes()[0], tensor.sizes()[1],
          std::vector<float>(numbers, numbers + tensor.size_bytes() / sizeof(float))};
}

// sigmoid(a) * sigmoid(b) - (a + b): internal values that broadcast or not, as the sizes want it.
std::vector<uint8_t> BroadcastPayload(uint32_t rows, uint32_t columns) {
  PayloadWriter payload;
  const std::vector<uint32_t> dims = {rows, columns};
  const uint32_t a = payload.AddInput(dims);
  const uint32_t b = payload.AddInput(dims);
  const uint32_t output = payload.AddOutput(dims);
  const uint32_t sigmoid_a = payload.AddInternal(dims);
  const uint32_t sigmoid_b = payload.AddInternal(dims);
  const uint32_t product = payload.AddInternal(dims);
  const uint32_t sum = payload.AddInternal(dims);
  payload.AddSigmoid(a, sigmoid_a);
  payload.AddSigmoid(b, sigmoid_b);
  payload.AddMultiply(sigmoid_a, sigmoid_b, product);
  payload.AddAdd(a, b, sum);
  payload.AddBinary(wire::xnnpack::XNodeUnion::XNNSubtract, product, sum, output);
  return payload.Finish();
}

float Sigmoid(float x) { return 1 / (1 + std::exp(-x)); }

void RunAndCompare(Method& method, Matrix a, Matrix b) {
  ASSERT_TRUE(IsOk(SetMatrix(method, 0, a)));
  ASSERT_TRUE(IsOk(SetMatrix(method, 1, b)));
  ASSERT_TRUE(IsOk(method.Execute()));
  const Matrix output = OutputOf(method);
  ASSERT_EQ(output.rows, std::max(a.rows, b.rows));
  ASSERT_EQ(output.columns, std::max(a.columns, b.columns));
  for (int32_t row = 0; row < output.rows; ++row) {
    for (int32_t column = 0; column < output.columns; ++column) {
      const float x = a.At(row, column);
      const float y = b.At(row, column);
      ASSERT_NEAR(output.At(row, column), Sigmoid(x) * Sigmoid(y) - (x + y), 1e-4)
          << "row " << row << ", column " << column << " of " << output.rows << "x"
          << output.columns;
    }
  }
}

// XNNPACK plans memory for the sizes it saw first: an output that took the place of an equally
// large operand would overwrite that operand once it is broadcast.
TEST(ExecutorTest, OperandsMayBroadcastNowAndNotThen) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method,
                               LoadAlone(ProgramOf(BroadcastPayload(8, 16), 2, 8, 16)));
  const std::pair<int32_t, int32_t> sizes[] = {{8, 16}, {1, 16}, {8, 1}, {1, 1}, {4, 16}};
  int runs = 0;
  for (const auto& [rows_a, columns_a] : sizes) {
    for (const auto& [rows_b, columns_b] : sizes) {
      const bool fits = (rows_a == rows_b || rows_a == 1 || rows_b == 1);
      if (!fits) continue;
      RunAndCompare(*method, Numbered(rows_a, columns_a, -3), Numbered(rows_b, columns_b, 0.5f));
      ++runs;
    }
  }
  EXPECT_GT(runs, 15);
}

TEST(ExecutorTest, SizesMayGrowAndShrinkFromRunToRun) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method,
                               LoadAlone(ProgramOf(BroadcastPayload(64, 8), 2, 64, 8)));
  for (const int32_t rows : {4, 64, 1, 17, 2, 64, 63, 1}) {
    RunAndCompare(*method, Numbered(rows, 8, 1), Numbered(rows, 8, -2));
  }
}

// Holds a pool of two threads in a parallel region until it is told to go on, or for so long that a
// test has failed.
class OccupiedPool {
 public:
  OccupiedPool() : pool_(pthreadpool_create(2)) {
    occupant_ = std::thread([this] {
      pthreadpool_parallelize_1d(
          pool_, [](void* self, size_t) { static_cast<OccupiedPool*>(self)->Wait(); }, this, 2, 0);
    });
    while (!is_occupied_) std::this_thread::yield();
  }
  ~OccupiedPool() {
    Release();
    pthreadpool_destroy(pool_);
  }

  pthreadpool* get() const { return pool_; }
  bool was_waited_for() const { return was_waited_for_; }
  void Release() {
    is_released_ = true;
    if (occupant_.joinable()) occupant_.join();
  }

 private:
  void Wait() {
    is_occupied_ = true;
    const auto start = std::chrono::steady_clock::now();
    while (!is_released_ && !was_waited_for_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (std::chrono::steady_clock::now() - start > std::chrono::seconds(20)) {
        was_waited_for_ = true;
      }
    }
  }

  pthreadpool* const pool_;
  std::atomic<bool> is_occupied_{false};
  std::atomic<bool> is_released_{false};
  std::atomic<bool> was_waited_for_{false};
  std::thread occupant_;
};

TEST(ExecutorTest, ARunWithLittleToComputeStartsNoParallelRegion) {
  // XNNPACK's tiles are smaller than a row.
  constexpr int32_t kColumns = 4096;
  OccupiedPool pool;
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const Ref<Method> method,
      LoadAlone(ProgramOf(BroadcastPayload(64, kColumns), 2, 64, kColumns), pool.get()));
  RunAndCompare(*method, Numbered(1, kColumns, 1), Numbered(1, kColumns, -2));
  RunAndCompare(*method, Numbered(2, kColumns, 1), Numbered(2, kColumns, -2));
  EXPECT_FALSE(pool.was_waited_for());
  pool.Release();
  // With more it does, and then with little again it does not.
  RunAndCompare(*method, Numbered(64, kColumns, 1), Numbered(64, kColumns, -2));
  RunAndCompare(*method, Numbered(1, kColumns, 1), Numbered(1, kColumns, -2));
}

TEST(ExecutorTest, AFailedRunMendsItself) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method,
                               LoadAlone(ProgramOf(BroadcastPayload(8, 8), 2, 8, 8)));
  RunAndCompare(*method, Numbered(4, 8, 1), Numbered(4, 8, 2));
  // Operands that cannot be broadcast against each other: XNNPACK refuses to reshape.
  Matrix a = Numbered(3, 8, 0);
  Matrix b = Numbered(5, 8, 0);
  ASSERT_TRUE(IsOk(SetMatrix(*method, 0, a)));
  ASSERT_TRUE(IsOk(SetMatrix(*method, 1, b)));
  EXPECT_FALSE(method->Execute().ok());
  RunAndCompare(*method, Numbered(4, 8, 1), Numbered(4, 8, 2));
}

// XNNPACK takes the number of channels from the filter and would read rows across their borders.
TEST(ExecutorTest, AnInputOfALinearLayerMustHaveItsChannels) {
  const std::string folder = TestData("cases/lora_8da4w");
  const CaseLoader loader(PackedWeightCache::Create());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, loader.Load(folder, "base"));
  Matrix narrow = Numbered(4, 32, 0.1f);
  ASSERT_TRUE(IsOk(SetMatrix(*method, 0, narrow)));
  EXPECT_TRUE(IsError(method->Execute(), StatusCode::kMismatch,
                      {"XNNFullyConnected", "32 channels", "filter of 64"}));
  EXPECT_EQ(CaseLoader::Check(method, folder, "base"), "");
}

TEST(ExecutionTest, TakesNoLockOfTheCache) {
  const std::string folder = TestData("cases/lora_8da4w");
  const std::shared_ptr<PackedWeightCache> cache = PackedWeightCache::Create();
  const CaseLoader loader(cache);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, loader.Load(folder, "lora0"));
  ASSERT_EQ(CaseLoader::Check(method, folder, "lora0"), "");
  const uint64_t before = cache->Stats().lock_count;
  Matrix x = Numbered(4, 64, 0.1f);
  for (int i = 0; i < 50; ++i) {
    // Also when sizes change, as long as they do not broadcast in another way (one row against
    // many).
    x = Numbered(2 + i % 60, 64, 0.1f);
    ASSERT_TRUE(IsOk(SetMatrix(*method, 0, x)));
    ASSERT_TRUE(IsOk(method->Execute()));
  }
  EXPECT_EQ(cache->Stats().lock_count, before + 1) << "the call of Stats itself";
}

TEST(ExecutionTest, GoesOnWhileAnotherThreadPacks) {
  const std::string folder = TestData("cases/lora_fp32");
  const std::shared_ptr<PackedWeightCache> cache = PackedWeightCache::Create();
  const CaseLoader loader(cache);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, loader.Load(folder, "base"));
  // A packer that has claimed a key and does not come to an end.
  PackTransaction packer(cache);
  ASSERT_FALSE(packer.LookUp(PackKey()));
  ASSERT_NE(packer.Reserve(1 << 20), nullptr);
  std::thread runner([&] { EXPECT_EQ(CaseLoader::Check(method, folder, "base"), ""); });
  runner.join();
  // Loading another program that needs none of the packer's keys goes on as well.
  std::thread other([&] { EXPECT_TRUE(IsOk(loader.Load(folder, "lora0"))); });
  other.join();
}

struct PoolDeleter {
  void operator()(pthreadpool* pool) const { pthreadpool_destroy(pool); }
};

TEST(ExecutionTest, ProgramsRunInParallelOnPoolsOfTheirOwnAndOnOne) {
  const std::string folder = TestData("cases/lora_fp32");
  const std::shared_ptr<PackedWeightCache> cache = PackedWeightCache::Create();
  const std::unique_ptr<pthreadpool, PoolDeleter> shared(pthreadpool_create(2));
  for (const bool share_pool : {false, true}) {
    std::vector<std::thread> threads;
    for (const char* name : {"base", "lora0", "lora1"}) {
      threads.emplace_back([&, name] {
        const std::unique_ptr<pthreadpool, PoolDeleter> own(pthreadpool_create(2));
        const CaseLoader loader(cache, {}, share_pool ? shared.get() : own.get());
        auto method = loader.Load(folder, name);
        ASSERT_TRUE(IsOk(method));
        for (int i = 0; i < 5; ++i) EXPECT_EQ(CaseLoader::Check(*method, folder, name), "");
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(cache->Stats().bytes, 0u);
}

// x + constant: an operand that XNNPACK reads where it is. Rule 9: no part of the cache, kept as
// long as the program.
TEST(InPlaceTest, AConstantThatIsReadInPlaceIsNotCached) {
  std::vector<float> numbers(16);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  PayloadWriter payload;
  const uint32_t x = payload.AddInput({4, 16});
  const uint32_t constant = payload.AddConstant({1, 16}, payload.AddNamedConstant("bias", 64));
  payload.AddAdd(x, constant, payload.AddOutput({4, 16}));
  PtdWriter data;
  data.AddBytes("bias", AsBytes(numbers));
  const TempFolder folder;
  ASSERT_TRUE(IsOk(data.ToFile(folder.File("data.ptd"))));

  const std::shared_ptr<PackedWeightCache> cache = PackedWeightCache::Create();
  Ref<Method> method;
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program,
                                 OpenProgram(ProgramOf(payload.Finish(), 1, 4, 16)));
    ONEPACK_ASSERT_OK_AND_ASSIGN(Ref<DataSource> source,
                                 OpenMappedFile(folder.File("data.ptd").c_str()));
    MethodOptions options;
    ONEPACK_ASSERT_OK_AND_ASSIGN(options.named_data, NamedDataMap::Open(std::move(source)));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Backend> backend,
                                 CreateXnnpackBackend({cache, nullptr, {}}));
    options.backends = {&backend, 1};
    ONEPACK_ASSERT_OK_AND_ASSIGN(method, Method::Load(program, "forward", options));
  }
  EXPECT_EQ(cache->Stats().packed_bytes, 0u);
  Matrix input = Numbered(3, 16, 1);
  ASSERT_TRUE(IsOk(SetMatrix(*method, 0, input)));
  ASSERT_TRUE(IsOk(method->Execute()));
  const Matrix output = OutputOf(*method);
  for (int32_t i = 0; i < 48; ++i) {
    const auto at = static_cast<size_t>(i);
    EXPECT_FLOAT_EQ(output.numbers[at], input.numbers[at] + numbers[at % 16]);
  }
}

}  // namespace
}  // namespace onepack
