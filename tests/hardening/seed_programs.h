// Good programs to start from: recorded ones, and small ones made here that have what exporters of
// today do not write.

#ifndef ONEPACK_TESTS_HARDENING_SEED_PROGRAMS_H_
#define ONEPACK_TESTS_HARDENING_SEED_PROGRAMS_H_

#include <string>
#include <vector>

#include "tests/hardening/untrusted_run.h"

namespace onepack {

// The smallest programs of tests/conformance/cases that have among them all that FeaturesOf tells
// apart: every type of node with every datatype, every operator. Only those that run. Throws when a
// recorded case cannot be read.
std::vector<UntrustedFiles> ConformanceSeeds();

// One for each folder of tests/data/cases, named like it; then those.
std::vector<UntrustedFiles> RecordedSeeds();

// The files of one recorded case. Throws when it cannot be read.
UntrustedFiles ReadSeed(const std::string& json);

// Values of every kind, every instruction, mutable state, state of two methods, constants of every
// home; payloads of every header; weights of every kind.
std::vector<UntrustedFiles> GeneratedSeeds();

// A data file with the keys of all generated ones.
std::vector<uint8_t> GeneratedData();

}  // namespace onepack

#endif  // ONEPACK_TESTS_HARDENING_SEED_PROGRAMS_H_
