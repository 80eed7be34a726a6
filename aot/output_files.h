// Files that appear together or not at all.
//
// Each is written to a temporary file in its own folder, brought to the disk, and read back as its
// readers will read it: what they would refuse replaces nothing. Commit then gives
// all of them their names, in the order of Write: each is on the disk before the next. Until then,
// and after any failure, what was there before is untouched and no temporary file stays. (Should
// the machine stop in the middle of Commit, every single file is old or new, whole in either case;
// on a file system without links an old one may be left under a temporary name.)
//
// Ownership: of its temporary files; those that were not committed are removed with it.
// Threads:   one at a time.
// Errors:    kIoError and kNotFound name the path; kFailedPrecondition for a name that is taken or
//            given twice; kInternal for what cannot be read back; those of the producer.

#ifndef ONEPACK_AOT_OUTPUT_FILES_H_
#define ONEPACK_AOT_OUTPUT_FILES_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "aot/data_bytes.h"
#include "aot/read_back.h"
#include "base/new_file.h"

namespace onepack {

class OutputFiles {
 public:
  explicit OutputFiles(ExistingFile existing) : existing_(existing) {}
  OutputFiles(OutputFiles&&) = default;
  OutputFiles& operator=(OutputFiles&&) = delete;

  // Writes all that `producer` appends, and lets `read_back` look at it. The folder exists.
  Status Write(const std::string& path, const DataBytes::Producer& producer,
               const ReadBack& read_back);

  Status Commit();

 private:
  // A name in a folder: paths that are spelled in different ways can lead to the same one.
  struct Place {
    dev_t device;
    ino_t folder;
    std::string name;
  };
  struct File {
    std::string path;
    Place place;
    NewFile file;
    std::string backup;  // of what was there, until all files have their names; empty: nothing was
  };

  static Result<Place> PlaceOf(const std::string& path);
  Status CheckName(const std::string& path, const Place& place) const;
  static Status KeepOld(File& file);
  Status TakeBack(Status status);

  const ExistingFile existing_;
  std::vector<File> files_;
};

// FOLDER/NAME, by what writes itself and says how that is read: a PtdWriter, a ProgramWriter.
template <typename Writer>
Status WriteInto(const std::string& folder, const std::string& name, const Writer& writer,
                 OutputFiles& files) {
  return files.Write(
      folder + "/" + name, [&](const Append& append) { return writer.Write(append); },
      &Writer::ReadBack);
}

// One file, replaced if it was there.
Status WriteOutputFile(const std::string& path, const DataBytes::Producer& producer,
                       const ReadBack& read_back);

}  // namespace onepack

#endif  // ONEPACK_AOT_OUTPUT_FILES_H_
