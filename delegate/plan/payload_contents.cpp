#include "delegate/plan/payload_contents.h"

#include "weight_cache/content_registry.h"

namespace onepack {

Status PayloadContents::Witness::Read(const std::function<void(Bytes)>& use) const {
  ONEPACK_ASSIGN_OR_RETURN(const Buffer buffer, constant_.Load());
  use(buffer.bytes);
  constant_.Discard();
  return Status::Ok();
}

Result<std::shared_ptr<const PayloadContents>> PayloadContents::Identify(
    std::shared_ptr<const Payload> payload, ContentRegistry& registry) {
  std::shared_ptr<PayloadContents> contents(new PayloadContents(std::move(payload)));
  ONEPACK_RETURN_IF_ERROR(contents->Register(registry, contents));
  return std::shared_ptr<const PayloadContents>(std::move(contents));
}

Status PayloadContents::Register(ContentRegistry& registry,
                                 const std::shared_ptr<const PayloadContents>& self) {
  const uint32_t count = static_cast<uint32_t>(ConstantCount(payload_->graph()));
  // Others read a witness as soon as it is registered: none may move then.
  witnesses_.reserve(count);
  contents_.reserve(count);
  for (uint32_t i = 1; i < count; ++i) {
    const Constant& constant = payload_->constant(i);
    const Segment& segment = constant.segment();
    const Witness& witness = witnesses_.emplace_back(constant);
    auto content = registry.Register(
        constant.key(), DataRange(constant.source().identity(), segment.offset, segment.size),
        std::shared_ptr<const RawBytes>(self, &witness));
    if (!content.ok()) return content.TakeStatus().WithContext("constant %u", i);
    contents_.push_back(std::move(content).value());
  }
  return Status::Ok();
}

std::vector<Digest> PayloadContents::ids() const {
  std::vector<Digest> ids(1);
  ids.reserve(contents_.size() + 1);
  for (const auto& content : contents_) ids.push_back(content->id());
  return ids;
}

}  // namespace onepack
