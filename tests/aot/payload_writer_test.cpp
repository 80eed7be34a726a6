#include "aot/payload_writer.h"

#include <string>

#include "schema/verify_payload.h"
#include "tests/support/files.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

using wire::xnnpack::XNodeUnion;

// A payload with what was read from it.
struct Read {
  std::vector<uint8_t> payload;
  PayloadHeader header;
  const wire::xnnpack::XNNGraph* graph;
};

Result<Read> ReadBack(PayloadWriter& writer) {
  Read read;
  read.payload = writer.Finish();
  ONEPACK_ASSIGN_OR_RETURN(read.header, ParsePayloadHeader(read.payload));
  ONEPACK_ASSIGN_OR_RETURN(
      read.graph,
      VerifyPayload(
          Bytes(read.payload).subspan(read.header.flatbuffer.offset, read.header.flatbuffer.size),
          read.header));
  return read;
}

TEST(PayloadWriterTest, ALinearLayerIsReadBack) {
  PayloadWriter writer;
  const uint32_t filter = writer.AddNamedConstant("key", 128);
  const uint32_t x = writer.AddInput({2, 8});
  const uint32_t y = writer.AddOutput({2, 4});
  writer.AddFullyConnected(x, writer.AddConstant({4, 8}, filter), y, PayloadWriter::kNoValue, 0,
                           std::pair(0.0f, 6.0f));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Read read, ReadBack(writer));
  EXPECT_EQ(read.graph->num_externs(), 2u);
  EXPECT_EQ(read.graph->input_ids()->Get(0), x);
  EXPECT_EQ(read.graph->output_ids()->Get(0), y);
  EXPECT_EQ(TensorOf(*read.graph->xvalues()->Get(y)).external_id(), 1u);
  EXPECT_EQ(read.graph->constant_data()->Get(filter)->named_key()->str(), "key");
  const auto* node = read.graph->xnodes()->Get(0);
  EXPECT_EQ(node->xnode_union_as_XNNFullyConnected()->bias_id(), UINT32_MAX);
  EXPECT_EQ(node->output_min_max()->output_max(), 6.0f);
}

TEST(PayloadWriterTest, OwnConstantsAreInTheRegionOrInTheBuffer) {
  for (const bool uses_buffer : {false, true}) {
    PayloadOptions options;
    options.uses_constant_buffer = uses_buffer;
    PayloadWriter writer(options);
    writer.AddOwnConstant(AsBytes("123"));
    const uint32_t index = writer.AddOwnConstant(AsBytes("a constant"));
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Read read, ReadBack(writer));
    Bytes bytes;
    if (uses_buffer) {
      const auto* storage = read.graph->constant_buffer()->Get(index)->storage();
      bytes = {storage->data(), storage->size()};
    } else {
      const auto* place = read.graph->constant_data()->Get(index);
      EXPECT_EQ(place->offset() % 16, 0u);
      bytes = Bytes(read.payload)
                  .subspan(read.header.constant_data.offset + place->offset(), place->size());
    }
    EXPECT_EQ(std::string(bytes.begin(), bytes.end()), "a constant");
  }
}

TEST(PayloadWriterTest, AnyNodeCanBeAdded) {
  PayloadWriter writer;
  const std::vector<uint32_t> shape = {3, 2};
  writer.AddNode(
      XNodeUnion::XNNStaticReshape,
      wire::xnnpack::CreateXNNStaticReshapeDirect(writer.builder(), 2, &shape, 0, 1).Union());
  writer.AddBinary(XNodeUnion::XNNSubtract, 0, 1, 2);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Read read, ReadBack(writer));
  EXPECT_EQ(read.graph->xnodes()->Get(0)->xnode_union_as_XNNStaticReshape()->new_shape()->Get(0),
            3u);
  EXPECT_EQ(read.graph->xnodes()->Get(1)->xnode_union_as_XNNSubtract()->output_id(), 2u);
}

}  // namespace
}  // namespace onepack
