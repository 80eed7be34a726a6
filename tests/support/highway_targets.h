// The instruction sets of Highway's that this processor has, as parameters of a test.

#ifndef ONEPACK_TESTS_SUPPORT_HIGHWAY_TARGETS_H_
#define ONEPACK_TESTS_SUPPORT_HIGHWAY_TARGETS_H_

#include <gtest/gtest.h>
#include <hwy/targets.h>
#include <stdint.h>

#include <string>
#include <vector>

namespace onepack {

// Of those `among`, as HWY_TARGETS has what is compiled; all if left out.
inline std::vector<int64_t> SupportedTargets(int64_t among = -1) {
  std::vector<int64_t> targets;
  for (int64_t left = hwy::SupportedTargets() & among; left != 0; left &= left - 1) {
    targets.push_back(left & -left);
  }
  return targets;
}

inline std::string NameOfTarget(const testing::TestParamInfo<int64_t>& info) {
  return hwy::TargetName(info.param);
}

}  // namespace onepack

#endif  // ONEPACK_TESTS_SUPPORT_HIGHWAY_TARGETS_H_
