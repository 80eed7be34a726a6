// Payloads whose keys have something else of the graph inside. No exporter writes such ones: a key
// is taken out of the graph, and what was read there before may be something else afterwards.

#include "delegate/graph/payload.h"

#include <gtest/gtest.h>
#include <string.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "aot/payload_writer.h"
#include "runtime/method_scope.h"
#include "tests/support/delegate_fixture.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using wire::xnnpack::ConstantDataOffset;
using wire::xnnpack::XNNGraph;

constexpr uint64_t kSize = 64;

// A graph of two named constants, with room behind it for what a test puts there.
class CraftedGraph {
 public:
  CraftedGraph() {
    PayloadOptions options;
    options.has_header = false;
    PayloadWriter payload(options);
    payload.AddConstant({16}, payload.AddNamedConstant("one", kSize));
    payload.AddConstant({16}, payload.AddNamedConstant("two", kSize));
    bytes_ = payload.Finish();
    room_ = (bytes_.size() + 15) / 16 * 16;
    bytes_.resize(room_ + 256);
  }

  // Of the first byte behind the graph; a multiple of 16.
  size_t room() const { return room_; }

  template <typename Number>
  void Put(size_t offset, Number number) {
    memcpy(bytes_.data() + offset, &number, sizeof(number));
  }
  // Characters with their number before them and NUL behind.
  void PutText(size_t offset, std::string_view text) {
    Put(offset, static_cast<uint32_t>(text.size()));
    memcpy(bytes_.data() + offset + 4, text.data(), text.size());
  }

  // The key of constant `index` is the text at `offset`.
  void SetKey(uint32_t index, size_t offset) {
    const auto* constant =
        reinterpret_cast<const flatbuffers::Table*>(root().constant_data()->Get(index));
    PointTo(constant->GetAddressOf(ConstantDataOffset::VT_NAMED_KEY), offset);
  }
  // Constant 2 is the table at `offset`.
  void SetSecondConstant(size_t offset) { PointTo(root().constant_data()->Data() + 8, offset); }

  // A table of a constant, at room() + 16, whose key is the text "two": its fields stand where
  // there is place between them for the length of a text.
  size_t PutConstant() {
    const size_t table = room() + 16;
    // Its own size, the table's, and where offset, size and key are in the table.
    const uint16_t vtable[] = {10, 32, 16, 24, 8};
    memcpy(bytes_.data() + room(), vtable, sizeof(vtable));
    Put(table, int32_t{16});  // back to the vtable
    Put(table + 8, uint32_t{24});
    Put(table + 16, uint64_t{0});
    Put(table + 24, kSize);
    PutText(table + 32, "two");
    SetSecondConstant(table);
    return table;
  }

  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  const XNNGraph& root() const { return *flatbuffers::GetRoot<XNNGraph>(bytes_.data()); }
  void PointTo(const uint8_t* field, size_t offset) {
    const auto at = static_cast<size_t>(field - bytes_.data());
    Put(at, static_cast<uint32_t>(offset - at));
  }

  std::vector<uint8_t> bytes_;
  size_t room_ = 0;
};

class CraftedKeyTest : public testing::Test {
 protected:
  void SetUp() override {
    NamedBytes data;
    for (const char* key : {"one", "two", "abcd", "efgh"}) data[key].resize(kSize);
    ONEPACK_ASSERT_OK_AND_ASSIGN(data_, OpenData(MakeData(data)));
  }

  Result<std::shared_ptr<const Payload>> Open(const CraftedGraph& graph) {
    const Ref<DataSource> source = SourceOf(graph.bytes(), "program.pte");
    sources_.push_back(source);
    const MethodScope named_data(nullptr, data_, HeapAllocator());
    DelegateRequest request;
    ONEPACK_ASSIGN_OR_RETURN(request.payload, source->LoadWhole({0, graph.bytes().size()}));
    request.source = source.get();
    request.named_data = &named_data;
    return Payload::Open(request, graphs_);
  }

  // Both times: what the first one leaves in the store helps nobody.
  void ExpectRefused(const CraftedGraph& graph, const char* why) {
    for (int round = 0; round < 2; ++round) {
      EXPECT_TRUE(IsError(Open(graph), StatusCode::kInvalidFile, {why}));
      EXPECT_EQ(graphs_.size(), sound_graphs_);
    }
  }

  Ref<NamedDataMap> data_;
  GraphStore graphs_;
  size_t sound_graphs_ = 0;
  std::vector<Ref<DataSource>> sources_;
};

TEST_F(CraftedKeyTest, WithoutAnyTheGraphIsSound) {
  CraftedGraph graph;
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto intact, Open(graph));
  EXPECT_EQ(intact->constant(2).key(), "two");
  graph.PutConstant();
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto moved, Open(graph));
  EXPECT_EQ(moved->constant(2).key(), "two");
  EXPECT_NE(&moved->graph(), &intact->graph());
}

// Of the key before, the one character is the other one's length.
TEST_F(CraftedKeyTest, AKeyOverTheLengthOfAnotherIsRefused) {
  for (const bool has_sound_one : {false, true}) {
    CraftedGraph graph;
    graph.PutText(graph.room() + 4, "abcd");
    std::shared_ptr<const Payload> sound;
    graph.SetKey(2, graph.room() + 4);
    if (has_sound_one) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(sound, Open(graph));
      sound_graphs_ = 1;
    }
    graph.Put(graph.room(), uint32_t{1});
    graph.SetKey(1, graph.room());
    ExpectRefused(graph, "constant 2 has no usable key");
  }
}

TEST_F(CraftedKeyTest, AKeyOverAnOffsetOfATableIsRefused) {
  for (const bool has_sound_one : {false, true}) {
    CraftedGraph graph;
    const size_t table = graph.PutConstant();
    std::shared_ptr<const Payload> sound;
    if (has_sound_one) {
      ONEPACK_ASSERT_OK_AND_ASSIGN(sound, Open(graph));
      sound_graphs_ = 1;
    }
    graph.Put(table + 4, uint32_t{1});
    graph.SetKey(1, table + 4);
    ExpectRefused(graph, "is damaged");
  }
}

TEST_F(CraftedKeyTest, AKeyOverAVtableIsRefused) {
  CraftedGraph graph;
  const size_t table = graph.PutConstant();
  // The vtable again, behind the length of a text: its first byte is the key.
  const size_t vtable = table + 48;
  graph.Put(vtable - 4, uint32_t{1});
  const uint16_t entries[] = {10, 32, 16, 24, 8};
  for (size_t i = 0; i < 5; ++i) graph.Put(vtable + 2 * i, entries[i]);
  graph.Put(table, static_cast<int32_t>(table) - static_cast<int32_t>(vtable));
  ASSERT_TRUE(IsOk(Open(graph)));
  graph.SetKey(1, vtable - 4);
  ExpectRefused(graph, "is damaged");
}

// The graph is as it is without the key, for whoever comes first and for those after it.
TEST_F(CraftedKeyTest, AKeyOverANumberIsAnotherNumberForAll) {
  CraftedGraph graph;
  const size_t table = graph.PutConstant();
  graph.PutText(table + 12, "abcd");  // in the offset, which of a named constant means nothing
  graph.SetKey(1, table + 12);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto first, Open(graph));
  EXPECT_EQ(first->constant(1).key(), "abcd");
  EXPECT_EQ(first->constant(2).key(), "two");
  graph.PutText(table + 12, "efgh");
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto second, Open(graph));
  EXPECT_EQ(second->constant(1).key(), "efgh");
  EXPECT_EQ(&second->graph(), &first->graph());
  EXPECT_EQ(second->graph().constant_data()->Get(2)->offset(), 0x2d2d2d2du);
}

}  // namespace
}  // namespace onepack
