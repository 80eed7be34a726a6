// Two processes over one data file: its weights are in memory once.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/resident_bytes.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

constexpr uint32_t kWidth = 1024;

LinearProgram Program() {
  LinearProgram program;
  for (uint64_t i = 0; i < 8; ++i) {
    program.layers.push_back({"w" + std::to_string(i), kWidth, kWidth, WeightKind::kInt4, i});
  }
  return program;
}

Result<Ref<Method>> Load(const std::string& path) {
  ONEPACK_ASSIGN_OR_RETURN(const Ref<DataSource> data, OpenMappedFile(path.c_str()));
  LoadOptions options;
  options.linears = LinearLayout::kInPlace;
  return LoadMethod(SourceOf(MakeLinearProgram(Program()), "model.pte"), {data},
                    PackedWeightCache::Create(), options);
}

// A process of its own that has loaded and run the program, until it goes.
class OtherProcess {
 public:
  explicit OtherProcess(const std::string& path) {
    int ready[2];
    int done[2];
    if (pipe(ready) != 0 || pipe(done) != 0) return;
    child_ = fork();
    if (child_ == 0) {
      close(done[1]);
      auto method = Load(path);
      const bool runs = method.ok() && RunLinear(**method, MakeRows(1, kWidth), kWidth).ok();
      char byte = runs ? 'y' : 'n';
      const ssize_t written = write(ready[1], &byte, 1);
      const ssize_t end = read(done[0], &byte, 1);  // until the parent closes its end
      _exit(written == 1 && end == 0 ? 0 : 1);
    }
    close(ready[1]);
    close(done[0]);
    done_ = done[1];
    char byte = 0;
    runs_ = read(ready[0], &byte, 1) == 1 && byte == 'y';
    close(ready[0]);
  }
  ~OtherProcess() {
    if (child_ <= 0) return;
    close(done_);
    int status = 0;
    waitpid(child_, &status, 0);
    EXPECT_EQ(status, 0);
  }

  bool runs() const { return runs_; }

 private:
  pid_t child_ = -1;
  int done_ = -1;
  bool runs_ = false;
};

TEST(TwoProcessesTest, HaveTheWeightsInPlaceInMemoryOnce) {
  const TempFolder folder;
  const std::string path = folder.File("foundation.ptd");
  WriteFile(path, MakeData(DataOf(Program().layers)));
  const OtherProcess other(path);
  ASSERT_TRUE(other.runs());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load(path));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto output, RunLinear(*method, MakeRows(1, kWidth), kWidth));
  EXPECT_EQ(output.size(), kWidth);
  const size_t weights = Program().layers.size() * kWidth * kWidth / 2;
  EXPECT_GE(ResidentBytesOf(path), weights);
  // Of each page the half is counted here, and the other half there.
  EXPECT_LE(ProportionalBytesOf(path), weights * 6 / 10);
  EXPECT_GE(ProportionalBytesOf(path), weights * 4 / 10);
}

}  // namespace
}  // namespace onepack
