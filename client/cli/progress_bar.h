// ProgressBar: how far a step is, on one line of a terminal that is written over, or now and then on a line of its own.
// Not thread-safe; the stream outlives it.
#pragma once

#include <cstdint>
#include <ostream>
#include <string>

#include "modelpatch/v1/resources.pb.h"

namespace modelpatch::client {

// "fine-tune-0 ████████░░░░  40%  step 80/200  loss 0.532  312 images/s  0:12 left", without a newline.
std::string ProgressText(const v1::StepProgress& progress, bool unicode);

// "████████░░░░  40%".
std::string BarText(int64_t done, int64_t total, bool unicode);

class ProgressBar {
 public:
  // `terminal`: whether a line can be written over; otherwise a line is added at each tenth.
  ProgressBar(std::ostream& out, bool terminal, bool unicode);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Show(const v1::StepProgress& progress);
  // Ends the line, so that something else can be written.
  void Break();

 private:
  std::ostream& out_;
  const bool terminal_;
  const bool unicode_;
  std::string step_id_;
  int shown_tenth_ = -1;
  bool line_open_ = false;
};

// Whether the environment's locale writes UTF-8.
bool LocaleIsUtf8();

}  // namespace modelpatch::client
