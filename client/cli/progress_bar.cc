#include "client/cli/progress_bar.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/table.h"
#include "client/cli/text_format.h"

namespace modelpatch::client {
namespace {

constexpr int kBarWidth = 24;

int64_t ShareOf(int64_t done, int64_t total, int whole) {
  if (total <= 0) return 0;
  // Files have more bytes than fit into an integer 100 times.
  const double share = static_cast<double>(done) * whole / static_cast<double>(total);
  return std::clamp<int64_t>(static_cast<int64_t>(share), 0, whole);
}

int64_t ShareOf(const v1::StepProgress& progress, int whole) {
  return ShareOf(progress.step(), progress.total_steps(), whole);
}

}  // namespace

std::string BarText(int64_t done, int64_t total, bool unicode) {
  const auto filled = ShareOf(done, total, kBarWidth);
  std::string bar;
  for (int i = 0; i < kBarWidth; ++i) bar += i < filled ? (unicode ? "█" : "#") : (unicode ? "░" : ".");
  return absl::StrFormat("%s %3d%%", bar, ShareOf(done, total, 100));
}

std::string ProgressText(const v1::StepProgress& progress, bool unicode) {
  std::string text = absl::StrFormat("%s %s  %d/%d", Printable(progress.step_id()),
                                     BarText(progress.step(), progress.total_steps(), unicode), progress.step(),
                                     progress.total_steps());
  if (progress.has_loss()) absl::StrAppend(&text, "  loss ", absl::StrFormat("%.3f", progress.loss()));
  if (progress.has_validation_accuracy()) {
    absl::StrAppend(&text, "  validation ", Percent(progress.validation_accuracy()));
  }
  if (progress.has_images_per_second()) {
    absl::StrAppend(&text, absl::StrFormat("  %.0f images/s", progress.images_per_second()));
  }
  if (progress.has_remaining_seconds()) absl::StrAppend(&text, "  ", Duration(progress.remaining_seconds()), " left");
  return text;
}

ProgressBar::ProgressBar(std::ostream& out, bool terminal, bool unicode)
    : out_(out), terminal_(terminal), unicode_(unicode) {}

ProgressBar::~ProgressBar() { Break(); }

void ProgressBar::Show(const v1::StepProgress& progress) {
  if (progress.step_id() != step_id_) {
    Break();
    step_id_ = progress.step_id();
    shown_tenth_ = -1;
  }
  if (terminal_) {
    // Back to the start of the line, and clear it.
    out_ << "\r\033[K" << ProgressText(progress, unicode_) << std::flush;
    line_open_ = true;
    return;
  }
  const int tenth = static_cast<int>(ShareOf(progress, 10));
  if (tenth == shown_tenth_) return;
  shown_tenth_ = tenth;
  out_ << ProgressText(progress, unicode_) << std::endl;
}

void ProgressBar::Break() {
  if (line_open_) out_ << std::endl;
  line_open_ = false;
}

bool LocaleIsUtf8() {
  for (const char* variable : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(variable);
    if (value == nullptr || *value == '\0') continue;
    const std::string name = absl::AsciiStrToLower(value);
    return absl::StrContains(name, "utf-8") || absl::StrContains(name, "utf8");
  }
  return false;
}

}  // namespace modelpatch::client
