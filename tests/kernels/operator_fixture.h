// Calls of single operators by name, with tensors made of numbers.

#ifndef ONEPACK_TESTS_KERNELS_OPERATOR_FIXTURE_H_
#define ONEPACK_TESTS_KERNELS_OPERATOR_FIXTURE_H_

#include <gtest/gtest.h>
#include <pthreadpool.h>

#include <deque>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "onepack/cpu_operators.h"
#include "onepack/tensor.h"
#include "onepack/value.h"
#include "tests/support/status_matchers.h"

namespace onepack {

// A tensor with its own memory. Numbers are given and read in logical order, as double.
class TestTensor {
 public:
  // `numbers` may be fewer: the rest is 0.
  TestTensor(ScalarType type, std::vector<int32_t> sizes, const std::vector<double>& numbers = {},
             std::vector<uint8_t> dim_order = {});
  TestTensor(const TestTensor&) = delete;
  TestTensor& operator=(const TestTensor&) = delete;

  std::vector<double> Numbers() const;
  // Of complex numbers: real and imaginary part of each in turn.
  std::vector<double> Parts() const;
  void SetParts(const std::vector<double>& parts);
  Tensor& tensor() { return tensor_; }

 private:
  int64_t OffsetOf(size_t index) const;
  size_t count() const;

  const ScalarType type_;
  const std::vector<int32_t> sizes_;
  std::vector<uint8_t> order_;
  std::vector<uint8_t> bytes_;  // exactly as many as the tensor has: sanitizers see the end
  Tensor tensor_;
};

inline constexpr ScalarType kF = ScalarType::kFloat;
inline constexpr ScalarType kL = ScalarType::kLong;
inline constexpr ScalarType kB = ScalarType::kBool;

// What a call passes: a tensor, a number, a text, a list, or nothing.
class Argument {
 public:
  Argument(TestTensor& tensor);                // NOLINT: implicit, so that calls read well
  Argument(int number);                        // NOLINT
  Argument(int64_t number);                    // NOLINT
  Argument(double number);                     // NOLINT
  Argument(bool truth);                        // NOLINT
  Argument(const char* text);                  // NOLINT
  Argument(std::nullptr_t);                    // NOLINT
  Argument(std::vector<int64_t> numbers);      // NOLINT
  Argument(std::vector<double> numbers);       // NOLINT
  Argument(std::vector<TestTensor*> tensors);  // NOLINT: a null one is none
  Argument(Value& value);                      // NOLINT: a slot for a result

  Value* value() const { return value_; }

 private:
  std::shared_ptr<std::deque<Value>> values_ = std::make_shared<std::deque<Value>>();
  std::shared_ptr<std::vector<Value*>> items_ = std::make_shared<std::vector<Value*>>();
  std::shared_ptr<std::vector<double>> doubles_;
  Value* value_ = nullptr;
};

// Runs the operator of that name as a method would. kNotFound when there is none.
Status Call(const std::string& name, std::initializer_list<Argument> arguments,
            pthreadpool_t threadpool = nullptr);

// Expects both to have the same numbers, or NaNs in the same places.
void ExpectNumbers(const std::vector<double>& found, const std::vector<double>& expected,
                   double tolerance = 0);
void ExpectNumbers(const TestTensor& tensor, const std::vector<double>& expected,
                   double tolerance = 0);

// 0, 1, 2, ...
std::vector<double> Counting(size_t count, double first = 0);

// Numbers between -1 and 1 that look random and are the same every time.
std::vector<double> Noise(size_t count, unsigned seed = 1);

}  // namespace onepack

#endif  // ONEPACK_TESTS_KERNELS_OPERATOR_FIXTURE_H_
