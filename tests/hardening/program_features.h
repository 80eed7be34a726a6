// What a program has that a reader could be wrong about: types of nodes with the datatypes of their
// values, kinds of quantization, operators, instructions.

#ifndef ONEPACK_TESTS_HARDENING_PROGRAM_FEATURES_H_
#define ONEPACK_TESTS_HARDENING_PROGRAM_FEATURES_H_

#include <stdint.h>

#include <set>
#include <string>
#include <vector>

#include "onepack/program.h"

namespace onepack {

// Empty for a file that is no sound program.
std::set<std::string> FeaturesOf(const std::vector<uint8_t>& program);

// "aten::add.out": all that the methods of a program call.
std::set<std::string> OperatorNamesOf(const Program& program);

}  // namespace onepack

#endif  // ONEPACK_TESTS_HARDENING_PROGRAM_FEATURES_H_
