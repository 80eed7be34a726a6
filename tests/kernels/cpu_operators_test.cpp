// The table of operators, and what holds for every row of it.

#include "onepack/cpu_operators.h"

#include <sys/wait.h>
#include <unistd.h>

#include <limits>
#include <random>
#include <set>

#include "kernels/element.h"
#include "kernels/operator_context.h"
#include "tests/kernels/operator_fixture.h"

namespace onepack {
namespace {

Status DoNothing(void* /*context*/, Span<Value* const> /*arguments*/) { return Status::Ok(); }

bool IsWellFormed(std::string_view name) {
  const size_t colons = name.find("::");
  if (colons == std::string_view::npos || colons == 0) return false;
  const std::string_view rest = name.substr(colons + 2);
  size_t dots = 0;
  for (const char c : rest) {
    const bool is_word = isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    if (!is_word && c != '.') return false;
    dots += c == '.' ? 1 : 0;
  }
  return !rest.empty() && dots <= 1 && rest.front() != '.' && rest.back() != '.';
}

TEST(CpuOperatorsTest, EveryNameIsWellFormedAndThereOnce) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const CpuOperators operators, CpuOperators::Create({}));
  std::set<std::string_view> names;
  for (const Operator& op : operators.operators()) {
    EXPECT_TRUE(IsWellFormed(op.name)) << op.name;
    EXPECT_TRUE(names.insert(op.name).second) << op.name << " is there twice";
    EXPECT_NE(op.function, nullptr) << op.name;
  }
  EXPECT_GT(names.size(), 250u);
}

TEST(CpuOperatorsTest, TheApplicationsOwnCountFirst) {
  const Operator own[] = {{"aten::add.out", DoNothing, nullptr},
                          {"mine::op.out", DoNothing, nullptr}};
  CpuOperatorOptions options;
  options.additional = own;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const CpuOperators operators, CpuOperators::Create(options));
  EXPECT_EQ(operators.registry().Find("aten::add", "out")->function, &DoNothing);
  EXPECT_NE(operators.registry().Find("mine::op", "out"), nullptr);
  EXPECT_NE(operators.registry().Find("aten::sub", "out"), nullptr);
}

TEST(CpuOperatorsTest, NoMemoryIsAStatus) {
  CpuOperatorOptions options;
  options.allocator = Allocator{};
  EXPECT_TRUE(IsError(CpuOperators::Create(options), StatusCode::kResourceExhausted));
}

TEST(CpuOperatorsTest, AForkedChildComputesWithoutTheThreadsItDoesNotHave) {
  const std::unique_ptr<pthreadpool, void (*)(pthreadpool*)> pool(pthreadpool_create(2),
                                                                  pthreadpool_destroy);
  CpuOperatorOptions options;
  options.threadpool = pool.get();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const CpuOperators operators, CpuOperators::Create(options));
  const auto* context =
      static_cast<const kernels::OperatorContext*>(operators.operators()[0].context);
  EXPECT_EQ(context->threadpool(), pool.get());
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) _exit(context->threadpool() == nullptr ? 0 : 1);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(CpuOperatorsTest, EveryOperatorRefusesACallWithoutArguments) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const CpuOperators operators, CpuOperators::Create({}));
  for (const Operator& op : operators.operators()) {
    EXPECT_FALSE(op.function(op.context, {}).ok()) << op.name;
  }
}

TEST(CpuOperatorsTest, EveryOperatorRefusesArgumentsOfTheWrongKind) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const CpuOperators operators, CpuOperators::Create({}));
  Value text = Value::OfString("text");
  const std::vector<Value*> values(24, &text);
  for (const Operator& op : operators.operators()) {
    EXPECT_FALSE(op.function(op.context, values).ok()) << op.name;
  }
}

TEST(CpuOperatorsTest, NoOperatorWritesAConstantOrItsOwnInput) {
  TestTensor a(kF, {2, 2}, {1, 2, 3, 4});
  EXPECT_TRUE(IsError(Call("aten::exp.out", {a, a}), StatusCode::kInvalidFile, {"input too"}));
  EXPECT_TRUE(IsError(Call("aten::cat.out", {std::vector<TestTensor*>{&a}, 0, a}),
                      StatusCode::kInvalidFile, {"input too"}));
  ExpectNumbers(a, {1, 2, 3, 4});
}

// Implausible arguments for every operator: whatever the result, nothing may be read or
// written outside the tensors (their memory ends where they do, and sanitizers look), and every
// call must end.
class RandomArguments {
 public:
  explicit RandomArguments(unsigned seed) : random_(seed) {
    for (int i = 0; i < 12; ++i) AddTensor();
    for (int i = 0; i < 4; ++i) AddLists();
  }

  Value* Next() {
    switch (random_() % 10) {
      case 0:
      case 1:
      case 2:
      case 3:
        return tensor_values_[random_() % tensor_values_.size()];
      case 4:
        return lists_[random_() % lists_.size()];
      case 5:
        return &values_.emplace_back(Value::OfDouble(Real()));
      case 6:
        return &values_.emplace_back(Value::OfBool(random_() % 2 == 0));
      case 7:
        return &values_.emplace_back();
      default:
        return &values_.emplace_back(Value::OfInt(Integer()));
    }
  }
  size_t Below(size_t limit) { return random_() % limit; }

 private:
  int64_t Integer() {
    constexpr int64_t kOdd[] = {INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX, -1000, 1 << 20};
    if (random_() % 8 == 0) return kOdd[random_() % 6];
    return static_cast<int64_t>(random_() % 7) - 2;
  }
  double Real() {
    constexpr double kOdd[] = {0, -1e300, 1e300, std::numeric_limits<double>::quiet_NaN()};
    if (random_() % 4 == 0) return kOdd[random_() % 4];
    return static_cast<double>(random_() % 100) / 10 - 3;
  }

  void AddTensor() {
    constexpr ScalarType kTypes[] = {
        ScalarType::kFloat,        ScalarType::kFloat,         ScalarType::kFloat,
        ScalarType::kLong,         ScalarType::kLong,          ScalarType::kBool,
        ScalarType::kHalf,         ScalarType::kDouble,        ScalarType::kByte,
        ScalarType::kChar,         ScalarType::kInt,           ScalarType::kShort,
        ScalarType::kFloat,        ScalarType::kLong,          ScalarType::kBFloat16,
        ScalarType::kComplexFloat, ScalarType::kComplexDouble, ScalarType::kComplexHalf};
    const size_t rank = random_() % 5;
    std::vector<int32_t> sizes(rank);
    std::vector<uint8_t> order(rank);
    for (size_t i = 0; i < rank; ++i) {
      sizes[i] = static_cast<int32_t>(random_() % 4);
      if (random_() % 3 != 0) sizes[i] = 2;  // so that something fits together
      order[i] = static_cast<uint8_t>(i);
    }
    if (rank == 4 && random_() % 2 == 0) order = {0, 2, 3, 1};
    size_t count = 1;
    for (const int32_t size : sizes) count *= static_cast<size_t>(size);
    std::vector<double> numbers(count);
    for (double& number : numbers) number = static_cast<double>(random_() % 5) - 1;
    tensors_.push_back(std::make_unique<TestTensor>(kTypes[random_() % 18], sizes, numbers, order));
    tensor_values_.push_back(&values_.emplace_back(Value::OfTensor(&tensors_.back()->tensor())));
  }

  void AddLists() {
    for (const ValueKind kind : {ValueKind::kIntList, ValueKind::kIntList, ValueKind::kTensorList,
                                 ValueKind::kOptionalTensorList}) {
      std::vector<Value*>& items = items_.emplace_back();
      const size_t size = random_() % 5;
      for (size_t i = 0; i < size; ++i) {
        if (kind == ValueKind::kIntList) {
          items.push_back(&values_.emplace_back(Value::OfInt(Integer())));
        } else if (kind == ValueKind::kOptionalTensorList && random_() % 3 == 0) {
          items.push_back(nullptr);
        } else {
          items.push_back(tensor_values_[random_() % tensor_values_.size()]);
        }
      }
      lists_.push_back(&values_.emplace_back(Value::OfList(kind, items)));
    }
    doubles_.push_back({Real(), Real()});
    lists_.push_back(&values_.emplace_back(Value::OfDoubleList(doubles_.back())));
  }

  std::mt19937 random_;
  std::deque<Value> values_;
  std::deque<std::unique_ptr<TestTensor>> tensors_;
  std::vector<Value*> tensor_values_;
  std::deque<std::vector<Value*>> items_;
  std::deque<std::vector<double>> doubles_;
  std::vector<Value*> lists_;
};

TEST(CpuOperatorsTest, ImplausibleArgumentsDoNoHarm) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const CpuOperators operators, CpuOperators::Create({}));
  size_t succeeded = 0;
  for (unsigned seed = 0; seed < 40; ++seed) {
    RandomArguments random(seed);
    for (const Operator& op : operators.operators()) {
      for (int i = 0; i < 20; ++i) {
        std::vector<Value*> values;
        const size_t count = 1 + random.Below(12);
        for (size_t k = 0; k < count; ++k) values.push_back(random.Next());
        SCOPED_TRACE(op.name);
        succeeded += op.function(op.context, values).ok() ? 1 : 0;
      }
    }
  }
  EXPECT_GT(succeeded, 500u);  // or nothing was tried
}

}  // namespace
}  // namespace onepack
