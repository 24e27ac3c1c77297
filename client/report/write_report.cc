// WriteReport of report.h.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "client/report/report.h"
#include "client/status_macros.h"

namespace modelpatch::client::report {
namespace {

namespace fs = std::filesystem;

absl::Status DiskError(const std::string& what, const std::string& path, int number) {
  return absl::UnavailableError(absl::StrCat("cannot ", what, " ", path, ": ", std::strerror(number)));
}

absl::Status WriteAll(int descriptor, const std::string& path, const std::string& content) {
  for (size_t written = 0; written < content.size();) {
    const ssize_t count = write(descriptor, content.data() + written, content.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return DiskError("write", path, errno);
    written += static_cast<size_t>(count);
  }
  if (fsync(descriptor) != 0) return DiskError("write", path, errno);
  return absl::OkStatus();
}

// Whole under its name, or not there: written beside it and renamed.
absl::Status WriteFile(const std::string& path, const std::string& content) {
  std::string pattern = absl::StrCat(path, ".XXXXXX");
  const int descriptor = mkostemp(pattern.data(), O_CLOEXEC);
  if (descriptor < 0) return DiskError("make", pattern, errno);
  absl::Status status = WriteAll(descriptor, pattern, content);
  // A report is for others to read as well; mkostemp's files are not.
  if (status.ok() && fchmod(descriptor, 0644) != 0) status = DiskError("write", pattern, errno);
  close(descriptor);
  if (status.ok() && std::rename(pattern.c_str(), path.c_str()) != 0) status = DiskError("write", path, errno);
  if (!status.ok()) unlink(pattern.c_str());
  return status;
}

}  // namespace

absl::Status CheckReportDirectory(const std::string& directory) {
  std::error_code error;
  if (fs::exists(directory, error) && !fs::is_directory(directory, error)) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, " is a file; --out takes a directory, which is made if it is not there"));
  }
  return absl::OkStatus();
}

absl::Status WriteReport(const std::vector<ReportFile>& files, const std::string& directory) {
  CLIENT_RETURN_IF_ERROR(CheckReportDirectory(directory));
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return absl::FailedPreconditionError(absl::StrCat("cannot make the directory ", directory, ": ", error.message()));
  }
  for (const ReportFile& file : files) {
    CLIENT_RETURN_IF_ERROR(WriteFile((fs::path(directory) / file.name).string(), file.content));
  }
  return absl::OkStatus();
}

}  // namespace modelpatch::client::report
