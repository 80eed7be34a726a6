// The header of ours against XNNPACK's own, of the commit that the package executorch has.

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "tests/delegate/xnn/interface_facts.h"

namespace onepack {
namespace {

TEST(ExecutorchHeaderTest, DeclaresWhatXnnpackDeclares) {
  const InterfaceFacts ours = FactsOfOurHeader();
  const InterfaceFacts reference = FactsOfTheReferenceHeader();
  ASSERT_EQ(ours.size(), reference.size());
  for (size_t i = 0; i < ours.size(); ++i) EXPECT_EQ(ours[i], reference[i]);
}

// Every name in the header that begins with xnn_ and is followed by what follows a function, an
// enumerator or a macro.
TEST(ExecutorchHeaderTest, DeclaresNothingThatIsNotCompared) {
  std::set<std::string> compared;
  for (const std::string& fact : FactsOfOurHeader()) {
    compared.insert(fact.substr(0, fact.find_first_of(" :")));
  }
  std::ifstream file(ONEPACK_EXECUTORCH_HEADER);
  std::stringstream text;
  text << file.rdbuf();
  const std::string header = text.str();
  const std::regex declaration(
      "#define (XNN_[A-Z_0-9]+)|\n  (xnn_[a-z_0-9]+) =|[a-z*] (xnn_[a-z_0-9]+)\\(");
  size_t count = 0;
  for (std::sregex_iterator it(header.begin(), header.end(), declaration), end; it != end; ++it) {
    const std::string name = (*it)[1].str() + (*it)[2].str() + (*it)[3].str();
    EXPECT_EQ(compared.count(name), 1u) << name;
    ++count;
  }
  EXPECT_GT(count, 100u);
}

}  // namespace
}  // namespace onepack
