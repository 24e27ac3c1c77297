// Gnuplot: runs gnuplot on a script and gives the SVG that it draws. Owns nothing between calls; one call at a time.
#pragma once

#include <string>
#include <utility>

#include "absl/status/statusor.h"

namespace modelpatch::client::report {

class Gnuplot {
 public:
  // The program's path, or its name on PATH.
  explicit Gnuplot(std::string program = "gnuplot") : program_(std::move(program)) {}

  // OK if the program runs. FAILED_PRECONDITION, naming the Debian package, if it is not installed.
  absl::Status Check() const;

  // An SVG element to stand in an HTML page among others: its ids begin with `id`, which is a plain word, and `title`
  // says what it is to those who do not see it. FAILED_PRECONDITION without gnuplot; INTERNAL, with what gnuplot said,
  // if it cannot draw the script.
  absl::StatusOr<std::string> Draw(const std::string& script, const std::string& id, const std::string& title) const;

 private:
  absl::StatusOr<std::string> Run(const std::string& script) const;

  const std::string program_;
};

}  // namespace modelpatch::client::report
