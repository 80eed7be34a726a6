// Packed files, from the outside: onepack pack, onepack cache, and --packed.

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/files.h"
#include "tests/tools/onepack_command.h"

namespace onepack {
namespace {

class PackedCommandTest : public testing::Test {
 protected:
  static std::vector<std::string> With(std::vector<std::string> arguments,
                                       const std::vector<std::string>& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  // Settled files: the recorded cases are older than any clock's tick.
  CommandResult Pack(const std::vector<std::string>& more = {"--linears", "packed"}) const {
    return RunOnepack(
        With({"pack", CaseFile("base.pte"), CaseFile("lora0.pte"), "--data",
              CaseFile("foundation.ptd") + "," + CaseFile("lora0.ptd"), "--output", packed_},
             more));
  }
  CommandResult Run(const std::string& packed, const std::vector<std::string>& more = {}) const {
    return RunOnepack(With({"run", CaseFile("lora0.pte"), "--data",
                            CaseFile("foundation.ptd") + "," + CaseFile("lora0.ptd"), "--linears",
                            "packed", "--packed", packed, "--stats"},
                           more));
  }
  CommandResult Cache(const std::string& part, const std::vector<std::string>& more = {}) const {
    return RunOnepack(With({"cache", part, packed_}, more));
  }
  void FlipByte(size_t offset) const {
    std::vector<uint8_t> bytes = ReadFile(packed_);
    bytes[offset] ^= 1;
    WriteFile(packed_, {bytes.data(), bytes.size()});
  }

  const TempFolder folder_;
  const std::string packed_ = folder_.File("packed.bin");
};

TEST_F(PackedCommandTest, ASecondRunPacksNothing) {
  const CommandResult first = Run(packed_);
  ASSERT_EQ(first.exit_status, 0) << first.err;
  EXPECT_TRUE(Contains(first.out, ", from file 0\n")) << first.out;
  const CommandResult second = Run(packed_);
  ASSERT_EQ(second.exit_status, 0) << second.err;
  EXPECT_TRUE(Contains(second.out, "packed 0, from file ")) << second.out;
  EXPECT_TRUE(Contains(second.out, "hashed    0 B")) << second.out;
  EXPECT_EQ(LinesOf(first.out).front(), LinesOf(second.out).front()) << "the same answer";
  EXPECT_EQ(Run(packed_, {"--no-cache"}).exit_status, 2) << "one or the other";
}

TEST_F(PackedCommandTest, WhatWasPackedAheadOfTimeIsFound) {
  const CommandResult packed = Pack();
  ASSERT_EQ(packed.exit_status, 0) << packed.err;
  EXPECT_TRUE(Contains(packed.out, "packed now, 0 there already")) << packed.out;
  EXPECT_TRUE(Contains(Pack().out, "; 0 packed now, ")) << "a second time";
  const CommandResult run = Run(packed_);
  EXPECT_TRUE(Contains(run.out, "packed 0, from file ")) << run.out;
  EXPECT_EQ(FilesIn(folder_.path()), std::vector<std::string>{"packed.bin"});
}

TEST_F(PackedCommandTest, CheckUsesItToo) {
  for (int start = 0; start < 2; ++start) {
    std::vector<std::string> arguments = {"check",     "--packed", packed_,
                                          "--linears", "packed",   "--stats"};
    for (const std::string& one : RecordedCases()) arguments.push_back(one);
    const CommandResult result = RunOnepack(arguments);
    EXPECT_EQ(result.exit_status, 0) << result.out << result.err;
    EXPECT_TRUE(Contains(result.out, start == 0 ? "from file 0\n" : "packed 0, from file "))
        << result.out;
  }
}

TEST_F(PackedCommandTest, PackSaysWhatIsMissing) {
  ExpectFailed(RunOnepack({"pack", CaseFile("lora0.pte"), "--data", CaseFile("foundation.ptd"),
                           "--output", packed_}),
               "is in none of the data files");
  ExpectFailed(RunOnepack({"pack", CaseFile("foundation.ptd"), "--output", packed_}),
               "a program expected");
  ExpectFailed(RunOnepack({"pack", CaseFile("base.pte"), "--data", CaseFile("base.pte"), "--output",
                           packed_}),
               "a data file expected");
  ExpectFailed(RunOnepack({"pack", CaseFile("base.pte"), "--data", CaseFile("foundation.ptd"),
                           "--linears", "packed", "--output", folder_.File("none/packed.bin")}),
               "none/packed.bin");
  EXPECT_TRUE(FilesIn(folder_.path()).empty());
}

// A copy of the recorded case, whose data file is replaced by one without the bytes.
TEST_F(PackedCommandTest, ADetachedDataFileTakesThePlaceOfTheWholeOne) {
  for (const char* name : {"base.pte", "base.json", "base.bin", "lora0.pte", "lora0.json",
                           "lora0.bin", "lora0.ptd", "foundation.ptd"}) {
    std::filesystem::copy_file(CaseFile(name), folder_.File(name));
  }
  const std::string foundation = folder_.File("foundation.ptd");
  const uint64_t whole = std::filesystem::file_size(foundation);
  const std::vector<std::string> pack = {"pack",
                                         folder_.File("base.pte"),
                                         folder_.File("lora0.pte"),
                                         "--data",
                                         foundation,
                                         "--data",
                                         folder_.File("lora0.ptd"),
                                         "--output",
                                         packed_,
                                         "--linears",
                                         "packed",
                                         "--detach",
                                         foundation};
  ExpectFailed(RunOnepack(pack), "there is such a file already");
  const CommandResult detached = RunOnepack(With(pack, {"--replace"}));
  ASSERT_EQ(detached.exit_status, 0) << detached.err;
  EXPECT_TRUE(Contains(detached.out, "0 B kept, ")) << detached.out;
  EXPECT_LT(std::filesystem::file_size(foundation), whole / 20);
  const std::vector<std::string> check = {"check", folder_.File("base.json"),
                                          folder_.File("lora0.json"), "--linears", "packed"};
  const CommandResult with = RunOnepack(With(check, {"--packed", packed_, "--stats"}));
  EXPECT_EQ(with.exit_status, 0) << with.out;
  EXPECT_TRUE(Contains(with.out, "packed 0, from file ")) << with.out;
  const CommandResult without = RunOnepack(check);
  EXPECT_EQ(without.exit_status, 1);
  EXPECT_TRUE(Contains(without.out, "they are in the data file 'foundation.ptd'")) << without.out;
}

// Adapters may have the same keys: only what a program asks for of this very file is detached.
TEST_F(PackedCommandTest, NothingIsDetachedThatNoProgramOfItsHasPacked) {
  std::filesystem::copy_file(CaseFile("lora0.ptd"), folder_.File("lora0.ptd"));
  const CommandResult result = RunOnepack(
      {"pack", CaseFile("lora1.pte"), "--data",
       CaseFile("foundation.ptd") + "," + CaseFile("lora0.ptd") + "," + CaseFile("lora1.ptd"),
       "--output", packed_, "--linears", "packed", "--detach", folder_.File("lora0.ptd"),
       "--replace"});
  ASSERT_EQ(result.exit_status, 0) << result.err;
  EXPECT_TRUE(Contains(result.out, "0 B of 0 keys detached")) << result.out;
}

TEST_F(PackedCommandTest, AFileOfAnotherKindIsNotWrittenOver) {
  const std::string model = folder_.File("model.pte");
  std::filesystem::copy_file(CaseFile("base.pte"), model);
  const CommandResult run = Run(model);
  EXPECT_EQ(run.exit_status, 0) << "it runs all the same";
  EXPECT_TRUE(Contains(run.err, "not a packed file")) << run.err;
  EXPECT_EQ(LinesOf(run.err).size(), 1u) << "said once";
  EXPECT_EQ(ReadFile(model), ReadFile(CaseFile("base.pte")));
  for (const char* part : {"inspect", "verify", "compact"}) {
    ExpectFailed(RunOnepack({"cache", part, model}), "not a packed file");
  }
}

TEST_F(PackedCommandTest, CacheShowsVerifiesCompactsAndPrunes) {
  ASSERT_EQ(Pack().exit_status, 0);
  const CommandResult shown = Cache("inspect", {"--full"});
  ASSERT_EQ(shown.exit_status, 0) << shown.err;
  EXPECT_TRUE(Contains(shown.out, "of this XNNPACK and processor")) << shown.out;
  EXPECT_TRUE(Contains(shown.out, "kernel")) << shown.out;
  EXPECT_TRUE(Contains(Cache("verify").out, "passed, 0 failed"));
  FlipByte(64);  // of the first entry
  const CommandResult damaged = Cache("verify");
  EXPECT_EQ(damaged.exit_status, 1);
  EXPECT_TRUE(Contains(damaged.out, "passed, 1 failed")) << damaged.out;
  EXPECT_EQ(Cache("compact").exit_status, 0);
  EXPECT_TRUE(Contains(Cache("verify").out, "passed, 0 failed"));
  EXPECT_TRUE(Contains(Run(packed_).out, "packed 1, from file ")) << "the damaged one, again";
  EXPECT_EQ(Cache("prune", {"--max-bytes", "10000"}).exit_status, 0);
  EXPECT_LE(std::filesystem::file_size(packed_), 10000u);
  EXPECT_EQ(Cache("prune").exit_status, 2) << "without --max-bytes";
}

}  // namespace
}  // namespace onepack
