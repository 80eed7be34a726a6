// A program around an untrusted payload, which calls it with the arguments that the payload
// declares.

#ifndef ONEPACK_TESTS_HARDENING_PAYLOAD_PROGRAM_H_
#define ONEPACK_TESTS_HARDENING_PAYLOAD_PROGRAM_H_

#include <stdint.h>

#include <vector>

#include "onepack/span.h"

namespace onepack {

// One delegate, called with a dynamic tensor of the right type and bounds for each external value
// of the graph: as far as that can be seen, and with two f32 tensors otherwise.
std::vector<uint8_t> ProgramAroundPayload(Bytes payload);

}  // namespace onepack

#endif  // ONEPACK_TESTS_HARDENING_PAYLOAD_PROGRAM_H_
