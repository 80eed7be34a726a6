// One copy of a graph for all delegates that have its bytes.

#include "delegate/graph/graph_store.h"

#include <gtest/gtest.h>
#include <string.h>

#include <memory>
#include <string>
#include <vector>

#include "aot/payload_writer.h"
#include "delegate/graph/payload.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/recording_backend.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"
#include "tests/support/threads.h"

namespace onepack {
namespace {

NamelessGraph GraphOf(const std::string& bytes, uint64_t constant_data_size) {
  auto copy = AlignedCopy::Of(AsBytes(bytes), HeapAllocator());
  EXPECT_TRUE(IsOk(copy));
  return {*copy, nullptr, constant_data_size, Digest::UnlikeAll()};
}

TEST(GraphStoreTest, FindsWhatIsInUse) {
  GraphStore store;
  const auto graph = store.Add(GraphOf("a", 5));
  EXPECT_EQ(store.Find(AsBytes("a"), 5), graph);
  EXPECT_EQ(store.Find(AsBytes("b"), 5), nullptr);
  EXPECT_EQ(store.Find(AsBytes("aa"), 5), nullptr);
}

TEST(GraphStoreTest, AGraphThatIsNotInUseIsGone) {
  GraphStore store;
  auto graph = store.Add(GraphOf("a", 5));
  graph = nullptr;
  EXPECT_EQ(store.Find(AsBytes("a"), 5), nullptr);
  EXPECT_EQ(store.size(), 0u);
}

TEST(GraphStoreTest, AGraphMayBeUsedForLongerThanTheStore) {
  auto store = std::make_unique<GraphStore>();
  auto graph = store->Add(GraphOf("a", 5));
  store = nullptr;
  EXPECT_EQ(graph->constant_data_size, 5u);
  graph = nullptr;
}

TEST(GraphStoreTest, AGraphThatWasVerifiedForAnotherSizeIsNotFound) {
  GraphStore store;
  const auto large = store.Add(GraphOf("a", 1000));
  EXPECT_EQ(store.Find(AsBytes("a"), 10), nullptr);
  EXPECT_EQ(store.Find(AsBytes("a"), 1000), large);
}

TEST(GraphStoreTest, ManyThatCameAndWentLeaveTheOthers) {
  GraphStore store;
  const auto first = store.Add(GraphOf("first", 0));
  for (int i = 0; i < 1000; ++i) store.Add(GraphOf(std::to_string(i), 0));
  EXPECT_EQ(store.Find(AsBytes("first"), 0), first);
  EXPECT_EQ(store.size(), 1u);
}

TEST(GraphStoreTest, TheSecondToComeGetsTheFirstOnes) {
  GraphStore store;
  const auto first = store.Add(GraphOf("a", 5));
  EXPECT_EQ(store.Add(GraphOf("a", 5)), first);
  const auto other_size = store.Add(GraphOf("a", 6));
  EXPECT_NE(other_size, first);
  EXPECT_NE(other_size->id, first->id);
  EXPECT_EQ(store.Find(AsBytes("a"), 5), first);
}

// One thread may add a graph while the last user of an equal one lets go of it.
TEST(GraphStoreTest, ThreadsThatAddAndDropOneGraphFindItOrAddIt) {
  GraphStore store;
  RunInThreads(4, [&](int) {
    for (int i = 0; i < 2000; ++i) {
      const auto graph = store.Add(GraphOf("a", 5));
      EXPECT_EQ(store.Find(AsBytes("a"), 5), graph);
    }
  });
  EXPECT_EQ(store.size(), 0u);
}

// The payloads of all delegates of a program.
std::vector<std::shared_ptr<const Payload>> PayloadsOf(const LinearProgram& program,
                                                       GraphStore& graphs) {
  std::vector<std::shared_ptr<const Payload>> payloads;
  BackendRecord record;
  record.on_load = [&](const DelegateRequest& request) -> Status {
    ONEPACK_ASSIGN_OR_RETURN(auto payload, Payload::Open(request, graphs));
    payloads.push_back(std::move(payload));
    return Status::Ok();
  };
  LoadOptions options;
  options.backend = MakeRecordingBackend("XnnpackBackend", &record);
  EXPECT_TRUE(
      IsOk(LoadMethod(SourceOf(MakeLinearProgram(program), "program.pte"),
                      {SourceOf(MakeData(DataOf(program.layers)), "data.ptd")}, nullptr, options)));
  return payloads;
}

TEST(GraphStoreTest, DelegatesThatDifferInTheNamesOfWeightsShareTheirGraph) {
  GraphStore graphs;
  LinearProgram program;
  program.layers = {{"one", 32, 32}, {"two", 32, 32}, {"six", 32, 32, WeightKind::kInt4}};
  program.delegate_per_layer = true;
  const auto payloads = PayloadsOf(program, graphs);
  ASSERT_EQ(payloads.size(), 3u);
  EXPECT_EQ(&payloads[0]->graph(), &payloads[1]->graph());
  EXPECT_NE(&payloads[0]->graph(), &payloads[2]->graph());
  EXPECT_NE(payloads[0]->constant(1).key(), payloads[1]->constant(1).key());

  LinearProgram other;
  other.layers = {{"odd", 32, 32}};
  const auto more = PayloadsOf(other, graphs);
  ASSERT_EQ(more.size(), 1u);
  EXPECT_EQ(&more[0]->graph(), &payloads[0]->graph());
}

// The graph of a payload that carries its constants, as a delegate's request.
class OwnConstants {
 public:
  OwnConstants() {
    const std::vector<float> weight(32 * 32, 0.5f);
    PayloadWriter payload;
    const uint32_t filter = payload.AddConstant({32, 32}, payload.AddOwnConstant(AsBytes(weight)));
    const uint32_t x = payload.AddInput({4, 32});
    payload.AddFullyConnected(x, filter, payload.AddOutput({4, 32}));
    bytes_ = payload.Finish();
  }

  void set_constant_data_size(uint64_t size) { memcpy(bytes_.data() + 22, &size, sizeof(size)); }

  Result<std::shared_ptr<const Payload>> Open(GraphStore& graphs) const {
    const Ref<DataSource> source = SourceOf(bytes_, "program.pte");
    DelegateRequest request;
    ONEPACK_ASSIGN_OR_RETURN(request.payload, source->LoadWhole({0, bytes_.size()}));
    request.source = source.get();
    return Payload::Open(request, graphs);
  }

 private:
  std::vector<uint8_t> bytes_;
};

// The graph's bytes are equal, but constants that are inside the first payload are not inside the
// second.
TEST(GraphStoreTest, AKnownGraphIsVerifiedAgainForAPayloadOfFewerBytes) {
  GraphStore graphs;
  OwnConstants program;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto intact, program.Open(graphs));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto same, program.Open(graphs));
  EXPECT_EQ(&same->graph(), &intact->graph());
  program.set_constant_data_size(32 * 32 * 4 - 1);
  EXPECT_TRUE(IsError(program.Open(graphs), StatusCode::kInvalidFile,
                      {"but the payload carries 4095 bytes"}));
}

}  // namespace
}  // namespace onepack
