// How delegates get to their backend and are called.

#include "tests/runtime/method_fixture.h"

namespace onepack {
namespace {

class DelegateTest : public MethodTest {
 protected:
  DelegateTest()
      : backends_{MakeRecordingBackend("Unused", &unused_),
                  MakeRecordingBackend("Test", &record_)} {
    options_.backends = backends_;
  }

  BackendRecord unused_;
  BackendRecord record_;
  Ref<Backend> backends_[2];
};

TEST_F(DelegateTest, GetsItsPayloadFromASegmentOrInline) {
  plan_.delegates = {DelegatePlan::InSegment("Test", program_.AddSegment(AsBytes("segment"))),
                     DelegatePlan::Inline("Test", program_.AddInlinePayload(AsBytes("inline")))};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  ASSERT_EQ(record_.delegates.size(), 2u);
  EXPECT_EQ(std::string(record_.delegates[0].payload.begin(), record_.delegates[0].payload.end()),
            "segment");
  EXPECT_EQ(std::string(record_.delegates[1].payload.begin(), record_.delegates[1].payload.end()),
            "inline");
  EXPECT_EQ(record_.delegates[0].index, 0u);
  EXPECT_EQ(record_.delegates[1].index, 1u);
  EXPECT_EQ(record_.delegates[0].source_name, "test.pte");
  EXPECT_EQ(record_.delegates[0].payload_offset % 128, 0u);
}

TEST_F(DelegateTest, GetsItsCompileSpecs) {
  DelegatePlan delegate = DelegatePlan::InSegment("Test", program_.AddSegment(AsBytes("x")));
  delegate.compile_specs = {{"first", {1, 2, 3}}, {"second", {}}};
  DelegatePlan other = delegate;
  other.compile_specs = {{"third", {4}}};
  plan_.delegates = {delegate, other};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  ASSERT_EQ(record_.delegates.size(), 2u);
  EXPECT_EQ(record_.delegates[0].compile_specs, delegate.compile_specs);
  EXPECT_EQ(record_.delegates[1].compile_specs, other.compile_specs);
}

TEST_F(DelegateTest, FindsNamedDataOfTheProgramAndOfDataFiles) {
  program_.AddNamedData("own", program_.AddSegment(AsBytes("in the program")));
  PtdWriter data;
  data.AddBytes("shared", AsBytes("in the file"));
  AddData(data, "data.ptd");
  plan_.delegates = {DelegatePlan::InSegment("Test", program_.AddSegment(AsBytes("x")))};
  std::string found;
  record_.on_load = [&](const DelegateRequest& request) {
    for (const char* key : {"own", "shared"}) {
      ONEPACK_ASSIGN_OR_RETURN(const NamedData* entry, request.named_data->Find(key, 0));
      ONEPACK_ASSIGN_OR_RETURN(const Buffer buffer, entry->Load());
      found.append(buffer.bytes.begin(), buffer.bytes.end());
    }
    return Status::Ok();
  };
  ASSERT_TRUE(IsOk(Load()));
  EXPECT_EQ(found, "in the programin the file");
}

TEST_F(DelegateTest, IsCalledWithTheArgumentsOfItsCall) {
  plan_.delegates = {DelegatePlan::InSegment("Test", program_.AddSegment(AsBytes("x")))};
  plan_.values = {int64_t{1}, int64_t{2}};
  plan_.outputs = {1};
  plan_.chains = {{DelegateCallPlan{0, {0, 1}}}};
  record_.on_execute = [](Span<Value* const> arguments) {
    *arguments[1] = Value::OfInt(arguments[0]->int_value() + 40);
    return Status::Ok();
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  ASSERT_TRUE(IsOk(method->Execute()));
  EXPECT_EQ(method->output(0).int_value(), 41);
}

TEST_F(DelegateTest, AFailureWhileRunningIsPlaced) {
  plan_.delegates = {DelegatePlan::InSegment("Test", program_.AddSegment(AsBytes("x")))};
  plan_.chains = {{DelegateCallPlan{0, {}}}};
  record_.on_execute = [](Span<Value* const>) {
    return Status::Error(StatusCode::kInternal, "no luck");
  };
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_TRUE(IsError(method->Execute(), StatusCode::kInternal,
                      {"test.pte", "method 'forward'", "instruction 0", "no luck"}));
}

TEST_F(DelegateTest, AnUnknownBackendIsNamedWithThoseThatWereGiven) {
  plan_.delegates = {DelegatePlan::InSegment("CoreMLBackend", program_.AddSegment(AsBytes("x")))};
  EXPECT_TRUE(IsError(
      Load(), StatusCode::kNotFound,
      {"test.pte", "method 'forward'", "delegate 0", "'CoreMLBackend'", "'Unused'", "'Test'"}));
  options_.backends = {};
  EXPECT_TRUE(IsError(Load(), StatusCode::kNotFound, {"'CoreMLBackend'", "no backend"}));
}

TEST_F(DelegateTest, ABackendWithoutDelegatesOpensNoSession) {
  plan_.delegates = {DelegatePlan::InSegment("Test", program_.AddSegment(AsBytes("x"))),
                     DelegatePlan::InSegment("Test", 0)};
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> method, Load());
  EXPECT_EQ(unused_.sessions_opened, 0);
  EXPECT_EQ(record_.sessions_opened, 1);
  EXPECT_EQ(record_.delegates[1].session, 1);
}

TEST_F(DelegateTest, EachLoadedMethodHasASessionOfItsOwnAndClosesIt) {
  plan_.delegates = {DelegatePlan::InSegment("Test", program_.AddSegment(AsBytes("x")))};
  {
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> first, Load());
    ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Method> second, Load());
    EXPECT_EQ(record_.sessions_alive, 2);
    EXPECT_EQ(record_.delegates_alive, 2);
  }
  EXPECT_EQ(record_.sessions_alive, 0);
  EXPECT_EQ(record_.delegates_alive, 0);
}

TEST_F(DelegateTest, AFailedLoadLeavesNothingBehind) {
  plan_.delegates = {DelegatePlan::InSegment("Test", program_.AddSegment(AsBytes("x"))),
                     DelegatePlan::InSegment("Test", 0)};
  record_.on_load = [](const DelegateRequest& request) {
    return request.index == 0 ? Status::Ok()
                              : Status::Error(StatusCode::kUnsupported, "too much for me");
  };
  EXPECT_TRUE(IsError(Load(), StatusCode::kUnsupported,
                      {"test.pte", "method 'forward'", "too much for me"}));
  EXPECT_EQ(record_.sessions_alive, 0);
  EXPECT_EQ(record_.delegates_alive, 0);
}

TEST_F(DelegateTest, TheBaseClassesTakeNothingAndSaySo) {
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Backend> backend, MakeRef<Backend>(HeapAllocator()));
  EXPECT_TRUE(IsError(backend->OpenSession(), StatusCode::kUnsupported));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<BackendSession> session,
                               MakeRef<BackendSession>(HeapAllocator()));
  EXPECT_TRUE(IsError(session->LoadDelegates({}, {}), StatusCode::kUnsupported));
  EXPECT_TRUE(IsError(session->Fork({}, {}), StatusCode::kUnsupported));
  ONEPACK_ASSERT_OK_AND_ASSIGN(const Ref<Delegate> delegate, MakeRef<Delegate>(HeapAllocator()));
  EXPECT_TRUE(IsError(delegate->Execute({}), StatusCode::kUnsupported));
}

}  // namespace
}  // namespace onepack
