#include "weight_cache/packed_file/next_state.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <unordered_set>
#include <utility>

#include "base/rounding.h"

namespace onepack {
namespace {

// For each entry: kernel, bias and their scales, each in a few files at most.
constexpr size_t kHashesPerEntry = 8;
constexpr size_t kMinHashes = 64;

// What stays free of a limit when something was dropped, so that the next weight does not have the
// whole file written again: one part in so many.
constexpr uint64_t kFreePart = 8;

struct HashOfWeight {
  size_t operator()(const WeightIdentity& weight) const { return WeightIdentityHash()(&weight); }
};

// Unlike any other's: a process has one at a time.
PackedFileId NewId() {
  static std::atomic<uint64_t> count{0};
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const Digest digest = DigestBuilder("packed file")
                            .Add(int64_t{now.tv_sec})
                            .Add(int64_t{now.tv_nsec})
                            .Add(int64_t{getpid()})
                            .Add(++count)
                            .Finish();
  PackedFileId id;
  std::copy_n(digest.bytes.begin(), id.size(), id.begin());
  return id;
}

uint64_t WithDirectory(uint64_t end, size_t entries, size_t hashes) {
  end = RoundUp<uint64_t>(end, kPackedFileAlignment);
  return end + PackedFileDirectorySize(entries, hashes, end);
}

}  // namespace

NextState::NextState(const PackedFileReader* file, const PackedFileChange& change)
    : file_(file), sequence_(file != nullptr ? file->directory().sequence + 1 : 1) {
  KeepEntries(change);
  AddEntries(change);
  MergeHashes(change);
}

void NextState::KeepEntries(const PackedFileChange& change) {
  if (file_ == nullptr) return;
  for (const PackedFileEntry& entry : file_->directory().entries) {
    const auto is_this = [&entry](const PackedFileEntry& other) {
      return entry.offset == other.offset && entry.checksum == other.checksum;
    };
    const bool is_damaged = std::any_of(change.damaged.begin(), change.damaged.end(), is_this);
    const bool has_other_layout =
        !change.additions.empty() && !(entry.key.layout == change.additions.front().key.layout);
    if (is_damaged || has_other_layout) continue;
    Item& item = items_.emplace_back(Item{entry, file_->BytesOf(entry), false});
    if (change.used_kernels.count(entry.key.weight.kernel) > 0) item.entry.last_use = sequence_;
  }
}

// A weight that another process has added meanwhile is there: equal keys, equal bytes.
void NextState::AddEntries(const PackedFileChange& change) {
  std::unordered_set<WeightIdentity, HashOfWeight, std::equal_to<>> known;
  for (const Item& item : items_) known.insert(item.entry.key.weight);
  for (const PackedFileChange::Addition& addition : change.additions) {
    if (!known.insert(addition.key.weight).second) continue;
    Item item{{}, addition.bytes, true};
    item.entry.key = addition.key;
    item.entry.tag = addition.tag;
    item.entry.size = addition.bytes.size();
    item.entry.last_use = sequence_;
    items_.push_back(item);
  }
}

// Those that were used last, so that states of files which are gone do not stay for good.
void NextState::MergeHashes(const PackedFileChange& change) {
  std::unordered_set<Digest, DigestHash> ranges;
  for (const PackedFileHash& hash : change.hashes) {
    const Digest* known = file_ != nullptr ? file_->FindHash(hash.range) : nullptr;
    if (known != nullptr && *known == hash.hash) continue;
    if (!ranges.insert(hash.range).second) continue;
    hashes_.push_back({hash.range, hash.hash, sequence_});
    has_new_hashes_ = true;
  }
  if (file_ != nullptr) {
    for (const PackedFileHash& hash : file_->directory().hashes) {
      if (!ranges.insert(hash.range).second) continue;
      hashes_.push_back(hash);
      if (change.used_ranges.count(hash.range) > 0) hashes_.back().last_use = sequence_;
    }
  }
  std::stable_sort(hashes_.begin(), hashes_.end(),
                   [](const auto& a, const auto& b) { return a.last_use > b.last_use; });
  hashes_.resize(std::min(hashes_.size(), kHashesPerEntry * items_.size() + kMinHashes));
}

void NextState::LimitTo(uint64_t max_bytes) {
  if (LiveSize() <= max_bytes) return;
  std::stable_sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) {
    return std::make_pair(a.entry.last_use, !a.is_new) >
           std::make_pair(b.entry.last_use, !b.is_new);
  });
  const uint64_t wanted = max_bytes - max_bytes / kFreePart;
  uint64_t end = kPackedFileHeaderSize;
  size_t count = 0;
  for (; count < items_.size(); ++count) {
    const uint64_t size = items_[count].entry.size;
    end = PackedFileOffset(end, size) + size;
    if (WithDirectory(end, count + 1, hashes_.size()) > wanted) break;
  }
  items_.resize(count);
}

bool NextState::is_new() const {
  const size_t known = file_ != nullptr ? file_->directory().entries.size() : 0;
  return has_new_hashes_ || items_.size() != known || new_entries() > 0;
}

size_t NextState::new_entries() const {
  return static_cast<size_t>(
      std::count_if(items_.begin(), items_.end(), [](const Item& item) { return item.is_new; }));
}

uint64_t NextState::new_bytes() const {
  uint64_t bytes = 0;
  for (const Item& item : items_) bytes += item.is_new ? item.bytes.size() : 0;
  return bytes;
}

uint64_t NextState::AppendedSize() const {
  uint64_t end = file_->end();
  for (const Item& item : items_) {
    if (item.is_new) end = PackedFileOffset(end, item.entry.size) + item.entry.size;
  }
  return WithDirectory(end, items_.size(), hashes_.size());
}

uint64_t NextState::LiveSize() const {
  uint64_t end = kPackedFileHeaderSize;
  for (const Item& item : items_) end = PackedFileOffset(end, item.entry.size) + item.entry.size;
  return WithDirectory(end, items_.size(), hashes_.size());
}

Status NextState::Append(const LockedFile& file) {
  uint64_t end = file_->end();
  ONEPACK_RETURN_IF_ERROR(file.Reserve(end, AppendedSize() - end));
  for (Item& item : items_) {
    if (item.is_new) ONEPACK_RETURN_IF_ERROR(WriteItem(file, item, end));
  }
  return WriteDirectory(file, file_->id(), end);
}

// The header is on the disk before anything else: whatever a power failure leaves of the rest is
// known to be a packed file.
Status NextState::WriteAll(const LockedFile& file) {
  items_.erase(
      std::remove_if(items_.begin(), items_.end(),
                     [this](const Item& item) { return !item.is_new && !IsIntact(item.entry); }),
      items_.end());
  const PackedFileId id = NewId();
  const auto header = EncodePackedFileHeader(id);
  ONEPACK_RETURN_IF_ERROR(file.WriteAt(0, {header.data(), header.size()}));
  ONEPACK_RETURN_IF_ERROR(file.Sync());
  ONEPACK_RETURN_IF_ERROR(file.Reserve(0, LiveSize()));
  uint64_t end = header.size();
  for (Item& item : items_) ONEPACK_RETURN_IF_ERROR(WriteItem(file, item, end));
  return WriteDirectory(file, id, end);
}

// What stood in a file keeps its checksum: should it change while it is copied, that shows.
Status NextState::WriteItem(const LockedFile& file, Item& item, uint64_t& end) {
  item.entry.offset = PackedFileOffset(end, item.entry.size);
  if (item.is_new) item.entry.checksum = ChecksumOf(item.bytes);
  end = item.entry.offset + item.entry.size;
  return file.WriteAt(item.entry.offset, item.bytes);
}

Status NextState::WriteDirectory(const LockedFile& file, const PackedFileId& id,
                                 uint64_t end) const {
  PackedFileDirectory directory;
  directory.sequence = sequence_;
  directory.entries.reserve(items_.size());
  for (const Item& item : items_) directory.entries.push_back(item.entry);
  directory.hashes = hashes_;
  const uint64_t offset = RoundUp<uint64_t>(end, kPackedFileAlignment);
  const std::vector<uint8_t> bytes = EncodePackedFileDirectory(directory, id, offset);
  return file.WriteAt(offset, {bytes.data(), bytes.size()});
}

}  // namespace onepack
