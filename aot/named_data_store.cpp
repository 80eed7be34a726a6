#include "aot/named_data_store.h"

#include <numeric>
#include <set>
#include <utility>

#include "base/printable.h"

namespace onepack {
namespace {

// What no reader asks for, and sums of which could overflow.
constexpr size_t kMaxAlignment = size_t{1} << 20;

Status CheckAlignment(const std::string& key, size_t alignment) {
  if (alignment > 0 && alignment <= kMaxAlignment) return Status::Ok();
  return Status::Error(StatusCode::kInvalidArgument,
                       "key '%s': an alignment of %zu, 1 to %zu expected", Printable(key).c_str(),
                       alignment, kMaxAlignment);
}

std::string FileOf(const std::string& tag) {
  return tag.empty() ? std::string("the program") : "data file '" + tag + "'";
}

}  // namespace

Status NamedDataStore::Check(const std::string& key, const std::string& sha256,
                             const DataBytes& bytes, const NamedDataOptions& options) const {
  const auto data = by_sha256_.find(sha256);
  const size_t other = data == by_sha256_.end() ? 1 : data_[data->second].alignment;
  ONEPACK_RETURN_IF_ERROR(CheckAlignment(key, options.alignment));
  ONEPACK_RETURN_IF_ERROR(CheckAlignment(key, std::lcm(other, options.alignment)));
  const auto known = entries_.find(key);
  if (known == entries_.end()) return Status::Ok();
  const Entry& entry = known->second;
  if (data == by_sha256_.end() || data->second != entry.data) {
    return Status::Error(StatusCode::kMismatch,
                         "key '%s' stands for %llu bytes already, and for %llu other bytes now",
                         Printable(key).c_str(),
                         static_cast<unsigned long long>(data_[entry.data].bytes.size_bytes()),
                         static_cast<unsigned long long>(bytes.size_bytes()));
  }
  if (!SameLayout(entry.layout, options.layout)) {
    return Status::Error(StatusCode::kMismatch, "key '%s' is read as another tensor already",
                         Printable(key).c_str());
  }
  if (entry.tag == options.tag) return Status::Ok();
  return Status::Error(StatusCode::kMismatch, "key '%s' belongs to %s already, and to %s now",
                       Printable(key).c_str(), FileOf(entry.tag).c_str(),
                       FileOf(options.tag).c_str());
}

Status NamedDataStore::Add(const std::string& key, const DataBytes& bytes,
                           const NamedDataOptions& options) {
  ONEPACK_ASSIGN_OR_RETURN(const std::string sha256, bytes.Sha256());
  ONEPACK_RETURN_IF_ERROR(Check(key, sha256, bytes, options));
  const auto [place, is_new] = by_sha256_.emplace(sha256, data_.size());
  if (is_new) data_.push_back({bytes, 1});
  Data& data = data_[place->second];
  data.alignment = std::lcm(data.alignment, options.alignment);
  entries_.emplace(key, Entry{place->second, options.layout, options.tag});
  return Status::Ok();
}

Result<std::string> NamedDataStore::AddByContent(const DataBytes& bytes,
                                                 const NamedDataOptions& options,
                                                 std::string_view prefix) {
  ONEPACK_ASSIGN_OR_RETURN(const std::string sha256, bytes.Sha256());
  std::string key = std::string(prefix) + sha256;
  ONEPACK_RETURN_IF_ERROR(Add(key, bytes, options));
  return key;
}

Status NamedDataStore::Merge(const NamedDataStore& other) {
  NamedDataStore both = *this;
  for (const auto& [key, entry] : other.entries_) {
    const Data& data = other.data_[entry.data];
    ONEPACK_RETURN_IF_ERROR(both.Add(key, data.bytes, {data.alignment, entry.layout, entry.tag}));
  }
  *this = std::move(both);
  return Status::Ok();
}

std::vector<std::string> NamedDataStore::Tags() const {
  std::set<std::string> tags;
  for (const auto& [key, entry] : entries_) {
    if (!entry.tag.empty()) tags.insert(entry.tag);
  }
  return {tags.begin(), tags.end()};
}

uint64_t NamedDataStore::SizeBytes() const {
  uint64_t size = 0;
  for (const Data& data : data_) size += data.bytes.size_bytes();
  return size;
}

PtdWriter NamedDataStore::DataFile(std::string_view tag) const {
  PtdWriter writer;
  std::map<size_t, uint32_t> segments;  // by index of data_
  for (const auto& [key, entry] : entries_) {
    if (entry.tag == tag) segments.emplace(entry.data, 0);
  }
  for (auto& [index, segment] : segments) {
    segment = writer.AddSegment(data_[index].bytes, data_[index].alignment);
  }
  for (const auto& [key, entry] : entries_) {
    if (entry.tag == tag) writer.AddKey(key, segments[entry.data], entry.layout);
  }
  return writer;
}

void NamedDataStore::AddOwnData(ProgramWriter& program) const {
  std::map<size_t, uint32_t> segments;  // by index of data_
  for (const auto& [key, entry] : entries_) {
    if (!entry.tag.empty()) continue;
    const auto [segment, is_new] = segments.emplace(entry.data, 0);
    if (is_new) {
      segment->second = program.AddSegment(data_[entry.data].bytes, data_[entry.data].alignment);
    }
    program.AddNamedData(key, segment->second);
  }
}

}  // namespace onepack
