#include "aot/preprocess.h"

#include <set>

#include "onepack/named_data_map.h"
#include "schema/verify_payload.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

// One linear layer for each weight.
PayloadWriter Graph(const std::vector<PayloadConstant>& weights) {
  PayloadWriter graph;
  const uint32_t x = graph.AddInput({1, 1});
  for (const PayloadConstant& weight : weights) {
    const uint32_t filter = graph.AddConstant({1, 1}, graph.AddData(weight));
    graph.AddFullyConnected(x, filter, graph.AddOutput({1, 1}));
  }
  return graph;
}

PayloadConstant Weight(const char* text, const char* tag = "") {
  PayloadConstant constant;
  constant.data = DataBytes::Copied(AsBytes(text));
  constant.tag = tag;
  return constant;
}

ProgramGraphs OneGraph(const char* name, const std::vector<PayloadConstant>& weights) {
  ProgramGraphs program;
  program.name = name;
  program.tag = name;
  program.methods.resize(1);
  program.methods[0].partitions.push_back(Graph(weights));
  return program;
}

// The keys a payload refers to.
std::set<std::string> KeysOf(const std::vector<uint8_t>& payload) {
  auto header = ParsePayloadHeader(payload);
  EXPECT_TRUE(header.ok());
  auto graph = VerifyPayload(
      Bytes(payload).subspan(header->flatbuffer.offset, header->flatbuffer.size), *header);
  EXPECT_TRUE(graph.ok());
  std::set<std::string> keys;
  for (const auto* constant : *(*graph)->constant_data()) {
    if (constant->named_key()->size() > 0) keys.insert(constant->named_key()->str());
  }
  return keys;
}

std::string KeyOf(const char* text) {
  auto key = DataBytes::Copied(AsBytes(text)).Sha256();
  return std::move(key).value();
}

TEST(PreprocessTest, SharedDataIsStoredOnceInOneFile) {
  std::vector<ProgramGraphs> programs;
  programs.push_back(OneGraph("base", {Weight("w0"), Weight("w1")}));
  programs.push_back(OneGraph("lora0", {Weight("w0"), Weight("w1"), Weight("a0")}));
  programs.push_back(OneGraph("lora1", {Weight("w0"), Weight("w1"), Weight("a1")}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Preprocessed all, Preprocess(std::move(programs), "shared"));
  EXPECT_EQ(all.store.Tags(), (std::vector<std::string>{"lora0", "lora1", "shared"}));
  EXPECT_EQ(all.store.SizeBytes(), 8u);
  ONEPACK_ASSERT_OK_AND_ASSIGN(std::vector<uint8_t> bytes, all.store.DataFile("shared").ToBytes());
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<NamedDataMap> shared, OpenData(std::move(bytes)));
  EXPECT_EQ(shared->entries().size(), 2u);
  ASSERT_EQ(all.programs.size(), 3u);
  EXPECT_EQ(all.programs[2].name, "lora1");
  EXPECT_EQ(KeysOf(all.programs[2].methods[0].payloads[0]),
            (std::set<std::string>{KeyOf("w0"), KeyOf("w1"), KeyOf("a1")}));
}

TEST(PreprocessTest, MethodsAndPartitionsOfOneProgramShareToo) {
  ProgramGraphs program;
  program.name = "one";
  program.methods.resize(2);
  program.methods[0].partitions.push_back(Graph({Weight("w")}));
  program.methods[0].partitions.push_back(Graph({Weight("w"), Weight("v")}));
  program.methods[1].name = "prefill";
  program.methods[1].partitions.push_back(Graph({Weight("w")}));
  std::vector<ProgramGraphs> programs;
  programs.push_back(std::move(program));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Preprocessed all, Preprocess(std::move(programs), ""));
  EXPECT_TRUE(all.store.entries().empty());
  EXPECT_EQ(all.programs[0].own_data.SizeBytes(), 2u);
  EXPECT_EQ(all.programs[0].methods[0].payloads.size(), 2u);
  EXPECT_EQ(all.programs[0].methods[1].name, "prefill");
  EXPECT_EQ(KeysOf(all.programs[0].methods[1].payloads[0]), std::set<std::string>{KeyOf("w")});
}

TEST(PreprocessTest, AConstantThatNamesItsTagGetsIt) {
  std::vector<ProgramGraphs> programs;
  PayloadConstant scale = Weight("s", "foundation");
  scale.key_prefix = "scale_";
  programs.push_back(OneGraph("base", {Weight("w", "foundation"), scale}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Preprocessed all, Preprocess(std::move(programs), ""));
  EXPECT_EQ(all.store.Tags(), std::vector<std::string>{"foundation"});
  EXPECT_EQ(all.store.entries().count("scale_" + KeyOf("s")), 1u);
}

TEST(PreprocessTest, ATagThatOneConstantNamesIsThatOfAllUnderItsKey) {
  std::vector<ProgramGraphs> programs;
  programs.push_back(OneGraph("before", {Weight("w")}));
  programs.push_back(OneGraph("base", {Weight("w", "foundation"), Weight("w")}));
  programs.push_back(OneGraph("after", {Weight("w")}));
  programs.back().tag.clear();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Preprocessed all, Preprocess(std::move(programs), ""));
  EXPECT_EQ(all.store.Tags(), std::vector<std::string>{"foundation"});
  EXPECT_EQ(all.store.SizeBytes(), 1u);
  EXPECT_TRUE(all.programs[2].own_data.entries().empty());
}

TEST(PreprocessTest, TwoTagsForOneKeyAreRefused) {
  std::vector<ProgramGraphs> programs;
  programs.push_back(OneGraph("base", {Weight("w", "one"), Weight("w", "two")}));
  EXPECT_TRUE(IsError(Preprocess(std::move(programs), ""), StatusCode::kMismatch,
                      {"program 'base'", "'one'", "'two'"}));
}

PayloadConstant Named(const char* key, const char* text, const char* tag = "") {
  PayloadConstant constant = Weight(text, tag);
  constant.key = key;
  return constant;
}

// Programs that carry their own data, but for what names a tag.
std::vector<ProgramGraphs> WithOwnData(const std::vector<PayloadConstant>& weights) {
  std::vector<ProgramGraphs> programs;
  programs.push_back(OneGraph("own", weights));
  programs.back().tag.clear();
  return programs;
}

TEST(PreprocessTest, AKeyOfAProgramAndOfItsDataFileMustStandForTheSameBytes) {
  for (const bool own_comes_first : {true, false}) {
    std::vector<ProgramGraphs> programs =
        WithOwnData({Named("k", "own"), Weight("w", "shared"), Weight("v")});
    programs.push_back(OneGraph("other", {Named("k", "other", "shared")}));
    if (!own_comes_first) std::swap(programs[0], programs[1]);
    EXPECT_TRUE(IsError(Preprocess(std::move(programs), ""), StatusCode::kMismatch,
                        {"program 'own'", "'k'", "'shared'"}));
  }
}

TEST(PreprocessTest, AKeyMayStandForOtherBytesInADataFileThatTheProgramDoesNotUse) {
  std::vector<ProgramGraphs> programs = WithOwnData({Named("k", "own")});
  programs.push_back(OneGraph("other", {Named("k", "other", "shared")}));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Preprocessed all, Preprocess(std::move(programs), ""));
  EXPECT_EQ(all.programs[0].own_data.entries().count("k"), 1u);
  EXPECT_EQ(all.store.entries().count("k"), 1u);
}

TEST(PreprocessTest, SharedDataNeedsATag) {
  std::vector<ProgramGraphs> programs;
  programs.push_back(OneGraph("a", {Weight("w")}));
  programs.push_back(OneGraph("b", {Weight("w")}));
  EXPECT_TRUE(IsError(Preprocess(std::move(programs), ""), StatusCode::kInvalidArgument,
                      {"'a'", "2 programs share"}));
}

TEST(PreprocessTest, AnErrorNamesProgramMethodAndPartition) {
  std::vector<ProgramGraphs> programs;
  PayloadConstant one = Weight("w");
  one.key = "a name";
  PayloadConstant other = Weight("v");
  other.key = "a name";
  programs.push_back(OneGraph("a", {one, other}));
  EXPECT_TRUE(IsError(Preprocess(std::move(programs), "shared"), StatusCode::kMismatch,
                      {"program 'a'", "'forward'", "partition 0", "'a name'"}));
}

}  // namespace
}  // namespace onepack
