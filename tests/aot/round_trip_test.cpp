// Random graphs and programs, written, read back and compared; then read by what edits programs and
// written once more.

#include <random>

#include "aot/editable_program.h"
#include "aot/payload_writer.h"
#include "aot/plan_builder.h"
#include "aot/program_file.h"
#include "aot/pte_writer.h"
#include "program_generated.h"
#include "runtime/program_contents.h"
#include "schema/verify_payload.h"
#include "schema/verify_program.h"
#include "schema/verify_text.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"
#include "tests/support/status_matchers.h"

namespace onepack {
namespace {

class Random {
 public:
  explicit Random(uint32_t seed) : engine_(seed) {}
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(engine_() % bound); }
  bool Coin() { return Below(2) == 1; }
  std::vector<uint8_t> Bytes(uint32_t most) {
    std::vector<uint8_t> bytes(1 + Below(most));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(Below(256));
    return bytes;
  }

 private:
  std::mt19937 engine_;
};

// What was told to a PayloadWriter.
struct Graph {
  struct Constant {
    std::string key;
    std::vector<uint8_t> bytes;  // of its own
    uint64_t size_bytes;
  };
  std::vector<std::vector<uint32_t>> dims;  // of each value
  std::vector<uint32_t> constants_of;       // of each value
  std::vector<Constant> constants;
  std::vector<std::vector<uint32_t>> nodes;  // type, then operands
};

std::vector<uint8_t> WriteGraph(Random& random, Graph& graph) {
  PayloadOptions options;
  options.has_header = random.Below(4) != 0;
  options.uses_constant_buffer = random.Coin();
  options.identifier = random.Coin() ? "XN00" : "XN01";
  PayloadWriter writer(options);
  const uint32_t constants = random.Below(5);
  for (uint32_t i = 0; i < constants; ++i) {
    Graph::Constant constant;
    if (random.Coin() && options.has_header) {
      constant.key = "key" + std::to_string(random.Below(100));
      constant.size_bytes = random.Below(1000);
      writer.AddNamedConstant(constant.key, constant.size_bytes);
    } else {
      constant.bytes = random.Bytes(600);
      constant.size_bytes = constant.bytes.size();
      writer.AddOwnConstant(Bytes(constant.bytes));
    }
    graph.constants.push_back(constant);
  }
  const uint32_t values = 2 + random.Below(8);
  for (uint32_t i = 0; i < values; ++i) {
    std::vector<uint32_t> dims(1 + random.Below(6));
    for (uint32_t& dim : dims) dim = 1 + random.Below(9);
    const uint32_t constant = constants > 0 && random.Coin() ? 1 + random.Below(constants) : 0;
    switch (constant > 0 ? 2 : random.Below(3)) {
      case 0:
        writer.AddInput(dims);
        break;
      case 1:
        writer.AddOutput(dims);
        break;
      default:
        writer.AddConstant(dims, constant);
    }
    graph.dims.push_back(dims);
    graph.constants_of.push_back(constant);
  }
  const uint32_t nodes = random.Below(6);
  for (uint32_t i = 0; i < nodes; ++i) {
    const uint32_t a = random.Below(values);
    const uint32_t b = random.Below(values);
    const uint32_t out = random.Below(values);
    if (random.Coin()) {
      writer.AddBinary(wire::xnnpack::XNodeUnion::XNNSubtract, a, b, out);
      graph.nodes.push_back({1, a, b, out});
    } else {
      writer.AddFullyConnected(a, b, out);
      graph.nodes.push_back({2, a, b, out});
    }
  }
  return writer.Finish();
}

void ExpectConstant(Bytes payload, const PayloadHeader& header, const wire::xnnpack::XNNGraph& read,
                    uint32_t index, const Graph::Constant& expected) {
  if (read.constant_data() == nullptr || read.constant_data()->size() == 0) {
    const auto* storage = read.constant_buffer()->Get(index)->storage();
    EXPECT_EQ(std::vector<uint8_t>(storage->begin(), storage->end()), expected.bytes);
    return;
  }
  const auto* entry = read.constant_data()->Get(index);
  EXPECT_EQ(entry->size(), expected.size_bytes);
  // Absent where there is none: ExecuTorch takes an empty one for a key.
  EXPECT_EQ(entry->named_key() != nullptr, !expected.key.empty());
  EXPECT_EQ(TextOf(entry->named_key()), expected.key);
  if (!expected.key.empty()) return;
  const Bytes bytes = payload.subspan(header.constant_data.offset + entry->offset(), entry->size());
  EXPECT_EQ(std::vector<uint8_t>(bytes.begin(), bytes.end()), expected.bytes);
}

void ExpectGraph(const std::vector<uint8_t>& payload, const Graph& expected) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const PayloadHeader header, ParsePayloadHeader(payload));
  const std::vector<uint8_t> flatbuffer(
      payload.begin() + static_cast<ptrdiff_t>(header.flatbuffer.offset),
      payload.begin() + static_cast<ptrdiff_t>(header.flatbuffer.offset + header.flatbuffer.size));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const auto* read, VerifyPayload(flatbuffer, header));
  ASSERT_EQ(read->xvalues()->size(), expected.dims.size());
  for (uint32_t i = 0; i < read->xvalues()->size(); ++i) {
    const auto& tensor = TensorOf(*read->xvalues()->Get(i));
    const Span<const uint32_t> dims = DimsOf(tensor);
    EXPECT_EQ(std::vector<uint32_t>(dims.begin(), dims.end()), expected.dims[i]);
    EXPECT_EQ(tensor.constant_buffer_idx(), expected.constants_of[i]);
    EXPECT_EQ(tensor.id_out(), i);
  }
  ASSERT_EQ(ConstantCount(*read), expected.constants.size() + 1);
  for (uint32_t i = 0; i < expected.constants.size(); ++i) {
    ExpectConstant(payload, header, *read, i + 1, expected.constants[i]);
  }
  ASSERT_EQ(read->xnodes()->size(), expected.nodes.size());
  for (uint32_t i = 0; i < read->xnodes()->size(); ++i) {
    const auto* node = read->xnodes()->Get(i);
    std::vector<uint32_t> found;
    if (const auto* subtract = node->xnode_union_as_XNNSubtract()) {
      found = {1, subtract->input1_id(), subtract->input2_id(), subtract->output_id()};
    } else {
      const auto* layer = node->xnode_union_as_XNNFullyConnected();
      ASSERT_NE(layer, nullptr);
      found = {2, layer->input1_id(), layer->filter_id(), layer->output_id()};
    }
    EXPECT_EQ(found, expected.nodes[i]);
  }
}

TEST(RoundTripTest, RandomGraphsAreReadBackEqual) {
  for (uint32_t seed = 0; seed < 300 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Graph graph;
    ExpectGraph(WriteGraph(random, graph), graph);
  }
}

TEST(RoundTripTest, RandomGraphsAreTheSameAfterTheyWereEdited) {
  for (uint32_t seed = 0; seed < 300 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Graph graph;
    const std::vector<uint8_t> payload = WriteGraph(random, graph);
    const Ref<DataSource> source = SourceOf(payload, "payload");
    ONEPACK_ASSERT_OK_AND_ASSIGN(EditablePayload editable,
                                 EditablePayload::Read(source, {0, payload.size()}, {}));
    for (size_t i = 0; i < graph.constants.size(); ++i) {
      if (random.Coin()) continue;
      graph.constants[i].key = "moved" + std::to_string(i);
      editable.MoveOut(i + 1, graph.constants[i].key);
    }
    ONEPACK_ASSERT_OK_AND_ASSIGN(const std::vector<uint8_t> edited, editable.Encode().ToVector());
    ExpectGraph(edited, graph);
  }
}

// What was told to a ProgramWriter.
struct Told {
  std::vector<MethodPlan> methods;
  std::vector<std::vector<uint8_t>> payloads;  // by their number
  std::map<std::string, std::vector<uint8_t>> named;
  std::vector<std::vector<uint8_t>> constants;  // by their index less 1
};

TensorPlan RandomTensor(Random& random, const Told& told) {
  TensorPlan tensor;
  tensor.scalar_type = ScalarType::kByte;
  for (uint32_t rank = random.Below(4); rank > 0; --rank) {
    tensor.sizes.push_back(1 + static_cast<int32_t>(random.Below(6)));
  }
  switch (random.Below(3)) {
    case 0:
      tensor.place = PlannedPlace{1, random.Below(1000)};
      tensor.is_dynamic = random.Coin();
      break;
    case 1:
      if (told.constants.empty()) break;
      tensor.data_buffer_idx = 1 + random.Below(static_cast<uint32_t>(told.constants.size()));
      tensor.sizes = {static_cast<int32_t>(told.constants[tensor.data_buffer_idx - 1].size())};
      break;
    default:
      tensor.external_key = "external" + std::to_string(random.Below(9));
  }
  return tensor;
}

MethodPlan RandomMethod(Random& random, const Told& told, uint32_t number) {
  MethodPlan method;
  method.name = "method" + std::to_string(number);
  method.buffer_sizes = {0, 4096};
  const uint32_t values = 1 + random.Below(8);
  for (uint32_t i = 0; i < values; ++i) {
    switch (random.Below(6)) {
      case 0:
        method.values.push_back(int64_t{random.Below(1000)} - 500);
        break;
      case 1:
        method.values.push_back(random.Coin());
        break;
      case 2:
        method.values.push_back(random.Below(100) / 8.0);
        break;
      case 3:
        method.values.emplace_back(std::monostate());
        break;
      default:
        method.values.push_back(RandomTensor(random, told));
    }
  }
  method.operators = {{"test::op", "out"}, {"test::other", ""}};
  method.chains.resize(1);
  const auto any = [&] { return static_cast<int32_t>(random.Below(values)); };
  if (!told.payloads.empty()) {
    const uint32_t payload = random.Below(static_cast<uint32_t>(told.payloads.size()));
    method.delegates = {DelegatePlan::InSegment("Other", payload)};
    method.chains[0].push_back(DelegateCallPlan{0, {any(), any()}});
  }
  method.chains[0].push_back(KernelCallPlan{static_cast<int32_t>(random.Below(2)), {any()}});
  method.chains[0].push_back(MoveCallPlan{any(), any()});
  method.inputs = {any()};
  method.outputs = {any(), any()};
  return method;
}

std::vector<uint8_t> WriteRandomProgram(Random& random, Told& told) {
  ProgramOptions options;
  options.uses_constant_buffer = random.Coin();
  options.header_size = random.Coin() ? 32 : 24;
  ProgramWriter writer(options);
  for (uint32_t i = random.Below(4); i > 0; --i) {
    told.payloads.push_back(random.Bytes(500));
    writer.AddSegment(Bytes(told.payloads.back()));
  }
  for (uint32_t i = random.Below(4); i > 0; --i) {
    told.constants.push_back(random.Bytes(400));
    writer.AddConstant(Bytes(told.constants.back()));
  }
  for (uint32_t i = random.Below(4); i > 0; --i) {
    const std::string key = "named" + std::to_string(i);
    told.named[key] = random.Bytes(300);
    writer.AddNamedData(key, writer.AddSegment(Bytes(told.named[key])));
  }
  for (uint32_t i = 1 + random.Below(3); i > 0; --i) {
    told.methods.push_back(RandomMethod(random, told, i));
    writer.AddMethod(told.methods.back());
  }
  return writer.Finish();
}

void ExpectTensor(const Program& program, const wire::program::Tensor& read,
                  const TensorPlan& expected, const Told& told) {
  const TensorLayout layout = LayoutOf(read);
  EXPECT_EQ(std::vector<int32_t>(layout.sizes.begin(), layout.sizes.end()), expected.sizes);
  EXPECT_EQ(layout.dim_order.size(), expected.sizes.size());
  EXPECT_EQ(static_cast<int>(read.shape_dynamism()), expected.is_dynamic ? 1 : 0);
  EXPECT_EQ(IsExternal(read), !expected.external_key.empty());
  if (IsExternal(read)) {
    EXPECT_EQ(read.extra_tensor_info()->fully_qualified_name()->str(), expected.external_key);
  }
  EXPECT_EQ(read.allocation_info() != nullptr, expected.place.has_value());
  if (expected.place) {
    EXPECT_EQ(PlannedOffset(*read.allocation_info()), expected.place->offset);
  }
  EXPECT_EQ(read.data_buffer_idx() > 0, expected.data_buffer_idx > 0);
  if (expected.data_buffer_idx == 0) return;
  const std::vector<uint8_t>& bytes = told.constants[expected.data_buffer_idx - 1];
  const auto* constants = ProgramContents(program).wire().constant_segment();
  if (constants != nullptr && constants->offsets() != nullptr && constants->offsets()->size() > 0) {
    Segment range = ProgramContents(program).segment(constants->segment_index());
    range = {range.offset + constants->offsets()->Get(read.data_buffer_idx()), bytes.size()};
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer buffer, program.source().LoadWhole(range));
    EXPECT_EQ(std::vector<uint8_t>(buffer.bytes.begin(), buffer.bytes.end()), bytes);
  } else {
    const auto* storage =
        ProgramContents(program).wire().constant_buffer()->Get(read.data_buffer_idx())->storage();
    EXPECT_EQ(std::vector<uint8_t>(storage->begin(), storage->end()), bytes);
  }
}

void ExpectValue(const Program& program, const wire::program::EValue& read,
                 const ValuePlan& expected, const Told& told) {
  if (const auto* number = std::get_if<int64_t>(&expected)) {
    ASSERT_NE(read.val_as_Int(), nullptr);
    EXPECT_EQ(read.val_as_Int()->int_val(), *number);
  } else if (const auto* truth = std::get_if<bool>(&expected)) {
    ASSERT_NE(read.val_as_Bool(), nullptr);
    EXPECT_EQ(read.val_as_Bool()->bool_val(), *truth);
  } else if (const auto* real = std::get_if<double>(&expected)) {
    ASSERT_NE(read.val_as_Double(), nullptr);
    EXPECT_EQ(read.val_as_Double()->double_val(), *real);
  } else if (const auto* tensor = std::get_if<TensorPlan>(&expected)) {
    ASSERT_NE(read.val_as_Tensor(), nullptr);
    ExpectTensor(program, *read.val_as_Tensor(), *tensor, told);
  } else {
    EXPECT_NE(read.val_as_Null(), nullptr);
  }
}

void ExpectMethod(const Program& program, const wire::program::ExecutionPlan& read,
                  const MethodPlan& expected, const Told& told) {
  ASSERT_EQ(read.values()->size(), expected.values.size());
  for (uint32_t i = 0; i < read.values()->size(); ++i) {
    ExpectValue(program, *read.values()->Get(i), expected.values[i], told);
  }
  EXPECT_EQ(std::vector<int32_t>(read.inputs()->begin(), read.inputs()->end()), expected.inputs);
  EXPECT_EQ(std::vector<int32_t>(read.outputs()->begin(), read.outputs()->end()), expected.outputs);
  EXPECT_EQ(read.operators()->Get(0)->name()->str(), "test::op");
  EXPECT_EQ(read.operators()->Get(1)->overload()->str(), "");
  const auto& instructions = *read.chains()->Get(0)->instructions();
  ASSERT_EQ(instructions.size(), expected.chains[0].size());
  const auto& move = std::get<MoveCallPlan>(expected.chains[0].back());
  EXPECT_EQ(instructions.Get(instructions.size() - 1)->instr_args_as_MoveCall()->move_to(),
            move.to);
  ASSERT_EQ(read.delegates()->size(), expected.delegates.size());
  if (expected.delegates.empty()) return;
  ONEPACK_ASSERT_OK_AND_ASSIGN(
      const ProgramContents::PayloadBytes payload,
      ProgramContents(program).LoadPayload(false, read.delegates()->Get(0)->processed()->index()));
  EXPECT_EQ(std::vector<uint8_t>(payload.buffer.bytes.begin(), payload.buffer.bytes.end()),
            told.payloads[expected.delegates[0].index]);
}

void ExpectProgram(std::vector<uint8_t> bytes, const Told& told) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> program, OpenProgram(std::move(bytes)));
  ASSERT_EQ(program->method_count(), told.methods.size());
  for (const MethodPlan& method : told.methods) {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const auto* plan,
                                 ProgramContents(*program).FindMethod(method.name));
    ExpectMethod(*program, *plan, method, told);
  }
  EXPECT_EQ(program->named_data()->entries().size(), told.named.size());
  for (const auto& [key, expected] : told.named) {
    ASSERT_NE(program->named_data()->Find(key), nullptr);
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Buffer buffer, program->named_data()->Find(key)->Load());
    EXPECT_EQ(std::vector<uint8_t>(buffer.bytes.begin(), buffer.bytes.end()), expected);
  }
}

TEST(RoundTripTest, RandomProgramsAreReadBackEqual) {
  for (uint32_t seed = 0; seed < 300 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Told told;
    ExpectProgram(WriteRandomProgram(random, told), told);
  }
}

TEST(RoundTripTest, RandomProgramsAreTheSameAfterTheyWereEdited) {
  const TempFolder folder;
  for (uint32_t seed = 0; seed < 300 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    Told told;
    WriteFile(folder.File("a.pte"), WriteRandomProgram(random, told));
    ONEPACK_ASSERT_OK_AND_ASSIGN(std::unique_ptr<EditableProgram> editable,
                                 EditableProgram::Open(folder.File("a.pte"), {}));
    std::vector<uint8_t> again;
    ASSERT_TRUE(IsOk(std::move(*editable).Write([&](Bytes bytes) {
      again.insert(again.end(), bytes.begin(), bytes.end());
      return Status::Ok();
    })));
    ExpectProgram(std::move(again), told);
  }
}

// Its segment is not verified, as nothing of it is read.
TEST(RoundTripTest, AGroupOfNoInitialValuesNeedsNoSegment) {
  ProgramWriter writer;
  MethodPlan method;
  method.chains.resize(1);
  writer.AddMethod(method);
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> plain, OpenProgram(writer.Finish()));
  edit::program::ProgramT tables;
  reinterpret_cast<const edit::program::Program&>(ProgramContents(*plain).wire()).UnPackTo(&tables);
  tables.mutable_data_segments.push_back(std::make_unique<edit::program::SubsegmentOffsetsT>());
  tables.mutable_data_segments.back()->segment_index = 9;
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(edit::program::CreateProgram(builder, &tables),
                 edit::program::ProgramIdentifier());
  std::vector<uint8_t> bytes;
  const Append append = [&bytes](Bytes more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return Status::Ok();
  };
  ASSERT_TRUE(IsOk(WriteProgramFile(builder.GetBufferSpan(), SegmentList(128), 32, append)));
  const TempFolder folder;
  WriteFile(folder.File("a.pte"), bytes);
  bytes.clear();
  ONEPACK_ASSERT_OK_AND_ASSIGN(std::unique_ptr<EditableProgram> editable,
                               EditableProgram::Open(folder.File("a.pte"), {}));
  ASSERT_TRUE(IsOk(std::move(*editable).Write(append)));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Program> again, OpenProgram(bytes));
  ASSERT_EQ(CountOf(ProgramContents(*again).wire().mutable_data_segments()), 1u);
  const auto* group = ProgramContents(*again).wire().mutable_data_segments()->Get(0);
  EXPECT_EQ(CountOf(group->offsets()), 0u);
  EXPECT_LT(group->segment_index(), CountOf(ProgramContents(*again).wire().segments()));
}

// No two tensors that are needed at the same time share memory.
TEST(RoundTripTest, PlannedMemoryIsNeverSharedByTensorsOfTheSameTime) {
  for (uint32_t seed = 0; seed < 100 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    PlanBuilder plan("forward");
    std::vector<int32_t> tensors;
    for (int i = 0; i < 12; ++i) {
      tensors.push_back(
          plan.AddTensor(ScalarType::kByte, {1 + static_cast<int32_t>(random.Below(200))}, false));
    }
    const int32_t state = plan.AddState(ScalarType::kByte, {100});
    std::map<int32_t, std::pair<size_t, size_t>> times = {{state, {0, SIZE_MAX}}};
    for (size_t call = 0; call < 20; ++call) {
      const int32_t a = tensors[random.Below(12)];
      const int32_t b = tensors[random.Below(12)];
      plan.Call("test::op", "out", {a, b});
      for (const int32_t value : {a, b}) {
        times.emplace(value, std::pair(call, call)).first->second.second = call;
      }
    }
    const MethodPlan method = plan.Finish({});
    const auto& all = method.values;
    for (const auto& [a, a_time] : times) {
      const auto& one = std::get<TensorPlan>(all[static_cast<size_t>(a)]);
      EXPECT_LE(one.place->offset + static_cast<uint64_t>(one.sizes[0]),
                static_cast<uint64_t>(method.buffer_sizes[1]));
      for (const auto& [b, b_time] : times) {
        if (a >= b || a_time.first > b_time.second || b_time.first > a_time.second) continue;
        const auto& other = std::get<TensorPlan>(all[static_cast<size_t>(b)]);
        const bool is_apart =
            one.place->offset + static_cast<uint64_t>(one.sizes[0]) <= other.place->offset ||
            other.place->offset + static_cast<uint64_t>(other.sizes[0]) <= one.place->offset;
        EXPECT_TRUE(is_apart) << a << " and " << b;
      }
    }
  }
}

}  // namespace
}  // namespace onepack
