// Reads the arguments of an operator call, in the order of its schema, and checks their kinds.
//
// The first thing that is wrong stays: an operator reads all its arguments and asks once, with
// TakeStatus, whether to go on. Until then what was read may be a placeholder.
//
// What follows the last argument that is read is ignored: the exporter repeats the outputs there.
//
// Ownership: refers to the call's values; for the duration of one call.

#ifndef ONEPACK_KERNELS_ARGUMENTS_H_
#define ONEPACK_KERNELS_ARGUMENTS_H_

#include <string_view>

#include "kernels/number.h"
#include "onepack/value.h"

namespace onepack::kernels {

// The integers of an int list, all of which were checked to be integers.
class IntList {
 public:
  IntList() = default;
  explicit IntList(Span<Value* const> items) : items_(items) {}
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  int64_t operator[](size_t index) const { return items_[index]->int_value(); }

 private:
  Span<Value* const> items_;
};

// The tensors of a list, all of which were checked to be there.
class TensorList {
 public:
  TensorList() = default;
  explicit TensorList(Span<Value* const> items) : items_(items) {}
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  Tensor& operator[](size_t index) const { return items_[index]->tensor(); }
  // Null for an item that is none; only in lists of optional tensors.
  const Tensor* optional(size_t index) const {
    const Value* item = items_[index];
    return item == nullptr || item->is(ValueKind::kNone) ? nullptr : &item->tensor();
  }

 private:
  Span<Value* const> items_;
};

// What an operator takes the elements of its tensors for.
enum class Elements : uint8_t {
  kReal,     // numbers to compute with
  kComplex,  // the same, complex ones too
  kAny,      // moved only: of types that nothing here computes with, too
};

class ArgumentReader {
 public:
  explicit ArgumentReader(Span<Value* const> values, Elements elements = Elements::kReal)
      : values_(values), elements_(elements) {}

  const Tensor& Input(const char* name);
  const Tensor* OptionalInput(const char* name);  // null for none
  // A tensor to write as a whole, that no argument before it names.
  Tensor& Output(const char* name);
  // A tensor that the operator changes in place. A view gets a copy first: operators make views
  // that the program knows nothing of, and what they show stays what it is.
  Tensor& InPlace(const char* name);
  TensorList Inputs(const char* name);
  TensorList OptionalInputs(const char* name);
  TensorList Outputs(const char* name);

  int64_t Int(const char* name);
  Optional<int64_t> OptionalInt(const char* name);
  bool Bool(const char* name);
  double Double(const char* name);  // also from an integer
  Optional<double> OptionalDouble(const char* name);
  Number Scalar(const char* name);
  Optional<Number> OptionalScalar(const char* name);
  std::string_view OptionalText(const char* name);  // empty for none
  IntList Ints(const char* name);
  Optional<IntList> OptionalInts(const char* name);
  Optional<Span<const double>> OptionalDoubles(const char* name);
  Span<const bool> Bools(const char* name);

  // Where an operator leaves a number: any slot that holds a number or nothing.
  Value& Result(const char* name);

  void Skip() { ++next_; }
  // Skips what is no tensor: types and options that the tensors that follow, the outputs, have
  // themselves, and of which releases of the exporter pass more or fewer.
  void SkipToTensor();

  // What was wrong first, if anything.
  Status TakeStatus() { return std::move(status_); }

 private:
  const Value* Next(const char* name);
  bool NextIsNone();
  void Expected(const char* name, const char* kind, const Value& found);
  bool TakesElementsOf(ScalarType type) const;
  bool CheckTensor(const char* name, const Value& value);
  bool CheckOutput(const char* name, const Value& value);
  bool IsAmongInputs(const Tensor& tensor) const;
  TensorList List(const char* name, bool may_lack_items, bool are_outputs);

  const Span<Value* const> values_;
  const Elements elements_;
  size_t next_ = 0;
  Status status_;
};

// The dimension that `dimension` means in a tensor of `rank`; negative ones count from the end. A
// number has one dimension here. Errors: out of range.
Status ResolveDimension(int64_t dimension, size_t rank, size_t* resolved);

// Status for arguments that do not fit together, with the layouts of what was found.
Status Unfit(const char* what, const Tensor& a, const Tensor& b);

bool SameSizes(Span<const int32_t> a, Span<const int32_t> b);
int64_t CountOf(Span<const int32_t> sizes);

}  // namespace onepack::kernels

#endif  // ONEPACK_KERNELS_ARGUMENTS_H_
