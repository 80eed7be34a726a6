// Values as C has them.

#ifndef ONEPACK_C_API_VALUES_H_
#define ONEPACK_C_API_VALUES_H_

#include "onepack/c_api.h"
#include "onepack/result.h"
#include "onepack/value.h"

namespace onepack {

// A view of `value`, a tensor's sizes those of now.
onepack_value ViewOf(const Value& value);

// What belongs into an input: the bounds of a tensor, and no bytes.
onepack_value SignatureOf(const Value& input);

// A view of `given`; a tensor is made in `*tensor`, and both outlive the result. Errors:
// kUnsupported for what C cannot pass, kInvalidArgument for a tensor that is none.
Result<Value> ToValue(onepack_value& given, Tensor* tensor);

}  // namespace onepack

#endif  // ONEPACK_C_API_VALUES_H_
