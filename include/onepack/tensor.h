// A tensor: bytes with an element type and a shape.
//
// Ownership: a view. The method that made it owns the bytes and the sizes; for a tensor that an
//            application makes to pass as input, the application does.
// Threads:   belongs to one thread at a time, like its method.
// Shapes:    sizes may shrink from run to run, never past the bound the program planned memory for;
//            the rank is fixed.
// Homes:     a tensor of another runtime (Of) has its sizes there. To resize it is to ask its home.
// Views:     a tensor has room of its own, and may show another tensor's bytes instead (ViewOf)
//            until it is resized. Writers always get its own room, so a view never lets a caller
//            write into a constant, or past the end of the bytes it shows.

#ifndef ONEPACK_TENSOR_H_
#define ONEPACK_TENSOR_H_

#include <assert.h>

#include "onepack/export.h"
#include "onepack/result.h"
#include "onepack/tensor_layout.h"

namespace onepack {

// What another runtime does for a tensor of its own that this library computes with.
class TensorHome {
 public:
  // Makes `sizes` the tensor's, in the place that Tensor::Of was given. The bytes stay where they
  // are. Errors: sizes that the tensor cannot have.
  virtual Status Resize(Span<const int32_t> sizes) {
    (void)sizes;
    return Status::Error(StatusCode::kUnsupported, "a tensor that cannot be resized");
  }

 protected:
  TensorHome() = default;
  TensorHome(const TensorHome&) = default;
  TensorHome& operator=(const TensorHome&) = default;
  ~TensorHome() = default;
};

class ONEPACK_API Tensor {
 public:
  Tensor() = default;

  // A tensor of another runtime: `layout.sizes` are those of now, in the place where `home` changes
  // them; `bounds` as many as it is known to have room for, at least the sizes of now. All of it,
  // and `data`, outlives the tensor.
  static Tensor Of(TensorHome& home, const TensorLayout& layout, Span<const int32_t> bounds,
                   uint8_t* data);

  // A tensor of fixed sizes over bytes of the caller: `data` holds all of `layout`, which must stay
  // unchanged too. Errors: those of VerifiedSizeBytes; fewer bytes than the layout needs.
  static Result<Tensor> Over(const TensorLayout& layout, Span<uint8_t> data);

  ScalarType scalar_type() const { return scalar_type_; }
  size_t rank() const { return rank_; }
  // The sizes of now, at most the bounds.
  Span<const int32_t> sizes() const { return {sizes_ != nullptr ? sizes_ : bounds_, rank()}; }
  Span<const int32_t> bounds() const { return {bounds_, rank()}; }
  Span<const uint8_t> dim_order() const { return {dim_order_, rank()}; }
  TensorLayout layout() const { return {scalar_type_, sizes(), dim_order()}; }
  bool is_dynamic() const { return is_dynamic_; }
  // A constant of the program: its bytes may be mapped read-only and are shared.
  bool is_constant() const { return is_constant_; }

  // Bytes used by the sizes of now. `data` may be null only when there are none.
  size_t size_bytes() const;
  const uint8_t* data() const { return is_view_ ? view_ : data_; }
  // The tensor's own room. What is written shows in data() after a Resize, which every writer of
  // a whole tensor makes first. REQUIRES: !is_constant().
  uint8_t* mutable_data() const {
    assert(!is_constant_);
    return data_;
  }
  bool is_view() const { return is_view_; }

  // Sets the sizes of now; what the bytes mean afterwards is up to the caller. Ends a view.
  // Errors: another rank; a size above its bound, or, for a tensor that is not dynamic, other than
  // its bound; what its home says.
  Status Resize(Span<const int32_t> sizes);

  // Shows size_bytes() bytes of `source` from `offset` on, without a copy, until the next Resize.
  // They stay where they are as long as the method that owns `source` lives; whether they also stay
  // what they are is for the caller to know. Errors: a constant, a tensor of another runtime; bytes
  // that `source` does not have.
  Status ViewOf(const Tensor& source, size_t offset);

  // Copies what a view shows into the tensor's own room, and ends it: for operators that change
  // the tensor in place. REQUIRES: !is_constant().
  void EndView();

 private:
  friend class MethodBuilder;
  friend class MethodFork;

  // Refers to `bounds`, which is verified. Has no bytes yet.
  explicit Tensor(const TensorLayout& bounds)
      : scalar_type_(bounds.scalar_type),
        rank_(static_cast<uint8_t>(bounds.dim_order.size())),
        bounds_(bounds.sizes.data()),
        dim_order_(bounds.dim_order.data()) {}

  // A program has one for each value between its steps: small.
  ScalarType scalar_type_ = ScalarType::kFloat;
  uint8_t rank_ = 0;
  static_assert(kMaxTensorRank <= UINT8_MAX);
  bool is_dynamic_ = false;
  bool is_constant_ = false;
  bool is_view_ = false;
  bool has_home_ = false;
  int32_t* sizes_ = nullptr;         // of now; owned by the method; null: always the bounds
  const int32_t* bounds_ = nullptr;  // as in the program
  const uint8_t* dim_order_ = nullptr;
  uint8_t* data_ = nullptr;  // room for the bounds
  union {
    const uint8_t* view_ = nullptr;  // what it shows, if it is a view
    TensorHome* home_;               // if it has one
  };
};

static_assert(sizeof(Tensor) <= 48);

}  // namespace onepack

#endif  // ONEPACK_TENSOR_H_
