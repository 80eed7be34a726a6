#include "tests/kernels/operator_fixture.h"

#include <cmath>
#include <numeric>
#include <random>

#include "kernels/element.h"

namespace onepack {
namespace {

std::vector<uint8_t> Contiguous(size_t rank) {
  std::vector<uint8_t> order(rank);
  std::iota(order.begin(), order.end(), uint8_t{0});
  return order;
}

}  // namespace

TestTensor::TestTensor(ScalarType type, std::vector<int32_t> sizes,
                       const std::vector<double>& numbers, std::vector<uint8_t> dim_order)
    : type_(type),
      sizes_(std::move(sizes)),
      order_(dim_order.empty() ? Contiguous(sizes_.size()) : std::move(dim_order)),
      bytes_(count() * ElementSize(type)) {
  auto tensor = Tensor::Over({type, sizes_, order_}, bytes_);
  EXPECT_TRUE(IsOk(tensor));
  if (tensor.ok()) tensor_ = *tensor;
  EXPECT_LE(numbers.size(), count());
  for (size_t i = 0; i < numbers.size() && i < count(); ++i) {
    kernels::StoreElement<double>(type_, bytes_.data(), OffsetOf(i), numbers[i]);
  }
}

size_t TestTensor::count() const {
  size_t count = 1;
  for (const int32_t size : sizes_) count *= static_cast<size_t>(size);
  return count;
}

int64_t TestTensor::OffsetOf(size_t index) const {
  std::vector<int64_t> position(sizes_.size());
  for (size_t i = sizes_.size(); i-- > 0;) {
    position[i] = static_cast<int64_t>(index % static_cast<size_t>(sizes_[i]));
    index /= static_cast<size_t>(sizes_[i]);
  }
  int64_t offset = 0;
  for (const uint8_t dimension : order_) {
    offset = offset * sizes_[dimension] + position[dimension];
  }
  return offset;
}

std::vector<double> TestTensor::Numbers() const {
  std::vector<double> numbers(count());
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = kernels::LoadElement<double>(type_, tensor_.data(), OffsetOf(i));
  }
  return numbers;
}

std::vector<double> TestTensor::Parts() const {
  std::vector<double> parts;
  for (size_t i = 0; i < count(); ++i) {
    const auto number = kernels::LoadElement<kernels::Complex>(type_, tensor_.data(), OffsetOf(i));
    parts.push_back(number.real);
    parts.push_back(number.imaginary);
  }
  return parts;
}

void TestTensor::SetParts(const std::vector<double>& parts) {
  ASSERT_EQ(parts.size(), 2 * count());
  for (size_t i = 0; i < count(); ++i) {
    kernels::StoreElement<kernels::Complex>(type_, bytes_.data(), OffsetOf(i),
                                            {parts[2 * i], parts[2 * i + 1]});
  }
}

Argument::Argument(TestTensor& tensor) {
  value_ = &values_->emplace_back(Value::OfTensor(&tensor.tensor()));
}
Argument::Argument(int number) : Argument(int64_t{number}) {}
Argument::Argument(int64_t number) { value_ = &values_->emplace_back(Value::OfInt(number)); }
Argument::Argument(double number) { value_ = &values_->emplace_back(Value::OfDouble(number)); }
Argument::Argument(bool truth) { value_ = &values_->emplace_back(Value::OfBool(truth)); }
Argument::Argument(const char* text) { value_ = &values_->emplace_back(Value::OfString(text)); }
Argument::Argument(std::nullptr_t) { value_ = &values_->emplace_back(); }
Argument::Argument(Value& value) : value_(&value) {}

Argument::Argument(std::vector<int64_t> numbers) {
  for (const int64_t number : numbers) {
    items_->push_back(&values_->emplace_back(Value::OfInt(number)));
  }
  value_ = &values_->emplace_back(Value::OfList(ValueKind::kIntList, *items_));
}

Argument::Argument(std::vector<double> numbers)
    : doubles_(std::make_shared<std::vector<double>>(std::move(numbers))) {
  value_ = &values_->emplace_back(Value::OfDoubleList(*doubles_));
}

Argument::Argument(std::vector<TestTensor*> tensors) {
  bool lacks_items = false;
  for (TestTensor* tensor : tensors) {
    lacks_items |= tensor == nullptr;
    items_->push_back(
        tensor == nullptr ? nullptr : &values_->emplace_back(Value::OfTensor(&tensor->tensor())));
  }
  value_ = &values_->emplace_back(Value::OfList(
      lacks_items ? ValueKind::kOptionalTensorList : ValueKind::kTensorList, *items_));
}

Status Call(const std::string& name, std::initializer_list<Argument> arguments,
            pthreadpool_t threadpool) {
  CpuOperatorOptions options;
  options.threadpool = threadpool;
  ONEPACK_ASSIGN_OR_RETURN(const CpuOperators operators, CpuOperators::Create(options));
  const Operator* op = operators.registry().Find(name, "");
  if (op == nullptr) return Status::Error(StatusCode::kNotFound, "no operator %s", name.c_str());
  std::vector<Value*> values;
  for (const Argument& argument : arguments) values.push_back(argument.value());
  return op->function(op->context, values);
}

void ExpectNumbers(const TestTensor& tensor, const std::vector<double>& expected,
                   double tolerance) {
  ExpectNumbers(tensor.Numbers(), expected, tolerance);
}

void ExpectNumbers(const std::vector<double>& found, const std::vector<double>& expected,
                   double tolerance) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    if (std::isnan(expected[i])) {
      EXPECT_TRUE(std::isnan(found[i])) << "element " << i << " is " << found[i];
    } else if (tolerance == 0 || std::isinf(expected[i])) {
      EXPECT_EQ(found[i], expected[i]) << "element " << i;
    } else {
      EXPECT_NEAR(found[i], expected[i], tolerance * std::fmax(1, std::fabs(expected[i])))
          << "element " << i;
    }
  }
}

std::vector<double> Counting(size_t count, double first) {
  std::vector<double> numbers(count);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

std::vector<double> Noise(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<double> numbers(count);
  for (double& number : numbers) {
    number = static_cast<double>(random() % 2001) / 1000 - 1;  // the same on every machine
  }
  return numbers;
}

}  // namespace onepack
