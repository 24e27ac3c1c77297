// HtmlWriter: builds one HTML page that refers to nothing outside itself. All text is escaped. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/report/display_table.h"

namespace modelpatch::client::report {

// `text` for an element or a quoted attribute; control characters and bytes that are no UTF-8 become '?'.
std::string EscapeHtml(std::string_view text);

class HtmlWriter {
 public:
  explicit HtmlWriter(std::string_view title);

  // `level` 1 to 3; `id` is a plain word that links may name, or empty.
  void Heading(int level, std::string_view text, std::string_view id = "");
  void Paragraph(std::string_view text);
  // Links to headings of this page: id and text.
  void Contents(const std::vector<std::pair<std::string, std::string>>& entries);
  // Nothing for an empty table.
  void Table(const DisplayTable& table, std::string_view caption = "");
  // `label: value`. Nothing without lines.
  void Lines(const std::vector<std::pair<std::string, std::string>>& lines, std::string_view caption = "");
  // Text of a terminal: newlines stay.
  void Code(std::string_view text);
  // `svg` goes in as it is.
  void Figure(const std::string& svg, std::string_view title, std::string_view caption);

  // The whole page.
  std::string Finish() const;

 private:
  std::string title_;
  std::string body_;
};

}  // namespace modelpatch::client::report
