// The backend as ExecuTorch calls it: data in memory, options, errors.

#include <executorch/runtime/backend/options.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "aot/payload_writer.h"
#include "integrations/executorch/tests/backend_stats.h"
#include "integrations/executorch/tests/direct_program.h"
#include "tests/support/content_key.h"
#include "tests/support/files.h"
#include "tests/support/sanitizers.h"
#include "tests/support/threads.h"

namespace onepack {
namespace {

constexpr uint32_t kInputs = 32;
constexpr uint32_t kOutputs = 16;
constexpr uint32_t kMaxRows = 4;

// All weights of one number.
std::vector<uint8_t> WeightOf(float number) {
  return FloatWeight(size_t{kInputs} * kOutputs, number);
}

std::string HashOf(const std::vector<uint8_t>& bytes) {
  return ContentKeyOf({bytes.data(), bytes.size()});
}

// y = W x, with W under `key`.
std::vector<uint8_t> LinearPayload(const std::string& key) {
  PayloadWriter payload;
  const uint32_t weight = payload.AddNamedConstant(key, WeightOf(0).size());
  const uint32_t x = payload.AddInput({kMaxRows, kInputs});
  const uint32_t y = payload.AddOutput({kMaxRows, kOutputs});
  payload.AddFullyConnected(x, payload.AddConstant({kOutputs, kInputs}, weight), y);
  return payload.Finish();
}

std::vector<float> RunOnOnes(DirectDelegate& delegate, int32_t rows) {
  return delegate.Run({rows, kInputs},
                      std::vector<float>(static_cast<size_t>(rows) * kInputs, 1.0f),
                      {kMaxRows, kOutputs});
}

std::vector<float> Expected(float weight, int32_t rows) {
  return std::vector<float>(static_cast<size_t>(rows) * kOutputs, weight * kInputs);
}

TEST(BackendTest, ServesTheNameThatProgramsAskFor) {
  EXPECT_EQ(onepack_executorch_is_registered(), 1);
  EXPECT_STREQ(onepack_executorch_open(), nullptr);
  EXPECT_TRUE(XnnpackBackend().is_available());
}

TEST(BackendTest, RunsWithAnyNumberOfRowsAndResizesTheOutput) {
  FakeMap map;
  map.data["w"] = WeightOf(0.5f);
  DirectDelegate delegate(LinearPayload("w"), &map);
  ASSERT_EQ(delegate.error, et::Error::Ok);
  for (const int32_t rows : {1, 4, 2, 1, 3}) {
    EXPECT_EQ(RunOnOnes(delegate, rows), Expected(0.5f, rows)) << rows;
  }
}

TEST(BackendTest, MoreRowsThanThereMayBeAreRefused) {
  FakeMap map;
  map.data["w"] = WeightOf(0.5f);
  DirectDelegate delegate(LinearPayload("w"), &map);
  EXPECT_TRUE(RunOnOnes(delegate, 5).empty());
  EXPECT_EQ(delegate.error, et::Error::InvalidArgument);
  EXPECT_EQ(RunOnOnes(delegate, 4), Expected(0.5f, 4));
}

// y = |x|, of a graph with these bounds.
std::vector<uint8_t> AbsPayload(const std::vector<uint32_t>& bounds) {
  PayloadWriter payload;
  const uint32_t x = payload.AddInput(bounds);
  payload.AddUnary(wire::xnnpack::XNodeUnion::XNNAbs, x, payload.AddOutput(bounds));
  return payload.Finish();
}

void ExpectAbs(DirectDelegate& delegate, const std::vector<int32_t>& sizes,
               const std::vector<int32_t>& bounds) {
  size_t count = 1;
  for (const int32_t size : sizes) count *= static_cast<size_t>(size);
  const std::vector<float> found = delegate.Run(sizes, std::vector<float>(count, -2.0f), bounds);
  EXPECT_EQ(delegate.error, et::Error::Ok);
  EXPECT_EQ(found, std::vector<float>(count, 2.0f));
  EXPECT_EQ(delegate.output_sizes, sizes);
}

// A graph has images with the channels last, ExecuTorch a single channel anywhere: where it is
// cannot be told by sizes that are all 1, unless it is known which may be more.
TEST(BackendTest, AChannelAloneIsFoundWhereverItStands) {
  DirectDelegate delegate(AbsPayload({4, 5, 6, 1}), nullptr);
  for (const int32_t images : {1, 3, 1, 4}) ExpectAbs(delegate, {images, 1, 5, 6}, {4, 1, 5, 6});
}

// One token at first, of a batch that is one always.
TEST(BackendTest, DimensionsThatAreOneNowStayWhereTheyAre) {
  DirectDelegate heads(AbsPayload({1, 8, 128, 64}), nullptr);
  for (const int32_t tokens : {1, 7, 1, 128}) {
    ExpectAbs(heads, {1, 8, tokens, 64}, {1, 8, 128, 64});
  }
  DirectDelegate rows(AbsPayload({4, 5, 6}), nullptr);
  for (const int32_t width : {1, 6, 1}) ExpectAbs(rows, {1, 5, width}, {4, 5, 6});
}

// What it was given last is no proof of what it may be given.
TEST(BackendTest, ACallThatIsRefusedChangesNothing) {
  DirectDelegate delegate(AbsPayload({4, 5, 6, 1}), nullptr);
  delegate.Run({2, 3, 5, 6}, std::vector<float>(180, 1.0f), {4, 3, 5, 6});
  EXPECT_EQ(delegate.error, et::Error::InvalidArgument);
  ExpectAbs(delegate, {2, 1, 5, 6}, {4, 1, 5, 6});
}

TEST(BackendTest, EqualBytesAreSharedWhateverTheirKeyAndTheirMap) {
  FakeMap one, other;
  one.data["w"] = WeightOf(0.5f);
  const std::string hash = HashOf(one.data["w"]);
  other.data[hash] = one.data["w"];
  DirectDelegate first(LinearPayload("w"), &one);
  const auto before = BackendStats();
  DirectDelegate second(LinearPayload(hash), &other);
  EXPECT_EQ(BackendStats()["misses"], before.at("misses"));
  EXPECT_EQ(BackendStats()["hits"], before.at("hits") + 1);
  EXPECT_EQ(RunOnOnes(second, 2), Expected(0.5f, 2));
}

TEST(BackendTest, OtherBytesUnderOneKeyAreToldApart) {
  FakeMap one, other;
  one.data["w"] = WeightOf(0.5f);
  other.data["w"] = WeightOf(0.25f);
  DirectDelegate first(LinearPayload("w"), &one);
  DirectDelegate second(LinearPayload("w"), &other);
  EXPECT_EQ(RunOnOnes(first, 2), Expected(0.5f, 2));
  EXPECT_EQ(RunOnOnes(second, 2), Expected(0.25f, 2));
}

TEST(BackendTest, AKeyThatIsAHashIsAskedForWhenItIsPackedAndNotAgain) {
  FakeMap one, other;
  const std::string hash = HashOf(WeightOf(0.5f));
  one.data[hash] = other.data[hash] = WeightOf(0.5f);
  DirectDelegate first(LinearPayload(hash), &one);
  const size_t requests = one.requests;
  EXPECT_EQ(requests, 1u);
  DirectDelegate second(LinearPayload(hash), &other);
  EXPECT_EQ(one.requests, requests);
  EXPECT_EQ(other.requests, 0u);
  EXPECT_EQ(RunOnOnes(second, 3), Expected(0.5f, 3));
  EXPECT_EQ(other.requests, 0u);
}

// Who lies harms only themselves.
TEST(BackendTest, BytesThatAreNotWhatTheirKeySaysAreRefused) {
  FakeMap honest, liar;
  const std::string hash = HashOf(WeightOf(0.5f));
  honest.data[hash] = WeightOf(0.5f);
  liar.data[hash] = WeightOf(0.25f);
  DirectDelegate refused(LinearPayload(hash), &liar);
  EXPECT_EQ(refused.error, et::Error::InvalidProgram);
  DirectDelegate first(LinearPayload(hash), &honest);
  DirectDelegate second(LinearPayload(hash), &liar);
  EXPECT_EQ(RunOnOnes(first, 2), Expected(0.5f, 2));
  EXPECT_EQ(RunOnOnes(second, 2), Expected(0.5f, 2)) << "what its key says";
}

// Nor does one whose graph says that they are of another size.
TEST(BackendTest, AGraphThatLiesAboutASizeIsRefusedAndNoOther) {
  FakeMap honest, liar;
  const std::string hash = HashOf(WeightOf(0.5f));
  honest.data[hash] = WeightOf(0.5f);
  liar.data[hash] = {1, 2, 3};
  PayloadWriter payload;
  const uint32_t weight = payload.AddNamedConstant(hash, 3);
  const uint32_t x = payload.AddInput({kMaxRows, kInputs});
  const uint32_t y = payload.AddOutput({kMaxRows, kOutputs});
  payload.AddFullyConnected(x, payload.AddConstant({kOutputs, kInputs}, weight), y);
  DirectDelegate refused(payload.Finish(), &liar);
  EXPECT_NE(refused.error, et::Error::Ok);
  DirectDelegate delegate(LinearPayload(hash), &honest);
  EXPECT_EQ(RunOnOnes(delegate, 2), Expected(0.5f, 2));
}

TEST(BackendTest, NamedDataMayBeGoneBeforeTheirDelegateIs) {
  const std::string hash = HashOf(WeightOf(0.5f));
  FakeMap other;
  other.data[hash] = WeightOf(0.5f);
  auto map = std::make_unique<FakeMap>();
  map->data[hash] = WeightOf(0.5f);
  DirectDelegate first(LinearPayload(hash), map.get());
  DirectDelegate second(LinearPayload(hash), &other);
  std::fill(map->data[hash].begin(), map->data[hash].end(), uint8_t{0xee});
  map.reset();
  // Whose bytes would have to be compared with those of the first, which cannot be read now.
  FakeMap third_map;
  third_map.data["w"] = WeightOf(0.5f);
  DirectDelegate third(LinearPayload("w"), &third_map);
  EXPECT_EQ(RunOnOnes(third, 1), Expected(0.5f, 1));
  first.Destroy();
  EXPECT_EQ(RunOnOnes(second, 2), Expected(0.5f, 2));
}

TEST(BackendTest, WhatIsMissingIsNotFound) {
  FakeMap map;
  EXPECT_EQ(DirectDelegate(LinearPayload("w"), &map).error, et::Error::NotFound);
  EXPECT_EQ(DirectDelegate(LinearPayload("w"), nullptr).error, et::Error::NotFound);
}

TEST(BackendTest, DataInTheMemoryOfAnotherProcessorAreRefused) {
  FakeMap map;
  map.data["w"] = WeightOf(0.5f);
  map.is_elsewhere = true;
  EXPECT_EQ(DirectDelegate(LinearPayload("w"), &map).error, et::Error::NotSupported);
}

TEST(BackendTest, DataOfAnotherSizeAreRefused) {
  FakeMap map;
  map.data["w"] = {1, 2, 3};
  EXPECT_EQ(DirectDelegate(LinearPayload("w"), &map).error, et::Error::InvalidArgument);
}

TEST(BackendTest, ADamagedGraphIsRefused) {
  FakeMap map;
  std::vector<uint8_t> payload = LinearPayload("w");
  payload.resize(payload.size() / 2);
  EXPECT_EQ(DirectDelegate(payload, &map).error, et::Error::InvalidProgram);
  EXPECT_EQ(DirectDelegate({}, &map).error, et::Error::InvalidProgram);
}

TEST(BackendTest, ArgumentsThatDoNotFitAreRefused) {
  FakeMap map;
  map.data["w"] = WeightOf(0.5f);
  DirectDelegate delegate(LinearPayload("w"), &map);
  et::EValue number(int64_t{3});
  EXPECT_EQ(delegate.Execute({&number}), et::Error::InvalidArgument);
  EXPECT_EQ(delegate.Execute({&number, &number}), et::Error::InvalidArgument);
  EXPECT_EQ(delegate.Execute({}), et::Error::InvalidArgument);
  et::BackendExecutionContext context;
  EXPECT_EQ(XnnpackBackend().execute(context, nullptr, {}), et::Error::DelegateInvalidHandle);
}

template <typename T>
et::BackendOption OptionOf(const char* name, T value) {
  et::BackendOption option;
  snprintf(option.key, sizeof(option.key), "%s", name);
  option.value = value;
  return option;
}

et::BackendOption TextOption(const char* name, const std::string& value) {
  std::array<char, et::kMaxOptionValueLength> text{};
  value.copy(text.data(), text.size() - 1);
  return OptionOf(name, text);
}

TEST(BackendTest, OptionsOfALoadHoldForThatLoad) {
  FakeMap map;
  map.data["w"] = WeightOf(0.5f);
  DirectDelegate shared(LinearPayload("w"), &map);
  const auto before = BackendStats();
  const et::BackendOption off[] = {OptionOf("weight_cache_enabled", false)};
  DirectDelegate alone(LinearPayload("w"), &map, {off, 1});
  EXPECT_EQ(RunOnOnes(alone, 1), Expected(0.5f, 1));
  EXPECT_EQ(BackendStats()["hits"], before.at("hits"));
  DirectDelegate again(LinearPayload("w"), &map);
  EXPECT_EQ(BackendStats()["hits"], before.at("hits") + 1);
  const et::BackendOption save[] = {OptionOf("save_weight_cache_on_disk", true)};
  EXPECT_EQ(DirectDelegate(LinearPayload("w"), &map, {save, 1}).error, et::Error::InvalidArgument);
}

TEST(BackendTest, OptionsAreSetTogetherOrNotAtAll) {
  et::BackendOptionContext context;
  const auto set = [&](std::vector<et::BackendOption> options) {
    return XnnpackBackend().set_option(context, {options.data(), options.size()});
  };
  const auto mode = [&] {
    et::BackendOption option = OptionOf("workspace_sharing_mode", -1);
    et::Span<et::BackendOption> span(&option, 1);
    EXPECT_EQ(XnnpackBackend().get_option(context, span), et::Error::Ok);
    return std::get<int>(option.value);
  };
  EXPECT_EQ(set({OptionOf("workspace_sharing_mode", 2)}), et::Error::Ok);
  EXPECT_EQ(mode(), 2);
  EXPECT_EQ(set({OptionOf("workspace_sharing_mode", 1), OptionOf("weight_cache_enabled", 3)}),
            et::Error::InvalidArgument);
  EXPECT_EQ(mode(), 2);
  EXPECT_EQ(set({OptionOf("workspace_sharing_mode", 3)}), et::Error::InvalidArgument);
  EXPECT_EQ(set({OptionOf("save_weight_cache_on_disk", 1)}), et::Error::InvalidArgument);
  EXPECT_EQ(set({OptionOf("retained_mebibytes", true)}), et::Error::InvalidArgument);
  EXPECT_EQ(set({OptionOf("linears", 1)}), et::Error::InvalidArgument);
  EXPECT_EQ(set({TextOption("linears", "Packed")}), et::Error::InvalidArgument);
  EXPECT_EQ(set({TextOption("linears", "")}), et::Error::InvalidArgument);
  EXPECT_EQ(set({OptionOf("of another version", true)}), et::Error::Ok);
  EXPECT_EQ(onepack_executorch_set_bool(nullptr, 1), 0x12);
  EXPECT_EQ(onepack_executorch_set_text("packed_cache_path", nullptr), 0x12);
  EXPECT_EQ(onepack_executorch_set_text("packed_cache_path", std::string(256, 'x').c_str()), 0x12);
  EXPECT_EQ(set({OptionOf("workspace_sharing_mode", 0)}), et::Error::Ok);
}

// y = W x with 8-bit weights, which XNNPACK packs.
std::vector<uint8_t> PackedPayload(FakeMap& map) {
  PayloadWriter payload;
  map.data["q"] = std::vector<uint8_t>(size_t{kInputs} * kOutputs, 1);
  const std::vector<float> scales(kOutputs, 0.5f);
  const Bytes scale_bytes = AsBytes(scales);
  map.data["s"] = {scale_bytes.begin(), scale_bytes.end()};
  const uint32_t weight = payload.AddNamedConstant("q", size_t{kInputs} * kOutputs);
  PayloadScales in_file;
  in_file.count = kOutputs;
  in_file.constant = payload.AddNamedConstant("s", scale_bytes.size());
  const uint32_t x = payload.AddInput({kMaxRows, kInputs});
  const uint32_t y = payload.AddOutput({kMaxRows, kOutputs});
  const uint32_t rounded = payload.AddDynamicInt8({kMaxRows, kInputs});
  payload.AddConvert(x, rounded);
  payload.AddFullyConnected(rounded,
                            payload.AddPerChannelInt8({kOutputs, kInputs}, weight, in_file), y);
  return payload.Finish();
}

TEST(BackendTest, PackedWeightsComeOutOfThePackedFile) {
  const TempFolder folder;
  const std::string path = folder.File("weights.onepack");
  et::BackendOptionContext context;
  const et::BackendOption over_file[] = {TextOption("packed_cache_path", path)};
  FakeMap map;
  const std::vector<uint8_t> payload = PackedPayload(map);
  std::vector<float> expected;
  for (int time = 0; time < 2; ++time) {
    const auto before = BackendStats();
    DirectDelegate delegate(payload, &map, {over_file, 1});
    ASSERT_EQ(delegate.error, et::Error::Ok);
    const std::vector<float> found = RunOnOnes(delegate, 2);
    ASSERT_EQ(found.size(), 2 * kOutputs);
    if (time == 0) expected = found;
    EXPECT_EQ(found, expected);
    const et::BackendOption save[] = {OptionOf("save_weight_cache_on_disk", true)};
    EXPECT_EQ(XnnpackBackend().set_option(context, {const_cast<et::BackendOption*>(save), 1}),
              et::Error::Ok);
    EXPECT_EQ(BackendStats()["file_hits"] - before.at("file_hits"), time == 0 ? 0u : 1u);
  }
  EXPECT_FALSE(ReadFile(path).empty());
}

TEST(BackendTest, SaysWhatLinearsRunOver) {
  et::BackendOptionContext context;
  for (const char* layout : {"in-place", "packed", "auto"}) {
    et::BackendOption option = TextOption("linears", layout);
    ASSERT_EQ(XnnpackBackend().set_option(context, {&option, 1}), et::Error::Ok);
    option = TextOption("linears", "?");
    et::Span<et::BackendOption> span(&option, 1);
    ASSERT_EQ(XnnpackBackend().get_option(context, span), et::Error::Ok);
    EXPECT_EQ(option.value, TextOption("linears", layout).value);
  }
}

// Floats on the heap run in place, over a copy: a packed file and what is retained are for those
// that are asked to be packed.
TEST(BackendTest, FloatsArePackedWhereTheyAreAskedToBe) {
  const TempFolder folder;
  FakeMap map;
  map.data["w"] = WeightOf(0.5f);
  const uint64_t raw_bytes = map.data["w"].size();
  const std::vector<uint8_t> payload = LinearPayload("w");
  const et::BackendOption options[] = {
      TextOption("packed_cache_path", folder.File("weights.onepack")),
      OptionOf("retained_mebibytes", 1), TextOption("linears", "packed")};
  const auto none = BackendStats();
  DirectDelegate in_place(payload, &map, {options, 2});
  const auto copied = BackendStats();
  EXPECT_EQ(copied.at("copied_bytes") - none.at("copied_bytes"), raw_bytes);
  EXPECT_LT(copied.at("packed_bytes") - none.at("packed_bytes"), raw_bytes);
  {
    DirectDelegate packed(payload, &map, {options, 3});
    EXPECT_EQ(RunOnOnes(packed, 2), RunOnOnes(in_place, 2));
  }
  et::BackendOptionContext context;
  et::BackendOption save = OptionOf("save_weight_cache_on_disk", true);
  EXPECT_EQ(XnnpackBackend().set_option(context, {&save, 1}), et::Error::Ok);
  const auto packed = BackendStats();
  EXPECT_EQ(packed.at("copied_bytes"), copied.at("copied_bytes"));
  EXPECT_GE(packed.at("packed_bytes") - copied.at("packed_bytes"), raw_bytes);
  EXPECT_GE(packed.at("retained_bytes") - copied.at("retained_bytes"), raw_bytes);
  EXPECT_EQ(packed.at("file_written") - copied.at("file_written"), 1u);
  DirectDelegate again(payload, &map, {options, 3});
  EXPECT_EQ(BackendStats()["packed_bytes"], packed.at("packed_bytes"));
}

TEST(BackendTest, RetainedWeightsAreNotPackedAgain) {
  FakeMap map;
  const std::vector<uint8_t> payload = PackedPayload(map);
  const et::BackendOption retained[] = {OptionOf("retained_mebibytes", 1)};
  DirectDelegate(payload, &map, {retained, 1});
  const auto before = BackendStats();
  EXPECT_GT(before.at("retained_bytes"), 0u);
  DirectDelegate again(payload, &map, {retained, 1});
  EXPECT_EQ(BackendStats()["misses"], before.at("misses"));
}

// A pool's threads do not follow into a child: to wait for them would be to wait without end.
TEST(BackendTest, AForkedChildIsRefusedWhereItWouldHang) {
  if (kThreadSanitized) GTEST_SKIP() << "it does not let a child run";
  FakeMap map;
  map.data["w"] = WeightOf(0.5f);
  DirectDelegate delegate(LinearPayload("w"), &map);
  const pid_t child = fork();
  if (child == 0) {
    RunOnOnes(delegate, 1);
    _exit(delegate.error == et::Error::InvalidState ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(RunOnOnes(delegate, 1), Expected(0.5f, 1));
}

TEST(BackendTest, AForkedChildOfARunThatWasGoingOnDoesNotHang) {
  if (kThreadSanitized) GTEST_SKIP() << "it does not let a child run";
  FakeMap map;
  map.data["w"] = WeightOf(0.5f);
  DirectDelegate delegate(LinearPayload("w"), &map);
  for (int time = 0; time < 20; ++time) {
    pid_t child = -1;
    {
      const Busy running([&] { RunOnOnes(delegate, 1); });
      child = fork();
      if (child == 0) {
        alarm(10);
        RunOnOnes(delegate, 1);
        const bool is_refused = delegate.error == et::Error::InvalidState;
        delegate.Destroy();
        _exit(is_refused ? 0 : 1);
      }
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
    ASSERT_EQ(WEXITSTATUS(status), 0);
  }
}

}  // namespace
}  // namespace onepack
