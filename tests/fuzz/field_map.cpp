#include "tests/fuzz/field_map.h"

#include <flatbuffers/reflection_generated.h>
#include <string.h>

#include <algorithm>
#include <stdexcept>
#include <string>

#include "program_generated.h"
#include "runtime/program_contents.h"
#include "schema/payload_header.h"
#include "tests/support/files.h"
#include "tests/support/sources.h"

namespace onepack {
namespace {

using reflection::BaseType;
using Field = FieldMap::Field;

// Of long vectors and of tables that have many entries, the first ones stand for all.
constexpr uint32_t kMaxElements = 64;

size_t SizeOf(BaseType type) {
  switch (type) {
    case reflection::UType:
    case reflection::Bool:
    case reflection::Byte:
    case reflection::UByte:
      return 1;
    case reflection::Short:
    case reflection::UShort:
      return 2;
    case reflection::Int:
    case reflection::UInt:
    case reflection::Float:
      return 4;
    case reflection::Long:
    case reflection::ULong:
    case reflection::Double:
      return 8;
    default:
      return 0;
  }
}

// Goes through one flatbuffer by its schema.
class Walker {
 public:
  // The flatbuffer starts at `base` of `bytes`, which is the file number `file`.
  Walker(const std::string& schema_name, const std::vector<uint8_t>& bytes, size_t file,
         size_t base, std::vector<Field>& fields)
      : schema_bytes_(ReadFile(std::string(ONEPACK_BINARY_SCHEMAS) + "/" + schema_name + ".bfbs")),
        schema_(*reflection::GetSchema(schema_bytes_.data())),
        bytes_(bytes),
        file_(file),
        fields_(fields),
        base_(base) {}

  void Walk() {
    AddReference(base_);
    WalkTable(Target(base_), *schema_.root_table());
  }

 private:
  template <typename T>
  T Read(size_t offset) const {
    T number;
    memcpy(&number, &bytes_.at(offset + sizeof(T) - 1) - (sizeof(T) - 1), sizeof(T));
    return number;
  }
  size_t Target(size_t reference) const { return reference + Read<uint32_t>(reference); }

  void AddNumber(size_t offset, size_t size) {
    fields_.push_back({file_, offset, size, Field::Kind::kNumber});
  }
  void AddReference(size_t offset) {
    fields_.push_back({file_, offset, sizeof(uint32_t), Field::Kind::kReference});
  }

  void WalkTable(size_t table, const reflection::Object& object) {
    const size_t vtable = table - static_cast<size_t>(int64_t{Read<int32_t>(table)});
    AddNumber(table, sizeof(int32_t));
    AddNumber(vtable, sizeof(uint16_t));
    const auto vtable_size = Read<uint16_t>(vtable);
    for (const reflection::Field* field : *object.fields()) {
      if (field->offset() >= vtable_size) continue;
      AddNumber(vtable + field->offset(), sizeof(uint16_t));
      const auto place = Read<uint16_t>(vtable + field->offset());
      if (place != 0) WalkField(table, table + place, vtable, object, *field);
    }
  }

  void WalkField(size_t table, size_t place, size_t vtable, const reflection::Object& object,
                 const reflection::Field& field) {
    const BaseType type = field.type()->base_type();
    if (SizeOf(type) != 0) {
      AddNumber(place, SizeOf(type));
      return;
    }
    AddReference(place);
    switch (type) {
      case reflection::String:
        AddNumber(Target(place), sizeof(uint32_t));
        AddNumber(Target(place) + sizeof(uint32_t), 1);
        return;
      case reflection::Obj:
        WalkTable(Target(place), *schema_.objects()->Get(Index(*field.type())));
        return;
      case reflection::Vector:
        WalkVector(Target(place), *field.type());
        return;
      case reflection::Union: {
        const reflection::Object* member = MemberOf(table, vtable, object, field);
        if (member != nullptr) WalkTable(Target(place), *member);
        return;
      }
      default:
        return;
    }
  }

  void WalkVector(size_t vector, const reflection::Type& type) {
    AddNumber(vector, sizeof(uint32_t));
    const uint32_t count = std::min(Read<uint32_t>(vector), kMaxElements);
    const size_t element_size = SizeOf(type.element());
    for (uint32_t i = 0; i < count; ++i) {
      if (element_size != 0) {
        AddNumber(vector + sizeof(uint32_t) + i * element_size, element_size);
      } else if (type.element() == reflection::Obj) {
        const size_t place = vector + sizeof(uint32_t) * (i + 1);
        AddReference(place);
        WalkTable(Target(place), *schema_.objects()->Get(Index(type)));
      }
    }
  }

  // The table that a union holds; its type stands in the field before it.
  const reflection::Object* MemberOf(size_t table, size_t vtable, const reflection::Object& object,
                                     const reflection::Field& field) const {
    const uint16_t type_slot = static_cast<uint16_t>(field.offset() - sizeof(uint16_t));
    for (const reflection::Field* other : *object.fields()) {
      if (other->offset() != type_slot) continue;
      const auto place = Read<uint16_t>(vtable + type_slot);
      const uint8_t kind = place == 0 ? 0 : Read<uint8_t>(table + place);
      const reflection::Enum* members = schema_.enums()->Get(Index(*field.type()));
      for (const reflection::EnumVal* member : *members->values()) {
        if (member->value() != kind || kind == 0) continue;
        return schema_.objects()->Get(Index(*member->union_type()));
      }
    }
    return nullptr;
  }

  static uint32_t Index(const reflection::Type& type) {
    return static_cast<uint32_t>(type.index());
  }

  const std::vector<uint8_t> schema_bytes_;
  const reflection::Schema& schema_;
  const std::vector<uint8_t>& bytes_;
  const size_t file_;
  std::vector<Field>& fields_;
  const size_t base_;
};

// The words of a header that is no flatbuffer.
void AddHeader(size_t file, size_t offset, size_t size, std::vector<Field>& fields) {
  for (size_t i = 0; i + sizeof(uint32_t) <= size; i += sizeof(uint32_t)) {
    fields.push_back({file, offset + i, sizeof(uint32_t), Field::Kind::kNumber});
  }
}

void AddPayloads(const UntrustedFiles& files, std::vector<Field>& fields) {
  auto program = OpenProgram(files.program);
  if (!program.ok()) throw std::runtime_error(program.status().message());
  const auto* plan = ProgramContents(**program).wire().execution_plan()->Get(0);
  if (plan->delegates() == nullptr) return;
  for (const auto* delegate : *plan->delegates()) {
    const bool is_inline = delegate->processed()->location() == wire::program::DataLocation::INLINE;
    auto payload =
        ProgramContents(**program).LoadPayload(is_inline, delegate->processed()->index());
    if (!payload.ok()) throw std::runtime_error(payload.status().message());
    auto header = ParsePayloadHeader(payload->buffer.bytes);
    if (!header.ok()) throw std::runtime_error(header.status().message());
    AddHeader(0, payload->offset, header->flatbuffer.offset, fields);
    Walker("xnnpack_graph", files.program, 0, payload->offset + header->flatbuffer.offset, fields)
        .Walk();
  }
}

uint64_t ReadNumber(const std::vector<uint8_t>& bytes, const Field& field) {
  uint64_t number = 0;
  memcpy(&number, bytes.data() + field.offset, field.size);
  return number;
}

// Numbers that have broken readers of files before.
uint64_t NumberFor(uint32_t how, uint32_t value, uint64_t old, size_t size, size_t file_size) {
  const unsigned bits = static_cast<unsigned>(8 * size);
  switch (how) {
    case 0:
      return 0;
    case 1:
      return 1;
    case 2:
      return UINT64_MAX;
    case 3:
      return (uint64_t{1} << (bits - 1)) - 1;
    case 4:
      return uint64_t{1} << (bits - 1);
    case 5:
      return old + 1;
    case 6:
      return old - 1;
    case 7:
      return value;
    case 8:
      return uint64_t{1} << (value % bits);
    case 9:
      return file_size - value % 64;
    case 10:
      return old * 2;
    default:
      return UINT64_MAX - value;
  }
}

constexpr uint32_t kNumberKinds = 12;
constexpr uint32_t kKinds = kNumberKinds + 2;

}  // namespace

FieldMap::FieldMap(const UntrustedFiles& files) {
  constexpr size_t kProgramHeader = 40;
  constexpr size_t kDataHeader = 48;
  AddHeader(0, 0, kProgramHeader, fields_);
  Walker("program", files.program, 0, 0, fields_).Walk();
  AddPayloads(files, fields_);
  for (size_t i = 0; i < files.data.size(); ++i) {
    AddHeader(i + 1, 0, kDataHeader, fields_);
    Walker("flat_tensor", files.data[i], i + 1, 0, fields_).Walk();
  }
}

void FieldMap::Change(uint32_t index, uint32_t how, uint32_t value, UntrustedFiles& files) const {
  const Field& field = fields_[index % fields_.size()];
  const Field& other = fields_[value % fields_.size()];
  const auto bytes_of = [&](const Field& f) -> std::vector<uint8_t>& {
    return f.file == 0 ? files.program : files.data[f.file - 1];
  };
  std::vector<uint8_t>& bytes = bytes_of(field);
  const uint64_t old = ReadNumber(bytes, field);
  how %= kKinds;
  uint64_t number = 0;
  if (how < kNumberKinds) {
    number = NumberFor(how, value, old, field.size, bytes.size());
  } else if (field.kind == Field::Kind::kReference && other.kind == Field::Kind::kReference &&
             how == kNumberKinds) {
    // Both in one file, or the reference leads anywhere.
    number = other.offset + ReadNumber(bytes_of(other), other) - field.offset;
  } else {
    number = ReadNumber(bytes_of(other), other);
  }
  memcpy(bytes.data() + field.offset, &number, field.size);
}

}  // namespace onepack
