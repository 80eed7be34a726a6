#include "aot/align_empty_lists.h"

#include "base/rounding.h"
#include "program_generated.h"
#include "schema/verify_text.h"

namespace onepack {
namespace {

namespace wire_pte = wire::program;

class Aligner {
 public:
  explicit Aligner(std::vector<uint8_t>& flatbuffer) : flatbuffer_(flatbuffer) {}

  void Align() {
    const size_t end = flatbuffer_.size();
    flatbuffer_.resize(RoundUp(end + kLengthSize, kItemSize));
    empty_ = flatbuffer_.data() + flatbuffer_.size() - kLengthSize;
    AlignProgram(*wire_pte::GetProgram(flatbuffer_.data()));
    if (!is_used_) flatbuffer_.resize(end);
  }

 private:
  static constexpr size_t kItemSize = 8;
  static constexpr size_t kLengthSize = sizeof(flatbuffers::uoffset_t);

  // The field of `table` that refers to `list`.
  template <typename Table, typename Item>
  void AlignList(const Table& table, flatbuffers::voffset_t field,
                 const flatbuffers::Vector<Item>* list) {
    static_assert(sizeof(Item) == kItemSize);
    if (list == nullptr || list->size() > 0) return;
    const auto position = static_cast<size_t>(list->Data() - flatbuffer_.data());
    if (position % kItemSize == 0) return;
    auto* fields = reinterpret_cast<flatbuffers::Table*>(const_cast<Table*>(&table));
    is_used_ = fields->SetPointer(field, empty_) || is_used_;
  }

  void AlignOffsets(const wire_pte::SubsegmentOffsets& group) {
    AlignList(group, wire_pte::SubsegmentOffsets::VT_OFFSETS, group.offsets());
  }

  void AlignValue(const wire_pte::EValue& value) {
    if (const auto* list = value.val_as_IntList()) {
      AlignList(*list, wire_pte::IntList::VT_ITEMS, list->items());
    } else if (const auto* numbers = value.val_as_DoubleList()) {
      AlignList(*numbers, wire_pte::DoubleList::VT_ITEMS, numbers->items());
    }
  }

  void AlignPlan(const wire_pte::ExecutionPlan& plan) {
    AlignList(plan, wire_pte::ExecutionPlan::VT_NON_CONST_BUFFER_SIZES,
              plan.non_const_buffer_sizes());
    for (uint32_t i = 0; i < CountOf(plan.values()); ++i) AlignValue(*plan.values()->Get(i));
  }

  void AlignProgram(const wire_pte::Program& program) {
    if (program.constant_segment() != nullptr) AlignOffsets(*program.constant_segment());
    for (uint32_t i = 0; i < CountOf(program.mutable_data_segments()); ++i) {
      AlignOffsets(*program.mutable_data_segments()->Get(i));
    }
    for (uint32_t i = 0; i < CountOf(program.execution_plan()); ++i) {
      AlignPlan(*program.execution_plan()->Get(i));
    }
  }

  std::vector<uint8_t>& flatbuffer_;
  const uint8_t* empty_ = nullptr;
  bool is_used_ = false;
};

}  // namespace

void AlignEmptyLists(std::vector<uint8_t>& flatbuffer) { Aligner(flatbuffer).Align(); }

}  // namespace onepack
