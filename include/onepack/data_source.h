// Where the bytes of a program or of a data file come from.
//
// Derive to read from elsewhere (a compressed archive, a network): override name, size and Load;
// Read too where bytes can be read straight into place. An asset of an Android package is a part of
// a file and needs no class: see MapFilePart. The base class is the empty source.
//
// Ownership: counted; every Buffer keeps its source alive.
// Threads:   any function, any thread.
// Errors:    a range outside the source, or a part outside its file, is kInvalidFile; what the
//            system refuses is kIoError; a null path or name, and what is no regular file, is
//            kInvalidArgument.

#ifndef ONEPACK_DATA_SOURCE_H_
#define ONEPACK_DATA_SOURCE_H_

#include <stdint.h>

#include "onepack/allocator.h"
#include "onepack/buffer.h"
#include "onepack/data_identity.h"
#include "onepack/export.h"
#include "onepack/result.h"
#include "onepack/segment.h"

namespace onepack {

class ONEPACK_API DataSource : public RefCounted {
 public:
  // Its bytes are taken for no other source's.
  DataSource() : identity_(DataIdentity::Unique()) {}

  // How messages call this source: a path, as a rule.
  virtual const char* name() const { return "(empty)"; }

  virtual uint64_t size() const { return 0; }

  // What makes this source's bytes the same as another's: weights of equal identities are packed
  // once, and not compared.
  const DataIdentity& identity() const { return identity_; }

  // Whether Load costs neither a read nor memory.
  virtual bool is_mapped() const { return false; }

  // Whether Buffers keep their bytes, as Load promises. Where something else does (WrapMemory),
  // nothing runs over them but what was loaded from this source itself: not even a program whose
  // weights are the same.
  virtual bool keeps_bytes() const { return true; }

  // The bytes of `range`, unchanged while the Buffer lives. Mapped sources copy nothing.
  virtual Result<Buffer> Load(const Segment& range) const { return LoadNothing(range); }

  // The same, and kIoError when more or fewer bytes came than asked for: what every reader here
  // calls.
  Result<Buffer> LoadWhole(const Segment& range) const;

  // The bytes of `range`, written to `destination`, which has room for them.
  virtual Status Read(const Segment& range, uint8_t* destination) const {
    return ReadByLoading(range, destination);
  }

  // False for a source that says what its bytes are like (FindHash) and has none of them: Load
  // fails with kNotFound.
  virtual bool has_bytes() const { return true; }

  // The SHA-256 of the bytes of `range`, 32 bytes that live as long as the source, where the source
  // knows it without reading them; else null. By it packed weights are found in a packed file: a
  // wrong one gives the source's own programs wrong weights.
  virtual const uint8_t* FindHash(const Segment& range) const {
    (void)range;
    return nullptr;
  }

  // All of `range` will be read next: a mapped source starts to fetch it from the disk. Advisory.
  virtual void Prefetch(const Segment& range) const { (void)range; }

  // Whether Load still gives what it gave when the source was made. What runs over bytes of a file
  // where they are asks at every load. Errors: kFailedPrecondition for a file that was rewritten in
  // place, as far as its size and times say.
  virtual Status CheckUnchanged() const { return Status::Ok(); }

  // `range` will not be read soon: a mapped source drops its pages. Advisory: its bytes stay what
  // they are.
  virtual void Discard(const Segment& range) const { (void)range; }

 protected:
  // For a source that serves bytes as they stand in a file (DataIdentity::OfFile), or those of
  // another source (its identity(), `At` where this one begins): what is loaded from both is shared
  // at no cost. It outlives the source: packed weights may stay in a cache.
  explicit DataSource(const DataIdentity& identity) : identity_(identity) {}

  // What Load gives of a source whose bytes are all in memory: `all` of them, which stay where they
  // are while it lives.
  Result<Buffer> LoadFrom(Bytes all, const Segment& range) const;

  // The status for a range that does not lie in the source.
  Status CheckRange(const Segment& range) const;

 private:
  // All virtual functions are inline: else this class's type information would be in our archive
  // only, which is built without it, and code that is built with it could not derive.
  Result<Buffer> LoadNothing(const Segment& range) const;
  Status ReadByLoading(const Segment& range, uint8_t* destination) const;

  const DataIdentity identity_;
};

// A file, mapped read-only and shared with the page cache. The file must not be changed in place
// while the source lives: replace it (write a new file, rename it over) instead.
ONEPACK_API Result<Ref<DataSource>> OpenMappedFile(const char* path,
                                                   const Allocator& allocator = HeapAllocator());

// A part of a file, such as an uncompressed asset of an Android package, whose descriptor, offset
// and length AAsset_openFileDescriptor64 gives. As above; the part may begin anywhere. The
// descriptor stays the caller's, who may close it at once; `name` is copied.
ONEPACK_API Result<Ref<DataSource>> MapFilePart(int descriptor, const Segment& part,
                                                const char* name,
                                                const Allocator& allocator = HeapAllocator());

// The same by path. Messages call it "PATH at OFFSET".
ONEPACK_API Result<Ref<DataSource>> OpenMappedFilePart(
    const char* path, const Segment& part, const Allocator& allocator = HeapAllocator());

// Bytes that the caller owns. They have to stay, unchanged, until all that was opened or loaded
// from the source is closed: programs, data maps, methods; and until loads have returned that other
// threads had begun by then over the same weight cache, since these may be comparing bytes. What
// stays in the cache afterwards, or in use by other programs, does not read them. `name` is copied.
ONEPACK_API Result<Ref<DataSource>> WrapMemory(Bytes bytes, const char* name,
                                               const Allocator& allocator = HeapAllocator());

}  // namespace onepack

#endif  // ONEPACK_DATA_SOURCE_H_
