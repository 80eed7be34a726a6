// The datatypes of a graph's values.

#ifndef ONEPACK_DELEGATE_GRAPH_DATATYPES_H_
#define ONEPACK_DELEGATE_GRAPH_DATATYPES_H_

#include <stddef.h>

#include "xnnpack_graph_generated.h"

namespace onepack {

// "qbint4".
const char* DatatypeName(wire::xnnpack::XNNDatatype datatype);

// Bits of one element; 0 for a datatype that has no size of its own.
size_t ElementBits(wire::xnnpack::XNNDatatype datatype);

// What fp16 and bf16, and 4-bit integers, become where they are widened.
wire::xnnpack::XNNDatatype WidenedDatatype(wire::xnnpack::XNNDatatype datatype);

}  // namespace onepack

#endif  // ONEPACK_DELEGATE_GRAPH_DATATYPES_H_
