#include "client/report/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/report/html_writer.h"
#include "client/status_macros.h"

extern char** environ;

namespace modelpatch::client::report {
namespace {

namespace fs = std::filesystem;

// A file without a name, gone when it is closed: a pipe could fill up while its reader waits.
class NamelessFile {
 public:
  static absl::StatusOr<NamelessFile> Make(const std::string& content) {
    std::error_code error;
    const fs::path parent = fs::temp_directory_path(error);
    std::string pattern = ((error ? fs::path("/tmp") : parent) / "modelpatch-report-XXXXXX").string();
    const int descriptor = mkostemp(pattern.data(), O_CLOEXEC);
    if (descriptor < 0) {
      return absl::UnavailableError(absl::StrCat("cannot make the file ", pattern, ": ", std::strerror(errno)));
    }
    unlink(pattern.c_str());
    NamelessFile file(descriptor);
    size_t written = 0;
    while (written < content.size()) {
      const ssize_t count = write(descriptor, content.data() + written, content.size() - written);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return absl::UnavailableError(absl::StrCat("cannot write ", pattern, ": ", std::strerror(errno)));
      written += static_cast<size_t>(count);
    }
    lseek(descriptor, 0, SEEK_SET);
    return file;
  }
  ~NamelessFile() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  NamelessFile(NamelessFile&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  NamelessFile& operator=(NamelessFile&&) = delete;

  int descriptor() const { return descriptor_; }

  std::string Read() const {
    std::string content;
    std::array<char, 65536> buffer;
    lseek(descriptor_, 0, SEEK_SET);
    for (;;) {
      const ssize_t count = read(descriptor_, buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return content;
      content.append(buffer.data(), static_cast<size_t>(count));
    }
  }

 private:
  explicit NamelessFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

// The exit status as waitpid gives it, or the error number of a program that cannot be started.
struct Ended {
  int start_error = 0;
  int status = 0;
};

Ended RunProgram(const std::string& program, int input, int output, int error) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO);
  std::string name = program;
  // -d: no settings of the user's, so that figures look the same everywhere.
  std::string defaults = "-d";
  std::string standard_input = "-";
  std::array<char*, 4> arguments = {name.data(), defaults.data(), standard_input.data(), nullptr};
  pid_t pid = -1;
  Ended ended;
  ended.start_error = posix_spawnp(&pid, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (ended.start_error != 0) return ended;
  while (waitpid(pid, &ended.status, 0) < 0 && errno == EINTR) {
  }
  return ended;
}

// The text between the first `begin` and the next `end`, both included, taken out of `text` and replaced.
bool ReplaceElement(std::string& text, const std::string& begin, const std::string& end, const std::string& by) {
  const size_t from = text.find(begin);
  if (from == std::string::npos) return false;
  const size_t to = text.find(end, from);
  if (to == std::string::npos) return false;
  text.replace(from, to + end.size() - from, by);
  return true;
}

// gnuplot gives every figure the same ids, and titles that say nothing. Text of ours cannot be taken for markup: in an
// SVG its
// `<` is `&lt;`.
std::string ForPage(std::string svg, const std::string& id, const std::string& title) {
  svg.erase(0, svg.find("<svg"));
  while (ReplaceElement(svg, "<title>", "</title>", "")) {
  }
  ReplaceElement(svg, "<desc>", "</desc>", absl::StrCat("<title>", EscapeHtml(title), "</title>"));
  ReplaceElement(svg, "<svg", "\n", "<svg role='img'\n");
  return absl::StrReplaceAll(svg, {{"id='", absl::StrCat("id='", id, "-")},
                                   {"id=\"", absl::StrCat("id=\"", id, "-")},
                                   {"href='#", absl::StrCat("href='#", id, "-")},
                                   {"url(#", absl::StrCat("url(#", id, "-")}});
}

}  // namespace

absl::StatusOr<std::string> Gnuplot::Run(const std::string& script) const {
  CLIENT_ASSIGN_OR_RETURN(const NamelessFile input, NamelessFile::Make(script));
  CLIENT_ASSIGN_OR_RETURN(const NamelessFile output, NamelessFile::Make(""));
  CLIENT_ASSIGN_OR_RETURN(const NamelessFile error, NamelessFile::Make(""));
  const Ended ended = RunProgram(program_, input.descriptor(), output.descriptor(), error.descriptor());
  if (ended.start_error == 0 && WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == 0) return output.Read();
  // A shell's 127 is what posix_spawn of other systems exits with.
  const bool is_missing = ended.start_error != 0 || (WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == 127);
  if (is_missing) {
    return absl::FailedPreconditionError(
        absl::StrCat("the program '", program_, "', which draws the figures, cannot be run: ",
                     std::strerror(ended.start_error == 0 ? ENOENT : ended.start_error),
                     "; install the Debian package gnuplot-nox, or leave the figures out with --no-figures"));
  }
  return absl::InternalError(absl::StrCat(program_, " could not draw a figure: ", error.Read()));
}

absl::Status Gnuplot::Check() const { return Run("").status(); }

absl::StatusOr<std::string> Gnuplot::Draw(const std::string& script, const std::string& id,
                                          const std::string& title) const {
  CLIENT_ASSIGN_OR_RETURN(std::string svg, Run(script));
  if (svg.find("<svg") == std::string::npos || svg.find("</svg>") == std::string::npos) {
    return absl::InternalError(absl::StrCat(program_, " drew nothing"));
  }
  return ForPage(std::move(svg), id, title);
}

}  // namespace modelpatch::client::report
