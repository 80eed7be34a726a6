// Values by ids that a file chooses, such as those of a graph.
//
// Exporters count ids from 0 and write the values in this order: then an id is a place in a vector,
// and nothing has to be hashed or allocated for it. A file may have any other ids; it gets an
// index.
//
// A header alone, for folders that may allocate with the standard library: nothing of it is in
// base's archive.
//
// Threads: as for a vector.

#ifndef ONEPACK_BASE_VALUE_MAP_H_
#define ONEPACK_BASE_VALUE_MAP_H_

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include <map>
#include <utility>
#include <vector>

namespace onepack {

template <typename T>
class ValueMap {
 public:
  struct Entry {
    uint32_t id;
    T value;
  };

  void reserve(size_t count) { entries_.reserve(count); }

  // False, with nothing changed, if the id is there already. What Find and at returned before is
  // valid as long as no more are added than there was room reserved for. May throw std::bad_alloc.
  bool Add(uint32_t id, T value) {
    if (Find(id) != nullptr) return false;
    const size_t place = entries_.size();
    entries_.push_back({id, std::move(value)});
    is_counted_ = is_counted_ && id == place;
    if (!is_counted_ && entries_.size() > kFew) AddToIndex();
    return true;
  }

  // Null if there is none.
  const T* Find(uint32_t id) const {
    const size_t place = PlaceOf(id);
    return place < entries_.size() ? &entries_[place].value : nullptr;
  }
  T* Find(uint32_t id) { return const_cast<T*>(std::as_const(*this).Find(id)); }

  // REQUIRES: it is there.
  const T& at(uint32_t id) const {
    assert(Find(id) != nullptr);
    return *Find(id);
  }
  T& at(uint32_t id) { return const_cast<T&>(std::as_const(*this).at(id)); }

  size_t size() const { return entries_.size(); }
  // Whether ids are places: counted from 0 in the order in which they were added.
  bool is_counted() const { return is_counted_; }
  // How many were added before it: for what is kept of all values beside the map. REQUIRES: it is
  // there.
  size_t IndexOf(uint32_t id) const { return PlaceOf(id); }

  // In the order in which they were added.
  const Entry* begin() const { return entries_.data(); }
  const Entry* end() const { return entries_.data() + entries_.size(); }
  Entry* begin() { return entries_.data(); }
  Entry* end() { return entries_.data() + entries_.size(); }

 private:
  // Among so many, to look at each is as fast as an index: the values of a single node.
  static constexpr size_t kFew = 8;

  size_t PlaceOf(uint32_t id) const {
    if (id < entries_.size() && entries_[id].id == id) return id;
    if (entries_.size() <= kFew) {
      size_t place = 0;
      while (place < entries_.size() && entries_[place].id != id) ++place;
      return place;
    }
    const auto found = index_.find(id);
    return found != index_.end() ? found->second : entries_.size();
  }

  // Of all entries, or, if the others are in it, of the last one.
  void AddToIndex() {
    for (size_t place = index_.size(); place < entries_.size(); ++place) {
      index_.emplace(entries_[place].id, place);
    }
  }

  std::vector<Entry> entries_;
  bool is_counted_ = true;
  // Empty while there are few, or ids are places. Not a hash table: a file could choose ids that
  // collide.
  std::map<uint32_t, size_t> index_;
};

}  // namespace onepack

#endif  // ONEPACK_BASE_VALUE_MAP_H_
