// Checks a data file's directory once and completely.
//
// After VerifyFlatTensor succeeded every key is a usable name, every entry points to a segment
// inside the file, and every tensor layout is sound and needs no more bytes than its segment has.
// That keys are unique is checked where they are indexed (onepack/named_data_map.h).
//
// Errors: kInvalidFile.

#ifndef ONEPACK_SCHEMA_VERIFY_FLAT_TENSOR_H_
#define ONEPACK_SCHEMA_VERIFY_FLAT_TENSOR_H_

#include "flat_tensor_generated.h"
#include "onepack/result.h"
#include "onepack/segment.h"
#include "onepack/span.h"
#include "onepack/tensor_layout.h"
#include "schema/flat_tensor_header.h"

namespace onepack {

// `flatbuffer` is the file from its first byte to the end of the directory: the root offset stands
// in front of the header. It must be 16-byte aligned and must not change while the result is used.
Result<const wire::flat_tensor::FlatTensor*> VerifyFlatTensor(Bytes flatbuffer,
                                                              const FlatTensorHeader& header);

// REQUIRES, for both: a verified directory, an index in range.

Segment FlatTensorSegment(const wire::flat_tensor::FlatTensor& data, const FlatTensorHeader& header,
                          uint32_t index);

TensorLayout LayoutOf(const wire::flat_tensor::TensorLayout& layout);

}  // namespace onepack

#endif  // ONEPACK_SCHEMA_VERIFY_FLAT_TENSOR_H_
